// The options of a chain, by name. Which there are, the files in stages/ say.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "partita/constraint.hpp"
#include "partita/result.hpp"
#include "partita/samplers.hpp"

namespace partita {

using TokenBiases = std::vector<std::pair<std::int32_t, float>>;

/// Named values, nothing checked: Chain::create does that. A name that is not set has its neutral value.
class SamplingOptions {
 public:
  struct Setting {
    template <class Number>
    requires std::is_arithmetic_v<Number> Setting(std::string_view name_, Number number)
        : name(name_), value(static_cast<double>(number)) {}
    Setting(std::string_view name_, SamplingValue value_) : name(name_), value(std::move(value_)) {}
    std::string name;
    SamplingValue value;
  };

  /// With every stage in the default order, which is Hugging Face's.
  SamplingOptions();
  SamplingOptions(std::initializer_list<Setting> settings);

  /// The last value that a name is given counts.
  void set(std::string_view name, SamplingValue value);
  void set(std::string_view name, double number) { set(name, SamplingValue(number)); }

  bool has(std::string_view name) const { return find(name) != nullptr; }

  /// Names that no stage knows, values of the wrong kind, and what is no whole number where it must be one.
  Result<void> check() const;

  // The value of an option. Precondition: a stage declares it so, and check() found nothing.
  double number(std::string_view name) const;
  float real(std::string_view name) const;  // number() as a float; infinite beyond the floats
  std::int64_t whole(std::string_view name) const;
  const std::vector<std::string>& texts(std::string_view name) const;
  const TokenBiases& biases(std::string_view name) const;

  /// Order, by name, each at most once; a stage that is not named is not applied, but temperature 0 always
  /// is.
  std::vector<std::string> samplers;

  /// What a caller allows, token by token; null: everything. Its stage is used even where it is not named.
  std::shared_ptr<const Constraint> constraint;

 private:
  const SamplingValue* find(std::string_view name) const;
  std::vector<Setting> settings_;
};

}  // namespace partita
