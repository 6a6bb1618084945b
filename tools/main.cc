// partita: text generation on CPUs, from the command line.
#include <CLI/CLI.hpp>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <iostream>
#include <new>
#include <string>
#include <string_view>

#include "tools/cli/descriptors.h"
#include "tools/cli/exhaustion.h"
#include "tools/cli/usage.h"
#include "tools/commands.h"

namespace {

/// Rewrites "help" and "help COMMAND" to "--help" and "COMMAND --help".
void take_help(int argc, char** argv) {
  static char option[] = "--help";
  if (argc < 2 || std::strcmp(argv[1], "help") != 0) return;
  if (argc > 2) argv[1] = argv[2];
  argv[argc > 2 ? 2 : 1] = option;
}

struct NamedCommand {
  std::string_view name;
  void (*add)(tools::Command program, tools::Common& common, tools::Action& action);
};
constexpr NamedCommand kCommands[] = {
    {"generate", tools::add_generate}, {"chat", tools::add_chat},
    {"batch", tools::add_batch},       {"score", tools::add_score},
    {"tokenize", tools::add_tokenize}, {"detokenize", tools::add_detokenize},
    {"template", tools::add_template}, {"inspect", tools::add_inspect},
    {"doctor", tools::add_doctor},     {"convert", tools::add_convert},
    {"quantize", tools::add_quantize}, {"imatrix", tools::add_imatrix},
    {"prepare", tools::add_prepare},   {"bench", tools::add_bench},
};

/// Adds the command that the first word names; all of them if it names none. The options of all take 11
/// million instructions.
void add_commands(std::string_view first, tools::Command program, tools::Common& common,
                  tools::Action& action) {
  for (const NamedCommand& command : kCommands) {
    if (command.name == first) return command.add(program, common, action);
  }
  for (const NamedCommand& command : kCommands) command.add(program, common, action);
}

int run(int argc, char** argv) {
  take_help(argc, argv);
  tools::Common common;
  common.program = argc > 0 ? argv[0] : "partita";
  tools::Action action;

  CLI::App program{"Partita: text generation on CPUs"};
  program.name(common.program);
  const tools::Command commands(program);
  // Commands inherit the formatter, the heading and the help options.
  program.formatter(tools::help_formatter({}));
  commands.heading(tools::Heading::kHelp);
  program.set_help_flag("-h,--help", "show the options that people use most, and an example");
  program.set_help_all_flag("--help-all", "show all options, and an example");
  program.set_version_flag("--version", "partita " + std::string(partita::version()), "show the version");
  program.require_subcommand(1);
  add_commands(argc > 1 ? argv[1] : "", commands, common, action);

  try {
    program.parse(argc, argv);
    return action();
  } catch (const CLI::ParseError& e) {
    // "partita frobnicate --help" asks for the help of an unknown command.
    const bool unknown_command = program.get_subcommands().empty() && !program.remaining().empty();
    if (e.get_exit_code() != 0 || unknown_command) return tools::usage_error(tools::usage_text(program, e));
    program.exit(e);  // --help or --version
    if (std::cout.flush()) return tools::kDone;
    return tools::fail(
        {partita::ErrorCode::kIo, std::string("cannot write to stdout: ") + std::strerror(errno)});
  } catch (const std::bad_alloc&) {
    return tools::fail(tools::out_of_memory());
  } catch (const std::exception& e) {
    std::fprintf(stderr, "partita: %s\n", e.what());
    return tools::kFailed;
  }
}

}  // namespace

int main(int argc, char** argv) {
  tools::fill_standard_descriptors();
  tools::keep_reserve();
  std::signal(SIGXFSZ, SIG_IGN);  // a write beyond the limit on files then fails with an errno
  try {
    return run(argc, argv);
  } catch (const std::bad_alloc&) {
    return tools::fail(tools::out_of_memory());
  }
}
