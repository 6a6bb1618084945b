#include "tokenizer/models/wordlevel.h"

#include "weights/sentence.h"

namespace partita::internal {

Result<void> WordLevel::encode(std::string_view piece, ModelScratch&, std::vector<TokenId>& out) const {
  auto id = spellings_.find(piece);
  if (!id) id = unknown_;
  if (!id) return no_unknown_token(piece);
  out.push_back(*id);
  return {};
}

Error no_unknown_token(std::string_view piece) {
  return {ErrorCode::kUnsupported,
          sentence("the vocabulary has neither tokens for ", quoted(piece), " nor an unknown token")};
}

}  // namespace partita::internal
