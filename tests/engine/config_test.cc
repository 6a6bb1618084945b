// Metadata to Config: the settings of each family, and every refused value.
#include "engine/config.h"

#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <string>

#include "engine/models/config_reader.h"
#include "engine/models/families.h"
#include "tests/catch.h"
#include "tests/engine/tiny_models.h"
#include "tests/must.h"

using namespace partita;

using namespace partita::internal;
using namespace partita::internal::testing;

namespace {

Config config_of(const TinySpec& spec) {
  const TinyFile file(spec);
  auto config = read_config(file.gguf());
  INFO((config ? "" : config.error().message));
  REQUIRE(config.ok());
  return *config;
}

/// The smallest llama file with the given sizes; `more` adds keys before the tensors.
template <class F>
Result<Config> config_with(const TinySpec& spec, F more) {
  GgufWriter writer = tiny_metadata(spec);
  more(writer);
  add_tiny_tensors(spec, writer);
  const TinyFile file(writer);
  return read_config(file.gguf());
}

void require_error(const Result<Config>& config, ErrorCode code, const std::string& message) {
  REQUIRE_FALSE(config.ok());
  CHECK(config.error().message == message);
  CHECK(config.error().code == code);
}

/// A file with only these keys and an embedding of `hidden` columns, for sizes too large to allocate.
struct Sizes {
  std::uint32_t layers = 1, context = 64, hidden = 32, ffn = 32, heads = 1, kv_heads = 1;
  float eps = 1e-5f;
  float base = 1e4f;
};

Result<Config> config_of(const Sizes& s) {
  GgufWriter writer;
  writer.add("general.architecture", "llama")
      .add("llama.block_count", s.layers)
      .add("llama.context_length", s.context)
      .add("llama.embedding_length", s.hidden)
      .add("llama.feed_forward_length", s.ffn)
      .add("llama.attention.head_count", s.heads)
      .add("llama.attention.head_count_kv", s.kv_heads)
      .add("llama.attention.layer_norm_rms_epsilon", s.eps)
      .add("llama.rope.freq_base", s.base)
      .add_tensor("token_embd.weight", Dtype::kF32, {2, 32}, std::span<const float>(std::vector<float>(64)));
  const TinyFile file(writer);
  return read_config(file.gguf());
}

}  // namespace

TEST_CASE("llama: sizes, angles and scales") {
  const Config c = config_of(tiny_llama(Dtype::kQ4_1));
  CHECK(c.family == "llama");
  CHECK(c.model_name == "tiny");
  CHECK(c.layers == 2);
  CHECK(c.hidden_size == 96);
  CHECK(c.ffn_size == 160);
  CHECK(c.heads == 3);
  CHECK(c.kv_heads == 1);
  CHECK(c.head_dim == 32);
  CHECK(c.vocab_size == 101);
  CHECK(c.context_length == 2048);
  CHECK(c.norm_eps == 1e-5f);
  CHECK(c.embedding_scale == 1.0f);
  CHECK(c.attention_scale == static_cast<float>(1 / std::sqrt(32.0)));
  CHECK(c.activation.function == GateFunction::kSilu);
  REQUIRE(c.layer_kinds.size() == 2);
  CHECK(c.layer_kinds[1].window == 0);
  REQUIRE(c.rope.size() == 1);
  REQUIRE(c.rope[0].inverse_frequency.size() == 16);
  CHECK(c.rope[0].inverse_frequency[0] == 1.0f);
  CHECK(c.rope[0].inverse_frequency[8] == 0.01f);
}

TEST_CASE("gemma3: five local layers to one global, two bases, only the global one scaled") {
  TinySpec spec = tiny_gemma3(Dtype::kF32);
  spec.layers = 13;
  spec.linear_factor = 8;
  const Config c = config_of(spec);
  CHECK(c.embedding_scale == 8.0f);
  CHECK(c.attention_scale == static_cast<float>(1 / std::sqrt(32.0)));
  CHECK(c.activation.function == GateFunction::kGeluTanh);
  REQUIRE(c.rope.size() == 2);
  CHECK(c.rope[0].inverse_frequency[0] == 0.125f);
  CHECK(c.rope[0].inverse_frequency[8] == 0.000125f);
  CHECK(c.rope[1].inverse_frequency[0] == 1.0f);
  CHECK(c.rope[1].inverse_frequency[8] == 0.01f);
  REQUIRE(c.layer_kinds.size() == 13);
  for (std::size_t i = 0; i < 13; ++i) {
    const bool global = i == 5 || i == 11;
    CHECK(c.layer_kinds[i].window == (global ? 0u : 21u));
    CHECK(c.layer_kinds[i].rope == (global ? 0 : 1));
  }
}

namespace {

/// The configuration of a file of a family with two layers of four heads, and further keys.
Result<Config> config_of_family(const std::string& family, const std::function<void(GgufWriter&)>& more,
                                const std::vector<std::uint32_t>& heads = {4, 4}) {
  GgufWriter writer;
  writer.add("general.architecture", family)
      .add(family + ".block_count", 2u)
      .add(family + ".context_length", 64u)
      .add(family + ".embedding_length", 32u)
      .add(family + ".feed_forward_length", 48u)
      .add(family + ".attention.head_count", heads)
      .add(family + ".attention.layer_norm_rms_epsilon", 1e-5F)
      .add_tensor("token_embd.weight", Dtype::kF32, {2, 32}, std::span<const float>(std::vector<float>(64)));
  more(writer);
  const TinyFile file(writer);
  return read_config(file.gguf());
}

}  // namespace

