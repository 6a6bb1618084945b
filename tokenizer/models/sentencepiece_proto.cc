#include "tokenizer/models/sentencepiece_proto.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tokenizer/models/sentencepiece_charsmap.h"

namespace partita::internal {
namespace {

/// One field of a message: a number, or bytes.
struct Field {
  std::uint64_t number = 0;
  std::uint64_t value = 0;      // of a varint
  std::string_view bytes = {};  // of a string or a message
};

/// Reads a message's fields in order.
class Fields {
 public:
  explicit Fields(std::string_view message) : rest_(message) {}

  bool at_end() const { return rest_.empty(); }

  /// nullopt: the bytes are not a valid message.
  std::optional<Field> next() {
    const auto tag = varint();
    if (!tag) return std::nullopt;
    Field field;
    field.number = *tag >> 3;
    switch (*tag & 7) {
      case 0: {
        const auto value = varint();
        if (!value) return std::nullopt;
        field.value = *value;
        return field;
      }
      case 1:
        return skip(field, 8);
      case 2: {
        const auto size = varint();
        if (!size) return std::nullopt;
        return skip(field, *size);
      }
      case 5:
        return skip(field, 4);
      default:
        return std::nullopt;
    }
  }

 private:
  std::optional<std::uint64_t> varint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && !rest_.empty(); shift += 7) {
      const auto byte = static_cast<std::uint8_t>(rest_.front());
      rest_.remove_prefix(1);
      value |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
      if (byte < 0x80) return value;
    }
    return std::nullopt;
  }

  std::optional<Field> skip(Field field, std::uint64_t size) {
    if (size > rest_.size()) return std::nullopt;
    field.bytes = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return field;
  }

  std::string_view rest_;
};

Error no_model() { return {ErrorCode::kBadFile, "the file is not a SentencePiece model"}; }

/// Calls visit(field) for each field; false if the bytes are not a valid message.
template <class Visit>
bool for_each_field(std::string_view message, Visit&& visit) {
  Fields fields(message);
  while (!fields.at_end()) {
    const auto field = fields.next();
    if (!field) return false;
    visit(*field);
  }
  return true;
}

/// A field of ModelProto.pieces.
struct Piece {
  std::string_view text;
  float score = 0;
  TokenKind kind = TokenKind::kNormal;
};

/// SentencePiece.piece, SentencePiece.score and SentencePiece.type: NORMAL = 1, UNKNOWN, CONTROL,
/// USER_DEFINED, UNUSED, BYTE.
std::optional<Piece> read_piece(std::string_view message) {
  constexpr std::array kKinds = {TokenKind::kNormal,      TokenKind::kUnknown, TokenKind::kControl,
                                 TokenKind::kUserDefined, TokenKind::kUnused,  TokenKind::kByte};
  Piece piece;
  std::uint64_t type = 1;
  const bool is_message = for_each_field(message, [&](const Field& field) {
    if (field.number == 1) piece.text = field.bytes;
    if (field.number == 2 && field.bytes.size() == sizeof piece.score)
      std::memcpy(&piece.score, field.bytes.data(), sizeof piece.score);
    if (field.number == 3) type = field.value;
  });
  if (!is_message || type < 1 || type > kKinds.size()) return std::nullopt;
  piece.kind = kKinds[type - 1];
  return piece;
}

constexpr std::size_t kMaxPrefixes = 64;  // the size of the library's array

/// The most pieces that begin one text; each begins the next longer one.
std::size_t most_prefixes(std::vector<std::string_view> pieces) {
  std::sort(pieces.begin(), pieces.end());
  pieces.erase(std::unique(pieces.begin(), pieces.end()), pieces.end());
  std::vector<std::string_view> open;
  std::size_t most = 0;
  for (const std::string_view piece : pieces) {
    while (!open.empty() && !piece.starts_with(open.back())) open.pop_back();
    open.push_back(piece);
    most = std::max(most, open.size());
  }
  return most;
}

}  // namespace

Result<SentencePieceFile> parse_sentencepiece(std::string_view model) {
  constexpr std::uint64_t kPieces = 1, kTrainerSpec = 2, kNormalizerSpec = 3, kDenormalizerSpec = 5;
  constexpr std::uint64_t kPrecompiledCharsmap = 2, kAddDummyPrefix = 3, kTreatWhitespaceAsSuffix = 24;
  constexpr std::uint64_t kModelType = 3, kBpe = 2, kRemoveExtraWhitespaces = 4;
  SentencePieceFile file;
  bool is_good = true;
  std::optional<std::size_t> unusable;  // the first invalid piece
  std::vector<std::string_view> user_defined;
  const auto read_flag = [&](std::string_view message, std::uint64_t number, bool& flag) {
    is_good &= for_each_field(
        message, [&](const Field& field) { flag = field.number == number ? field.value != 0 : flag; });
  };
  const auto read_model_type = [&](std::string_view message) {
    is_good &= for_each_field(message, [&](const Field& field) {
      if (field.number == kModelType) file.merges_by_score = field.value == kBpe;
    });
  };
  const auto check_charsmap = [&](std::uint64_t number, std::string_view message) {
    is_good &= for_each_field(message, [&](const Field& field) {
      if (field.number != kPrecompiledCharsmap) return;
      is_good &= is_valid_charsmap(field.bytes);
      file.has_rules = file.has_rules || (number == kNormalizerSpec && !field.bytes.empty());
    });
  };
  is_good &= for_each_field(model, [&](const Field& field) {
    if (field.number == kNormalizerSpec || field.number == kDenormalizerSpec)
      check_charsmap(field.number, field.bytes);
    if (field.number == kTrainerSpec) {
      read_flag(field.bytes, kTreatWhitespaceAsSuffix, file.whitespace_as_suffix);
      read_model_type(field.bytes);
    }
    if (field.number == kNormalizerSpec) {
      read_flag(field.bytes, kAddDummyPrefix, file.add_dummy_prefix);
      read_flag(field.bytes, kRemoveExtraWhitespaces, file.removes_extra_whitespace);
    }
    if (field.number != kPieces) return;
    const auto piece = read_piece(field.bytes);
    is_good &= piece.has_value();
    // The library throws for such pieces.
    const bool usable = piece && !piece->text.empty() && piece->text.find('\0') == piece->text.npos;
    if (!usable && !unusable) unusable = file.kinds.size();
    if (piece && piece->kind == TokenKind::kUserDefined) user_defined.push_back(piece->text);
    file.pieces.push_back(piece ? piece->text : std::string_view());
    file.scores.push_back(piece ? piece->score : 0);
    file.kinds.push_back(piece ? piece->kind : TokenKind::kNormal);
  });
  if (!is_good || file.kinds.empty()) return no_model();
  if (unusable) {
    return Error{ErrorCode::kBadFile,
                 "piece " + std::to_string(*unusable) +
                     " is empty or contains a zero byte; the file is damaged: download it again"};
  }
  if (most_prefixes(std::move(user_defined)) > kMaxPrefixes) {
    return Error{ErrorCode::kBadFile, "more than " + std::to_string(kMaxPrefixes) +
                                          " user-defined pieces begin one text; remove some of them"};
  }
  return file;
}

}  // namespace partita::internal
