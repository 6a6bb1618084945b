// Sampling options by name. The files in stages/ define them.
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

namespace partita::internal {

using TokenBiases = std::vector<std::pair<std::int32_t, float>>;

/// Named values. Chain::create checks them. An option that is not set has its neutral value.
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

  /// All stages in the default order, Hugging Face's.
  SamplingOptions();
  SamplingOptions(std::initializer_list<Setting> settings);

  /// A later value of a name replaces an earlier one.
  void set(std::string_view name, SamplingValue value);
  void set(std::string_view name, double number) { set(name, SamplingValue(number)); }

  bool has(std::string_view name) const { return find(name) != nullptr; }

  /// Errors: kInvalidArgument for a name that no stage knows, a value of the wrong kind, or a fraction where
  /// a whole number is required.
  Result<void> check() const;

  // The value of an option. Precondition: a stage declares an option of this kind, and check() succeeded.
  double number(std::string_view name) const;
  float real(std::string_view name) const;  // number() as a float; infinite if too large for one
  std::int64_t whole(std::string_view name) const;
  const std::vector<std::string>& texts(std::string_view name) const;
  const TokenBiases& biases(std::string_view name) const;

  /// The stages to apply, in order, each at most once. A stage that is not named is not applied, except
  /// temperature 0.
  std::vector<std::string> samplers;

  /// Constrained decoding; null: every token is allowed. Its stage is applied even if `samplers` does not
  /// name it.
  std::shared_ptr<const Constraint> constraint;

 private:
  const SamplingValue* find(std::string_view name) const;
  std::vector<Setting> settings_;
};

}  // namespace partita::internal