TEST_CASE("gemma2: soft caps, and what old files leave out") {
  const auto old = config_of_family("gemma2", [](GgufWriter&) {});
  REQUIRE(old.ok());
  CHECK(old->attention_softcap == 50);
  CHECK(old->logit_softcap == 30);
  CHECK(old->layer_kinds[0].window == 4096);
  CHECK(old->layer_kinds[1].window == 0);
  const auto without = config_of_family("gemma2", [](GgufWriter& w) {
    w.add("gemma2.attn_logit_softcapping", 0.0F).add("gemma2.final_logit_softcapping", 8.0F);
  });
  REQUIRE(without.ok());
  CHECK(without->attention_softcap == 0);
  CHECK(without->logit_softcap == 8);
}

TEST_CASE("mistral3: a scale of queries, and a magnitude of YaRN") {
  const auto yarn = [](GgufWriter& w) {
    w.add("mistral3.rope.scaling.type", "yarn")
        .add("mistral3.rope.scaling.factor", 8.0F)
        .add("mistral3.rope.scaling.original_context_length", 16u)
        .add("mistral3.rope.scaling.yarn_log_multiplier", 1.0F)
        .add("mistral3.attention.temperature_scale", 0.5F);
  };
  const auto config = config_of_family("mistral3", yarn);
  REQUIRE(config.ok());
  CHECK(std::abs(config->rope[0].magnitude - 1) < 1e-6F);
  CHECK(config->query_scale.at(15) == 1);
  CHECK(config->query_scale.at(16) == static_cast<float>(1 + 0.5 * std::log(2.0)));
  const auto missing = config_of_family(
      "mistral3", [](GgufWriter& w) { w.add("mistral3.attention.temperature_scale", 0.5F); });
  CHECK(missing.error().code == ErrorCode::kNotFound);
}

TEST_CASE("gemma4: sizes of local heads, and layers that share keys and values") {
  const auto with = [](std::uint32_t size, std::uint32_t shared, std::uint32_t inputs,
                       const std::vector<bool>& local) {
    return config_of_family("gemma4", [&](GgufWriter& w) {
      w.add("gemma4.attention.sliding_window", 16u)
          .add("gemma4.attention.sliding_window_pattern", local)
          .add("gemma4.attention.key_length_swa", size)
          .add("gemma4.attention.value_length_swa", size)
          .add("gemma4.attention.shared_kv_layers", shared)
          .add("gemma4.embedding_length_per_layer_input", inputs);
    });
  };
  const auto config = with(4, 1, 12, {true, true});
  REQUIRE(config.ok());
  CHECK(config->layer_sizes[0].head_dim == 4);
  CHECK(config->head_dim == 8);
  CHECK(config->token_input_width == 12);
  CHECK(config->attention_scale == 1);
  CHECK_FALSE(config->layer_kinds[0].kv_layer.has_value());
  CHECK(config->layer_kinds[1].kv_layer == 0);
  CHECK(
      with(4, 1, 0, {true, false}).error().message ==
      "'tiny.gguf': gemma4.attention.shared_kv_layers is 1, and no earlier layer is of the kind of layer 1");
  CHECK(with(4, 2, 0, {true, true}).error().code == ErrorCode::kBadFile);  // none would have its own
  CHECK(with(5, 0, 0, {true, true}).error().code == ErrorCode::kUnsupported);
  for (const char* family : {"gemma4", "laguna"}) {
    const auto odd = config_of_family(family, [&](GgufWriter& w) {
      w.add(std::string(family) + ".attention.sliding_window", 16u)
          .add(std::string(family) + ".rope.dimension_count_swa", 5u);
    });
    require_error(
        odd, ErrorCode::kUnsupported,
        "'tiny.gguf': " + std::string(family) + ".rope.dimension_count_swa is 5, and RoPE rotates pairs");
  }
  CHECK(with(1024, 0, 0, {true, true}).error().code == ErrorCode::kBadFile);
  CHECK(with(4, 0, 1u << 20, {true, true}).error().code == ErrorCode::kBadFile);
  // Keys and values of two heads, shared by a layer with one head of queries.
  require_error(
      config_of_family("gemma4",
                       [](GgufWriter& w) {
                         w.add("gemma4.attention.sliding_window", 16u)
                             .add("gemma4.attention.sliding_window_pattern", std::vector<bool>{true, true})
                             .add("gemma4.attention.head_count_kv", std::vector<std::uint32_t>{2, 1})
                             .add("gemma4.attention.shared_kv_layers", 1u);
                       },
                       {4, 1}),
      ErrorCode::kBadFile,
      "'tiny.gguf': gemma4.attention.head_count is 1, and must be a multiple of the 2 of "
      "attention.head_count_kv");
}

TEST_CASE("gemma3n: versions of the residual stream, and sparse FFNs") {
  const float none = -std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
  const auto with = [](std::uint32_t versions, std::uint32_t active, const std::vector<float>& sparsity) {
    return config_of_family("gemma3n", [&](GgufWriter& w) {
      w.add("gemma3n.altup.num_inputs", versions)
          .add("gemma3n.altup.active_idx", active)
          .add("gemma3n.embedding_length_per_layer_input", 4u)
          .add("gemma3n.activation_sparsity_scale", sparsity);
    });
  };
  const auto config = with(4, 1, {1.5F, none});
  REQUIRE(config.ok());
  CHECK(config->versions == 4);
  CHECK(config->active_version == 1);
  CHECK(config->ffn_cutoffs == std::vector<float>{1.5F, none});
  CHECK(config->attention_scale == 1);
  CHECK(config->logit_softcap == 30);
  CHECK(with(4, 4, {0, 0}).error().code == ErrorCode::kBadFile);
  CHECK(with(9, 0, {0, 0}).error().message ==
        "'tiny.gguf': gemma3n.altup.num_inputs is 9, and must be between 2 and 8");
  CHECK(with(4, 0, {0, nan}).error().message ==
        "'tiny.gguf': gemma3n.activation_sparsity_scale must have 2 elements, numbers between -inf and 1000");
  CHECK(with(4, 0, {0}).error().code == ErrorCode::kBadFile);
}

