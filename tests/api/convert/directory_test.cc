// Directories of checkpoints are opened without conversion, as the model files that they would become.
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "api/model_file.h"
#include "sampling/heads/screen_file.h"
#include "tests/api/convert/checkpoints.h"
#include "tests/catch.h"
#include "tests/weights/safetensors/safetensors_writer.h"
#include "weights/codecs/codec.h"
#include "weights/safetensors/fp8.h"

namespace partita::internal::testing {
namespace {

namespace fs = std::filesystem;
using C = Checkpoint;
using Catch::Matchers::Contains;
using Json = nlohmann::json;

const std::string kData = PARTITA_TEST_DATA;

/// A model file as bytes, however it is opened.
struct Contents {
  std::vector<std::string> keys;
  std::vector<std::pair<std::string, std::vector<std::byte>>> tensors;  // "name type", data
  bool operator==(const Contents&) const = default;
};

Contents contents(const Gguf& file) {
  Contents out;
  for (const GgufEntry& entry : file.metadata()) out.keys.emplace_back(entry.key);
  std::vector<std::byte> buffer;
  for (const TensorView& tensor : file.tensors()) {
    const auto bytes = must(file.read(tensor.bytes, buffer));
    out.tensors.emplace_back(std::string(tensor.name) + " " + std::string(name(tensor.dtype)),
                             std::vector<std::byte>(bytes.begin(), bytes.end()));
  }
  return out;
}

OpenOptions with_vocabulary(const Checkpoint& checkpoint) {
  OpenOptions options;
  options.vocabulary = checkpoint.vocabulary();
  return options;
}

std::vector<double> logprobs(const std::string& path, const OpenOptions& options) {
  const Model model = must(Model::open(path, options));
  Session session = must(model.session());
  std::vector<TokenId> ids;
  for (TokenId id = 1; id < 40; ++id) ids.push_back(id * 5);
  const auto score = must(session.score(ids));
  return {score.logprobs.begin() + 1, score.logprobs.end()};
}

/// The directory and the file that convert makes of it are the same to the bit.
void check_same(const Checkpoint& checkpoint) {
  must(checkpoint.convert(""));
  const Gguf opened = must(open_model_file(checkpoint.directory(), checkpoint.vocabulary()));
  CHECK(opened.path() == checkpoint.directory());
  CHECK(contents(opened) == contents(must(Gguf::open(checkpoint.output()))));
  const OpenOptions options = with_vocabulary(checkpoint);
  CHECK(logprobs(checkpoint.directory(), options) == logprobs(checkpoint.output(), options));
}

Error error_of(const Checkpoint& checkpoint) {
  const auto opened = Model::open(checkpoint.directory(), with_vocabulary(checkpoint));
  REQUIRE_FALSE(opened.ok());
  return opened.error();
}

TEST_CASE("A directory is the model that convert makes of it, in the types of the checkpoint") {
  Checkpoint checkpoint;
  checkpoint.write();
  const auto in_f32 = logprobs(checkpoint.directory(), with_vocabulary(checkpoint));
  for (const char* type : {"F32", "F16", "BF16"}) {
    INFO(type);
    for (auto& [name, tensor] : checkpoint.tensors) tensor.type = type;
    check_same(checkpoint);
    const Gguf file = must(open_model_file(checkpoint.directory(), checkpoint.vocabulary()));
    CHECK(name(file.find_tensor("blk.0.attn_q.weight")->dtype) == type);  // whose rows change places
    CHECK(name(file.find_tensor("blk.0.ffn_up.weight")->dtype) == type);
    CHECK(file.find_tensor("blk.0.attn_norm.weight")->dtype == Dtype::kF32);
  }
  const auto found = logprobs(checkpoint.directory(), with_vocabulary(checkpoint));
  for (std::size_t i = 0; i < found.size(); ++i) CHECK(found[i] == Approx(in_f32[i]).margin(0.02));
  const Json about = Json::parse(must(inspect_json(checkpoint.directory(), 8, checkpoint.vocabulary())));
  CHECK(about["metadata"]["general.architecture"] == "llama");
}

TEST_CASE("A directory has its own vocabulary") {
  const Checkpoint checkpoint;
  checkpoint.write();
  const fs::path directory = checkpoint.directory();
  const auto open = [&] { return Model::open(directory.string()); };
  CHECK(open().error().code == ErrorCode::kNotFound);
  CHECK(
      open().error().message ==
      "'" + directory.string() +
          "' has no vocabulary that can be read: none of tokenizer.model, tokenizer.json, tekken.json, ranks "
          "of tiktoken and a GGUF file; put a GGUF file with the same vocabulary into it, or name one with "
          "--vocabulary FILE");
  std::ofstream(directory / "tokenizer.json") << "{}";
  CHECK_THAT(open().error().message, Contains("/tokenizer.json': it is not an object with a \"model\""));
  fs::remove(directory / "tokenizer.json");
  std::ofstream(directory / "a.gguf") << "no model";  // is passed over
  fs::copy(checkpoint.vocabulary(), directory / "b.gguf");
  const Model model = must(open());
  CHECK(must(model.tokenize("hello")) == must(must(Model::open(checkpoint.vocabulary())).tokenize("hello")));
  CHECK(model.info().path == directory.string());
  OpenOptions text;
  text.text_only = true;
  CHECK(must(Model::open(directory.string(), text)).info().vocab_size == C::kVocab);
  ConvertOptions options;
  const std::string output = (directory / "c.gguf").string();
  CHECK(must(convert(directory.string(), output, options)).vocab_size == C::kVocab);
  fs::remove(directory / "b.gguf");
  fs::remove(directory / "c.gguf");
  CHECK_THAT(convert(directory.string(), output, options).error().message, Contains("/a.gguf' "));
  options.other_vocabulary = output;
  fs::copy(checkpoint.vocabulary(), output);
  CHECK_THAT(convert(directory.string(), output, options).error().message,
             Contains("is the model that the vocabulary comes from: name another file"));
  options.other_vocabulary = checkpoint.vocabulary();
  must(convert(directory.string(), output, options));
}

TEST_CASE("A directory is one model, however its path ends, also to doctor and prepare") {
  const Checkpoint checkpoint;
  checkpoint.write();
  CHECK(screen_path("a/b//") == "a/b.screen");
  CHECK(screen_path("a/b.gguf") == "a/b.gguf.screen");
  DiagnoseOptions options;
  CHECK_FALSE(diagnose(checkpoint.directory(), options).ok());
  options.vocabulary = checkpoint.vocabulary();
  for (const char* end : {"", "/"}) {
    for (const Finding& finding : must(diagnose(checkpoint.directory() + end, options)))
      CHECK(finding.severity != Severity::kError);
  }
  PrepareOptions prepared;
  CHECK(prepare(checkpoint.directory(), prepared).error().code == ErrorCode::kNotFound);
  prepared.vocabulary = checkpoint.vocabulary();
  const auto made = prepare(checkpoint.directory(), prepared);
  CHECK((made || made.error().code == ErrorCode::kUnsupported));
}

TEST_CASE("tokenizer.model is the vocabulary of a directory") {
  Checkpoint checkpoint;
  constexpr std::uint32_t kSize = 1210;  // ten more than there are pieces
  checkpoint.config["vocab_size"] = kSize;
  checkpoint.add("model.embed_tokens.weight", {kSize, C::kHidden});
  checkpoint.add("lm_head.weight", {kSize, C::kHidden});
  checkpoint.write();
  const fs::path directory = checkpoint.directory();
  fs::copy(kData + "/tokenizer/tiny_bpe.model", directory / "tokenizer.model");
  std::ofstream(directory / "added_tokens.json") << R"({"<extra>": 1200, "<far>": 5000})";
  std::ofstream(directory / "tokenizer_config.json")
      << R"({"bos_token": {"content": "<s>"}, "eos_token": "</s>",
    "add_bos_token": false, "chat_template": [{"name": "other", "template": "x"}, {"name": "tool_use", "template": "tools"},
      {"name": "default", "template": "{{ messages[0].content }}!"}],
    "added_tokens_decoder": {"1201": {"content": "<|end|>", "special": true}}})";
  std::ofstream(directory / "generation_config.json") << R"({"eos_token_id": [2, 1201, 1201, 7]})";
  const Model model = must(Model::open(directory.string()));
  const auto strings = Json::parse(std::ifstream(kData + "/tokenizer/strings.json"))["strings"];
  const auto recorded = Json::parse(std::ifstream(kData + "/tokenizer/tiny_bpe.json"));
  std::size_t compared = 0;
  for (std::size_t i = 0; i < strings.size(); ++i) {
    if (recorded["as_text"][i].is_null()) continue;
    const auto text = strings[i].get<std::string>();
    INFO(text);
    CHECK(must(model.tokenize(text, false)) == recorded["as_text"][i].get<std::vector<TokenId>>());
    ++compared;
  }
  CHECK(compared > 10);
  CHECK(must(model.tokenize("<extra>")).back() == 1200);
  CHECK(must(model.tokenize("<|end|>")) == std::vector<TokenId>{1201});
  OpenOptions text_only;
  text_only.text_only = true;
  CHECK(must(must(Model::open((directory / "tokenizer.model").string(), text_only)).tokenize("hello")) ==
        must(model.tokenize("hello")));
  const Gguf file = must(open_model_file(directory.string()));
  CHECK(must(file.get_array("tokenizer.ggml.tokens"))->string_at(1205) == "[PAD1205]");
  CHECK(must(file.get_uint("tokenizer.ggml.eos_token_id")) == 2);
  CHECK(must(file.get_uint("tokenizer.ggml.eot_token_id")) == 1201);
  CHECK(must(file.get_uint("tokenizer.ggml.eom_token_id")) == 7);
  CHECK_FALSE(must(file.get_bool("tokenizer.ggml.add_bos_token")));
  CHECK(must(file.get_string("tokenizer.chat_template")) == "{{ messages[0].content }}!");
  CHECK(must(file.get_string("tokenizer.chat_template.tool_use")) == "tools");
  CHECK(must(file.get_string("tokenizer.chat_template.other")) == "x");

