#include "tools/usage.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cctype>
#include <vector>

#include "tools/nearest.h"

namespace tools {
namespace {

bool looks_like_an_option(const std::string& word) {
  return word.size() > 1 && word[0] == '-' && std::isdigit(static_cast<unsigned char>(word[1])) == 0;
}

/// "--top-k" of "--top-k=40".
std::string name_of(const std::string& option) { return option.substr(0, option.find('=')); }

std::vector<std::string> commands_of(const CLI::App& program) {
  std::vector<std::string> names;
  for (const CLI::App* command : program.get_subcommands([](const CLI::App*) { return true; })) {
    names.push_back(command->get_name());
  }
  return names;
}

std::vector<std::string> options_of(const CLI::App& command) {
  std::vector<std::string> names;
  for (const CLI::Option* option : command.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  return names;
}

/// What was left over where no command was understood.
std::string no_command(const CLI::App& program, const std::vector<std::string>& left) {
  const std::string lists = "; " + program.get_name() + " --help lists the commands";
  if (left.empty()) return "a command is needed, such as " + program.get_name() + " chat" + lists;
  const std::string& word = left.front();
  if (looks_like_an_option(word)) {
    return "there is no option " + name_of(word) + " before a command: options come after it, as in " +
           program.get_name() + " generate " + word + lists;
  }
  return "there is no command \"" + word + "\"" + did_you_mean(word, commands_of(program)) + lists;
}

/// What a command had no use for: the first option among it, which left the others over.
std::string left_over(const CLI::App& command, const std::vector<std::string>& left) {
  const auto option = std::find_if(left.begin(), left.end(), looks_like_an_option);
  if (option != left.end()) {
    const std::string name = name_of(*option);
    return command.get_name() + " has no option " + name + did_you_mean(name, options_of(command));
  }
  const std::string& word = left.front();
  const bool model = word.size() > 5 && word.compare(word.size() - 5, 5, ".gguf") == 0;
  const bool text = command.get_option_no_throw("--prompt") != nullptr;
  return command.get_name() + " has no use for \"" + word + "\"" +
         (model  ? ": a model is given as -m PATH"
          : text ? ": a text is given as -p TEXT, in quotes"
                 : "");
}

}  // namespace

std::string usage_text(const CLI::App& program, const CLI::ParseError& error) {
  const std::vector<CLI::App*> chosen = program.get_subcommands();
  const std::vector<std::string> before = program.remaining();
  if (chosen.empty() || !before.empty()) return no_command(program, before);
  const CLI::App& command = *chosen.front();
  const std::vector<std::string> left = command.remaining();
  const std::string text = dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr && !left.empty()
                               ? left_over(command, left)
                               : error.what();
  return text + "; " + program.get_name() + " " + command.get_name() + " --help lists the options";
}

}  // namespace tools
