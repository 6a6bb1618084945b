#include "tools/options.h"

#include <CLI/CLI.hpp>
#include <partita/partita.hpp>

namespace tools {
namespace {

/// What stands before CLI::AsSizeValue, which makes -1 a large number.
std::string check_size(const std::string& text) {
  if (!text.empty() && text[0] >= '0' && text[0] <= '9') return {};
  return "it is a number of bytes, such as 2GB, not \"" + text + "\"";
}

}  // namespace

std::string Option::name() const { return option_->get_name(); }

std::size_t Option::count() const { return option_->count(); }

Option Option::check(const Check& problem_of, const std::string& shown) const {
  return Option(option_->check(CLI::Validator(problem_of, shown)));
}

Option Option::transform(const Transform& change) const {
  return Option(option_->transform(CLI::Validator(change, "")));
}

Option Option::range(int least, int most) const { return Option(option_->check(CLI::Range(least, most))); }

Option Option::range(std::size_t least, std::size_t most) const {
  return Option(option_->check(CLI::Range(least, most)));
}

Option Option::range(double least, double most) const {
  return Option(option_->check(CLI::Range(least, most)));
}

Option Option::positive() const { return Option(option_->check(CLI::PositiveNumber)); }

Option Option::one_of(const std::vector<std::string>& values) const {
  return Option(option_->check(CLI::IsMember(values)));
}

Option Option::byte_size() const {
  option_->transform(CLI::AsSizeValue(false));
  return transform(check_size);  // the one given last comes first
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

Option Option::group(const std::string& heading) const { return Option(option_->group(heading)); }

Command Command::add_command(const std::string& name, const std::string& about) const {
  return Command(*app_->add_subcommand(name, about));
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

void Command::footer(const std::string& text) const { app_->footer(text); }

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
