#include "engine/models/metadata_reader.h"

#include <utility>
#include <variant>

#include "engine/limits.h"
#include "weights/codecs/codec.h"
#include "weights/sentence.h"

namespace partita::internal {
namespace {

constexpr std::uint32_t kMaxWindow = 1u << 24;
constexpr double kMaxRopeFactor = 1e6, kMaxRopeDivisor = 1e31;
constexpr double kMinSoftcap = 1e-3, kMaxSoftcap = 1e6;

}  // namespace

std::string MetadataReader::key(std::string_view name) const {
  return std::string(family_) + "." + std::string(name);
}

bool MetadataReader::has(std::string_view name) const { return file_.find(key(name)) != nullptr; }

void MetadataReader::fail(Error error) {
  if (!error_) error_ = std::move(error);
}

void MetadataReader::fail(ErrorCode code, std::string_view name, const std::string& rest) {
  fail({code, "'" + file_.path() + "': " + key(name) + " " + rest});
}

std::uint32_t MetadataReader::count(std::string_view name, std::uint32_t min, std::uint32_t max,
                                    std::optional<std::uint32_t> missing) {
  auto found = missing ? file_.get_uint(key(name), *missing) : file_.get_uint(key(name));
  if (!found) {
    if (const GgufValue* value = file_.find(key(name)); value && std::holds_alternative<GgufArray>(*value)) {
      fail(ErrorCode::kUnsupported, name, "is an array, and only one number for all layers can be used");
    }
    fail(found.error());
    return min;
  }
  if (*found >= min && *found <= max) return static_cast<std::uint32_t>(*found);
  fail(ErrorCode::kBadFile, name,
       "is " + std::to_string(*found) + ", and must be between " + std::to_string(min) + " and " +
           std::to_string(max));
  return min;
}

std::vector<std::uint32_t> MetadataReader::counts(std::string_view name, std::size_t size, std::uint32_t min,
                                                  std::uint32_t max, std::optional<std::uint32_t> missing) {
  const GgufValue* value = file_.find(key(name));
  if (value == nullptr || !std::holds_alternative<GgufArray>(*value))
    return std::vector<std::uint32_t>(size, count(name, min, max, missing));
  const auto& array = std::get<GgufArray>(*value);
  std::vector<std::uint32_t> out(size, min);
  for (std::size_t i = 0; i < size; ++i) {
    const std::optional<std::uint64_t> found = array.uint_at(i);
    if (!found || *found < min || *found > max) {
      fail(ErrorCode::kBadFile, name,
           "must have " + std::to_string(size) + " elements, whole numbers between " + std::to_string(min) +
               " and " + std::to_string(max));
      return out;
    }
    out[i] = static_cast<std::uint32_t>(*found);
  }
  return out;
}

double MetadataReader::number(std::string_view name, double min, double max, std::optional<double> missing) {
  auto found = missing ? file_.get_float(key(name), *missing) : file_.get_float(key(name));
  if (!found) {
    fail(found.error());
    return min;
  }
  if (*found >= min && *found <= max) return *found;
  fail(ErrorCode::kBadFile, name,
       "is " + rounded_text(*found) + ", and must be between " + rounded_text(min) + " and " +
           rounded_text(max));
  return min;
}

std::vector<double> MetadataReader::numbers(std::string_view name, std::size_t size, double min, double max) {
  const GgufValue* value = file_.find(key(name));
  if (value == nullptr) return {};
  const auto* array = std::get_if<GgufArray>(value);
  std::vector<double> out;
  for (std::size_t i = 0; i < size; ++i) {
    const auto found = array != nullptr ? array->float_at(i) : std::nullopt;
    if (!found || !(*found >= min && *found <= max)) {
      fail(ErrorCode::kBadFile, name,
           "must have " + std::to_string(size) + " elements, numbers between " + rounded_text(min) + " and " +
               rounded_text(max));
      return {};
    }
    out.push_back(*found);
  }
  return out;
}

float MetadataReader::softcap(std::string_view name, double missing) {
  const double cap = number(name, 0, kMaxSoftcap, missing);
  if (cap == 0 || cap >= kMinSoftcap) return static_cast<float>(cap);
  fail(ErrorCode::kBadFile, name,
       "is " + rounded_text(cap) + ", and must be 0 or at least " + rounded_text(kMinSoftcap));
  return 0;
}

bool MetadataReader::flag(std::string_view name, bool missing) {
  auto found = file_.get_bool(key(name), missing);
  if (found) return *found;
  fail(found.error());
  return missing;
}

std::vector<bool> MetadataReader::flags(std::string_view name, std::size_t size) {
  const GgufValue* value = file_.find(key(name));
  if (value == nullptr || !std::holds_alternative<GgufArray>(*value)) return {};
  const auto& array = std::get<GgufArray>(*value);
  std::vector<bool> out(size, false);
  for (std::size_t i = 0; i < size; ++i) {
    std::optional<std::uint64_t> flag = array.uint_at(i);
    if (const auto truth = array.bool_at(i)) flag = *truth;
    if (!flag || *flag > 1) {
      fail(ErrorCode::kBadFile, name, "must have " + std::to_string(size) + " elements, true or false");
      return out;
    }
    out[i] = *flag != 0;
  }
  return out;
}

std::string_view MetadataReader::text(std::string_view name, std::string_view missing) {
  if (!has(name)) return missing;
  auto found = file_.get_string(key(name));
  if (found) return *found;
  fail(found.error());
  return missing;
}

std::uint32_t MetadataReader::window(std::uint32_t missing) {
  return count("attention.sliding_window", 0, kMaxWindow, missing);
}

double MetadataReader::rope_base(std::string_view name) { return number(name, 1, kMaxRopeBase, 10000); }

std::uint32_t MetadataReader::local_rope_dims(std::uint32_t head_dim) {
  constexpr std::string_view kName = "rope.dimension_count_swa";
  const std::uint32_t dims = count(kName, 2, head_dim, head_dim);
  if (dims % 2 != 0)
    fail(ErrorCode::kUnsupported, kName, "is " + std::to_string(dims) + ", and RoPE rotates pairs");
  return dims / 2 * 2;
}

void MetadataReader::divide_by(std::string_view name, std::vector<float>& frequencies) {
  auto tensor = file_.tensor(name, {frequencies.size()});
  if (!tensor) return fail(tensor.error());
  std::vector<std::byte> buffer;
  const auto bytes = file_.read(tensor->bytes, buffer);
  if (!bytes) return fail(bytes.error());
  std::vector<float> factors(frequencies.size());
  codec(tensor->dtype).dequantize(bytes->data(), factors.size(), factors.data());
  for (std::size_t i = 0; i < factors.size(); ++i) {
    // Pairs that do not rotate have a factor of 1e30 (Gemma 4).
    if (!(factors[i] >= 1 / kMaxRopeFactor && factors[i] <= kMaxRopeDivisor)) {
      return fail({ErrorCode::kBadFile, "'" + file_.path() + "': " + std::string(name) + "[" +
                                            std::to_string(i) + "] is " + rounded_text(factors[i]) +
                                            ", and must be between 1e-06 and 1e+31"});
    }
    frequencies[i] /= factors[i];
  }
}

Yarn MetadataReader::yarn(bool whole_pairs) {
  Yarn yarn;
  yarn.whole_pairs = whole_pairs;
  yarn.factor = number("rope.scaling.factor", 1 / kMaxRopeFactor, kMaxRopeFactor);
  yarn.original_context = count("rope.scaling.original_context_length", 1, kMaxContext);
  yarn.beta_fast = number("rope.scaling.yarn_beta_fast", 1 / kMaxRopeFactor, kMaxRopeFactor, yarn.beta_fast);
  yarn.beta_slow = number("rope.scaling.yarn_beta_slow", 1 / kMaxRopeFactor, kMaxRopeFactor, yarn.beta_slow);
  return yarn;
}

Rope MetadataReader::global_rope(std::uint32_t dims, bool whole_pairs) {
  const double base = rope_base("rope.freq_base");
  Rope rope = make_rope(base, dims);
  const std::string_view scaling = text("rope.scaling.type", "linear");
  if (scaling == "linear") {
    const double old_key = number("rope.scale_linear", 1 / kMaxRopeFactor, kMaxRopeFactor, 1);
    const double factor = number("rope.scaling.factor", 1 / kMaxRopeFactor, kMaxRopeFactor, old_key);
    for (float& f : rope.inverse_frequency) f = static_cast<float>(f / factor);
  } else if (scaling == "yarn") {
    apply_yarn(yarn(whole_pairs), base, rope);
  } else if (scaling != "none" && scaling != "longrope") {
    fail(ErrorCode::kUnsupported, "rope.scaling.type",
         "is '" + std::string(scaling.substr(0, 64)) +
             "', and only 'linear', 'yarn', 'longrope' and 'none' can be used");
  }
  if (has("rope.scaling.dynamic_factor")) {  // a key of partita convert: other files have none for it
    rope.dynamic_factor = number("rope.scaling.dynamic_factor", 1, kMaxRopeFactor);
    rope.original_context = count("rope.scaling.original_context_length", 1, kMaxContext);
  }
  rope.magnitude *= static_cast<float>(number("rope.scaling.attn_factor", 0, kMaxRopeFactor, 1));
  if (file_.has_tensor("rope_freqs.weight"))  // of Llama 3, by the converter
    divide_by("rope_freqs.weight", rope.inverse_frequency);
  if (scaling == "longrope" || file_.has_tensor("rope_factors_long.weight")) {
    rope.long_inverse_frequency = rope.inverse_frequency;
    divide_by("rope_factors_short.weight", rope.inverse_frequency);
    divide_by("rope_factors_long.weight", rope.long_inverse_frequency);
  }
  return rope;
}

}  // namespace partita::internal