  const auto refused = [&](const std::string& name, const std::string& text) {
    const std::string path = (directory / name).string();
    std::ofstream(path) << text;
    return Model::open(directory.string()).error().message;
  };
  CHECK_THAT(refused("generation_config.json", R"({"eos_token_id": 1210})"), Contains("below the 1210"));
  CHECK_THAT(refused("generation_config.json", "[]"), Contains("is not a JSON object"));
  fs::remove(directory / "generation_config.json");
  CHECK_THAT(refused("added_tokens.json", R"({"a": "b"})"), Contains("an id that is not a whole number"));
  fs::remove(directory / "added_tokens.json");
  CHECK_THAT(refused("tokenizer_config.json", R"({"added_tokens_decoder": {"x": "y"}})"),
             Contains("not of ids and tokens"));
  fs::remove(directory / "tokenizer_config.json");
  CHECK_THAT(refused("tokenizer.model", "nonsense"), Contains("cannot be read"));
  fs::copy(kData + "/tokenizer/tiny_unigram.model", directory / "tokenizer.model",
           fs::copy_options::overwrite_existing);
  CHECK_THAT(Model::open(directory.string()).error().message, Contains("not merged by score"));
}

/// A checkpoint whose tokenizer.json is that of a recorded case.
struct JsonCheckpoint {
  Checkpoint checkpoint;
  Json recorded;
  std::string directory;

