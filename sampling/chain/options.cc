#include "sampling/chain/options.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "sampling/chain/numbers.h"
#include "sampling/stages/stages.h"
#include "weights/sentence.h"

namespace partita::internal {
namespace {

constexpr double kMaxWhole = std::numeric_limits<std::int32_t>::max();

const SamplingOption* find_option(std::string_view name) {
  for (const StageDescriptor* stage : known_stages()) {
    for (const SamplingOption& option : stage->sampler.options) {
      if (option.name == name) return &option;
    }
  }
  return nullptr;
}

Error unknown_option(std::string_view name) {
  std::string known;
  for (const StageDescriptor* stage : known_stages()) {
    for (const SamplingOption& option : stage->sampler.options) {
      known.append(known.empty() ? "" : ", ").append(option.name);
    }
  }
  return invalid("there is no sampling option '", name, "'; there are ", known);
}

std::string_view name_of(const SamplingValue& value) {
  if (std::holds_alternative<double>(value)) return "a number";
  return std::holds_alternative<TokenBiases>(value) ? "ids with numbers" : "texts";
}

bool has_kind(const SamplingValue& value, OptionKind kind) {
  switch (kind) {
    case OptionKind::kTexts:
      return std::holds_alternative<std::vector<std::string>>(value);
    case OptionKind::kBiases:
      return std::holds_alternative<TokenBiases>(value);
    default:
      return std::holds_alternative<double>(value);
  }
}

std::string_view name_of(OptionKind kind) {
  switch (kind) {
    case OptionKind::kTexts:
      return "texts";
    case OptionKind::kBiases:
      return "ids with numbers";
    case OptionKind::kWholeNumber:
      return "a whole number, at most 2147483647 either side of 0";
    default:
      return "a number";
  }
}

bool is_whole(double value) { return std::trunc(value) == value && std::abs(value) <= kMaxWhole; }

}  // namespace

SamplingOptions::SamplingOptions() {
  for (const StageDescriptor* stage : known_stages()) samplers.emplace_back(stage->sampler.name);
}

SamplingOptions::SamplingOptions(std::initializer_list<Setting> settings) : SamplingOptions() {
  for (const Setting& setting : settings) set(setting.name, setting.value);
}

void SamplingOptions::set(std::string_view name, SamplingValue value) {
  for (Setting& setting : settings_) {
    if (setting.name == name) return void(setting.value = std::move(value));
  }
  settings_.emplace_back(name, std::move(value));
}

Result<void> SamplingOptions::check() const {
  for (const auto& [name, value] : settings_) {
    const SamplingOption* option = find_option(name);
    if (option == nullptr) return unknown_option(name);
    if (!has_kind(value, option->kind)) return bad_option(name, name_of(value), name_of(option->kind));
    if (option->kind == OptionKind::kWholeNumber && !is_whole(std::get<double>(value))) {
      return bad_option(name, to_text(real(name)), name_of(option->kind));
    }
  }
  return {};
}

const SamplingValue* SamplingOptions::find(std::string_view name) const {
  for (const Setting& setting : settings_) {
    if (setting.name == name) return &setting.value;
  }
  return nullptr;
}

double SamplingOptions::number(std::string_view name) const {
  const SamplingValue* value = find(name);
  return value == nullptr ? find_option(name)->neutral : std::get<double>(*value);
}

float SamplingOptions::real(std::string_view name) const {
  const double value = number(name);
  constexpr float kInf = std::numeric_limits<float>::infinity();
  if (std::abs(value) > double{std::numeric_limits<float>::max()}) return value < 0 ? -kInf : kInf;
  return static_cast<float>(value);
}

std::int64_t SamplingOptions::whole(std::string_view name) const {
  return static_cast<std::int64_t>(number(name));
}

const std::vector<std::string>& SamplingOptions::texts(std::string_view name) const {
  static const std::vector<std::string> none;
  const SamplingValue* value = find(name);
  return value == nullptr ? none : std::get<std::vector<std::string>>(*value);
}

const TokenBiases& SamplingOptions::biases(std::string_view name) const {
  static const TokenBiases none;
  const SamplingValue* value = find(name);
  return value == nullptr ? none : std::get<TokenBiases>(*value);
}

}  // namespace partita::internal