TEST_CASE("mimo2: values narrower than keys, local layers flagged by numbers") {
  using Flags = std::vector<std::uint32_t>;
  const auto with = [](std::uint32_t width, const Flags& local) {
    return config_of_family("mimo2", [&](GgufWriter& w) {
      w.add("mimo2.attention.value_length", width)
          .add("mimo2.attention.value_scale", 0.5F)
          .add("mimo2.attention.sliding_window", 16u)
          .add("mimo2.attention.sliding_window_pattern", local)
          .add("mimo2.rope.freq_base_swa", 100.0F);
    });
  };
  const auto config = with(4, {0, 1});
  REQUIRE(config.ok());
  CHECK(config->head_dim == 8);
  CHECK(config->layer_sizes[1].value_dim == 4);
  CHECK(config->value_scale == 0.5F);
  CHECK(config->layer_kinds[0].window == 0);
  CHECK(config->layer_kinds[1].window == 16);
  CHECK(config->layer_kinds[1].rope == 1);
  CHECK(with(4, {0, 2}).error().message ==
        "'tiny.gguf': mimo2.attention.sliding_window_pattern must have 2 elements, true or false");
  CHECK(with(577, {0, 1}).error().code == ErrorCode::kBadFile);
}

TEST_CASE("granite_swa: layers without RoPE") {
  const auto with = [](const std::vector<bool>& rotated) {
    return config_of_family("granite_swa",
                            [&](GgufWriter& w) { w.add("granite_swa.attention.rope_pattern", rotated); });
  };
  const auto config = with({false, true});
  REQUIRE(config.ok());
  CHECK(config->layer_kinds[0].rope == kNoRope);
  CHECK(config->layer_kinds[1].rope == 0);
  CHECK(with({true}).error().code == ErrorCode::kBadFile);
}

TEST_CASE("Head counts and FFN sizes may be given layer by layer") {
  using Counts = std::vector<std::uint32_t>;
  const auto with = [](const Counts& heads, const Counts& kv_heads, const Counts& ffn) {
    GgufWriter writer;
    writer.add("general.architecture", "llama")
        .add("llama.block_count", 2u)
        .add("llama.context_length", 64u)
        .add("llama.embedding_length", 32u)
        .add("llama.feed_forward_length", ffn)
        .add("llama.attention.head_count", heads)
        .add("llama.attention.head_count_kv", kv_heads)
        .add("llama.attention.layer_norm_rms_epsilon", 1e-5F)
        .add_tensor("token_embd.weight", Dtype::kF32, {2, 32},
                    std::span<const float>(std::vector<float>(64)));
    const TinyFile file(writer);
    return read_config(file.gguf());
  };
  const auto config = with({2, 4}, {2, 1, 7}, {48, 16});
  REQUIRE(config.ok());
  CHECK(config->heads == 4);
  CHECK(config->kv_heads == 2);
  CHECK(config->ffn_size == 48);
  CHECK(config->head_dim == 8);
  REQUIRE(config->layer_sizes.size() == 2);
  CHECK(config->layer_sizes[1].heads == 4);
  CHECK(config->layer_sizes[1].kv_heads == 1);
  CHECK(config->layer_sizes[1].ffn == 16);
  require_error(
      with({2, 4}, {2}, {48, 16}), ErrorCode::kBadFile,
      "'tiny.gguf': llama.attention.head_count_kv must have 2 elements, whole numbers between 1 and "
      "4096");
  require_error(
      with({2, 4}, {2, 0}, {48, 16}), ErrorCode::kBadFile,
      "'tiny.gguf': llama.attention.head_count_kv must have 2 elements, whole numbers between 1 and "
      "4096");
  require_error(with({2, 4}, {2, 3}, {48, 16}), ErrorCode::kBadFile,
                "'tiny.gguf': llama.attention.head_count is 4, and must be a multiple of the 3 of "
                "attention.head_count_kv");
}