  explicit JsonCheckpoint(const std::string& name)
      : recorded(Json::parse(std::ifstream(kData + "/tokenizer_json/" + name + ".json"))),
        directory(checkpoint.directory()) {
    constexpr std::uint32_t kSize = 800;
    checkpoint.config["vocab_size"] = kSize;
    checkpoint.add("model.embed_tokens.weight", {kSize, C::kHidden});
    checkpoint.add("lm_head.weight", {kSize, C::kHidden});
    checkpoint.write();
    write(recorded["tokenizer"]);
  }

  void write(const Json& tokenizer) const { std::ofstream(directory + "/tokenizer.json") << tokenizer; }

  void check_ids(const Model& model) const {
    const auto strings = Json::parse(std::ifstream(kData + "/tokenizer_json/strings.json"));
    for (std::size_t i = 0; i < strings.size(); ++i) {
      INFO(strings[i]);
      CHECK(must(model.tokenize(strings[i].get<std::string>(), true, false)) ==
            recorded["record"]["ids"][i].get<std::vector<TokenId>>());
    }
  }
};

TEST_CASE("tokenizer.json is the vocabulary of a directory") {
  struct Case {
    const char* name;
    const char* pre;      // of the model file; null: GGUF files cannot express it
    const char* refused;  // why
  };
  const Case each =
      GENERATE(Case{"gpt2", "gpt-2", ""}, Case{"smollm", "smollm", ""}, Case{"llama3", "llama-bpe", ""},
               Case{"mistral", nullptr,
                    "its tokenizer.json has a normalizer or a pre-tokenizer that does more than write U+2581 "
                    "for spaces"},
               Case{"gpt2_pairs_added", nullptr, "has the added token '<|word|>' with single_word"},
               Case{"deepseek", nullptr, "has a pre-tokenizer, which"},
               Case{"unigram", nullptr, "has a model of type 'Unigram'"},
               Case{"bert", nullptr, "has a model of type 'WordPiece'"});
  INFO(each.name);
  const JsonCheckpoint json(each.name);
  json.check_ids(must(Model::open(json.directory)));
  OpenOptions text;
  text.text_only = true;
  json.check_ids(must(Model::open(json.directory + "/tokenizer.json", text)));
  const std::string output = json.directory + "/out.gguf";
  const auto converted = convert(json.directory, output, {});
  const Gguf opened = must(open_model_file(json.directory));
  CHECK((opened.find("tokenizer.huggingface.json") != nullptr) == (each.pre == nullptr));
  CHECK(must(opened.get_array("tokenizer.ggml.tokens"))->string_at(799) == "[PAD799]");
  if (each.pre == nullptr) {
    CHECK_THAT(converted.error().message, Contains(each.refused));
    CHECK_THAT(converted.error().message, Contains("with --vocabulary FILE"));
    return;
  }
  must(converted);
  CHECK(must(must(Gguf::open(output)).get_string("tokenizer.ggml.pre")) == each.pre);
  json.check_ids(must(Model::open(output)));
}

