// Command-line options: a facade over CLI11. options.cc alone compiles CLI11 for all commands, because each
// file that includes its header compiles hundreds of its functions again.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "tools/cli/headings.h"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace tools {

/// A handle of an option of a command; the program's CLI::App owns the option. Every method that sets
/// something returns the handle.
class Option {
 public:
  /// Returns what is wrong with a value, as a sentence; empty: nothing.
  using Check = std::function<std::string(const std::string& value)>;
  /// Changes a value; returns what is wrong with it, or nothing.
  using Transform = std::function<std::string(std::string& value)>;

  Option() = default;  // no option: no method may be called
  explicit Option(CLI::Option* option) : option_(option) {}

  std::string name() const;
  /// How often it was given on the command line; for an option that takes several values, how many.
  std::size_t count() const;

  // Accepted values. --help shows `shown` as the option's value.
  Option check(const Check& problem_of, const std::string& shown = "") const;
  Option transform(const Transform& change) const;
  Option range(int least, int most) const;
  Option range(std::size_t least, std::size_t most) const;
  Option range(double least, double most) const;
  Option positive() const;
  Option one_of(const std::vector<std::string>& values) const;
  Option byte_size() const;  // 1000, 2GB

  // How often an option is given, and with which others.
  Option required() const;
  Option repeatable() const;  // one value each time; all are kept
  Option delimiter(char separator) const;
  Option needs(Option other) const;
  Option excludes(Option other) const;

  // What --help shows.
  Option value_name(const std::string& name) const;  // PATH of "--model PATH"
  Option show_default() const;                       // the variable's current value
  Option show_default(const std::string& text) const;
  Option show_default(double number) const;
  Option heading(Heading heading) const;
  Option hide_unless(bool shown) const;  // hidden: accepted, but not in --help

 private:
  CLI::Option* option_ = nullptr;
};

/// A command, or the program.
class Command {
 public:
  explicit Command(CLI::App& app) : app_(&app) {}

  Command add_command(const std::string& name, const std::string& about) const;

  /// An option whose value is stored in `value`, which outlives the parsing. `names` is "-m,--model", or
  /// without hyphens a positional argument. options.cc instantiates it for the types at its end.
  template <class T>
  Option add_option(const std::string& names, T& value, const std::string& help) const;

  /// An option whose value is passed to `take`: double, int, or std::vector<std::string>.
  template <class T>
  Option add_option_function(const std::string& names, const std::function<void(const T&)>& take,
                             const std::string& help) const;

  Option add_flag(const std::string& names, bool& value, const std::string& help) const;

  /// The heading of the options that are added from here on.
  void heading(Heading heading) const;

  /// The option of that name. Precondition: it was added.
  Option option(const std::string& name) const;

  /// `chosen` is called when the command was chosen and its options were read.
  void callback(const std::function<void()>& chosen) const;
  /// The example that --help shows, and the names of the options that people use most: --help shows these
  /// alone, --help-all shows all options. No names: both show all.
  void help(const std::string& example, const std::vector<std::string>& most_used) const;

 private:
  CLI::App* app_;
};

/// Reads a number as options do; nothing if the text is no number.
std::optional<double> read_number(const std::string& text);

/// Ends the parsing with a usage error, "OPTION: PROBLEM"; for functions given to add_option_function().
[[noreturn]] void refuse_value(const std::string& option, const std::string& problem);

}  // namespace tools
