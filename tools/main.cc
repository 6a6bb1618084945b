// partita: text generation on CPUs, from the command line.
#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstring>
#include <iostream>
#include <new>

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
  tools::add_generate(commands, common, action);
  tools::add_chat(commands, common, action);
  tools::add_batch(commands, common, action);
  tools::add_score(commands, common, action);
  tools::add_tokenize(commands, common, action);
  tools::add_detokenize(commands, common, action);
  tools::add_template(commands, common, action);
  tools::add_inspect(commands, common, action);
  tools::add_doctor(commands, common, action);
  tools::add_convert(commands, common, action);
  tools::add_quantize(commands, common, action);
  tools::add_imatrix(commands, common, action);
  tools::add_prepare(commands, common, action);
  tools::add_bench(commands, common, action);

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
  try {
    return run(argc, argv);
  } catch (const std::bad_alloc&) {
    return tools::fail(tools::out_of_memory());
  }
}