TEST_CASE("Recurrent layers: sizes, and those that do not fit together") {
  using Sizes = std::map<std::string, std::uint32_t>;
  const auto with = [](const std::string& family, Sizes changes) {
    Sizes sizes = {{"block_count", 2},
                   {"context_length", 64},
                   {"embedding_length", 32},
                   {"feed_forward_length", 0},
                   {"attention.head_count", 0}};
    if (family == "lfm2") {
      sizes["shortconv.l_cache"] = 3;
    } else {
      sizes.insert({{"ssm.conv_kernel", 4},
                    {"ssm.inner_size", 64},
                    {"ssm.state_size", 8},
                    {"ssm.time_step_rank", 8},
                    {"ssm.group_count", 2}});
    }
    for (const auto& [name, value] : changes) sizes[name] = value;
    GgufWriter writer;
    writer.add("general.architecture", family);
    for (const auto& [name, value] : sizes) writer.add(family + "." + name, value);
    writer.add(family + ".attention.layer_norm_rms_epsilon", 1e-5F)
        .add_tensor("token_embd.weight", Dtype::kF32, {2, 32},
                    std::span<const float>(std::vector<float>(64)));
    const TinyFile file(writer);
    return read_config(file.gguf());
  };
  const auto refused = [&](const std::string& family, const Sizes& changes, const std::string& rest) {
    require_error(with(family, changes), ErrorCode::kBadFile, "'tiny.gguf': " + family + "." + rest);
  };
  const auto mamba2 = with("mamba2", {});
  REQUIRE(mamba2.ok());
  CHECK(mamba2->recurrent.taps == 4);
  CHECK(mamba2->recurrent.width == 64);
  CHECK(mamba2->recurrent.places == 8);
  CHECK(mamba2->recurrent.heads == 8);
  CHECK(mamba2->recurrent.groups == 2);
  CHECK(mamba2->layer_sizes[1].kv_heads == 0);
  refused("mamba2", {{"ssm.time_step_rank", 7}},
          "ssm.time_step_rank is 7, and must divide the 64 of ssm.inner_size");
  refused("mamba2", {{"ssm.group_count", 3}},
          "ssm.group_count is 3, and must divide the 8 of ssm.time_step_rank");
  refused("mamba2", {{"ssm.state_size", 0}}, "ssm.state_size is 0, and must be between 1 and 4096");
  refused("mamba2", {{"ssm.conv_kernel", 65}}, "ssm.conv_kernel is 65, and must be between 1 and 64");
  refused("mamba2", {{"attention.head_count_kv", 2}},
          "attention.head_count is 0, and must be a multiple of the 2 of attention.head_count_kv");
  const auto mamba = with("mamba", {});
  REQUIRE(mamba.ok());
  CHECK(mamba->recurrent.rank == 8);
  CHECK_FALSE(mamba->recurrent.plain_norms);
  refused("mamba", {{"ssm.state_size", 257}}, "ssm.state_size is 257, and must be between 1 and 256");
  const auto large = [&](const std::string& family, const Sizes& sizes, const std::string& rest) {
    require_error(with(family, sizes), ErrorCode::kUnsupported,
                  "'tiny.gguf': " + family + ".ssm.state_size is " + rest);
  };
  CHECK(with("mamba2", {{"ssm.inner_size", 16384}, {"ssm.state_size", 512}}).ok());
  large("mamba2", {{"ssm.inner_size", 16384}, {"ssm.state_size", 4096}},
        "4096 for each of 16384 channels, and the limit for the state of 1 layers is 8388608 numbers");
  large("mamba", {{"ssm.inner_size", 65536}, {"ssm.state_size", 129}},
        "129 for each of 65536 channels, and the limit for the state of 1 layers is 8388608 numbers");
  large("mamba", {{"ssm.inner_size", 65536}, {"ssm.state_size", 128}, {"block_count", 129}},
        "128 for each of 65536 channels, and the limit for the state of 129 layers is 1073741824 numbers");
  const auto lfm2 = with("lfm2", {});
  REQUIRE(lfm2.ok());
  CHECK(lfm2->recurrent.taps == 3);
  CHECK(lfm2->final_norm == "token_embd_norm");
  refused("lfm2", {{"shortconv.l_cache", 0}}, "shortconv.l_cache is 0, and must be between 1 and 64");
}

TEST_CASE("rwkv7: sizes, and those that do not fit together") {
  using Sizes = std::map<std::string, std::uint32_t>;
  const auto with = [](const Sizes& changes) {
    Sizes sizes = {{"block_count", 2},
                   {"context_length", 64},
                   {"embedding_length", 32},
                   {"feed_forward_length", 48},
                   {"attention.head_count", 0},
                   {"wkv.head_size", 16},
                   {"attention.decay_lora_rank", 4},
                   {"attention.iclr_lora_rank", 5},
                   {"attention.value_residual_mix_lora_rank", 6},
                   {"attention.gate_lora_rank", 7}};
    for (const auto& [name, value] : changes) sizes[name] = value;
    GgufWriter writer;
    writer.add("general.architecture", "rwkv7");
    for (const auto& [name, value] : sizes) writer.add("rwkv7." + name, value);
    writer.add("rwkv7.attention.layer_norm_epsilon", 1e-5F)
        .add_tensor("token_embd.weight", Dtype::kF32, {2, 32},
                    std::span<const float>(std::vector<float>(64)));
    const TinyFile file(writer);
    return read_config(file.gguf());
  };
  const auto refused = [&](const Sizes& changes, const std::string& rest) {
    require_error(with(changes), ErrorCode::kBadFile, "'tiny.gguf': rwkv7." + rest);
  };
  const auto config = with({});
  REQUIRE(config.ok());
  CHECK(config->rwkv7.head_dim == 16);
  CHECK(config->rwkv7.decay_rank == 4);
  CHECK(config->rwkv7.rate_rank == 5);
  CHECK(config->rwkv7.mix_rank == 6);
  CHECK(config->rwkv7.gate_rank == 7);
  CHECK(config->norm == NormKind::kLayer);
  CHECK(config->embedding_norm);
  CHECK(config->activation.function == GateFunction::kReluSquared);
  refused({{"wkv.head_size", 0}}, "wkv.head_size is 0, and must be between 1 and 256");
  refused({{"wkv.head_size", 257}}, "wkv.head_size is 257, and must be between 1 and 256");
  refused({{"wkv.head_size", 12}}, "wkv.head_size is 12, and must divide the 32 of embedding_length");
  refused({{"feed_forward_length", 0}}, "feed_forward_length is 0, and must be at least 1");
  refused({{"token_shift_count", 1}}, "token_shift_count is 1, and must be between 2 and 2");
  for (const char* rank : {"decay", "iclr", "value_residual_mix", "gate"}) {
    const std::string key = "attention." + std::string(rank) + "_lora_rank";
    refused({{key, 0}}, key + " is 0, and must be between 1 and 65536");
    refused({{key, 65537}}, key + " is 65537, and must be between 1 and 65536");
  }
}