TEST_CASE("convert writes BPE over characters with byte tokens as pieces") {
  const JsonCheckpoint json(GENERATE("llama2", "gemma"));
  const std::string output = json.directory + "/out.gguf";
  must(convert(json.directory, output, {}));
  const Gguf file = must(Gguf::open(output));
  CHECK(must(file.get_string("tokenizer.ggml.model")) == "llama");
  CHECK(must(file.get_bool("tokenizer.ggml.add_space_prefix")) ==
        !json.recorded["tokenizer"]["normalizer"].contains("pattern"));
  CHECK(must(file.get_bool("tokenizer.ggml.add_bos_token")));
  const Model directory = must(Model::open(json.directory)), written = must(Model::open(output));
  const auto strings = Json::parse(std::ifstream(kData + "/tokenizer_json/strings.json"));
  for (const Json& string : strings) {
    const auto text = string.get<std::string>();
    if (text.find("\u2581") != std::string::npos) continue;  // what pieces write for a space
    INFO(text);
    CHECK(must(written.tokenize(text)) == must(directory.tokenize(text)));
    const auto ids = must(written.tokenize(text, false));
    CHECK(ids == must(directory.tokenize(text, false)));
    CHECK(must(written.detokenize(ids)) == must(directory.detokenize(ids)));
  }
}

