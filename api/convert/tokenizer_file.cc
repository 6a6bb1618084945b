#include "api/convert/tokenizer_file.h"

#include <algorithm>
#include <span>
#include <string_view>

#include "api/convert/json_vocabulary.h"
#include "api/convert/rank_vocabulary.h"
#include "api/convert/sentencepiece_vocabulary.h"
#include "tokenizer/base64.h"
#include "weights/input_file.h"

namespace partita::internal {
namespace {

std::string first_bytes(const std::string& path) {
  constexpr std::size_t kBytes = std::size_t{64} << 10;
  const auto file = InputFile::open(path);
  if (!file) return {};
  std::string head(std::min(kBytes, file->size()), '\0');
  if (!file->read(0, std::as_writable_bytes(std::span(head)))) return {};
  return head;
}

/// Whether the first line is a token in base64, a space and a rank.
bool begins_with_rank(std::string_view head) {
  const std::string_view line = head.substr(0, std::min(head.find_first_of("\r\n"), head.size()));
  const std::size_t space = line.find(' ');
  if (space == 0 || space == line.npos || space + 1 == line.size()) return false;
  return line.find_first_not_of("0123456789", space + 1) == line.npos &&
         decode_base64(line.substr(0, space)).has_value();
}

bool is_json_of_tekken(std::string_view head) {
  return head.find("\"token_bytes\"") != head.npos ||
         head.find("\"default_num_special_tokens\"") != head.npos;
}

}  // namespace

TokenizerFormat tokenizer_format(const std::string& path) {
  const std::string head = first_bytes(path);
  const std::size_t begin = head.find_first_not_of(" \t\r\n");
  if (head.starts_with("\x0A") && (begin == head.npos || head[begin] != '{'))
    return TokenizerFormat::kSentencePiece;  // the tag of the first piece
  if (begin == head.npos) return TokenizerFormat::kNone;
  if (head[begin] == '{')
    return is_json_of_tekken(head) ? TokenizerFormat::kTekken : TokenizerFormat::kTokenizerJson;
  return begins_with_rank(head) ? TokenizerFormat::kRanks : TokenizerFormat::kNone;
}

Result<Gguf> file_vocabulary(TokenizerFormat format, const std::string& path, std::uint32_t size,
                             bool only_gguf) {
  if (format == TokenizerFormat::kTokenizerJson) return json_vocabulary(path, size, only_gguf);
  if (format == TokenizerFormat::kSentencePiece) return sentencepiece_vocabulary(path, size);
  return rank_vocabulary(path, size, only_gguf);
}

}  // namespace partita::internal