TEST_CASE("gemma3: the pattern of local layers may be given as a period or layer by layer") {
  const TinySpec spec = tiny_gemma3(Dtype::kF32);
  const std::string key = "gemma3.attention.sliding_window_pattern";
  const auto globals = [](const Result<Config>& config) {
    REQUIRE(config.ok());
    std::vector<std::size_t> layers;
    for (std::size_t i = 0; i < config->layer_kinds.size(); ++i) {
      if (config->layer_kinds[i].window == 0) layers.push_back(i);
    }
    return layers;
  };
  CHECK(globals(config_with(spec, [&](GgufWriter& w) { w.add(key, 3u); })) == std::vector<std::size_t>{2, 5});
  const std::vector<bool> listed = {true, false, true, true, true, true, false};
  CHECK(globals(config_with(spec, [&](GgufWriter& w) { w.add(key, listed); })) ==
        std::vector<std::size_t>{1, 6});
  require_error(config_with(spec, [&](GgufWriter& w) { w.add(key, std::vector<bool>(6)); }),
                ErrorCode::kBadFile,
                "'tiny.gguf': gemma3.attention.sliding_window_pattern must have 7 elements, true or false");
  require_error(config_with(spec, [&](GgufWriter& w) { w.add(key, 0u); }), ErrorCode::kBadFile,
                "'tiny.gguf': gemma3.attention.sliding_window_pattern is 0, and must be between 1 and 1024");

  TinySpec no_window = spec;
  no_window.window = 0;
  CHECK(globals(config_with(no_window, [](GgufWriter&) {})).size() == 7);
}

TEST_CASE("An attention window limits only the layers that attend farther") {
  TinySpec spec = tiny_gemma3(Dtype::kF32);
  spec.layers = 7;
  const Config own = config_of(spec);
  REQUIRE(own.layer_kinds[0].window == 21);
  for (const std::uint32_t window : {10u, 21u, 22u}) {
    Config c = own;
    limit_attention(c, window, 128);
    for (std::size_t i = 0; i < 7; ++i) {
      const bool limited = i == 5 || window < 21;
      CHECK(c.layer_kinds[i].window == (limited ? window : 21u));
      CHECK(c.layer_kinds[i].sinks == (limited ? 128u : 0u));
      CHECK(c.layer_kinds[i].rope == own.layer_kinds[i].rope);
    }
  }
}

TEST_CASE("gemma3: the 27 B scales its queries by its width") {
  TinySpec spec = tiny_gemma3(Dtype::kF32);
  spec.layers = 62;
  CHECK(config_of(spec).attention_scale == 0.25f);  // 64 wide, 4 heads
}

TEST_CASE("Dynamic scaling: the base grows with what a sequence may have beyond the original context") {
  TinySpec spec = tiny_llama(Dtype::kF32);
  const auto with = [&](float factor, std::uint32_t original) {
    return config_with(spec, [&](GgufWriter& w) {
      w.add("llama.rope.scaling.dynamic_factor", factor);
      if (original != 0) w.add("llama.rope.scaling.original_context_length", original);
    });
  };
  const Config config = must(with(4, 128));
  CHECK(config.rope_limit(128) == 0);
  CHECK(config.rope_limit(129) == 129);
  CHECK(config.rope_limit(100000) == spec.context);
  const Rope& rope = config.rope[0];
  CHECK(rope.dynamic_step(0) == 1);
  const double dims = 2.0 * static_cast<double>(rope.inverse_frequency.size());
  const double growth = std::pow(4 * 300.0 / 128 - 3, dims / (dims - 2));  // as transformers has it
  double scale = 1;
  for (std::size_t i = 0; i < rope.inverse_frequency.size(); ++i, scale *= rope.dynamic_step(300))
    CHECK(std::abs(scale - std::pow(growth, -2.0 * static_cast<double>(i) / dims)) < 1e-12);
  CHECK(with(0.5F, 128).error().code == ErrorCode::kBadFile);
  CHECK(with(4, 0).error().code == ErrorCode::kNotFound);
}

TEST_CASE("LongRoPE: a sequence has the long factors if it may grow past the original context") {
  TinySpec spec = tiny_llama(Dtype::kF32);
  const Config plain = config_of(spec);
  CHECK(plain.rope_limit(spec.context) == 0);
  spec.short_context = 128;
  const Config config = config_of(spec);
  CHECK(config.rope_limit(128) == 0);
  CHECK(config.rope_limit(129) == spec.context);
  const TinyFile file(spec);
  const auto factors = [&](const char* name) {
    return reinterpret_cast<const float*>(file.gguf().find_tensor(name)->bytes.data());
  };
  const float *few = factors("rope_factors_short.weight"), *many = factors("rope_factors_long.weight");
  for (std::size_t i = 0; i < 16; ++i) {
    const float frequency = plain.rope[0].inverse_frequency[i];
    CHECK(config.rope[0].frequencies(0)[i] == frequency / few[i]);
    CHECK(config.rope[0].frequencies(spec.context)[i] == frequency / many[i]);
    CHECK(plain.rope[0].frequencies(spec.context)[i] == frequency);
  }
  CHECK(config.rope[0].magnitude == 1.25f);

  spec.short_context = 0;
  const auto with = [&](std::vector<float> few_factors, std::vector<float> many_factors) {
    return config_with(spec, [&](GgufWriter& w) {
      w.add_tensor("rope_factors_short.weight", Dtype::kF32, {few_factors.size()},
                   std::span<const float>(few_factors));
      w.add_tensor("rope_factors_long.weight", Dtype::kF32, {many_factors.size()},
                   std::span<const float>(many_factors));
    });
  };
  const std::vector<float> ones(16, 1.0F);
  CHECK(with(ones, ones)->rope_limit(spec.context) == 0);  // without an original context, the model's own
  CHECK(with(ones, std::vector<float>(15, 1.0F)).error().code == ErrorCode::kBadFile);
  CHECK(with(std::vector<float>(16, 0.0F), ones).error().code == ErrorCode::kBadFile);
  CHECK(config_with(spec,
                    [&](GgufWriter& w) {
                      w.add_tensor("rope_factors_long.weight", Dtype::kF32, {16},
                                   std::span<const float>(ones));
                    })
            .error()
            .code == ErrorCode::kNotFound);
}

