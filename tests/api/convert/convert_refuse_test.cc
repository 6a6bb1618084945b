// Checkpoints that cannot be converted, and their error messages.
#include <filesystem>
#include <fstream>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "api/convert/convert_config.h"
#include "tests/api/convert/checkpoints.h"
#include "tests/catch.h"
#include "tests/sanitized.h"

namespace partita::internal::testing {
namespace {

namespace fs = std::filesystem;
using C = Checkpoint;
using Json = nlohmann::json;
using Catch::Matchers::Contains;

/// The sentence about the tiny model's config.json with these keys changed (null: taken away).
std::string config_error(const Checkpoint& checkpoint, const Json& patch, ErrorCode code) {
  Json config = checkpoint.config;
  config.merge_patch(patch);
  const auto parsed = parse_checkpoint_config(config.dump(), "c");
  REQUIRE_FALSE(parsed.ok());
  CHECK(parsed.error().code == code);
  return parsed.error().message;
}

TEST_CASE("Models that no family describes are refused") {
  const Checkpoint checkpoint;
  const auto unsupported = [&](const Json& patch) {
    return config_error(checkpoint, patch, ErrorCode::kUnsupported);
  };
  CHECK_THAT(
      unsupported({{"model_type", "t5"}}),
      Contains("'c': model_type is \"t5\", and those that can be converted are ") && Contains(", llama, "));
  CHECK_THAT(unsupported({{"model_type", nullptr}}),
             Contains("'c': model_type is missing, and those that can be converted are "));
  CHECK(unsupported({{"architectures", {"LlamaForTokenClassification"}}}) ==
        "'c': architectures is an array, and only LlamaForCausalLM can be converted, not "
        "'LlamaForTokenClassification'");
  CHECK_THAT(unsupported({{"architectures", 3}}), Contains("only LlamaForCausalLM can be converted"));
  CHECK_THAT(unsupported({{"architectures", Json::array()}}), Contains("only LlamaForCausalLM"));
  CHECK(unsupported({{"hidden_act", "gelu"}}) ==
        "'c': hidden_act is \"gelu\", and only \"silu\" can be converted");
  CHECK_THAT(unsupported({{"quantization_config", {{"bits", 4}}}}), Contains("only plain weights"));
  CHECK(unsupported({{"rope_scaling", {{"rope_type", "proportional"}, {"factor", 8.0}}}}) ==
        "'c': rope_scaling.rope_type is \"proportional\", and only 'default', 'linear', 'dynamic', 'llama3', "
        "'yarn' and 'longrope' can be converted");
  CHECK_THAT(unsupported({{"rope_scaling", {{"type", "ntk"}}}}), Contains("rope_scaling.type is \"ntk\""));
  CHECK(unsupported({{"rope_parameters", {{"rope_type", "default"}, {"factor", 2}}}}) ==
        "'c': rope_parameters.factor is 2, and only 1 can be converted where the scaling has no type");
  CHECK_THAT(unsupported({{"rope_parameters", {{"rope_type", "yarn"}, {"factor", 2}, {"mscale", 0.7}}}}),
             Contains("mscale is 0.7"));
  const Json dynamic = {{"rope_type", "dynamic"}, {"alpha", 1000}};
  CHECK(unsupported({{"rope_scaling", dynamic}}) ==
        "'c': rope_scaling.alpha is 1000, and cannot be converted in this family");
  const Json hunyuan = {{"model_type", "hunyuan_v1_dense"},
                        {"architectures", {"HunYuanDenseV1ForCausalLM"}},
                        {"rope_parameters", dynamic}};
  Json both = hunyuan;
  both["rope_scaling"] = {{"type", "dynamic"}, {"alpha", 1000}};
  const auto base = [&](const Json& patch) {
    Json config = checkpoint.config;
    config.merge_patch(patch);
    return must(parse_checkpoint_config(config.dump(), "c")).rope_base;
  };
  CHECK(base(both) == base(hunyuan));
  CHECK(base(hunyuan) > 50000);
  both["rope_scaling"]["alpha"] = 100;
  CHECK(config_error(checkpoint, both, ErrorCode::kBadFile) ==
        "'c': rope_scaling.alpha is 100, and rope_parameters says something else");
  both["rope_scaling"] = {{"type", "linear"}, {"factor", 2}};
  CHECK_THAT(config_error(checkpoint, both, ErrorCode::kBadFile),
             Contains("rope_scaling.type is \"linear\""));
  CHECK(
      unsupported({{"partial_rotary_factor", 0}}) ==
      "'c': partial_rotary_factor is 0, and with it 0 of the 16 numbers of a head rotate: even numbers of at "
      "least 2 can");
  CHECK_THAT(unsupported({{"rope_parameters", {{"partial_rotary_factor", 0.2}}}}),
             Contains("rope_parameters.partial_rotary_factor is 0.2, and with it 3 of the 16"));
  CHECK(unsupported({{"num_attention_heads", 64}}) ==
        "'c': hidden_size is 64, and heads of 1 numbers are not possible: even numbers up to 576 are");
  CHECK_THAT(unsupported({{"head_dim", 25}}), Contains("head_dim is 25, and heads of 25 numbers"));
  CHECK_THAT(unsupported({{"head_dim", 512}, {"num_attention_heads", 1024}, {"hidden_size", 1024}}),
             Contains("more than 65536"));
}

TEST_CASE("Numbers of config.json are limited") {
  const Checkpoint checkpoint;
  const auto bad = [&](const Json& patch) { return config_error(checkpoint, patch, ErrorCode::kBadFile); };
  for (const char* key :
       {"hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "vocab_size"}) {
    const std::string named = "'c': " + std::string(key) + " is ";
    CHECK_THAT(bad({{key, nullptr}}), Contains(named + "missing, and must be a whole number between"));
    for (const Json& value : {Json(0), Json(-1), Json(1.5), Json("64"), Json(1u << 30), Json(true),
                              Json::array(), Json(std::numeric_limits<std::uint64_t>::max())}) {
      CHECK_THAT(bad({{key, value}}), Contains(named));
    }
  }
  CHECK(bad({{"num_hidden_layers", 1025}}) ==
        "'c': num_hidden_layers is 1025, and must be a whole number between 1 and 1024");
  CHECK_THAT(bad({{"head_dim", 577}}), Contains("head_dim is 577"));
  CHECK_THAT(bad({{"max_position_embeddings", 0}}), Contains("max_position_embeddings is 0"));
  CHECK_THAT(bad({{"num_attention_heads", 3}}),
             Contains("hidden_size is 64, and must be a multiple of the 3"));
  CHECK_THAT(bad({{"num_key_value_heads", 3}}),
             Contains("must be a multiple of the 3 of num_key_value_heads"));
  CHECK(bad({{"rms_norm_eps", 2}}) == "'c': rms_norm_eps is 2, and must be a number between 1e-19 and 1");
  CHECK_THAT(bad({{"rope_theta", 0}}), Contains("rope_theta is 0"));
  CHECK_THAT(bad({{"rope_theta", "x"}}), Contains("rope_theta is \"x\""));
  CHECK_THAT(bad({{"tie_word_embeddings", 1}}), Contains("must be true or false"));
  CHECK_THAT(bad({{"model_type", 1}}), Contains("must be a string"));
  for (const char* type : {"linear", "yarn", "llama3"}) {
    CHECK(bad({{"rope_scaling", {{"rope_type", type}}}}) ==
          "'c': rope_scaling.factor is missing, and this kind of scaling needs it");
    CHECK_THAT(bad({{"rope_scaling", {{"rope_type", type}, {"factor", 0}}}}),
               Contains("rope_scaling.factor is 0"));
  }
  const Json turned = {
      {"rope_type", "llama3"}, {"factor", 8}, {"low_freq_factor", 4}, {"high_freq_factor", 4}};
  CHECK_THAT(bad({{"rope_parameters", turned}}), Contains("must be below high_freq_factor"));
  const Json mixture = {{"model_type", "qwen3_moe"}, {"architectures", {"Qwen3MoeForCausalLM"}}};
  Json patch = mixture;
  patch.update({{"num_experts", 4}, {"num_experts_per_tok", 5}});
  CHECK_THAT(bad(patch), Contains("num_experts_per_tok is 5, and must be a whole number between 1 and 4"));
  const Json windows = {
      {"model_type", "qwen2"}, {"architectures", {"Qwen2ForCausalLM"}}, {"sliding_window", 8}};
  for (const Json& types : {Json(3), Json::array({"full_attention"}), Json::array({1, 2})}) {
    patch = windows;
    patch["layer_types"] = types;
    CHECK_THAT(bad(patch), Contains("layer_types is ") && Contains("must be an array of 2 strings"));
  }
  CHECK_THAT(bad({{"rope_scaling", 1}}), Contains("rope_scaling is 1, and must be an object"));
  const std::string endless(1000, 'x');
  CHECK(bad({{"vocab_size", endless}}).size() < 200);

  CHECK(parse_checkpoint_config("[]", "c").error().message ==
        "'c' is not a JSON object, as a config.json must be");
  CHECK_THAT(parse_checkpoint_config("{", "c").error().message, Contains("'c' is not valid JSON"));
  CHECK_THAT(parse_checkpoint_config(std::string(100000, '['), "c").error().message,
             Contains("the 100 levels"));
}

TEST_CASE("Sizes and limits of Mamba are checked") {
  Checkpoint checkpoint;
  checkpoint.config.merge_patch({{"conv_kernel", 4}, {"state_size", 8}, {"ssm_state_size", 8}});
  const auto of = [&](const char* type, const char* name) -> Json& {
    checkpoint.config.merge_patch({{"model_type", type}, {"architectures", {name}}});
    return checkpoint.config;
  };
  const auto bad = [&](const Json& patch) { return config_error(checkpoint, patch, ErrorCode::kBadFile); };
  const auto unsupported = [&](const Json& patch) {
    return config_error(checkpoint, patch, ErrorCode::kUnsupported);
  };
  of("mamba", "MambaForCausalLM")["time_step_rank"] = "auto";
  CHECK(must(parse_checkpoint_config(checkpoint.config.dump(), "c")).state_space.rank == 4);
  checkpoint.config["expand"] = 16;
  CHECK(must(parse_checkpoint_config(checkpoint.config.dump(), "c")).state_space.width ==
        checkpoint.config["intermediate_size"]);
  checkpoint.config.erase("intermediate_size");
  CHECK(must(parse_checkpoint_config(checkpoint.config.dump(), "c")).state_space.width == 16 * 64);
  CHECK_THAT(bad({{"expand", 1025}}),
             Contains("expand is 1025, and must be a whole number between 1 and 1024"));
  CHECK_THAT(bad({{"conv_kernel", 65}}), Contains("between 1 and 64"));
  CHECK_THAT(bad({{"time_step_rank", "none"}}), Contains("time_step_rank is \"none\""));
  CHECK_THAT(bad({{"state_size", 257}, {"ssm_state_size", nullptr}}), Contains("between 1 and 256"));
  of("falcon_mamba", "FalconMambaForCausalLM");
  CHECK(unsupported({{"mixer_rms_eps", 1e-5}}) ==
        "'c': mixer_rms_eps is 1e-05, and only 1e-06 can be converted");

  checkpoint.config.merge_patch({{"expand", 2}, {"intermediate_size", 128}});
  of("mamba2", "Mamba2ForCausalLM").merge_patch({{"num_heads", 8}, {"n_groups", 2}});
  CHECK(bad({{"n_groups", 3}}) ==
        "'c': n_groups is 3, and must divide the 8 heads of Mamba-2, which must divide its 128 channels");
  CHECK_THAT(bad({{"num_heads", 10}}), Contains("must divide the 10 heads"));
  CHECK(unsupported({{"time_step_limit", {0, 1}}}) ==
        "'c': time_step_limit is an array, and only 0 to infinity can be converted");
  CHECK_THAT(bad({{"time_step_limit", {0, {{"__float__", "x"}}}}}),
             Contains("must be an array of 2 numbers"));
  std::string text = checkpoint.config.dump();
  text.insert(1, R"("name": "\"Infinity", "time_step_limit": [0.0, Infinity], )");
  CHECK(must(parse_checkpoint_config(text, "c")).state_space.groups == 2);
  text.insert(1, R"("x": Infinit, )");
  CHECK_THAT(parse_checkpoint_config(text, "c").error().message, Contains("'c' is not valid JSON"));

  of("falcon_h1", "FalconH1ForCausalLM");
  CHECK_THAT(unsupported({{"mamba_rms_norm", true}}),
             Contains("mamba_norm_before_gate is missing, and only"));
  CHECK_THAT(unsupported({{"partita_head", {{"kind", "dense"}}}}), Contains("have multipliers"));
  CHECK_THAT(bad({{"mlp_multipliers", {1}}}), Contains("must be an array of 2 numbers"));

  of("nemotron_h", "NemotronHForCausalLM").merge_patch({{"mamba_num_heads", 8}, {"mamba_head_dim", 8}});
  checkpoint.config["hidden_act"] = nullptr;
  CHECK_THAT(bad({{"hybrid_override_pattern", "M*-"}}), Contains("must say of each of the 2 layers"));
  CHECK_THAT(bad({{"hybrid_override_pattern", "MX"}}), Contains("must say of each of the 2 layers"));
  CHECK_THAT(bad({{"layers_block_type", {"mamba", "lstm"}}}), Contains("must say of each of the 2 layers"));
  Json mixture = {{"hybrid_override_pattern", "E-"}, {"moe_shared_expert_intermediate_size", 16}};
  CHECK_THAT(unsupported(mixture), Contains("layers with an FFN beside layers with experts"));
  mixture["hybrid_override_pattern"] = "E*";
  mixture["moe_latent_size"] = 8;
  CHECK_THAT(unsupported(mixture), Contains("moe_latent_size is 8, and experts of latent vectors"));
  CHECK_THAT(unsupported({{"hybrid_override_pattern", "M-"}, {"mlp_hidden_act", "silu"}}),
             Contains("only 'relu2' can be converted"));

  of("jamba", "JambaForCausalLM").merge_patch({{"time_step_rank", 4}, {"attn_layer_period", 3}});
  CHECK_THAT(bad({{"attn_layer_offset", 3}}), Contains("attn_layer_offset is 3"));
}

TEST_CASE("What model files have no keys for is checked") {
  Checkpoint checkpoint;
  const auto of = [&](const char* type, const char* name, const char* activation = "silu") -> Json& {
    checkpoint.config.merge_patch(
        {{"model_type", type}, {"architectures", {name}}, {"hidden_act", activation}});
    return checkpoint.config;
  };
  const auto bad = [&](const Json& patch) { return config_error(checkpoint, patch, ErrorCode::kBadFile); };
  const auto unsupported = [&](const Json& patch) {
    return config_error(checkpoint, patch, ErrorCode::kUnsupported);
  };
  of("llama4_text", "Llama4ForCausalLM")["intermediate_size_mlp"] = 64;
  CHECK(must(parse_checkpoint_config(checkpoint.config.dump(), "c")).ffn == 64);
  CHECK(unsupported({{"attention_chunk_size", 4096}}) ==
        "'c': attention_chunk_size is 4096, and only 8192 can be converted");
  CHECK_THAT(unsupported({{"attn_scale", 0.2}}), Contains("attn_scale is 0.2"));
  CHECK_THAT(unsupported({{"attn_temperature_tuning", false}}), Contains("attn_temperature_tuning is false"));
  CHECK_THAT(unsupported({{"use_qk_norm", false}}), Contains("use_qk_norm is false"));
  CHECK_THAT(unsupported({{"num_local_experts", 128}, {"num_experts_per_tok", 1}}),
             Contains("use_qk_norm is missing"));
  CHECK_THAT(unsupported({{"no_rope_layer_interval", 2}}), Contains("only every fourth layer"));
  CHECK_THAT(unsupported({{"no_rope_layers", {1, 0}}}), Contains("only every fourth layer"));
  CHECK_THAT(bad({{"no_rope_layers", {1}}}), Contains("no_rope_layers has 1 numbers"));

  for (const char* name : {"MPTForCausalLM", "MptForCausalLM"}) {
    of("mpt", name, "gelu");
    CHECK(must(parse_checkpoint_config(checkpoint.config.dump(), "c")).keys.all().size() > 0);
  }
  CHECK(unsupported({{"attn_config", {{"alibi", false}}}}) ==
        "'c': attn_config.alibi is false, and only true can be converted");
  CHECK_THAT(unsupported({{"attn_config", {{"qk_ln", true}}}}), Contains("attn_config.qk_ln is true"));
  CHECK_THAT(unsupported({{"attn_config", {{"softmax_scale", 0.1}}}}), Contains("softmax_scale is 0.1"));
  CHECK_THAT(unsupported({{"logit_scale", "inv_sqrt_d_model"}}), Contains("logit_scale is"));
  CHECK_THAT(bad({{"attn_config", {{"clip_qkv", 0}}}}), Contains("attn_config.clip_qkv is 0"));

  of("dbrx", "DbrxForCausalLM")["ffn_config"] = {{"moe_num_experts", 4}, {"moe_top_k", 2}};
  CHECK_THAT(bad({{"ffn_config", {{"moe_top_k", 5}}}}), Contains("ffn_config.moe_top_k is 5"));
  CHECK_THAT(unsupported({{"ffn_config", {{"moe_normalize_expert_weights", 2}}}}),
             Contains("only 1 and null"));
  CHECK_THAT(unsupported({{"ffn_config", {{"ffn_act_fn", {{"name", "gelu"}}}}}}),
             Contains("ffn_config.ffn_act_fn.name is \"gelu\""));

  const auto normalized = [&] {
    const auto config = must(parse_checkpoint_config(checkpoint.config.dump(), "c"));
    for (const auto& [name, value] : config.keys.all()) {
      if (name == "expert_weights_norm") return std::get<bool>(value);
    }
    return false;
  };
  CHECK(normalized());
  checkpoint.config["ffn_config"]["moe_normalize_expert_weights"] = nullptr;
  CHECK_FALSE(normalized());
  checkpoint.config.erase("ffn_config");

  of("laguna", "LagunaForCausalLM")["num_key_value_heads"] = 2;
  checkpoint.config["attention_head_dim"] = 24;
  checkpoint.config["rope_parameters"] = {{"full_attention", {{"partial_rotary_factor", 0.5}}},
                                          {"sliding_attention", {{"rope_theta", 1e4}}}};
  checkpoint.config.merge_patch({{"num_experts", 4}, {"num_experts_per_tok", 2}, {"norm_topk_prob", false}});
  std::size_t norms = 0;
  const auto laguna = must(parse_checkpoint_config(checkpoint.config.dump(), "c"));
  for (const auto& key : laguna.keys.all()) norms += key.first == "expert_weights_norm";
  CHECK(norms == 1);
  CHECK(laguna.rotary_dim == 12);
  CHECK(laguna.local_rotary_dim == 24);
  CHECK_THAT(bad({{"num_attention_heads_per_layer", {4, 3}}}), Contains("each must be a multiple of the 2"));
  CHECK_THAT(bad({{"num_attention_heads_per_layer", {4, 4097}}}),
             Contains("num_attention_heads_per_layer[1]"));
  CHECK_THAT(unsupported({{"moe_router_logit_softcapping", 1.5}}), Contains("softcapping is 1.5"));
  CHECK_THAT(unsupported({{"moe_apply_router_weight_on_input", true}}), Contains("only false"));
}

TEST_CASE("What model files of Cohere 2 and Trinity have no keys for is refused") {
  const Checkpoint checkpoint;
  CHECK(config_error(checkpoint, {{"model_type", "afmoe"}, {"architectures", {"AfmoeForCausalLM"}}},
                     ErrorCode::kUnsupported) ==
        "'c': mup_enabled is missing, and only true can be converted");
  const auto refused = [&](const Json& more) {
    Json patch = {{"model_type", "cohere2_moe"},
                  {"architectures", {"Cohere2MoeForCausalLM"}},
                  {"sliding_window", 16},
                  {"num_experts", 4},
                  {"num_experts_per_tok", 2}};
    patch.update(more);
    return config_error(checkpoint, patch, ErrorCode::kUnsupported);
  };
  CHECK(refused({{"prefix_dense_sliding_window_pattern", 2}}) ==
        "'c': prefix_dense_sliding_window_pattern is 2, and only 1 can be converted");
  CHECK_THAT(refused({{"num_shared_experts", 1}, {"shared_expert_combination_strategy", "sum"}}),
             Contains("is \"sum\", and only \"average\" can be converted"));
  CHECK_THAT(refused({{"expert_selection_fn", "relu"}}), Contains("expert_selection_fn is \"relu\""));
}

TEST_CASE("Variants that model files have no keys for are refused") {
  const Checkpoint checkpoint;
  struct Case {
    const char *type, *name, *activation;
    Json more;
    const char* sentence;
  };
  const Case cases[] = {
      {"gpt2", "GPT2LMHeadModel", "gelu_new", {{"scale_attn_weights", false}}, "only true can be converted"},
      {"gpt2", "GPT2LMHeadModel", "gelu_new", {{"scale_attn_by_inverse_layer_idx", true}}, "only false"},
      {"gpt_bigcode",
       "GPTBigCodeForCausalLM",
       "gelu_pytorch_tanh",
       {{"scale_attn_weights", false}},
       "only true"},
      {"bloom",
       "BloomForCausalLM",
       "gelu",
       {{"apply_residual_connection_post_layernorm", true}},
       "only false"},
      {"smollm3",
       "SmolLM3ForCausalLM",
       "silu",
       {{"use_sliding_window", true}},
       "only false can be converted"},
      {"smollm3", "SmolLM3ForCausalLM", "silu", {{"no_rope_layers", {1, 0}}}, "only every fourth layer"},
      {"olmoe",
       "OlmoeForCausalLM",
       "silu",
       {{"clip_qkv", 8}},
       "clip_qkv is 8, and only null can be converted"}};
  for (const Case& one : cases) {
    Json patch = {{"model_type", one.type}, {"architectures", {one.name}}, {"hidden_act", one.activation}};
    patch.update(one.more);
    CHECK_THAT(config_error(checkpoint, patch, ErrorCode::kUnsupported), Contains(one.sentence));
  }
}

TEST_CASE("Experts and heads must not be too wide together") {
  const Checkpoint checkpoint;
  const auto bad = [&](Json patch) { return config_error(checkpoint, patch, ErrorCode::kBadFile); };
  CHECK_THAT(bad({{"model_type", "hy_v3"},
                  {"architectures", {"HYV3ForCausalLM"}},
                  {"moe_intermediate_size", 1 << 18},
                  {"num_shared_experts", 5}}),
             Contains("num_shared_experts is 5, and must be a whole number between 0 and 4"));
  CHECK_THAT(bad({{"model_type", "qwen3_5_text"},
                  {"architectures", {"Qwen3_5ForCausalLM"}},
                  {"linear_num_key_heads", 512},
                  {"linear_num_value_heads", 512},
                  {"linear_key_head_dim", 128},
                  {"linear_value_head_dim", 129},
                  {"linear_conv_kernel_dim", 4}}),
             Contains("linear_value_head_dim is 129, and must be a whole number between 1 and 128"));
}

TEST_CASE("Latents that no engine has are refused") {
  const Checkpoint checkpoint;
  const auto refused = [&](Json patch, const Json& more) {
    patch.update(
        {{"kv_lora_rank", 16}, {"qk_nope_head_dim", 8}, {"qk_rope_head_dim", 8}, {"v_head_dim", 12}});
    patch.update(more);
    return config_error(checkpoint, patch, ErrorCode::kUnsupported);
  };
  const Json v3 = {{"model_type", "deepseek_v3"}, {"architectures", {"DeepseekV3ForCausalLM"}}};
  CHECK(refused(v3, {{"kv_lora_rank", 570}}) ==
        "'c': kv_lora_rank is 570, and with what rotates these are 578 numbers, which are not possible: even "
        "numbers up to 576 are");
  CHECK_THAT(refused(v3, {{"kv_lora_rank", 15}}), Contains("these are 23 numbers"));
  CHECK_THAT(refused(v3, {{"qk_nope_head_dim", 7}}), Contains("qk_nope_head_dim is 7, and"));
  CHECK_THAT(
      refused(v3, {{"num_attention_heads", 4096}, {"num_key_value_heads", 4096}, {"qk_rope_head_dim", 16}}),
      Contains("num_attention_heads is 4096, and the limits for all are 65536 numbers of queries"));
  CHECK_THAT(
      refused(v3, {{"kv_lora_rank", 512}, {"num_attention_heads", 1024}, {"num_key_value_heads", 1024}}),
      Contains("and 262144 of latents"));
  CHECK_THAT(refused(v3, {{"partial_rotary_factor", 0.5}}),
             Contains("partial_rotary_factor is 0.5, and only 1"));
  CHECK(refused(v3, {{"rope_interleave", false}}) ==
        "'c': rope_interleave is false, and only true can be converted");
  Json yarn = {{"rope_type", "yarn"}, {"factor", 4}, {"mscale", 0.7}, {"mscale_all_dim", 0.8}};
  CHECK(refused(v3, {{"rope_scaling", yarn}}) ==
        "'c': rope_scaling.mscale is 0.7, and only the number of mscale_all_dim can be converted");
  yarn["mscale"] = 0.8;
  yarn["attention_factor"] = 2;
  CHECK_THAT(refused(v3, {{"rope_scaling", yarn}}), Contains("cannot be converted beside mscale_all_dim"));
  const Json v2 = {{"model_type", "deepseek_v2"}, {"architectures", {"DeepseekV2ForCausalLM"}}};
  CHECK_THAT(refused(v2, {{"n_routed_experts", 4}, {"num_experts_per_tok", 2}, {"n_group", 2}}),
             Contains("topk_method is missing, and only 'group_limited_greedy'"));
  const Json minicpm = {{"model_type", "minicpm3"}, {"architectures", {"MiniCPM3ForCausalLM"}}};
  CHECK(refused(minicpm, {{"scale_emb", 10}}) == "'c': scale_emb is 10, and only 12 can be converted");
}

TEST_CASE("Descriptions of heads are checked") {
  const Checkpoint checkpoint;
  const auto head = [&](const Json& value, ErrorCode code = ErrorCode::kBadFile) {
    return config_error(checkpoint, {{"partita_head", value}}, code);
  };
  const auto unsupported = ErrorCode::kUnsupported;
  CHECK(head({{"kind", "hashed"}}, unsupported) ==
        "'c': partita_head.kind is \"hashed\", and must be 'dense', 'adaptive', 'classes', 'tree' or "
        "'mixture'");
  CHECK_THAT(head({{"cutoffs", {1}}}, unsupported), Contains("kind is missing"));
  CHECK_THAT(head(3, ErrorCode::kBadFile), Contains("partita_head is 3, and must be an object"));
  CHECK(head({{"kind", "mixture"}, {"order", {1}}}, unsupported) ==
        "'c': partita_head has the key 'order', which is unknown: remove it or check its spelling");

  const auto adaptive = [&](const Json& cutoffs) {
    return head({{"kind", "adaptive"}, {"cutoffs", cutoffs}});
  };
  CHECK(adaptive(nullptr) == "'c': partita_head.cutoffs is missing, and must be an array of whole numbers");
  CHECK_THAT(adaptive(7), Contains("cutoffs is 7, and must be an array"));
  CHECK_THAT(adaptive(Json::array()), Contains("cutoffs has 0 numbers, and must have 1 to 16384"));
  CHECK(adaptive({10, 10}) ==
        "'c': partita_head.cutoffs is an array, and each must be larger than the one before: 10 follows 10");
  CHECK_THAT(adaptive({20, 10}), Contains("10 follows 20"));
  CHECK(adaptive({10, 263}) ==
        "'c': partita_head.cutoffs[1] is 263, and must be a whole number between 1 and 262");
  for (const Json& wrong : {Json(0), Json(-5), Json(1.5), Json("1"), Json(nullptr), Json(~std::uint64_t{0})})
    CHECK_THAT(adaptive(Json::array({wrong})), Contains("cutoffs[0] is "));

  const auto classes = [&](const Json& sizes) { return head({{"kind", "classes"}, {"sizes", sizes}}); };
  CHECK(classes({200, 62}) ==
        "'c': partita_head.sizes is an array, and their sum is 262 instead of the 263 of vocab_size");
  CHECK_THAT(classes({200, 64}), Contains("their sum is 264"));
  CHECK_THAT(classes({0, 263}), Contains("sizes[0] is 0"));

  const auto order = [&](const Json& ids) {
    return head({{"kind", "adaptive"}, {"cutoffs", {9}}, {"order", ids}});
  };
  std::vector<std::int32_t> ids(C::kVocab, 1);
  CHECK_THAT(order(ids), Contains("it has the id 1 twice"));
  ids.pop_back();
  CHECK(order(ids) == "'c': partita_head.order has 262 numbers, and must have 263");
}

TEST_CASE("Trees must be trees") {
  Checkpoint checkpoint;
  checkpoint.config["vocab_size"] = 4;  // nodes 0, 1, 2
  const auto tree = [&](const std::vector<std::int32_t>& children) {
    return config_error(checkpoint, {{"partita_head", {{"kind", "tree"}, {"children", children}}}},
                        ErrorCode::kBadFile);
  };
  CHECK(tree({-1, -2, 0, -3}) == "'c': partita_head.children has 4 numbers, and must have 6");
  CHECK_THAT(tree({-1, -2, 1, -3, 0, -4}),
             Contains("node 1 has the child 1, which must be a node before it"));
  CHECK_THAT(tree({-1, -2, 0, -3, 0, -4}), Contains("node 0 is a child twice"));
  CHECK_THAT(tree({-1, -2, 0, -2, 1, -4}), Contains("word 1 is a child twice"));
  CHECK_THAT(tree({-1, -2, 0, -5, 1, -4}),
             Contains("children[3] is -5, and must be a whole number between -4 and 2"));
  CHECK_THAT(tree({-1, -2, 0, -3, 3, -4}), Contains("children[4] is 3"));
}

TEST_CASE("A config.json with wrong bytes is refused or read") {
  Checkpoint checkpoint;
  checkpoint.config["partita_embedding"] = {{"cutoffs", {5, 100}}};
  std::mt19937 random(9);
  std::size_t read = 0;
  const std::vector<Json> heads = {{{"kind", "adaptive"}, {"cutoffs", {7, 99}}},
                                   {{"kind", "classes"}, {"sizes", {200, 63}}},
                                   {{"kind", "mixture"}}};
  for (const Json& head : heads) {
    checkpoint.config["partita_head"] = head;
    const std::string whole = checkpoint.config.dump();
    REQUIRE(parse_checkpoint_config(whole, "c").ok());
    for (int i = 0; i < test::all_or(5000, 1000); ++i) {
      std::string text = whole;
      for (int change = 0; change < 2; ++change)
        text[random() % text.size()] = "0123456789-.\"[]{},:e"[random() % 20];
      const auto parsed = parse_checkpoint_config(text, "c");
      read += parsed.ok();
      if (!parsed) CHECK_FALSE(parsed.error().message.empty());
    }
  }
  CHECK(read > 0);
}

TEST_CASE("Bands of embeddings and tied words are checked") {
  const Checkpoint checkpoint;
  CHECK_THAT(config_error(checkpoint, {{"partita_embedding", {{"cutoffs", {0}}}}}, ErrorCode::kBadFile),
             Contains("partita_embedding.cutoffs[0] is 0"));
  CHECK_THAT(
      config_error(checkpoint, {{"partita_embedding", {{"cutoffs", {5}}, {"width", 3}}}},
                   ErrorCode::kUnsupported),
      Contains("partita_embedding has the key 'width', which is unknown: remove it or check its spelling"));
  CHECK(config_error(checkpoint, {{"tie_word_embeddings", true}, {"partita_embedding", {{"cutoffs", {5}}}}},
                     ErrorCode::kUnsupported) ==
        "'c': tie_word_embeddings is true, and a head of kind 'dense' shares no matrix with embeddings in "
        "bands");
  CHECK(config_error(
            checkpoint,
            {{"tie_word_embeddings", true}, {"partita_head", {{"kind", "adaptive"}, {"cutoffs", {5}}}}},
            ErrorCode::kUnsupported) ==
        "'c': tie_word_embeddings is true, and a head of kind 'adaptive' shares no matrix with the "
        "embedding");
}

TEST_CASE("Tensors that are missing, wrong or left over are named") {
  const std::string norm = "model.norm.weight";
  const auto error = [](Checkpoint& checkpoint, const std::string& type = "f16") {
    const auto result = checkpoint.convert(type);
    REQUIRE_FALSE(result.ok());
    CHECK_FALSE(fs::exists(checkpoint.output()));
    return result.error();
  };
  for (const auto& [name, tensor] : Checkpoint().tensors) {
    Checkpoint checkpoint;
    checkpoint.tensors.erase(name);
    const Error missing = error(checkpoint);
    CHECK(missing.code == ErrorCode::kNotFound);
    CHECK_THAT(missing.message, Contains("has no tensor '" + name + "'"));
    checkpoint.add(name, {3, 5});
    CHECK_THAT(error(checkpoint).message, Contains("tensor '" + name + "' has shape [3, 5]"));
  }
  Checkpoint checkpoint;
  checkpoint.add("model.layers.0.self_attn.q_norm.weight", {C::kHidden});
  CHECK_THAT(
      error(checkpoint).message,
      Contains("has a tensor 'model.layers.0.self_attn.q_norm.weight', which no part of this family uses"));
  checkpoint.tensors.erase("model.layers.0.self_attn.q_norm.weight");
  checkpoint.tensors[norm].values[7] = std::numeric_limits<float>::quiet_NaN();
  const Error number = error(checkpoint);
  CHECK(number.code == ErrorCode::kBadNumbers);
  CHECK_THAT(number.message, Contains("element 7 of tensor 'model.norm.weight' is not finite"));
  checkpoint.add(norm, {C::kHidden});
  checkpoint.tensors["lm_head.weight"].values[0] = 1e6F;
  CHECK(error(checkpoint, "q8_0").message ==
        "'output.weight' has a value beyond the 65504 of f16, which Q8_0 cannot hold: bf16 and f32 can");
  CHECK(checkpoint.convert("bf16").ok());
}

TEST_CASE("Heads whose tensors do not fit are refused") {
  Checkpoint checkpoint;
  checkpoint.set_head({{"kind", "mixture"}});
  CHECK_THAT(checkpoint.convert().error().message, Contains("has no tensor 'lm_head.prior.weight'"));
  checkpoint.add("lm_head.prior.weight", {3});
  checkpoint.add("lm_head.decoder.weight", {C::kVocab, 16});
  CHECK_THAT(checkpoint.convert().error().message,
             Contains("'lm_head.prior.weight' has shape [3], and a matrix of 1 to 1048576 rows and columns"));
  checkpoint.add("lm_head.prior.weight", {0, C::kHidden});
  CHECK_THAT(checkpoint.convert().error().message, Contains("has shape [0, 64], and a matrix"));
  checkpoint.add("lm_head.prior.weight", {3, C::kHidden});
  checkpoint.add("lm_head.latent.0.weight", {47, C::kHidden});
  CHECK_THAT(checkpoint.convert().error().message, Contains("has shape [47, 64], and [48, 64] was expected"));
  checkpoint.add("lm_head.latent.0.weight", {48, C::kHidden});
  CHECK(checkpoint.convert().ok());
  checkpoint.add("lm_head.weight", {C::kVocab, C::kHidden});
  CHECK_THAT(checkpoint.convert().error().message, Contains("has a tensor 'lm_head.weight', which no part"));
}

TEST_CASE(
    "Sizes beyond the limits of the engine, and files that would be overwritten, are refused before any "
    "work") {
  Checkpoint checkpoint;
  checkpoint.write();
  ConvertOptions options;
  options.vocabulary = checkpoint.vocabulary();
  for (const std::string name : {"config.json", "model.safetensors"}) {
    const std::string path = checkpoint.directory() + "/" + name;
    const auto size = std::filesystem::file_size(path);
    const auto refused = convert(checkpoint.directory(), path, options);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().message == "'" + path + "' is a file of the checkpoint: name another file");
    CHECK(std::filesystem::file_size(path) == size);
  }
  CHECK(convert("", checkpoint.output(), options).error().code == ErrorCode::kInvalidArgument);

  Checkpoint mixture;
  mixture.set_head({{"kind", "mixture"}});
  mixture.add("lm_head.prior.weight", {300, Checkpoint::kHidden});
  mixture.add("lm_head.latent.weight", {300 * 16, Checkpoint::kHidden});
  mixture.add("lm_head.decoder.weight", {Checkpoint::kVocab, 16});
  CHECK(mixture.convert().error().message == "lm_head.prior.weight has 300 contexts, and the limit is 256");

  Checkpoint large;
  large.tensors.at("model.norm.weight").values[0] = 3.4e38F;
  large.tensors.at("model.embed_tokens.weight").values[0] = 3.4e38F;
  CHECK(large.convert("f32"));
  CHECK_THAT(large.convert("bf16").error().message, Catch::Matchers::Contains("of bf16"));
}

TEST_CASE("Angles may stand beside the scaling that there is not") {
  Checkpoint checkpoint;
  checkpoint.config.erase("rope_theta");
  checkpoint.config.erase("rope_parameters");
  checkpoint.config["rope_scaling"] = {{"rope_type", "default"}, {"rope_theta", 500000}};
  CHECK(must(checkpoint.converted().get_float("llama.rope.freq_base")) == 500000);
}

TEST_CASE("Paths, types and vocabularies that cannot be used are refused") {
  Checkpoint checkpoint;
  checkpoint.write();
  ConvertOptions options;
  options.vocabulary = checkpoint.vocabulary();
  const auto error = [&](const std::string& from, const std::string& to) {
    const auto result = convert(from, to, options);
    REQUIRE_FALSE(result.ok());
    return result.error();
  };
  const std::string from = checkpoint.directory(), to = checkpoint.output();
  CHECK_THAT(error(from, "").message, Contains("is not the name of a file"));
  CHECK_THAT(error(from, from).message, Contains("is not the name of a file"));
  CHECK_THAT(error(from, options.vocabulary).message, Contains("name another file"));
  CHECK(error(from, "/nonexistent/m.gguf").message == "there is no directory '/nonexistent' for the file");
  CHECK(error("/nonexistent", to).code == ErrorCode::kNotFound);
  CHECK_THAT(error("/nonexistent", to).message, Contains("there is no file '/nonexistent/config.json'"));

  options.type = "q4_k";
  CHECK(error(from, to).message ==
        "the type of matrices is 'q4_k', and must be one of f32, f16, bf16, q4_0, q4_1, q5_0, q5_1, q8_0");
  CHECK(error(from, to).code == ErrorCode::kInvalidArgument);
  options.type = "f16";

  ChatFile larger;
  larger.added = {"more"};
  const ChatModelFile other(larger);
  options.vocabulary = other.path();
  CHECK(error(from, to).message ==
        "'" + other.path() +
            "' has 264 tokens, and vocab_size is 263: take the vocabulary that the "
            "model was trained with");
  options.vocabulary = from + "/config.json";
  CHECK_THAT(error(from, to).message, Contains("is JSON text"));
  options.vocabulary = "/nonexistent.gguf";
  CHECK(error(from, to).code == ErrorCode::kNotFound);
  options.vocabulary = checkpoint.vocabulary();

  fs::remove(from + "/model.safetensors");
  CHECK_THAT(error(from, to).message, Contains("has neither a model.safetensors nor a"));
  std::ofstream(from + "/model.safetensors") << "too short";
  CHECK_THAT(error(from, to).message, Contains("the header claims"));
  CHECK_FALSE(fs::exists(to));
}

}  // namespace
}  // namespace partita::internal::testing
