// Values of config.json that change the model, and that model files have no keys for.
#include <fstream>
#include <string>

#include "api/convert/convert_config.h"
#include "tests/api/convert/checkpoints.h"
#include "tests/catch.h"

namespace partita::internal::testing {
namespace {

using Catch::Matchers::Contains;
using Json = nlohmann::json;

TEST_CASE("Values that model files cannot have are refused") {
  struct Case {
    const char* checkpoint;
    Json patch;  // null: taken away
    const char* sentence;
  };
  const auto rope = [](const Json& patch) { return Json{{"rope_parameters", patch}}; };
  const Json scaled = rope({{"sliding_attention", {{"rope_type", "linear"}, {"factor", 2}}}});
  const Case cases[] = {
      {"gpt_oss", {{"swiglu_limit", 6.5}}, "swiglu_limit is 6.5, and only 7 can be converted"},
      {"gpt_oss", rope({{"truncate", true}}), "rope_parameters.truncate is true, and only false can"},
      {"gpt_oss", rope({{"truncate", nullptr}}), "rope_parameters.truncate is missing, and only false can"},
      {"llama_yarn", rope({{"truncate", false}}), "rope_parameters.truncate is false, and only true can"},
      {"mellum", scaled, "sliding_attention.rope_type is \"linear\", and only \"default\" can be converted"},
      {"olmo3_yarn", scaled, "sliding_attention.rope_type is \"linear\", and only \"default\" can"},
      {"gemma3_linear", scaled, "sliding_attention.rope_type is \"linear\", and only \"default\" can"},
      {"gemma3_linear", {{"attn_logit_softcapping", 50}}, "attn_logit_softcapping is 50, and only null can"},
      {"gemma3_linear", {{"final_logit_softcapping", 30}}, "final_logit_softcapping is 30, and only null"},
      {"gemma3_linear", {{"use_bidirectional_attention", true}}, "is true, and only false can be converted"},
      {"gemma2", {{"use_bidirectional_attention", true}}, "is true, and only false can be converted"},
      {"gemma", {{"use_bidirectional_attention", true}}, "is true, and only false can be converted"},
      {"gpt2", {{"scale_attn_by_inverse_layer_idx", true}}, "is true, and only false can be converted"},
      {"gpt2", {{"scale_attn_weights", false}}, "is false, and only true can be converted"},
      {"bloom", {{"apply_residual_connection_post_layernorm", true}}, "is true, and only false can"},
      {"falcon", {{"alibi", true}}, "alibi is true, and only false can be converted"},
      {"falcon", {{"parallel_attn", false}}, "parallel_attn is false, and only true can be converted"},
      {"afmoe", {{"mup_enabled", false}}, "mup_enabled is false, and only true can be converted"},
      {"afmoe", {{"mup_enabled", nullptr}}, "mup_enabled is missing, and only true can be converted"},
      {"phimoe_longrope", {{"router_jitter_noise", 0.02}}, "is 0.02, and only 0.01 can be converted"},
      {"smollm3", {{"use_sliding_window", true}}, "is true, and only false can be converted"},
      {"smollm3", {{"no_rope_layer_interval", 2}, {"no_rope_layers", nullptr}}, "only every fourth layer"},
      {"qwen2moe", {{"use_sliding_window", true}}, "is true, and only false can be converted"},
      {"qwen3moe", {{"use_sliding_window", true}}, "is true, and only false can be converted"},
      {"ministral3", {{"sliding_window", 16}}, "sliding_window is 16, and only null can be converted"},
      {"starcoder2", {{"hidden_act", "gelu"}}, "only \"gelu_pytorch_tanh\" can be converted"},
      {"gpt_bigcode", {{"activation_function", "gelu"}}, "only \"gelu_pytorch_tanh\" can be converted"},
      {"gemma2", {{"hidden_activation", "gelu"}}, "only \"gelu_pytorch_tanh\" can be converted"}};
  for (const Case& one : cases) {
    INFO(one.checkpoint << " " << one.patch.dump());
    const std::string path = std::string(PARTITA_TEST_DATA) + "/checkpoints/" + one.checkpoint;
    Json config = Json::parse(std::ifstream(path + "/config.json"));
    CHECK(parse_checkpoint_config(config.dump(), "c").ok());
    config.merge_patch(one.patch);
    const auto parsed = parse_checkpoint_config(config.dump(), "c");
    REQUIRE_FALSE(parsed.ok());
    CHECK(parsed.error().code == ErrorCode::kUnsupported);
    CHECK_THAT(parsed.error().message, Contains(one.sentence));
  }
}

TEST_CASE("Gemma 1 means the form with tanh where it says gelu") {
  Json config = Json::parse(std::ifstream(std::string(PARTITA_TEST_DATA) + "/checkpoints/gemma/config.json"));
  config["hidden_act"] = "gelu";
  CHECK(parse_checkpoint_config(config.dump(), "c").ok());
}

}  // namespace
}  // namespace partita::internal::testing
