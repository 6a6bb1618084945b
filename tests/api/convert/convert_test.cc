// Checkpoints with a dense head become model files: keys, tensors, types, and a model that runs.
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "api/convert/convert_config.h"
#include "api/model_file.h"
#include "tests/api/convert/checkpoints.h"
#include "tests/catch.h"
#include "tests/weights/safetensors/safetensors_writer.h"
#include "weights/codecs/codec.h"
#include "weights/gguf/gguf.h"

namespace partita::internal::testing {
namespace {

namespace fs = std::filesystem;
using C = Checkpoint;
using Catch::Matchers::Contains;

/// What a model answers to a prompt, greedily.
std::vector<TokenId> answer(const std::string& path) {
  const Model model = must(Model::open(path));
  Request request;
  request.prompt = "hello";
  request.max_tokens = 6;
  request.sampling.temperature = 0;
  return generate_alone(model, request).ids;
}

TEST_CASE("A converted model has the keys of its config.json and all of the vocabulary") {
  const Checkpoint checkpoint;
  const ConvertResult result = must(checkpoint.convert("f16"));
  CHECK(result.path == checkpoint.output());
  CHECK(result.head == "dense");
  CHECK(result.layers == C::kLayers);
  CHECK(result.vocab_size == C::kVocab);
  CHECK(result.tensors == checkpoint.tensors.size());
  CHECK(result.file_bytes == fs::file_size(checkpoint.output()));
  CHECK(result.in_f16.empty());
  std::uint64_t parameters = 0;
  for (const auto& [name, tensor] : checkpoint.tensors) parameters += tensor.values.size();
  CHECK(result.parameters == parameters);

  const Gguf file = must(Gguf::open_whole(checkpoint.output()));
  CHECK(must(file.get_string("general.architecture")) == "llama");
  CHECK(must(file.get_string("general.name")) == fs::path(checkpoint.directory()).filename().string());
  const std::pair<const char*, std::uint64_t> counts[] = {
      {"block_count", 2},           {"context_length", 512},        {"embedding_length", 64},
      {"feed_forward_length", 96},  {"attention.head_count", 4},    {"attention.head_count_kv", 2},
      {"attention.key_length", 16}, {"attention.value_length", 16}, {"rope.dimension_count", 16},
      {"vocab_size", 263}};
  for (const auto& [key, value] : counts) CHECK(must(file.get_uint("llama." + std::string(key))) == value);
  CHECK(must(file.get_float("llama.attention.layer_norm_rms_epsilon")) == Approx(1e-5));
  CHECK(must(file.get_float("llama.rope.freq_base")) == 50000);
  CHECK(file.find("partita.head.kind") == nullptr);

  const Gguf base = must(Gguf::open_whole(checkpoint.vocabulary()));
  std::size_t copied = 0;
  for (const GgufEntry& entry : base.metadata()) {
    if (!entry.key.starts_with("tokenizer.")) continue;
    ++copied;
    const GgufValue* found = file.find(entry.key);
    REQUIRE(found != nullptr);
    REQUIRE(found->index() == entry.value.index());
    if (const auto* array = std::get_if<GgufArray>(&entry.value)) {
      const auto& other = std::get<GgufArray>(*found);
      CHECK(other.type() == array->type());
      CHECK(std::ranges::equal(other.bytes(), array->bytes()));
    } else if (const auto* text = std::get_if<std::string_view>(&entry.value)) {
      CHECK(std::get<std::string_view>(*found) == *text);
    } else if (const auto* number = std::get_if<std::uint64_t>(&entry.value)) {
      CHECK(std::get<std::uint64_t>(*found) == *number);
    }
  }
  CHECK(copied == 9);
}

TEST_CASE("Tensors keep their values under the names of a model file") {
  const Checkpoint checkpoint;
  const Gguf file = checkpoint.converted();
  CHECK(file.tensors().size() == checkpoint.tensors.size());
  const auto same = [&](const std::string& name, const std::string& from) {
    CAPTURE(name);
    const CheckpointTensor& tensor = checkpoint.tensors.at(from);
    const TensorView view = must(file.tensor(name, tensor.shape));
    CHECK(view.dtype == Dtype::kF32);
    std::vector<float> values(tensor.values.size());
    codec(view.dtype).dequantize(view.bytes.data(), values.size(), values.data());
    CHECK(values == tensor.values);
  };
  same("token_embd.weight", "model.embed_tokens.weight");
  same("output_norm.weight", "model.norm.weight");
  same("output.weight", "lm_head.weight");
  for (const std::string i : {"0", "1"}) {
    const std::string to = "blk." + i + ".", from = "model.layers." + i + ".";
    same(to + "attn_v.weight", from + "self_attn.v_proj.weight");
    same(to + "attn_output.weight", from + "self_attn.o_proj.weight");
    same(to + "ffn_gate.weight", from + "mlp.gate_proj.weight");
    same(to + "ffn_up.weight", from + "mlp.up_proj.weight");
    same(to + "ffn_down.weight", from + "mlp.down_proj.weight");
    same(to + "attn_norm.weight", from + "input_layernorm.weight");
    same(to + "ffn_norm.weight", from + "post_attention_layernorm.weight");
  }
}

TEST_CASE("Rows of Q and K are interleaved by rotary pairs") {
  const Checkpoint checkpoint;
  const Gguf file = checkpoint.converted();
  const std::tuple<const char*, const char*, std::uint32_t> matrices[] = {{"q_proj", "attn_q", C::kHeads},
                                                                          {"k_proj", "attn_k", C::kKvHeads}};
  for (const auto& [from, to, heads] : matrices) {
    const auto& before =
        checkpoint.tensors.at("model.layers.1.self_attn." + std::string(from) + ".weight").values;
    const auto after =
        values_of(file, "blk.1." + std::string(to) + ".weight", {heads * C::kHeadDim, C::kHidden});
    for (std::uint32_t h = 0; h < heads; ++h) {
      for (std::uint32_t i = 0; i < C::kHeadDim / 2; ++i) {
        for (std::uint32_t b = 0; b < 2; ++b) {
          CHECK(rows_of(after, h * C::kHeadDim + 2 * i + b, 1, C::kHidden) ==
                rows_of(before, h * C::kHeadDim + i + b * C::kHeadDim / 2, 1, C::kHidden));
        }
      }
    }
  }
}

TEST_CASE("A converted model opens and generates, in every type") {
  const Checkpoint checkpoint;
  must(checkpoint.convert("f32"));
  const auto expected = answer(checkpoint.output());
  CHECK_FALSE(expected.empty());
  for (const std::string_view type : convert_types()) {
    CAPTURE(type);
    must(checkpoint.convert(std::string(type)));
    const auto ids = answer(checkpoint.output());
    if (type == "f16" || type == "bf16") CHECK(ids == expected);  // its values are the same
    CHECK_FALSE(ids.empty());
  }
}

TEST_CASE("A checkpoint's chat template stands for the vocabulary's") {
  Checkpoint checkpoint;
  const std::string path = checkpoint.directory() + "/chat_template.jinja";
  const std::string own = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}";
  std::ofstream(path) << own;
  CHECK(must(checkpoint.converted().get_string("tokenizer.chat_template")) == own);
  std::ofstream(path) << std::string((1 << 20) + 1, 'a');
  const auto large = checkpoint.convert();
  REQUIRE_FALSE(large);
  CHECK(large.error().message.find("1048577") != std::string::npos);
}

TEST_CASE("The text model of a larger one is converted as if it were alone") {
  Checkpoint checkpoint;
  must(checkpoint.convert());
  const auto bytes = [&] {
    std::ifstream file(checkpoint.output(), std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(file), {});
  };
  const std::string alone = bytes();
  const nlohmann::json text = checkpoint.config;
  const auto tensors = checkpoint.tensors;
  checkpoint.config = {{"model_type", "llava"},
                       {"architectures", {"LlavaForConditionalGeneration"}},
                       {"hidden_size", 3},
                       {"tie_word_embeddings", false},
                       {"text_config", text}};
  checkpoint.config["text_config"].erase("architectures");
  checkpoint.config["text_config"]["tie_word_embeddings"] = true;
  const auto renamed = [&](const std::string& layers, const std::string& head) {
    checkpoint.tensors.clear();
    for (const auto& [name, tensor] : tensors) {
      const bool is_head = name.starts_with("lm_head.");
      checkpoint.tensors[(is_head ? head + name : layers + name.substr(6))] = tensor;
    }
    checkpoint.add("vision_tower.layers.0.weight", {3, 5});
    checkpoint.add("model.visual.weight", {3});
  };
  for (const auto& [layers, head] :
       {std::pair{"model.language_model.", ""}, std::pair{"language_model.model.", "language_model."}}) {
    renamed(layers, head);
    const auto result = must(checkpoint.convert());
    CHECK(bytes() == alone);
    CHECK(result.left_out == std::map<std::string, std::size_t>{{"vision_tower", 1}, {"visual", 1}});
  }
  checkpoint.add("model.extra.weight", {3});
  CHECK_THAT(checkpoint.convert().error().message, Contains("a tensor 'model.extra.weight', which no part"));
  checkpoint.tensors.erase("model.extra.weight");
  checkpoint.add("language_model.extra.weight", {3});
  CHECK_THAT(checkpoint.convert().error().message, Contains("a tensor 'language_model.extra.weight'"));
  checkpoint.tensors.erase("language_model.model.norm.weight");
  CHECK_THAT(checkpoint.convert().error().message, Contains("no tensor 'language_model.model.norm.weight'"));
  checkpoint.config["architectures"] = {"LlavaForTokenClassification"};
  CHECK_THAT(checkpoint.convert().error().message, Contains("only LlamaForCausalLM can be converted, not"));

  Checkpoint plain;  // without text_config, names mean nothing
  for (const char* other : {"language_model.extra.weight", "vision_tower.weight"}) {
    plain.add(other, {3});
    CHECK_THAT(plain.convert().error().message,
               Contains(std::string("a tensor '") + other + "', which no part"));
    plain.tensors.erase(other);
  }
}

TEST_CASE("Larger Gemma 3 models leave out what is usual") {
  const nlohmann::json config = {{"model_type", "gemma3"},
                                 {"architectures", {"Gemma3ForConditionalGeneration"}},
                                 {"text_config",
                                  {{"model_type", "gemma3_text"},
                                   {"hidden_size", 2560},
                                   {"intermediate_size", 10240},
                                   {"num_hidden_layers", 34},
                                   {"rope_scaling", {{"factor", 8.0}, {"rope_type", "linear"}}},
                                   {"sliding_window", 1024}}}};
  const auto c = must(parse_checkpoint_config(config.dump(), "c"));
  CHECK(c.heads == 8);
  CHECK(c.kv_heads == 4);
  CHECK(c.head_dim == 256);
  CHECK(c.vocab == 262208);
  CHECK(c.rope_base == 1e6);
  CHECK(c.local_rope_base == 1e4);
}

TEST_CASE("Tied words stand in the file once") {
  Checkpoint checkpoint;
  checkpoint.config["tie_word_embeddings"] = true;
  const auto size = checkpoint.tensors.size();
  CHECK_FALSE(checkpoint.converted().has_tensor("output.weight"));  // the copy is not needed
  checkpoint.tensors.erase("lm_head.weight");
  const Gguf file = checkpoint.converted();
  CHECK(file.tensors().size() == size - 1);
  CHECK_FALSE(answer(checkpoint.output()).empty());
}

TEST_CASE("Matrices have the type that was asked for where it fits") {
  Checkpoint checkpoint;
  checkpoint.config["intermediate_size"] = 80;  // no whole blocks of 32 columns in ffn_down
  for (const std::string i : {"0", "1"}) {
    const std::string layer = "model.layers." + i + ".mlp.";
    checkpoint.add(layer + "gate_proj.weight", {80, C::kHidden});
    checkpoint.add(layer + "up_proj.weight", {80, C::kHidden});
    checkpoint.add(layer + "down_proj.weight", {C::kHidden, 80});
  }
  const ConvertResult result = must(checkpoint.convert("q4_0"));
  CHECK(result.in_f16 == std::vector<std::string>{"blk.0.ffn_down.weight", "blk.1.ffn_down.weight"});
  const Gguf file = must(Gguf::open_whole(checkpoint.output()));
  for (const TensorView& tensor : file.tensors()) {
    const bool down = tensor.name.ends_with("ffn_down.weight");
    CHECK(tensor.dtype == (tensor.shape.size() == 1 ? Dtype::kF32 : down ? Dtype::kF16 : Dtype::kQ4_0));
  }
  CHECK_FALSE(answer(checkpoint.output()).empty());
  CHECK(checkpoint.converted("bf16").find_tensor("blk.0.ffn_down.weight")->dtype == Dtype::kBF16);
}

TEST_CASE("Config.json may say the same in other words") {
  Checkpoint checkpoint;
  const Gguf plain = checkpoint.converted();
  const auto bytes = plain.file_bytes();
  checkpoint.config.erase("rope_theta");
  checkpoint.config["rope_parameters"] = {{"rope_theta", 50000.0}, {"rope_type", "default"}};
  checkpoint.config["head_dim"] = 16;
  checkpoint.config["attention_bias"] = false;
  checkpoint.config["torch_dtype"] = "bfloat16";
  checkpoint.config["rope_scaling"] = {{"type", "default"}};
  for (auto& [name, tensor] : checkpoint.tensors) tensor.type = name.size() % 2 == 0 ? "BF16" : "F16";
  checkpoint.add("model.layers.0.self_attn.rotary_emb.inv_freq", {8});
  const Gguf file = checkpoint.converted();
  CHECK(must(file.get_float("llama.rope.freq_base")) == 50000);
  CHECK(file.file_bytes() == bytes);
  for (const char* name : {"blk.0.attn_q.weight", "output_norm.weight"})
    CHECK(std::ranges::equal(file.find_tensor(name)->bytes, plain.find_tensor(name)->bytes));

  for (const char* key :
       {"rope_parameters", "num_key_value_heads", "max_position_embeddings", "rms_norm_eps"})
    checkpoint.config.erase(key);
  checkpoint.add("model.layers.0.self_attn.k_proj.weight", {64, 64});
  checkpoint.add("model.layers.1.self_attn.k_proj.weight", {64, 64});
  checkpoint.add("model.layers.0.self_attn.v_proj.weight", {64, 64});
  checkpoint.add("model.layers.1.self_attn.v_proj.weight", {64, 64});
  const Gguf defaults = checkpoint.converted();
  CHECK(must(defaults.get_float("llama.rope.freq_base")) == 10000);
  CHECK(must(defaults.get_uint("llama.attention.head_count_kv")) == 4);
  CHECK(must(defaults.get_uint("llama.context_length")) == 2048);
  CHECK(must(defaults.get_float("llama.attention.layer_norm_rms_epsilon")) == Approx(1e-6));
}

TEST_CASE("A checkpoint in several files is converted by its index") {
  const Checkpoint checkpoint;
  const Gguf whole = checkpoint.converted();
  test::SafeTensorsWriter parts[2];
  nlohmann::json map;
  std::size_t turn = 0;
  for (const auto& [name, tensor] : checkpoint.tensors) {
    const std::size_t part = turn++ % 2;
    parts[part].add(name, tensor.shape, tensor.values);
    map[name] = "part" + std::to_string(part) + ".safetensors";
  }
  const fs::path directory = checkpoint.directory();
  for (std::size_t i = 0; i < 2; ++i) {
    const auto bytes = parts[i].bytes();
    std::ofstream(directory / ("part" + std::to_string(i) + ".safetensors"), std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  }
  fs::remove(directory / "model.safetensors");
  std::ofstream(directory / "model.safetensors.index.json") << nlohmann::json{{"weight_map", map}};
  ConvertOptions options;
  options.vocabulary = checkpoint.vocabulary();
  options.type = "f32";
  const std::string other = (directory / "other.gguf").string();
  must(convert(checkpoint.directory() + "/", other, options));
  const Gguf file = must(Gguf::open_whole(other));
  REQUIRE(file.tensors().size() == whole.tensors().size());
  for (const TensorView& tensor : whole.tensors())
    CHECK(std::ranges::equal(file.find_tensor(tensor.name)->bytes, tensor.bytes));
  const Gguf opened = must(open_model_file(checkpoint.directory(), checkpoint.vocabulary()));
  std::vector<std::byte> buffer;
  for (const TensorView& tensor : whole.tensors())
    CHECK(
        std::ranges::equal(must(opened.read(opened.find_tensor(tensor.name)->bytes, buffer)), tensor.bytes));
}

TEST_CASE("Converting tells how far it is and can be stopped") {
  const Checkpoint checkpoint;
  checkpoint.write();
  ConvertOptions options;
  options.vocabulary = checkpoint.vocabulary();
  float last = 0;
  options.progress = [&](float fraction) {
    CHECK(fraction >= last);
    last = fraction;
    return fraction < 0.5F;
  };
  const auto stopped = convert(checkpoint.directory(), checkpoint.output(), options);
  REQUIRE_FALSE(stopped.ok());
  CHECK(stopped.error().code == ErrorCode::kCancelled);
  CHECK_FALSE(fs::exists(checkpoint.output()));
  options.progress = [&](float fraction) {
    last = fraction;
    return true;
  };
  must(convert(checkpoint.directory(), checkpoint.output(), options));
  CHECK(last == 1);
}

}  // namespace
}  // namespace partita::internal::testing