TEST_CASE("Angles are divided by rope_freqs.weight, by linear factors under both names, or refused") {
  TinySpec spec = tiny_llama(Dtype::kF32);
  spec.rope_factors = true;
  const TinyFile file(spec);
  const auto config = read_config(file.gguf());
  REQUIRE(config.ok());
  const auto factors =
      reinterpret_cast<const float*>(file.gguf().find_tensor("rope_freqs.weight")->bytes.data());
  const std::vector<float> plain = config_of(tiny_llama(Dtype::kF32)).rope[0].inverse_frequency;
  for (std::size_t i = 0; i < 16; ++i) CHECK(config->rope[0].inverse_frequency[i] == plain[i] / factors[i]);

  spec.rope_factors = false;
  const auto with = [&](const char* key, auto value) {
    return config_with(spec, [&](GgufWriter& w) { w.add(key, value); });
  };
  CHECK(with("llama.rope.scale_linear", 4.0f)->rope[0].inverse_frequency[0] == 0.25f);
  CHECK(with("llama.rope.scaling.factor", 2.0f)->rope[0].inverse_frequency[0] == 0.5f);
  CHECK(with("llama.rope.scaling.type", "none")->rope[0].inverse_frequency[0] == 1.0f);
  require_error(with("llama.rope.scaling.type", "dynamic"), ErrorCode::kUnsupported,
                "'tiny.gguf': llama.rope.scaling.type is 'dynamic', and only 'linear', 'yarn', 'longrope' "
                "and 'none' can "
                "be used");
  CHECK(with("llama.rope.scaling.type", "longrope").error().code == ErrorCode::kNotFound);  // of the factors
  CHECK(with("llama.rope.scaling.type", "yarn").error().code == ErrorCode::kNotFound);  // it needs a factor
  require_error(with("llama.rope.scaling.factor", 0.0f), ErrorCode::kBadFile,
                "'tiny.gguf': llama.rope.scaling.factor is 0, and must be between 1e-06 and 1e+06");
  require_error(with("llama.rope.scaling.factor", std::nanf("")), ErrorCode::kBadFile,
                "'tiny.gguf': llama.rope.scaling.factor is nan, and must be between 1e-06 and 1e+06");

  const auto with_factors = [&](const std::vector<float>& values) {
    return config_with(spec, [&](GgufWriter& w) {
      w.add_tensor("rope_freqs.weight", Dtype::kF32, {values.size()}, std::span<const float>(values));
    });
  };
  std::vector<float> values(16, 1.0f);
  values[3] = -1;
  require_error(with_factors(values), ErrorCode::kBadFile,
                "'tiny.gguf': rope_freqs.weight[3] is -1, and must be between 1e-06 and 1e+31");
  const auto wrong_shape = with_factors(std::vector<float>(8, 1.0f));
  REQUIRE_FALSE(wrong_shape.ok());
  CHECK(wrong_shape.error().message.find("rope_freqs.weight") != std::string::npos);
}

TEST_CASE("The error for an unknown family names it and the supported families") {
  GgufWriter writer;
  writer.add("general.architecture", "rwkv99");
  const TinyFile file(writer);
  require_error(read_config(file.gguf()), ErrorCode::kUnsupported,
                "'tiny.gguf' holds a model of the family 'rwkv99', which is not one of the " +
                    std::to_string(families().size()) + " families known here; docs/models.md lists them");
  const TinyFile empty{GgufWriter()};
  CHECK(read_config(empty.gguf()).error().code == ErrorCode::kNotFound);
}

TEST_CASE("Files that are not a whole model are refused with the reason") {
  const auto refused = [](const GgufWriter& writer, const std::string& rest) {
    const TinyFile file(writer);
    require_error(read_config(file.gguf()), ErrorCode::kUnsupported, "'tiny.gguf' " + rest);
  };
  GgufWriter adapter;
  adapter.add("general.architecture", "llama");
  adapter.add("general.type", "adapter");
  refused(adapter, "is a LoRA adapter, not a model; give a model into which the adapter is merged");
  GgufWriter importance;
  importance.add("general.type", "imatrix");
  refused(importance, "is an importance file, not a model; give it to partita quantize with --imatrix");
  const std::string projector =
      "is a vision projector, which belongs beside a model; give the model's own GGUF file";
  GgufWriter clip, mmproj;
  clip.add("general.architecture", "clip");
  refused(clip, projector);
  mmproj.add("general.type", "mmproj");
  refused(mmproj, projector);
  GgufWriter part;
  part.add("general.architecture", "llama");
  part.add("split.count", std::uint16_t{3});
  refused(part,
          "is one of the 3 parts of a split model; give the path of the first, with the others beside it");
  GgufWriter vocabulary;
  vocabulary.add("general.architecture", "llama");
  vocabulary.add("tokenizer.ggml.model", "gpt2");
  refused(vocabulary,
          "holds a vocabulary and no weights: partita tokenize can use it; give a whole model for all else");
}

