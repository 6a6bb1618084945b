#include "tokenizer/vocabulary.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace partita::internal {

std::vector<TokenId> with_ends_by_spelling(std::vector<TokenId> ends,
                                           std::span<const std::string_view> spellings,
                                           std::span<const TokenKind> kinds) {
  static constexpr std::array<std::string_view, 30> kEnds = {
      // the end of a turn, of a message, of a text
      "<|eot_id|>", "<|im_end|>", "<|end|>", "<|return|>", "<|call|>", "<|flush|>", "<|calls|>",
      "<end_of_turn>", "<|endoftext|>", "</s>", "<|eom_id|>", "<EOT>", "_<EOT>", "[EOT]", "[EOS]",
      "<|end_of_text|>", "<end_of_utterance>", "<eos>", "<｜end▁of▁sentence｜>", "[e~[",
      // for code completion: padding, the next repository, the next file
      "<|fim_pad|>", "<fim-pad>", "<fim_pad>", "<PAD>", "[PAD]", "<|fim_repo|>", "<|repo_name|>",
      "<fim-repo>", "<reponame>", "<|file_sep|>"};
  for (std::size_t i = 0; i < kinds.size(); ++i) {
    if (kinds[i] != TokenKind::kControl) continue;
    if (std::find(kEnds.begin(), kEnds.end(), spellings[i]) != kEnds.end()) {
      ends.push_back(static_cast<TokenId>(i));
    }
  }
  std::sort(ends.begin(), ends.end());
  ends.erase(std::unique(ends.begin(), ends.end()), ends.end());
  return ends;
}

std::optional<std::uint8_t> spelled_byte(std::string_view spelling) {
  if (spelling.size() != 6 || !spelling.starts_with("<0x") || spelling[5] != '>') return std::nullopt;
  std::uint8_t byte = 0;
  const char* const end = spelling.data() + 5;
  const auto [stop, error] = std::from_chars(spelling.data() + 3, end, byte, 16);
  if (error != std::errc() || stop != end) return std::nullopt;
  return byte;
}

}  // namespace partita::internal
