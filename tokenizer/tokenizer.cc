#include "tokenizer/tokenizer.h"

#include <algorithm>

#include "weights/try.h"

namespace partita::internal {

Result<std::vector<TokenId>> Tokenizer::encode_prompt(std::string_view text, Specials parse) const {
  const SpecialIds& ids = specials();
  std::vector<TokenId> out;
  const bool leads = ids.add_bos && ids.bos;
  if (leads) out.push_back(*ids.bos);
  TRY(encode(text, parse, out));
  const bool has_text = out.size() > (leads ? 1u : 0u);
  if (leads && has_text && parse == Specials::kParse && out[1] == *ids.bos) out.erase(out.begin());
  if (ids.add_eos && ids.eos && !(has_text && out.back() == *ids.eos)) out.push_back(*ids.eos);
  return out;
}

std::size_t Tokenizer::dropped_bytes(std::string_view) const { return 0; }

bool Tokenizer::ends_generation(TokenId id) const {
  const std::vector<TokenId>& ends = specials().end_of_generation;
  return std::binary_search(ends.begin(), ends.end(), id);
}

}  // namespace partita::internal
