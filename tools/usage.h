// What is wrong with a command line, in one sentence that says what was probably meant.
#pragma once

#include <string>

namespace CLI {
class App;
class ParseError;
}  // namespace CLI

namespace tools {

/// The sentence for an error that parsing the command line ended with.
std::string usage_text(const CLI::App& program, const CLI::ParseError& error);

}  // namespace tools
