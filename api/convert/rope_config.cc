#include "api/convert/rope_config.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numbers>
#include <string>

#include "api/convert/checkpoint_family.h"
#include "engine/limits.h"
#include "weights/sentence.h"

namespace partita::internal {
namespace {

constexpr double kMaxFactor = 1e6;
constexpr const char* kPart = "partial_rotary_factor";

/// A positive number, required.
double positive(JsonFields& rope, const char* key) {
  if (!rope.has(key)) rope.fail(ErrorCode::kBadFile, key, "this kind of scaling needs it");
  return rope.number(key, 1 / kMaxFactor, kMaxFactor, 1);
}

std::uint32_t original_context(JsonFields& rope, const CheckpointConfig& c) {
  return rope.count("original_max_position_embeddings", 1, kMaxContext, c.context);
}

/// Llama 3: pairs that rotate seldom within the original context are slowed down by the factor.
std::vector<float> llama3_factors(JsonFields& rope, const CheckpointConfig& c) {
  const double factor = positive(rope, "factor"), low = positive(rope, "low_freq_factor"),
               high = positive(rope, "high_freq_factor");
  const double context = original_context(rope, c);
  if (low >= high) rope.fail(ErrorCode::kBadFile, "low_freq_factor", "must be below high_freq_factor");
  std::vector<float> factors;
  for (std::uint32_t i = 0; i < c.rotary_dim / 2; ++i) {
    const double wavelength = 2 * std::numbers::pi * std::pow(c.rope_base, 2.0 * i / c.rotary_dim);
    const double kept = (context / wavelength - low) / (high - low);  // 1: as it is, 0: divided
    const double scale = kept >= 1 ? 1 : kept <= 0 ? 1 / factor : (1 - kept) / factor + kept;
    factors.push_back(static_cast<float>(1 / scale));
  }
  return factors;
}

void read_yarn(JsonFields& rope, CheckpointConfig& c) {
  const double factor = positive(rope, "factor");
  c.keys.add("rope.scaling.type", "yarn");
  c.keys.add("rope.scaling.factor", static_cast<float>(factor));
  c.keys.add("rope.scaling.original_context_length", original_context(rope, c));
  for (const auto& [from, to] : {std::pair{"beta_fast", "rope.scaling.yarn_beta_fast"},
                                 std::pair{"beta_slow", "rope.scaling.yarn_beta_slow"}}) {
    if (rope.has(from)) c.keys.add(to, static_cast<float>(rope.number(from, 1 / kMaxFactor, kMaxFactor, 1)));
  }
  // The model file's factor multiplies the magnitude that YaRN has without one.
  if (rope.has("attention_factor")) {
    const double usual = factor > 1 ? 1 + 0.1 * std::log(factor) : 1;
    const double magnitude = rope.number("attention_factor", 1 / kMaxFactor, kMaxFactor, usual);
    c.keys.add("rope.scaling.attn_factor", static_cast<float>(magnitude / usual));
  }
  rope.only("truncate", c.family->yarn_truncates, !c.family->yarn_truncates);
  for (const char* key : {"mscale", "mscale_all_dim"}) {
    if (rope.has(key) && !c.family->yarn_scales)
      rope.fail(ErrorCode::kUnsupported, key, "YaRN with it cannot be converted in this family");
  }
}

void read_longrope(JsonFields& rope, CheckpointConfig& c) {
  const std::size_t pairs = c.rotary_dim / 2;
  c.short_factors = rope.numbers("short_factor", pairs, 1 / kMaxFactor, kMaxFactor);
  c.long_factors = rope.numbers("long_factor", pairs, 1 / kMaxFactor, kMaxFactor);
  const std::uint32_t original =
      rope.count("original_max_position_embeddings", 2, kMaxContext, c.original_context);
  const double scale =
      rope.number("factor", 1, kMaxFactor, std::max(1.0, static_cast<double>(c.context) / original));
  const double usual = scale <= 1 ? 1 : std::sqrt(1 + std::log(scale) / std::log(original));
  c.keys.add("rope.scaling.original_context_length", original);
  c.keys.add("rope.scaling.attn_factor",
             static_cast<float>(rope.number("attention_factor", 1 / kMaxFactor, kMaxFactor, usual)));
}

/// The model's context is that of training; the factor is that by which it may grow.
void read_dynamic(JsonFields& rope, CheckpointConfig& c) {
  const double factor = rope.number("factor", 1, kMaxFactor, 1);
  c.keys.add("rope.scaling.type", "none");
  c.keys.add("rope.scaling.dynamic_factor", static_cast<float>(factor));
  c.keys.add("rope.scaling.original_context_length", c.context);
  c.context = static_cast<std::uint32_t>(std::min<double>(c.context * factor, kMaxContext));
}

/// Hunyuan: the base is raised for all lengths.
void read_alpha(JsonFields& rope, CheckpointConfig& c) {
  if (!c.family->rope_alpha)
    return rope.fail(ErrorCode::kUnsupported, "alpha", "cannot be converted in this family");
  const double width = c.rotary_dim;
  c.rope_base *= std::pow(positive(rope, "alpha"), width / std::max(width - 2, 1.0));
  c.keys.add("rope.scaling.type", "none");
  c.keys.add("rope.scaling.factor", 1.0F);
}

const char* type_key(JsonFields& rope) { return rope.first_of({"rope_type", "type"}); }

void read_scaling(JsonFields& rope, CheckpointConfig& c) {
  const char* key = type_key(rope);
  const std::string type = rope.text(key, "default");
  if (type == "default") {
    if (rope.number("factor", 0, 1e9, 1) != 1)
      rope.fail(ErrorCode::kUnsupported, "factor", "only 1 can be converted where the scaling has no type");
  } else if (type == "linear") {
    c.keys.add("rope.scaling.type", "linear");
    c.keys.add("rope.scaling.factor", static_cast<float>(positive(rope, "factor")));
  } else if (type == "llama3") {
    c.rope_factors = llama3_factors(rope, c);
  } else if (type == "yarn") {
    read_yarn(rope, c);
  } else if (type == "proportional" && c.family->proportional_rope) {
    return;
  } else if (type == "longrope" || type == "su") {
    read_longrope(rope, c);
  } else if (type == "dynamic" && rope.has("alpha")) {
    read_alpha(rope, c);
  } else if (type == "dynamic") {
    read_dynamic(rope, c);
  } else {
    rope.fail(ErrorCode::kUnsupported, key,
              "only 'default', 'linear', 'dynamic', 'llama3', 'yarn' and 'longrope' can be converted");
  }
}

/// The same keys must have the same values, and types by one name those by the other.
void check_agreement(JsonFields& scaling, JsonFields& parameters) {
  const char *type = type_key(scaling), *other_type = type_key(parameters);
  const std::string key = scaling.has(type) && parameters.has(other_type) &&
                                  scaling.text(type, "") != parameters.text(other_type, "")
                              ? type
                              : scaling.differing_key(parameters);
  if (!key.empty()) scaling.fail(ErrorCode::kBadFile, key.c_str(), "rope_parameters says something else");
}

void check_rotary_dim(JsonFields& of, const CheckpointConfig& c, std::uint32_t dim) {
  if (dim >= 2 && dim % 2 == 0) return;
  of.fail(ErrorCode::kUnsupported, of.first_of({kPart, "rotary_pct"}),
          sentence("with it ", dim, " of the ", c.head_dim,
                   " numbers of a head rotate: even numbers of at least 2 can"));
}

}  // namespace

void read_rope(JsonFields& fields, CheckpointConfig& c) {
  const auto base_of = [](JsonFields& of, double missing) {
    return of.number("rope_theta", 1, kMaxRopeBase, missing);
  };
  JsonFields parameters = fields.object("rope_parameters"), scaling = fields.object("rope_scaling");
  const auto part_of = [](JsonFields& of, double missing) { return of.number(kPart, 0, 1, missing); };
  c.original_context =
      fields.count("original_max_position_embeddings", 2, kMaxContext, std::max(c.context, 2u));
  JsonFields attention = fields.object("attn_config");
  const double base = base_of(
      parameters, base_of(scaling, fields.number(fields.has("rope_theta") ? "rope_theta" : "rotary_emb_base",
                                                 1, kMaxRopeBase, base_of(attention, 10000))));
  const bool by_kind = parameters.has("full_attention");
  JsonFields global = parameters.object("full_attention"), local = parameters.object("sliding_attention");
  local.only("rope_type", "default");  // scaling is that of global layers
  const double part =
      part_of(fields, part_of(parameters, fields.number("rotary_pct", 0, 1, c.family->rotary_part)));
  c.rotary_dim = static_cast<std::uint32_t>(c.head_dim * part_of(global, part));
  c.local_rotary_dim = static_cast<std::uint32_t>(c.head_dim * part_of(local, part));
  JsonFields& of_all = fields.has(kPart) || !parameters.has(kPart) ? fields : parameters;
  check_rotary_dim(global.has(kPart) ? global : of_all, c, c.rotary_dim);
  check_rotary_dim(local.has(kPart) ? local : of_all, c, c.local_rotary_dim);
  c.rope_base = base_of(global, base);
  c.local_rope_base =
      base_of(local, fields.number("rope_local_base_freq", 1, kMaxRopeBase, by_kind ? 10000 : c.rope_base));
  JsonFields& whole = by_kind ? global : parameters;
  check_agreement(scaling, whole);
  read_scaling(whole.has(type_key(whole)) ? whole : scaling.empty() ? whole : scaling, c);
  c.keys.add("rope.freq_base", static_cast<float>(c.rope_base));
}

JsonFields rope_scaling(JsonFields& fields) {
  JsonFields parameters = fields.object("rope_parameters"), scaling = fields.object("rope_scaling");
  return parameters.has(type_key(parameters)) || scaling.empty() ? parameters : scaling;
}

}  // namespace partita::internal