TEST_CASE("convert refuses BPE over characters that pieces cannot express") {
  const JsonCheckpoint json("llama2");
  const auto why = [&](const char* path, const char* value) {
    Json tokenizer = json.recorded["tokenizer"];
    tokenizer[Json::json_pointer(path)] = Json::parse(value);
    json.write(tokenizer);
    return convert(json.directory, json.directory + "/out.gguf", {}).error().message;
  };
  CHECK_THAT(why("/model/ignore_merges", "true"), Contains("has ignore_merges, which the pieces"));
  CHECK_THAT(why("/added_tokens/2/special", "false"),
             Contains("the added token '</s>', which is not special"));
  CHECK_THAT(why("/normalizer", R"({"type": "NFC"})"),
             Contains("a normalizer or a pre-tokenizer that does more"));
  Json tokenizer = json.recorded["tokenizer"];
  Json& merges = tokenizer["model"]["merges"];
  const Json first = merges[0];
  merges.erase(merges.begin());
  json.write(tokenizer);
  CHECK_THAT(convert(json.directory, json.directory + "/out.gguf", {}).error().message,
             Contains("has merges that do not make"));
  merges.push_back(first);  // what is merged last is another order, which scores can say
  json.write(tokenizer);
  const std::string output = json.directory + "/out.gguf";
  must(convert(json.directory, output, {}));
  const Model directory = must(Model::open(json.directory)), written = must(Model::open(output));
  for (const Json& string : Json::parse(std::ifstream(kData + "/tokenizer_json/strings.json"))) {
    const auto text = string.get<std::string>();
    if (text.find("\u2581") != std::string::npos) continue;
    CHECK(must(written.tokenize(text)) == must(directory.tokenize(text)));
  }
}

