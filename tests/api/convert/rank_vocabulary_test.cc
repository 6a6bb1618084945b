// Vocabularies of ranks: tiktoken's rank files and tekken.json, against tiktoken and mistral-common
// (tests/oracles/record_ranks.py).
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "api/convert/rank_vocabulary.h"
#include "api/convert/tokenizer_file.h"
#include "api/model_file.h"
#include "tests/api/convert/checkpoints.h"
#include "tests/catch.h"

namespace partita::internal::testing {
namespace {

namespace fs = std::filesystem;
using Catch::Matchers::Contains;
using Json = nlohmann::json;
using Ids = std::vector<TokenId>;

const std::string kRanks = PARTITA_TEST_DATA "/ranks";

const Json& rank_record() {
  static const Json record = Json::parse(std::ifstream(kRanks + "/record.json"));
  return record;
}

Model open_text(const std::string& path) {
  OpenOptions options;
  options.text_only = true;
  return must(Model::open(path, options));
}

/// Ids, and that they are the text again.
void check_rank_ids(const Model& model, const Json& expected, bool specials) {
  const Json& strings = rank_record()["strings"];
  for (std::size_t i = 0; i < strings.size(); ++i) {
    const auto text = strings[i].get<std::string>();
    INFO(i << ": " << text);
    const Ids ids = must(model.tokenize(text, specials, false));
    CHECK(ids == expected[i].get<Ids>());
    CHECK(must(model.detokenize(ids)) == text);
  }
}

/// A directory with small.tiktoken as `name`, and what tokenizer_config.json says.
struct RankDirectory {
  Checkpoint checkpoint;
  fs::path directory = checkpoint.directory();

  RankDirectory() {
    constexpr std::uint32_t kSize = 900;
    checkpoint.config["vocab_size"] = kSize;
    checkpoint.add("model.embed_tokens.weight", {kSize, Checkpoint::kHidden});
    checkpoint.add("lm_head.weight", {kSize, Checkpoint::kHidden});
    checkpoint.write();
  }

  void copy(const std::string& from, const std::string& name) const {
    fs::copy(kRanks + "/" + from, directory / name);
  }

  void write(const std::string& name, const std::string& text) const {
    std::ofstream(directory / name) << text;
  }

  void configure(const std::string& expression) const {
    const std::string special = std::to_string(706);
    write("tokenizer_config.json",
          Json{{"pat_str", expression},
               {"eos_token", "<|special|>"},
               {"added_tokens_decoder", {{special, {{"content", "<|special|>"}, {"special", true}}}}}}
              .dump());
  }

