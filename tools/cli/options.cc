#include "tools/cli/options.h"

#include <CLI/CLI.hpp>
#include <partita/partita.hpp>
#include <type_traits>

#include "tools/cli/usage.h"

namespace tools {
namespace {

// CLI11's descriptions of its checks are removed: help texts have value names instead.

/// Runs before CLI::AsSizeValue, which turns -1 into a large number.
std::string check_size(const std::string& text) {
  if (!text.empty() && text[0] >= '0' && text[0] <= '9') return {};
  return "it is a number of bytes, such as 2GB, not \"" + text + "\"";
}

/// "1..512"; "N" where the upper limit means "any number".
template <class T>
std::string range_name(T least, T most) {
  constexpr T kMaxShown = 1024;
  if (most > kMaxShown) return std::is_integral_v<T> ? "N" : "X";
  return CLI::detail::to_string(least) + ".." + CLI::detail::to_string(most);
}

std::string joined(const std::vector<std::string>& values) {
  std::string text;
  for (const std::string& value : values) text += (text.empty() ? "" : "|") + value;
  return text;
}

}  // namespace

std::string Option::name() const { return option_->get_name(); }

std::size_t Option::count() const { return option_->count(); }

Option Option::check(const Check& problem_of, const std::string& shown) const {
  option_->check(CLI::Validator(problem_of, ""));
  return shown.empty() ? *this : value_name(shown);
}

Option Option::transform(const Transform& change) const {
  return Option(option_->transform(CLI::Validator(change, "")));
}

Option Option::range(int least, int most) const {
  option_->check(CLI::Range(least, most).description(""));
  return value_name(range_name(least, most));
}

Option Option::range(std::size_t least, std::size_t most) const {
  option_->check(CLI::Range(least, most).description(""));
  return value_name(range_name(least, most));
}

Option Option::range(double least, double most) const {
  option_->check(CLI::Range(least, most).description(""));
  return value_name(range_name(least, most));
}

Option Option::positive() const {
  return Option(option_->check(CLI::Validator(CLI::PositiveNumber).description("")));
}

Option Option::one_of(const std::vector<std::string>& values) const {
  option_->check(CLI::IsMember(values).description(""));
  return value_name(joined(values));
}

Option Option::byte_size() const {
  option_->transform(CLI::AsSizeValue(false).description(""));
  return transform(check_size).value_name("BYTES");  // the transform given last runs first
}

Option Option::required() const { return Option(option_->required()); }

Option Option::repeatable() const {
  option_->expected(1)->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)->allow_extra_args(false);
  return *this;
}

Option Option::delimiter(char separator) const { return Option(option_->delimiter(separator)); }

Option Option::needs(Option other) const { return Option(option_->needs(other.option_)); }

Option Option::excludes(Option other) const { return Option(option_->excludes(other.option_)); }

Option Option::show_default() const { return Option(option_->capture_default_str()); }

Option Option::show_default(const std::string& text) const { return Option(option_->default_str(text)); }

Option Option::show_default(double number) const { return show_default(CLI::detail::to_string(number)); }

Option Option::value_name(const std::string& name) const { return Option(option_->type_name(name)); }

Option Option::heading(Heading heading) const {
  return Option(option_->group(kHeadings[static_cast<std::size_t>(heading)]));
}

Option Option::hide_unless(bool shown) const { return shown ? *this : Option(option_->group("")); }

Command Command::add_command(const std::string& name, const std::string& about) const {
  const Command command(*app_->add_subcommand(name, about));
  // CLI11 adds these to a command before the command inherits the heading.
  for (const char* help : {"--help", "--help-all"}) command.option(help).heading(Heading::kHelp);
  return command;
}

template <class T>
Option Command::add_option(const std::string& names, T& value, const std::string& help) const {
  return Option(app_->add_option(names, value, help));
}

template <class T>
Option Command::add_option_function(const std::string& names, const std::function<void(const T&)>& take,
                                    const std::string& help) const {
  return Option(app_->add_option_function<T>(names, take, help));
}

Option Command::add_flag(const std::string& names, bool& value, const std::string& help) const {
  return Option(app_->add_flag(names, value, help));
}

Option Command::option(const std::string& name) const { return Option(app_->get_option(name)); }

void Command::callback(const std::function<void()>& chosen) const { app_->callback(chosen); }

void Command::heading(Heading heading) const {
  app_->option_defaults()->group(kHeadings[static_cast<std::size_t>(heading)]);
}

void Command::help(const std::string& example, const std::vector<std::string>& most_used) const {
  app_->footer(example);
  app_->formatter(help_formatter(most_used));
}

std::optional<double> read_number(const std::string& text) {
  double number = 0;
  return CLI::detail::lexical_cast(text, number) ? std::optional(number) : std::nullopt;
}

void refuse_value(const std::string& option, const std::string& problem) {
  throw CLI::ValidationError(option, problem);
}

using Text = const std::string&;
using Texts = std::vector<std::string>;
template Option Command::add_option(Text, std::string&, Text) const;
template Option Command::add_option(Text, Texts&, Text) const;
template Option Command::add_option(Text, int&, Text) const;
template Option Command::add_option(Text, std::size_t&, Text) const;  // std::uint64_t is the same
template Option Command::add_option(Text, float&, Text) const;
template Option Command::add_option(Text, double&, Text) const;
template Option Command::add_option(Text, partita::Speculation&, Text) const;
template Option Command::add_option_function(Text, const std::function<void(const int&)>&, Text) const;
template Option Command::add_option_function(Text, const std::function<void(const double&)>&, Text) const;
template Option Command::add_option_function(Text, const std::function<void(const Texts&)>&, Text) const;

}  // namespace tools
