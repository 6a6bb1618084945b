// The texts of --help, and usage errors: one sentence that says what is wrong and what was probably meant.
#pragma once

#include <memory>
#include <string>
#include <vector>

namespace CLI {
class App;
class FormatterBase;
class ParseError;
}  // namespace CLI

namespace tools {

/// Formats the help of a command: usage, description, options under their headings, example. --help shows the
/// `most_used` options, --help-all all of them; both show all where `most_used` is empty.
std::shared_ptr<CLI::FormatterBase> help_formatter(std::vector<std::string> most_used);

/// The sentence for an error of parsing the command line.
std::string usage_text(const CLI::App& program, const CLI::ParseError& error);

}  // namespace tools