TEST_CASE("Every size has limits") {
  const auto refused = [](const Sizes& sizes, const std::string& rest) {
    const auto config = config_of(sizes);
    REQUIRE_FALSE(config.ok());
    CHECK(config.error().message == "'tiny.gguf': llama." + rest);
  };
  REQUIRE(config_of(Sizes{.heads = 2}).ok());
  refused({.layers = 0}, "block_count is 0, and must be between 1 and 1024");
  refused({.layers = 1025}, "block_count is 1025, and must be between 1 and 1024");
  refused({.context = 0}, "context_length is 0, and must be between 1 and 16777216");
  refused({.context = 16777217}, "context_length is 16777217, and must be between 1 and 16777216");
  refused({.hidden = 0}, "embedding_length is 0, and must be between 1 and 65536");
  refused({.hidden = 4294967295}, "embedding_length is 4294967295, and must be between 1 and 65536");
  refused({.ffn = 0}, "feed_forward_length is 0, and must be between 1 and 1048576");
  refused({.heads = 0}, "attention.head_count is 0, and must be between 1 and 4096");
  refused({.heads = 3, .kv_heads = 2},
          "attention.head_count is 3, and must be a multiple of the 2 of attention.head_count_kv");
  refused({.kv_heads = 0}, "attention.head_count_kv is 0, and must be between 1 and 4096");
  refused({.heads = 64}, "attention.key_length is 0, and must be between 1 and 576");
  refused({.hidden = 36, .heads = 4}, "attention.key_length is 9, and RoPE rotates pairs");
  refused({.hidden = 1024}, "attention.key_length is 1024, and must be between 1 and 576");
  refused({.eps = 0}, "attention.layer_norm_rms_epsilon is 0, and must be between 1e-20 and 1");
  refused({.eps = -1}, "attention.layer_norm_rms_epsilon is -1, and must be between 1e-20 and 1");
  refused({.base = 0}, "rope.freq_base is 0, and must be between 1 and 1e+12");
  refused({.base = INFINITY}, "rope.freq_base is inf, and must be between 1 and 1e+12");
}

TEST_CASE("Linear attention: its sizes, and the layers that have it") {
  TinySpec spec = tiny_llama(Dtype::kF32);
  spec.family = "qwen35";
  struct Delta {
    std::uint32_t taps = 4, key_heads = 2, heads = 4, keys = 8, inner = 48, interval = 4;
  };
  const auto with = [&](const Delta& d) {
    return config_with(spec, [&](GgufWriter& w) {
      w.add("qwen35.ssm.conv_kernel", d.taps)
          .add("qwen35.ssm.group_count", d.key_heads)
          .add("qwen35.ssm.time_step_rank", d.heads)
          .add("qwen35.ssm.state_size", d.keys)
          .add("qwen35.ssm.inner_size", d.inner)
          .add("qwen35.full_attention_interval", d.interval);
    });
  };
  const auto config = with({.interval = 2});
  REQUIRE(config.ok());
  CHECK(config->recurrent.taps == 4);
  CHECK(config->recurrent.groups == 2);
  CHECK(config->recurrent.heads == 4);
  CHECK(config->recurrent.places == 8);
  CHECK(config->recurrent.width == 48);
  CHECK(config->layer_kinds[0].recurrent);
  CHECK_FALSE(config->layer_kinds[1].recurrent);
  const auto refused = [&](const Delta& d, const std::string& rest) {
    require_error(with(d), ErrorCode::kBadFile, "'tiny.gguf': qwen35." + rest);
  };
  refused({.taps = 0}, "ssm.conv_kernel is 0, and must be between 1 and 64");
  refused({.taps = 65}, "ssm.conv_kernel is 65, and must be between 1 and 64");
  refused({.key_heads = 0}, "ssm.group_count is 0, and must be between 1 and 4096");
  refused({.key_heads = 3}, "ssm.time_step_rank is 4, and must be a multiple of the 3 of ssm.group_count");
  refused({.heads = 0}, "ssm.time_step_rank is 0, and must be between 1 and 4096");
  refused({.keys = 577}, "ssm.state_size is 577, and must be between 1 and 576");
  refused({.inner = 49}, "ssm.inner_size is 49, and must be 4 heads of at most 576");
  refused({.inner = 4096}, "ssm.inner_size is 4096, and must be 4 heads of at most 576");
  refused({.interval = 0}, "full_attention_interval is 0, and must be between 1 and 1024");
}

TEST_CASE("RoPE may rotate the first dimensions of a head alone") {
  const auto config =
      config_with(tiny_llama(Dtype::kF32), [](GgufWriter& w) { w.add("llama.rope.dimension_count", 16u); });
  REQUIRE(config.ok());
  CHECK(config->head_dim == 32);
  REQUIRE(config->rope.front().inverse_frequency.size() == 8);
  CHECK(config->rope.front().inverse_frequency[4] == 0.01F);  // 10000^(-2 * 4 / 16)
}

TEST_CASE("Unsupported features are refused by name, keys of the wrong type too") {
  const TinySpec spec = tiny_llama(Dtype::kF32);
  const auto with = [&](const char* key, auto value) {
    return config_with(spec, [&](GgufWriter& w) { w.add(key, value); });
  };
  CHECK(with("llama.attention.value_length", 32u).ok());
  require_error(
      with("llama.attention.value_length", 64u), ErrorCode::kUnsupported,
      "'tiny.gguf': llama.attention.value_length is 64, and only values as long as keys can be used");
  require_error(with("llama.rope.dimension_count", 15u), ErrorCode::kUnsupported,
                "'tiny.gguf': llama.rope.dimension_count is 15, and RoPE rotates pairs");
  require_error(with("llama.rope.dimension_count", 34u), ErrorCode::kBadFile,
                "'tiny.gguf': llama.rope.dimension_count is 34, and must be between 1 and 32");
  CHECK(with("llama.expert_count", 8u).error().code == ErrorCode::kNotFound);  // how many of them are used
  require_error(with("llama.final_logit_softcapping", -30.0f), ErrorCode::kBadFile,
                "'tiny.gguf': llama.final_logit_softcapping is -30, and must be between 0 and 1e+06");
  require_error(with("llama.attn_logit_softcapping", 1e-4f), ErrorCode::kBadFile,
                "'tiny.gguf': llama.attn_logit_softcapping is 0.0001, and must be 0 or at least 0.001");
  require_error(with("llama.attention.causal", false), ErrorCode::kUnsupported,
                "'tiny.gguf': llama.attention.causal is false, and only causal models generate text");
  CHECK(with("llama.rope.scaling.type", 3u).error().code == ErrorCode::kBadFile);
  CHECK(with("llama.expert_count", std::vector<std::int32_t>{8, 8}).error().code == ErrorCode::kUnsupported);
  CHECK(with("llama.expert_count", "eight").error().code == ErrorCode::kBadFile);
  CHECK(with("llama.attention.causal", 1u).error().code == ErrorCode::kBadFile);
}

