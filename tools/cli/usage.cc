#include "tools/cli/usage.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cctype>
#include <utility>

#include "tools/cli/headings.h"
#include "tools/cli/nearest.h"

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

/// The error where no command was recognised.
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

/// The error for arguments that a command does not take: names the first option among them, or else the
/// first argument.
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

/// "-m, --model PATH"
std::string names_of(const CLI::Option& option) {
  std::string names = option.get_positional() ? option.get_name(true) : "";
  const auto add = [&](const std::string& name) { names += (names.empty() ? "" : ", ") + name; };
  for (const std::string& name : option.get_snames()) add("-" + name);
  for (const std::string& name : option.get_lnames()) add("--" + name);
  if (option.get_positional() || option.get_type_size() == 0) return names;
  const std::string type = option.get_type_name();
  const bool whole = type == "INT" || type == "UINT", real = type == "FLOAT";
  return names + " " + (whole ? "N" : real ? "X" : type);
}

std::string padded(std::string text, std::size_t width) {
  text.resize(std::max(text.size(), width), ' ');
  return text;
}

std::string option_line(const CLI::Option& option) {
  constexpr std::size_t kNamesWidth = 26;
  std::string line = "  " + padded(names_of(option), kNamesWidth) + "  " + option.get_description();
  if (option.get_required()) line += " (required)";
  if (!option.get_default_str().empty()) line += " (default " + option.get_default_str() + ")";
  return line + "\n";
}

class HelpFormatter : public CLI::FormatterBase {
 public:
  explicit HelpFormatter(std::vector<std::string> most_used) : most_used_(std::move(most_used)) {}

  std::string make_help(const CLI::App* app, std::string name, CLI::AppFormatMode mode) const override {
    const bool is_program = app->get_parent() == nullptr;
    const bool all = most_used_.empty() || mode == CLI::AppFormatMode::All;
    std::string text = "Usage: " + name + (is_program ? " COMMAND" : "") + " [OPTIONS]" + arguments(*app) +
                       "\n\n" + app->get_description() + "\n" + commands(*app);
    for (const char* heading : kHeadings) text += section(*app, heading, all);
    if (is_program) return text + "\n" + name + " COMMAND --help shows a command's options and an example\n";
    text += "\nExample:\n  " + app->get_footer() + "\n";
    if (all) return text;
    return text + "\n" + name + " --help-all lists all " + std::to_string(shown(*app).size()) + " options\n";
  }

 private:
  /// The options that are not hidden.
  static std::vector<const CLI::Option*> shown(const CLI::App& app) {
    return app.get_options([](const CLI::Option* option) { return !option->get_group().empty(); });
  }

  static std::string arguments(const CLI::App& app) {
    std::string text;
    for (const CLI::Option* option : shown(app)) {
      if (option->get_positional()) text += " " + option->get_name(true);
    }
    return text;
  }

  static std::string commands(const CLI::App& app) {
    constexpr std::size_t kNameWidth = 10;
    std::string text;
    for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
      text += "  " + padded(command->get_name(), kNameWidth) + "  " + command->get_description() + "\n";
    }
    return text.empty() ? text : "\nCommands:\n" + text;
  }

  /// All options of a heading, or the most used ones, in the order of their list.
  std::string section(const CLI::App& app, const std::string& heading, bool all) const {
    std::vector<const CLI::Option*> options = shown(app);
    if (!all) {
      options.clear();
      for (const std::string& name : most_used_) options.push_back(app.get_option(name));
    }
    std::string text;
    for (const CLI::Option* option : options) {
      if (option->get_group() == heading) text += option_line(*option);
    }
    return text.empty() ? text : "\n" + heading + ":\n" + text;
  }

  std::vector<std::string> most_used_;
};

}  // namespace

std::shared_ptr<CLI::FormatterBase> help_formatter(std::vector<std::string> most_used) {
  return std::make_shared<HelpFormatter>(std::move(most_used));
}

std::string usage_text(const CLI::App& program, const CLI::ParseError& error) {
  const std::vector<CLI::App*> chosen = program.get_subcommands();
  const std::vector<std::string> before = program.remaining();
  if (chosen.empty() || !before.empty()) return no_command(program, before);
  const CLI::App& command = *chosen.front();
  const std::vector<std::string> left = command.remaining();
  const std::string text = dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr && !left.empty()
                               ? left_over(command, left)
                               : error.what();
  return text + "; " + program.get_name() + " " + command.get_name() + " --help-all lists the options";
}

}  // namespace tools
