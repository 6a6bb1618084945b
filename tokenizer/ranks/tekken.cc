// tekken.json: {"config": {...}, "vocab": [{"rank", "token_bytes"}], "special_tokens": [{"rank",
// "token_str"}]}. Source: mistral_common/tokens/tokenizers/tekken.py.
#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <utility>

#include "tokenizer/base64.h"
#include "tokenizer/json/fields.h"
#include "tokenizer/ranks/rank_vocabulary.h"
#include "tokenizer/vocabulary.h"
#include "weights/json/reader.h"
#include "weights/sentence.h"
#include "weights/try.h"

namespace partita::internal {
namespace {

using Json = nlohmann::json;

/// The special tokens of files up to version 7 that do not list them, in the order of their ids.
constexpr std::array<std::string_view, 20> kTekkenSpecials = {"<unk>",
                                                              "<s>",
                                                              "</s>",
                                                              "[INST]",
                                                              "[/INST]",
                                                              "[AVAILABLE_TOOLS]",
                                                              "[/AVAILABLE_TOOLS]",
                                                              "[TOOL_RESULTS]",
                                                              "[/TOOL_RESULTS]",
                                                              "[TOOL_CALLS]",
                                                              "[IMG]",
                                                              "<pad>",
                                                              "[IMG_BREAK]",
                                                              "[IMG_END]",
                                                              "[PREFIX]",
                                                              "[MIDDLE]",
                                                              "[SUFFIX]",
                                                              "[SYSTEM_PROMPT]",
                                                              "[/SYSTEM_PROMPT]",
                                                              "[TOOL_CONTENT]"};

class TekkenReader {
 public:
  explicit TekkenReader(const Json& file) : file_(file, "tekken.json", error_) {}

  Result<RankVocabulary> run() {
    ComponentFields config(file_.object("config"), "tekken.json: config", error_);
    out_.expression = config.text("pattern");
    const std::string version = config.text("version");
    const std::size_t specials = config.count("default_num_special_tokens", 0, kMaxVocabulary, std::nullopt);
    const std::size_t size = config.count("default_vocab_size", 0, kMaxVocabulary, std::nullopt);
    if (error_) return *error_;
    TRY(check_version(version));
    if (size < specials) {
      return Error{ErrorCode::kBadFile, sentence("tekken.json: default_vocab_size is ", size,
                                                 ", less than the ", specials, " special tokens")};
    }
    TRY(read_tokens(size - specials));
    TRY(read_specials(specials, version));
    out_.first_id = specials;
    return std::move(out_);
  }

 private:
  /// "v3", "v7", "v11", "v13" and later ones: the format is the same.
  static Result<void> check_version(std::string_view version) {
    const std::string_view digits = version.substr(version.starts_with('v') ? 1 : 0);
    const bool is_number = !digits.empty() && digits.size() < 3 && digits[0] != '0' &&
                           digits.find_first_not_of("0123456789") == digits.npos;
    if (version.starts_with('v') && is_number && digits != "1" && digits != "2") return {};
    return Error{ErrorCode::kUnsupported, sentence("tekken.json has version ", internal::quoted(version),
                                                   "; this version of partita reads v3 and newer")};
  }

  /// Tokens beyond the size of the vocabulary are left out.
  Result<void> read_tokens(std::size_t count) {
    const Json& vocab = file_.array("vocab");
    if (error_) return *error_;
    if (vocab.size() < count) {
      return Error{ErrorCode::kBadFile, sentence("tekken.json: \"vocab\" has ", vocab.size(),
                                                 " tokens; the sizes in \"config\" ask for ", count)};
    }
    for (std::size_t i = 0; i < count; ++i) {
      ComponentFields fields(vocab[i], sentence("tekken.json: token ", i), error_);
      fields.count("rank", i, i, std::nullopt);
      auto token = decode_base64(fields.text("token_bytes"));
      if (!token || token->empty()) fields.fail_key("token_bytes", "must be bytes in base64");
      if (error_) return *error_;
      out_.tokens.push_back(*std::move(token));
    }
    return check_ranks(out_.tokens);
  }

  Result<void> read_specials(std::size_t count, const std::string& version) {
    const Json* listed = file_.find("special_tokens");
    if (listed == nullptr && version != "v3" && version != "v7") {
      return Error{ErrorCode::kBadFile,
                   sentence("tekken.json of version ", version, " has no \"special_tokens\"")};
    }
    if (listed != nullptr) {
      for (const Json& each : file_.array("special_tokens")) {
        ComponentFields fields(each, "tekken.json: special_tokens", error_);
        const std::size_t id = fields.count("rank", 0, count == 0 ? 0 : count - 1, std::nullopt);
        out_.specials.push_back({fields.text("token_str"), id, fields.flag("is_control", true)});
        if (error_) return *error_;
      }
    } else {
      for (std::size_t id = 0; id < std::min(count, kTekkenSpecials.size()); ++id)
        out_.specials.push_back({std::string(kTekkenSpecials[id]), id});
    }
    if (error_) return *error_;
    for (std::size_t id = out_.specials.size(); id < count; ++id)
      out_.specials.push_back({sentence("<SPECIAL_", id, ">"), id});
    return {};
  }

  std::optional<Error> error_;
  ComponentFields file_;
  RankVocabulary out_;
};

}  // namespace

Result<RankVocabulary> read_tekken(std::string_view text) {
  const auto file = read_json(text, "tekken.json", JsonLimits());
  if (!file) return file.error();
  return TekkenReader(*file).run();
}

}  // namespace partita::internal