TEST_CASE("Files beside tokenizer.json name the special tokens") {
  const JsonCheckpoint json(GENERATE("llama3", "mistral"));
  Json tokenizer = json.recorded["tokenizer"];
  const std::size_t begin = tokenizer["model"]["vocab"].size();  // the first id behind the model's
  const auto add = [&](const std::string& text) {
    tokenizer["added_tokens"].push_back({{"content", text}, {"id", 3}, {"special", true}});
  };
  for (const char* text : {"<begin>", "<end>", "<turn>"}) add(text);
  tokenizer["post_processor"] = Json::parse(R"({"type": "TemplateProcessing",
    "single": [{"SpecialToken": {"id": "<begin>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
    "pair": [], "special_tokens": {"<begin>": {"id": "<begin>", "ids": [], "tokens": ["<begin>"]}}})");
  tokenizer["post_processor"]["special_tokens"]["<begin>"]["ids"].push_back(begin);
  json.write(tokenizer);
  const auto write = [&](const std::string& name, const std::string& text) {
    std::ofstream(json.directory + "/" + name) << text;
  };
  write("tokenizer_config.json", R"({"bos_token": "<begin>"})");
  write("special_tokens_map.json", R"({"eos_token": {"content": "<end>"}})");
  write("generation_config.json",
        "{\"eos_token_id\": [" + std::to_string(begin + 1) + ", " + std::to_string(begin + 2) + "]}");
  write("chat_template.jinja", "{{ messages[0].content }}?");
  fs::create_directory(json.directory + "/additional_chat_templates");
  write("additional_chat_templates/tool_use.jinja", "{{ tools[0].name }}");
  write("additional_chat_templates/no-name.jinja", "left out");
  const Model model = must(Model::open(json.directory));
  CHECK(must(model.tokenize("a")).front() == static_cast<TokenId>(begin));
  CHECK(must(model.tokenize("a")).size() == must(model.tokenize("a", true, false)).size() + 1);
  CHECK(must(model.tokenize("<end>", true, false)) == std::vector<TokenId>{static_cast<TokenId>(begin + 1)});
  CHECK(must(model.tokenize("<end>", false, false)).size() > 1);
  CHECK(must(model.detokenize(must(model.tokenize("a b")))) == "a b");
  const Gguf file = must(open_model_file(json.directory));
  CHECK(must(file.get_uint("tokenizer.ggml.bos_token_id")) == begin);
  CHECK(must(file.get_uint("tokenizer.ggml.eos_token_id")) == begin + 1);
  CHECK(must(file.get_uint("tokenizer.ggml.eot_token_id")) == begin + 2);
  CHECK(must(file.get_string("tokenizer.chat_template")) == "{{ messages[0].content }}?");
  CHECK(must(file.get_string("tokenizer.chat_template.tool_use")) == "{{ tools[0].name }}");
  write("tokenizer_config.json", R"({"bos_token": "<begin>", "add_bos_token": false})");
  CHECK(must(must(Model::open(json.directory)).tokenize("a")).front() != static_cast<TokenId>(begin));
  for (std::size_t id = begin + 3; id <= 800; ++id) add("<" + std::to_string(id) + ">");
  json.write(tokenizer);
  CHECK_THAT(Model::open(json.directory).error().message,
             Contains("it has ids up to 800, and vocab_size is 800"));
}

/// An FP8 matrix of codes that count on, without NaN, and its scales.
void put_fp8(test::SafeTensorsWriter& file, const std::string& name, const std::vector<std::uint64_t>& shape,
             const char* type, const std::vector<std::uint64_t>& scale_shape,
             const std::vector<float>& scales) {
  std::size_t size = 1;
  for (const std::uint64_t n : shape) size *= n;
  std::vector<std::byte> codes(size);
  for (std::size_t i = 0; i < size; ++i) codes[i] = static_cast<std::byte>(i % 120 + i / 7 % 2 * 128);
  file.add_bytes(name + ".weight", type, shape, codes);
  if (!scales.empty()) file.add(name + ".weight_scale_inv", scale_shape, scales);
}

TEST_CASE("FP8 matrices are read with their scales") {
  const Checkpoint checkpoint;
  checkpoint.write();
  const auto open = [&](const char* type, const std::vector<std::uint64_t>& scale_shape,
                        const std::vector<float>& scales) {
    test::SafeTensorsWriter file;
    for (const auto& [name, tensor] : checkpoint.tensors) {
      if (name != "model.layers.0.self_attn.q_proj.weight" && name != "model.layers.0.mlp.up_proj.weight")
        file.add(name, tensor.shape, tensor.values, tensor.type);
    }
    put_fp8(file, "model.layers.0.mlp.up_proj", {C::kFfn, C::kHidden}, type, scale_shape, scales);
    put_fp8(file, "model.layers.0.self_attn.q_proj", {64, C::kHidden}, type, {}, {});
    file.add("model.layers.0.self_attn.q_proj.input_scale", {}, {1});
    const auto bytes = file.bytes();
    std::ofstream(checkpoint.directory() + "/model.safetensors", std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    return open_model_file(checkpoint.directory(), checkpoint.vocabulary());
  };
  const auto check = [&](const Gguf& file, Fp8 type, Dtype expected, auto scale_of_row) {
    const TensorView tensor = must(file.tensor("blk.0.ffn_up.weight", {C::kFfn, C::kHidden}));
    CHECK(tensor.dtype == expected);
    std::vector<std::byte> buffer;
    const auto bytes = must(file.read(tensor.bytes, buffer));
    std::vector<float> values(C::kFfn * C::kHidden);
    codec(tensor.dtype).dequantize(bytes.data(), values.size(), values.data());
    for (std::size_t i = 0; i < values.size(); ++i) {
      const auto code = static_cast<std::uint8_t>(i % 120 + i / 7 % 2 * 128);
      REQUIRE(values[i] == decode_fp8(type, code) * scale_of_row(i / C::kHidden));
    }
    CHECK(must(file.tensor("blk.0.attn_q.weight", {64, C::kHidden})).dtype == Dtype::kBF16);
  };
  check(must(open("F8_E4M3", {}, {0.75F})), Fp8::kE4M3, Dtype::kBF16, [](auto) { return 0.75F; });
  check(must(open("F8_E4M3", {1, 1}, {0.1F})), Fp8::kE4M3, Dtype::kF32, [](auto) { return 0.1F; });
  std::vector<float> rows(C::kFfn);
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<float>(i + 1) * 0.01F;
  check(must(open("F8_E4M3", {C::kFfn, 1}, rows)), Fp8::kE4M3, Dtype::kF32,
        [&](auto row) { return rows[row]; });
  check(must(open("F8_E5M2", {}, {2})), Fp8::kE5M2, Dtype::kBF16, [](auto) { return 2.0F; });
  CHECK_THAT(open("F8_E4M3", {5}, rows_of(rows, 0, 5, 1)).error().message,
             Contains("'model.layers.0.mlp.up_proj.weight_scale_inv' is F32 of shape"));
  const auto infinite = open("F8_E4M3", {}, {INFINITY});
  CHECK_THAT(infinite.error().message, Contains("weight_scale_inv' has an element that is not finite"));
}

TEST_CASE("FP8 codes are the numbers of their formats") {
  CHECK(decode_fp8(Fp8::kE4M3, 0x7E) == 448);
  CHECK(std::isnan(decode_fp8(Fp8::kE4M3, 0x7F)));
  CHECK(decode_fp8(Fp8::kE4M3, 0x01) == 0x1p-9F);
  CHECK(decode_fp8(Fp8::kE4M3, 0xB8) == -1);
  CHECK(decode_fp8(Fp8::kE5M2, 0x7B) == 57344);
  CHECK(std::isinf(decode_fp8(Fp8::kE5M2, 0x7C)));
  CHECK(std::isnan(decode_fp8(Fp8::kE5M2, 0xFD)));
  CHECK(decode_fp8(Fp8::kE5M2, 0x01) == 0x1p-16F);
  CHECK(decode_fp8(Fp8::kE5M2, 0xC0) == -2);
}

TEST_CASE("Directories that cannot be opened are refused with what to do") {
  Checkpoint checkpoint;
  for (const char* method : {"gptq", "awq", "bitsandbytes"}) {
    checkpoint.config["quantization_config"] = {{"quant_method", method}};
    checkpoint.write();
    CHECK_THAT(
        error_of(checkpoint).message,
        Contains("quantization_config.quant_method is \"" + std::string(method) + "\", and only plain") &&
            Contains("take the checkpoint that it was made of, or a GGUF file"));
  }
  checkpoint.config["quantization_config"] = {{"quant_method", "fp8"}, {"weight_block_size", {64, 128}}};
  checkpoint.write();
  CHECK_THAT(error_of(checkpoint).message, Contains("only blocks of 128 x 128 can be read"));
  checkpoint.config["quantization_config"] = {{"quant_method", "fp8"}, {"weight_block_size", {128, 128}}};
  checkpoint.write();
  must(Model::open(checkpoint.directory(), with_vocabulary(checkpoint)));
  checkpoint.config.erase("quantization_config");

  checkpoint.add("model.extra.weight", {3});
  checkpoint.write();
  CHECK_THAT(error_of(checkpoint).message, Contains("has a tensor 'model.extra.weight', which no part"));
  checkpoint.tensors.erase("model.extra.weight");
  checkpoint.tensors.at("model.layers.1.mlp.up_proj.weight").values[67] = NAN;
  checkpoint.write();
  CHECK_THAT(error_of(checkpoint).message,
             Contains("element 67 of tensor 'model.layers.1.mlp.up_proj.weight' is not finite"));

  fs::remove(checkpoint.directory() + "/model.safetensors");
  std::ofstream(checkpoint.directory() + "/pytorch_model.bin") << "x";
  CHECK_THAT(error_of(checkpoint).message,
             Contains(", only 'pytorch_model.bin', which holds code that must not be run; save the model"));
  checkpoint.config["model_type"] = "homemade";
  checkpoint.config["auto_map"] = {{"AutoModel", "modeling.Homemade"}};
  checkpoint.write_config();
  CHECK_THAT(
      error_of(checkpoint).message,
      Contains("model_type is \"homemade\", and code of its own (auto_map) is not run: those that can"));
}

}  // namespace
}  // namespace partita::internal::testing
