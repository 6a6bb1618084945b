#include "tokenizer/json/gguf_kind.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

#include "tokenizer/json/fields.h"
#include "tokenizer/json/post_processor.h"
#include "tokenizer/pre/scheme.h"
#include "tokenizer/vocabulary.h"
#include "weights/sentence.h"
#include "weights/try.h"

namespace partita::internal {
namespace {

using Json = nlohmann::json;

// What tokenizer/pre/schemes.cc has for pre-tokenizers that are no expressions.
constexpr std::string_view kGpt2 =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
constexpr std::string_view kDigit = R"(\p{Numeric})", kDigits = R"(\p{Numeric}+)";
constexpr std::string_view kPunctuation = R"([!-/:-@\[-`{-~\p{P}]+)",
                           kPunctuationMark = R"([!-/:-@\[-`{-~\p{P}])";

/// Names whose models normalize to NFC first.
constexpr std::array<std::string_view, 2> kNfc = {"qwen2", "qwen35"};

Error no_name(std::string_view what) {
  return {ErrorCode::kUnsupported,
          sentence("its tokenizer.json has ", what, ", which GGUF files have no name for")};
}

/// Null: the file has none.
const Json* component(const Json& file, const char* key) {
  const auto found = file.find(key);
  return found == file.end() || found->is_null() ? nullptr : &*found;
}

/// The components of a sequence, or the one itself. Precondition: their "type" was read before.
std::vector<const Json*> steps_of(const Json* whole, const char* key) {
  if (whole == nullptr) return {};
  const auto inner = whole->find(key);
  if (inner == whole->end() || !inner->is_array()) return {whole};
  std::vector<const Json*> steps;
  for (const Json& step : *inner) steps.push_back(&step);
  return steps;
}

/// A step of a pre-tokenizer as an expression whose matches are words; empty: it does not split. Error:
/// kUnsupported if no expression does the same.
Result<std::string> expression_of(ComponentFields fields) {
  const std::string_view type = fields.type();
  const Error unknown = no_name(sentence("the pre-tokenizer ", internal::quoted(type), " with its settings"));
  if (type == "Digits") return std::string(fields.flag("individual_digits") ? kDigit : kDigits);
  if (type == "ByteLevel" && !fields.flag("add_prefix_space"))
    return std::string(fields.flag("use_regex", true) ? kGpt2 : std::string_view());
  const std::string behavior = fields.text("behavior", "Isolated");
  if (type == "Punctuation" && behavior == "Isolated") return std::string(kPunctuationMark);
  if (type == "Punctuation" && behavior == "Contiguous") return std::string(kPunctuation);
  // What is between the matches of an expression that matches everything is nothing.
  const bool isolates = behavior == "Isolated" || (behavior == "Removed" && fields.flag("invert", false));
  if (type != "Split" || !isolates) return unknown;
  const Json& pattern = fields.object("pattern");
  const auto regex = pattern.find("Regex");
  return regex != pattern.end() && regex->is_string() ? Result<std::string>(regex->get<std::string>())
                                                      : unknown;
}

bool has_passes(const Scheme& scheme, const std::vector<std::string>& expressions) {
  const auto end =
      std::find_if(scheme.passes.begin(), scheme.passes.end(), [](const Pass& pass) { return pass.empty(); });
  return std::equal(scheme.passes.begin(), end, expressions.begin(), expressions.end(),
                    [](const Pass& pass, const std::string& expression) {
                      return pass.function == nullptr && pass.expression == expression;
                    });
}

class Finder {
 public:
  Finder(const Json& file, const std::vector<AddedToken>& added) : file_(file), added_(added) {}