TEST_CASE("The routing of experts: keys, and what a family has without them") {
  const TinySpec spec = tiny_llama(Dtype::kF32);
  using Keys = std::vector<std::pair<const char*, std::uint32_t>>;
  const auto with = [&](const Keys& keys, auto more) {
    return config_with(spec, [&](GgufWriter& w) {
      w.add("llama.expert_count", 8u);
      for (const auto& [key, value] : keys) w.add(std::string("llama.") + key, value);
      more(w);
    });
  };
  const auto plain = [&](const Keys& keys) { return with(keys, [](GgufWriter&) {}); };
  const auto refused = [&](const Keys& keys, const std::string& rest) {
    const auto config = plain(keys);
    REQUIRE_FALSE(config.ok());
    CHECK(config.error().message == "'tiny.gguf': llama." + rest);
  };
  const auto found = with({{"expert_used_count", 2},
                           {"expert_gating_func", 2},
                           {"expert_group_count", 4},
                           {"expert_group_used_count", 1},
                           {"expert_feed_forward_length", 96},
                           {"expert_shared_count", 2}},
                          [](GgufWriter& w) {
                            w.add("llama.expert_weights_norm", false).add("llama.expert_weights_scale", 2.5F);
                          });
  REQUIRE(found.ok());
  CHECK(found->moe.routing.scores == Routing::Scores::kSigmoid);
  CHECK(found->moe.routing.used == 2);
  CHECK(found->moe.routing.groups == 4);
  CHECK(found->moe.routing.used_groups == 1);
  CHECK_FALSE(found->moe.routing.normalized);
  CHECK(found->moe.routing.scale == 2.5F);
  CHECK(found->moe.ffn_size == 96);
  CHECK(found->moe.shared_ffn_size == 192);

  const auto missing =
      plain({{"expert_used_count", 8}, {"expert_gating_func", 0}, {"expert_group_count", 0}});
  REQUIRE(missing.ok());
  CHECK(missing->moe.routing.scores == Routing::Scores::kSoftmax);
  CHECK(missing->moe.routing.groups == 1);
  CHECK(missing->moe.routing.normalized);
  CHECK(missing->moe.routing.scale == 1);
  CHECK(plain({{"expert_used_count", 2}, {"expert_gating_func", 3}})->moe.routing.normalized);

  refused({{"expert_used_count", 0}}, "expert_used_count is 0, and must be between 1 and 8");
  refused({{"expert_used_count", 9}}, "expert_used_count is 9, and must be between 1 and 8");
  refused(
      {{"expert_used_count", 2}, {"expert_gating_func", 4}},
      "expert_gating_func is 4, and only softmax (1), sigmoid (2) and the softmax of the chosen experts (3) "
      "can be used");
  refused({{"expert_used_count", 2}, {"expert_group_count", 9}},
          "expert_group_count is 9, and must be between 0 and 8");
  refused({{"expert_used_count", 2}, {"expert_group_count", 3}, {"expert_group_used_count", 1}},
          "expert_group_count is 3, and must divide the 8 of expert_count");
  refused({{"expert_used_count", 2}, {"expert_group_count", 4}, {"expert_group_used_count", 5}},
          "expert_group_used_count is 5, and must be between 1 and 4");
  refused({{"expert_used_count", 3}, {"expert_group_count", 4}, {"expert_group_used_count", 1}},
          "expert_group_used_count leaves 2 experts, and a token goes through 3");
  refused({{"expert_used_count", 2}, {"expert_feed_forward_length", 1U << 20}, {"expert_shared_count", 2}},
          "expert_shared_count is 2, and 1048576 columns of each are more than the limit of 1048576");
}

TEST_CASE("Layers that predict more tokens are not layers of the model") {
  const auto with = [](std::uint32_t nextn) {
    return config_with(tiny_llama(Dtype::kF32),
                       [&](GgufWriter& w) { w.add("llama.nextn_predict_layers", nextn); });
  };
  const std::uint32_t layers = with(0)->layers;
  REQUIRE(layers > 1);
  CHECK(with(1)->layers == layers - 1);
  CHECK_FALSE(with(layers).ok());
}

TEST_CASE("The embedding says how large the vocabulary is, and the tokenizer's list must agree") {
  const TinySpec spec = tiny_llama(Dtype::kF32);
  const auto with_words = [&](std::size_t n) {
    return config_with(
        spec, [&](GgufWriter& w) { w.add("tokenizer.ggml.tokens", std::vector<std::string>(n, "word")); });
  };
  CHECK(with_words(101)->vocab_size == 101);
  require_error(with_words(100), ErrorCode::kBadFile,
                "'tiny.gguf': the embedding has 101 rows, and tokenizer.ggml.tokens has 100 words");
  const TinyFile no_tensors(tiny_metadata(spec));
  const auto config = read_config(no_tensors.gguf());
  REQUIRE_FALSE(config.ok());
  CHECK(config.error().code == ErrorCode::kNotFound);
  CHECK(config.error().message.find("token_embd.weight") != std::string::npos);
}
