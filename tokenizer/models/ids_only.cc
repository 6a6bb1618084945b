#include "tokenizer/models/ids_only.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "tokenizer/gguf_vocabulary.h"
#include "tokenizer/vocabulary.h"
#include "tokenizer/vocabulary_tokenizer.h"

namespace partita::internal {
namespace {

class IdsOnly final : public VocabularyTokenizer {
 public:
  using VocabularyTokenizer::VocabularyTokenizer;

 private:
  Result<void> encode_text(std::string_view, bool, std::vector<TokenId>&) const override {
    return Error{ErrorCode::kUnsupported,
                 "the model has no tokenizer (tokenizer.ggml.model is \"none\"), so that text cannot become "
                 "tokens: give token ids"};
  }
};

Result<std::size_t> count_ids(const Gguf& file) {
  const auto family = file.get_string("general.architecture");
  std::uint64_t count = 0;
  if (const auto stated = file.get_uint(std::string(family ? *family : "") + ".vocab_size")) {
    count = *stated;
  } else if (const TensorView* rows = file.find_tensor("token_embd.weight");
             rows != nullptr && rows->shape.size() == 2) {
    count = rows->shape[0];
  }
  if (count >= 1 && count <= kMaxVocabulary) return static_cast<std::size_t>(count);
  return Error{ErrorCode::kBadFile, "tokenizer.ggml.model is \"none\", and the file has " +
                                        std::to_string(count) + " token ids, not 1 to " +
                                        std::to_string(kMaxVocabulary)};
}

}  // namespace

Result<std::unique_ptr<Tokenizer>> read_ids_only(const Gguf& file) {
  const auto count = count_ids(file);
  if (!count) return count.error();
  GgufTokens tokens;
  tokens.kinds.assign(*count, TokenKind::kNormal);
  tokens.spellings.resize(*count);
  auto specials = read_specials(file, tokens, {});
  if (!specials) return specials.error();
  StringTable texts(0, 8 * *count);
  for (std::size_t i = 0; i < *count; ++i) texts.add(" " + std::to_string(i), false);
  StringTable spellings = texts;
  return std::unique_ptr<Tokenizer>(std::make_unique<IdsOnly>(TokenizerVocabulary{
      std::move(spellings), std::move(texts), std::move(tokens.kinds), std::move(*specials)}));
}

}  // namespace partita::internal