  Result<std::string> run() {
    TRY(check_model());
    TRY(check_added());
    TRY(check_decoder());
    TRY(check_post_processor());
    const auto expressions = read_expressions();
    if (!expressions) return expressions.error();
    const std::string normalizer = normalizers();
    if (!normalizer.empty() && normalizer != "NFC") return no_name(sentence("the normalizer ", normalizer));
    for (const std::string_view name : scheme_names()) {
      const bool is_nfc = std::find(kNfc.begin(), kNfc.end(), name) != kNfc.end();
      const Scheme& scheme = *find_scheme(name);
      const bool same = scheme.ignore_merges == ignores_merges_ && has_passes(scheme, *expressions);
      if (same && (is_nfc || normalizer.empty())) return std::string(name);
    }
    return no_name(sentence("a pre-tokenizer", ignores_merges_ ? " with ignore_merges" : "",
                            normalizer.empty() ? "" : " after NFC"));
  }

 private:
  ComponentFields fields(const char* place, const Json& object) { return {object, place, error_}; }

  Result<void> kept() const { return error_ ? Result<void>(*error_) : Result<void>(); }

  Result<void> check_model() {
    const Json* model = component(file_, "model");
    if (model == nullptr) return Error{ErrorCode::kBadFile, "tokenizer.json has no \"model\""};
    ComponentFields of_model = fields("model", *model);
    const bool is_bpe =
        of_model.type() == "BPE" || (of_model.type().empty() && of_model.find("merges") != nullptr);
    if (!is_bpe) return no_name(sentence("a model of type ", internal::quoted(of_model.type())));
    if (of_model.flag("byte_fallback", false)) return no_name("byte_fallback in its BPE model");
    for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"}) {
      if (!of_model.text(key, "").empty()) return no_name(sentence("a ", key));
    }
    if (of_model.find("dropout") != nullptr && of_model.json()["dropout"] != 0) return no_name("dropout");
    if (of_model.find("unk_token") != nullptr) return no_name("an unk_token");
    ignores_merges_ = of_model.flag("ignore_merges", false);
    return kept();
  }

  Result<void> check_added() const {
    for (const AddedToken& token : added_) {
      const std::string_view flag = token.single_word ? "single_word"
                                    : token.lstrip    ? "lstrip"
                                    : token.rstrip    ? "rstrip"
                                                      : "";
      if (!flag.empty())
        return no_name(sentence("the added token ", internal::quoted(token.content), " with ", flag));
    }
    return {};
  }

  Result<void> check_decoder() {
    for (const Json* step : steps_of(component(file_, "decoder"), "decoders")) {
      const std::string_view type = fields("decoder", *step).type();
      if (type != "ByteLevel") return no_name(sentence("the decoder ", internal::quoted(type)));
    }
    if (component(file_, "decoder") == nullptr) return no_name("no decoder");
    return kept();
  }

  Result<void> check_post_processor() {
    PromptTemplate around;
    const Json* found = component(file_, "post_processor");
    if (found != nullptr) read_post_processor(fields("post_processor", *found), kMaxVocabulary, around);
    if (around.before.size() > 1 || around.after.size() > 1)
      return no_name("a post-processor that adds several tokens on one side");
    return kept();
  }

  Result<std::vector<std::string>> read_expressions() {
    std::vector<std::string> expressions;
    bool writes_bytes = false;
    for (const Json* step : steps_of(component(file_, "pre_tokenizer"), "pretokenizers")) {
      const ComponentFields of_step = fields("pre_tokenizer", *step);
      auto expression = expression_of(of_step);
      if (error_) return *error_;
      if (!expression) return expression.error();
      if (writes_bytes) return no_name("a pre-tokenizer after ByteLevel");
      writes_bytes = of_step.type() == "ByteLevel";
      if (!expression->empty()) expressions.push_back(*std::move(expression));
    }
    if (!writes_bytes) return no_name("a pre-tokenizer without ByteLevel");
    return expressions;
  }

  std::string normalizers() {
    std::string names;
    for (const Json* step : steps_of(component(file_, "normalizer"), "normalizers"))
      names += sentence(names.empty() ? "" : ", ", shortened(fields("normalizer", *step).type()));
    return names;
  }

  const Json& file_;
  const std::vector<AddedToken>& added_;
  std::optional<Error> error_;
  bool ignores_merges_ = false;
};

}  // namespace

Result<std::string> gguf_pre_tokenizer(const Json& file, const std::vector<AddedToken>& added) {
  return Finder(file, added).run();
}

}  // namespace partita::internal
