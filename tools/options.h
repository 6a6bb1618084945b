// The options of a command line. Behind these handles is CLI11, which options.cc compiles for all commands:
// each file that includes its header compiles hundreds of functions of it anew.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace tools {

/// An option of a command, which belongs to the program's CLI::App. Every method that sets something returns
/// the option again.
class Option {
 public:
  /// What is wrong with a value, as a sentence; empty: nothing.
  using Check = std::function<std::string(const std::string& value)>;
  /// Changes a value; returns what is wrong with it, or nothing.
  using Transform = std::function<std::string(std::string& value)>;

  Option() = default;  // none: nothing may be asked of it
  explicit Option(CLI::Option* option) : option_(option) {}

  std::string name() const;
  /// How often it was given on the command line; for an option that takes several values, how many.
  std::size_t count() const;

  // What is accepted. --help shows `shown` behind the type of the value.
  Option check(const Check& problem_of, const std::string& shown = "") const;
  Option transform(const Transform& change) const;
  Option range(int least, int most) const;
  Option range(std::size_t least, std::size_t most) const;
  Option range(double least, double most) const;
  Option positive() const;
  Option one_of(const std::vector<std::string>& values) const;
  Option byte_size() const;  // 1000, 2GB

  // How often, and beside which others.
  Option required() const;
  Option repeatable() const;  // one value each time, and all are taken
  Option delimiter(char separator) const;
  Option needs(Option other) const;
  Option excludes(Option other) const;

  // What --help shows.
  Option show_default() const;  // the variable's value now
  Option show_default(const std::string& text) const;
  Option show_default(double number) const;
  Option group(const std::string& heading) const;  // "": not in --help

 private:
  CLI::Option* option_ = nullptr;
};

/// A command, or the program.
class Command {
 public:
  explicit Command(CLI::App& app) : app_(&app) {}

  Command add_command(const std::string& name, const std::string& about) const;

  /// An option whose value is put into `value`, which outlives the parsing. `names` is "-m,--model", or
  /// without hyphens an argument that is known by its place. options.cc names the types at its end.
  template <class T>
  Option add_option(const std::string& names, T& value, const std::string& help) const;

  /// An option whose value is handed to `take`: double, int, or std::vector<std::string>.
  template <class T>
  Option add_option_function(const std::string& names, const std::function<void(const T&)>& take,
                             const std::string& help) const;

  Option add_flag(const std::string& names, bool& value, const std::string& help) const;

  /// The option of that name. Precondition: it was added.
  Option option(const std::string& name) const;

  /// What is called when the command was chosen and its options are read.
  void callback(const std::function<void()>& chosen) const;
  void footer(const std::string& text) const;

 private:
  CLI::App* app_;
};

/// A number as options read it; nothing if it is none.
std::optional<double> read_number(const std::string& text);

/// Ends the parsing with a usage error, "OPTION: PROBLEM"; for what add_option_function() calls.
[[noreturn]] void refuse_value(const std::string& option, const std::string& problem);

}  // namespace tools