  std::string error() const { return Model::open(directory.string()).error().message; }
};

TEST_CASE("A rank file of tiktoken gives the ids of tiktoken") {
  const std::string name = GENERATE("llama3", "cl100k");
  const Json& expected = rank_record()["cases"][name];
  const RankDirectory ranks;
  ranks.copy("small.tiktoken", GENERATE("tokenizer.model", "tiktoken.model", "a.tiktoken"));
  ranks.configure(expected["pat_str"]);
  const Model model = must(Model::open(ranks.directory.string()));
  check_rank_ids(model, expected["ids"], false);
  check_rank_ids(model, expected["special_ids"], true);
  CHECK(model.info().vocab_size == 900);
  const Gguf file = must(open_model_file(ranks.directory.string()));
  CHECK(must(file.get_uint("tokenizer.ggml.eos_token_id")) == 706);
  CHECK_FALSE(must(file.get_bool("tokenizer.ggml.add_bos_token")));
}

TEST_CASE("convert writes ranks whose expression has a name, and refuses others") {
  const RankDirectory ranks;
  ranks.copy("small.tiktoken", "tokenizer.model");
  const std::string output = (ranks.directory / "out.gguf").string();
  ranks.configure(rank_record()["cases"]["cl100k"]["pat_str"]);
  CHECK_THAT(convert(ranks.directory.string(), output, {}).error().message,
             Contains("its expression has no name in GGUF files"));
  ranks.configure(rank_record()["cases"]["llama3"]["pat_str"]);
  must(convert(ranks.directory.string(), output, {}));
  const Gguf file = must(Gguf::open(output));
  CHECK(must(file.get_string("tokenizer.ggml.model")) == "gpt2");
  CHECK(must(file.get_string("tokenizer.ggml.pre")) == "llama-bpe");
  check_rank_ids(must(Model::open(output)), rank_record()["cases"]["llama3"]["special_ids"], true);
}

TEST_CASE("tekken.json gives the ids of mistral-common") {
  const std::string name = GENERATE("tekken_v3", "tekken_v13");
  const Json& expected = rank_record()["cases"][name];
  const Model model = open_text(kRanks + "/" + name + ".json");
  check_rank_ids(model, expected["ids"], false);
  for (const auto& [text, id] : expected["special"].items()) {
    INFO(text);
    CHECK(must(model.tokenize(text, true, false)) == Ids{id.get<TokenId>()});
  }
  const TokenId bos = expected["bos"].get<TokenId>();
  CHECK(must(model.tokenize("a", true, true)).front() == bos);
  const Gguf opened = must(open_model_file(kRanks + "/" + name + ".json"));
  CHECK(must(opened.get_array("tokenizer.ggml.tokens"))->size() == expected["size"].get<std::size_t>());
  const RankDirectory ranks;
  ranks.copy(name + ".json", "tekken.json");
  const std::string output = (ranks.directory / "out.gguf").string();
  must(convert(ranks.directory.string(), output, {}));
  CHECK(must(must(Gguf::open(output)).get_string("tokenizer.ggml.pre")) == "tekken");
  check_rank_ids(must(Model::open(output)), expected["ids"], false);
}

TEST_CASE("Ranks of an unknown family are refused") {
  const RankDirectory ranks;
  ranks.copy("small.tiktoken", "tokenizer.model");
  CHECK_THAT(ranks.error(), Contains("it has 703 ranks and does not say how text is split"));
  ranks.write("tokenizer_config.json", R"({"tokenizer_class": "TikTokenTokenizer"})");
  CHECK_THAT(ranks.error(), Contains("it has ids up to 958, and vocab_size is 900"));
  ranks.write("tokenizer_config.json", R"({"tokenizer_class": "QWenTokenizer", "eos_token": "<|im_end|>"})");
  CHECK_THAT(ranks.error(), Contains("it has ids up to 910, and vocab_size is 900"));
  const Model model = open_text((ranks.directory / "tokenizer.model").string());
  CHECK(must(model.tokenize("<|im_start|><|extra_204|>", true, false)) == Ids{704, 910});
}

TEST_CASE("The tokenizer that a directory takes is the first of several") {
  const RankDirectory ranks;
  const auto first_id = [&] {
    return must(must(Model::open(ranks.directory.string())).tokenize("the", true, false));
  };
  ranks.configure(rank_record()["cases"]["llama3"]["pat_str"]);
  ranks.copy("small.tiktoken", "a.tiktoken");
  const Ids of_ranks = first_id();
  ranks.copy("tekken_v3.json", "tekken.json");
  const Ids of_tekken = first_id();
  CHECK(of_tekken.front() >= 100);
  CHECK(of_tekken != of_ranks);
  ranks.copy("small.tiktoken", "tokenizer.model");
  CHECK(first_id() == of_ranks);
  const Json whole = Json::parse(std::ifstream(PARTITA_TEST_DATA "/tokenizer_json/gpt2.json"));
  ranks.write("tokenizer.json", whole["tokenizer"].dump());
  const Ids of_json = first_id();
  CHECK(of_json != of_ranks);
  CHECK(of_json != of_tekken);
}

TEST_CASE("Files of tokenizers are known by their contents") {
  const RankDirectory ranks;
  const auto format = [&](const std::string& text) {
    ranks.write("x", text);
    return tokenizer_format((ranks.directory / "x").string());
  };
  CHECK(tokenizer_format(kRanks + "/small.tiktoken") == TokenizerFormat::kRanks);
  CHECK(tokenizer_format(kRanks + "/tekken_v13.json") == TokenizerFormat::kTekken);
  CHECK(tokenizer_format(PARTITA_TEST_DATA "/tokenizer/tiny_bpe.model") == TokenizerFormat::kSentencePiece);
  CHECK(format("\n {\"model\": 1}") == TokenizerFormat::kTokenizerJson);
  CHECK(format("") == TokenizerFormat::kNone);
  CHECK(format("GGUF") == TokenizerFormat::kNone);
  CHECK(format("hello 1x") == TokenizerFormat::kNone);
  CHECK(format("IQ== 0\r\n") == TokenizerFormat::kRanks);
  const Json whole = Json::parse(std::ifstream(PARTITA_TEST_DATA "/tokenizer_json/gpt2.json"));
  ranks.write("other.json", whole["tokenizer"].dump());
  CHECK(must(open_text((ranks.directory / "other.json").string()).tokenize("the")).size() == 1);
}

/// Every byte, and more lines.
std::string all_bytes_and(const std::string& more) {
  std::ifstream file(kRanks + "/small.tiktoken");
  std::string text, line;
  for (int i = 0; i < 256 && std::getline(file, line); ++i) text += line + "\n";
  return text + more;
}

TEST_CASE("Damaged ranks are refused") {
  struct Row {
    std::string text;
    const char* message;
  };
  const std::string long_token = std::string(1400, 'A') + " 256";
  const Row row =
      GENERATE_COPY(Row{"IQ== 0", "no token is the byte 0"},
                    Row{all_bytes_and("YWE= x"), "line 257 is 'YWE= x', not a token in base64"},
                    Row{all_bytes_and("= 256"), "line 257 is '= 256', not a token"},
                    Row{all_bytes_and("YWE= 9999"), "line 257 has rank 9999, more than 4096 above"},
                    Row{all_bytes_and("YWE= 255"), "line 257 gives rank 255 to a second token"},
                    Row{all_bytes_and("IQ== 256"), "the token '!' of rank 256 comes twice"},
                    Row{all_bytes_and(long_token), "of rank 256 has 1050 bytes, more than 1024"});
  const RankDirectory ranks;
  ranks.write("tokenizer.model", row.text);
  ranks.configure(rank_record()["cases"]["llama3"]["pat_str"]);
  CHECK_THAT(ranks.error(), Contains(row.message));
}

TEST_CASE("Special tokens beside ranks are checked") {
  const RankDirectory ranks;
  ranks.copy("small.tiktoken", "tokenizer.model");
  const auto with = [&](const std::string& decoder) {
    ranks.write("tokenizer_config.json",
                R"({"pat_str": "\\S+|\\s+", "added_tokens_decoder": )" + decoder + "}");
    return ranks.error();
  };
  CHECK_THAT(with(R"({"x": {"content": "a"}})"), Contains("not of ids below 4194304 and tokens: 'x'"));
  CHECK_THAT(with(R"({"4194304": {"content": "a"}})"), Contains("and tokens: '4194304'"));
  CHECK_THAT(with(R"({"7": {"content": "<x>"}})"),
             Contains("the id 7 of the special token '<x>' is another token's"));
  CHECK_THAT(with(R"({"710": {"content": "<x>"}, "711": "<x>"})"), Contains("and tokens: '711'"));
  CHECK_THAT(with(R"({"710": {"content": "<x>"}, "711": {"content": "<x>"}})"),
             Contains("the special token '<x>' comes twice"));
  CHECK_THAT(with(R"({"900": {"content": "<x>"}})"), Contains("it has ids up to 900, and vocab_size is 900"));
  ranks.write("tokenizer_config.json", R"({"pat_str": "("})");
  CHECK_THAT(ranks.error(), Contains("the regular expression '(' cannot be used"));
}

TEST_CASE("A damaged tekken.json is refused by the field's name") {
  struct Row {
    const char* path;
    const char* value;
    const char* message;
  };
  const Row row = GENERATE(
      Row{"/config", "3", "\"config\" must be an object"},
      Row{"/config/pattern", "3", "tekken.json: config \"pattern\" must be a string"},
      Row{"/config/version", "\"v2\"", "has version 'v2'; this version of partita reads v3 and newer"},
      Row{"/config/version", "\"v11\"", "tekken.json of version v11 has no \"special_tokens\""},
      Row{"/config/default_vocab_size", "50", "default_vocab_size is 50, less than the 100 special tokens"},
      Row{"/config/default_vocab_size", "5000",
          "\"vocab\" has 703 tokens; the sizes in \"config\" ask for 4900"},
      Row{"/vocab/300/rank", "3", "token 300 \"rank\" must be a whole number from 300 to 300"},
      Row{"/vocab/300/token_bytes", "\"?\"", "token 300 \"token_bytes\" must be bytes in base64"},
      Row{"/vocab/300/token_bytes", "\"IQ==\"", "the token '!' of rank 300 comes twice"},
      Row{"/special_tokens", R"([{"rank": 100, "token_str": "a"}])",
          "\"rank\" must be a whole number from 0 to 99"},
      Row{"/special_tokens", R"([{"rank": 0}])", "\"token_str\" must be a string"});
  Json file = Json::parse(std::ifstream(kRanks + "/tekken_v3.json"));
  file[Json::json_pointer(row.path)] = Json::parse(row.value);
  const RankDirectory ranks;
  ranks.write("tekken.json", file.dump());
  CHECK_THAT(ranks.error(), Contains(row.message));
}

}  // namespace
}  // namespace partita::internal::testing
