#include "tokenizer/sentencepiece_proto.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "tokenizer/sentencepiece_charsmap.h"

namespace partita {
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

  /// nullopt: the bytes are no message.
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

/// Calls visit(field) for each; false if the bytes are no message.
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

/// SentencePiece.type: NORMAL = 1, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE.
std::optional<TokenKind> piece_kind(std::string_view piece) {
  constexpr std::array kKinds = {TokenKind::kNormal,      TokenKind::kUnknown, TokenKind::kControl,
                                 TokenKind::kUserDefined, TokenKind::kUnused,  TokenKind::kByte};
  std::uint64_t type = 1;
  if (!for_each_field(piece, [&](const Field& field) { type = field.number == 3 ? field.value : type; })) {
    return std::nullopt;
  }
  if (type < 1 || type > kKinds.size()) return std::nullopt;
  return kKinds[type - 1];
}

}  // namespace

Result<SentencePieceFile> parse_sentencepiece(std::string_view model) {
  constexpr std::uint64_t kPieces = 1, kTrainerSpec = 2, kNormalizerSpec = 3, kDenormalizerSpec = 5;
  constexpr std::uint64_t kPrecompiledCharsmap = 2, kAddDummyPrefix = 3, kTreatWhitespaceAsSuffix = 24;
  SentencePieceFile file;
  bool is_good = true;
  const auto read_flag = [&](std::string_view message, std::uint64_t number, bool& flag) {
    is_good &= for_each_field(
        message, [&](const Field& field) { flag = field.number == number ? field.value != 0 : flag; });
  };
  const auto check_charsmap = [&](std::string_view message) {
    is_good &= for_each_field(message, [&](const Field& field) {
      if (field.number == kPrecompiledCharsmap) is_good &= is_charsmap(field.bytes);
    });
  };
  is_good &= for_each_field(model, [&](const Field& field) {
    if (field.number == kNormalizerSpec || field.number == kDenormalizerSpec) check_charsmap(field.bytes);
    if (field.number == kTrainerSpec) read_flag(field.bytes, kTreatWhitespaceAsSuffix, file.space_at_end);
    if (field.number == kNormalizerSpec) read_flag(field.bytes, kAddDummyPrefix, file.adds_space);
    if (field.number != kPieces) return;
    const auto kind = piece_kind(field.bytes);
    is_good &= kind.has_value();
    file.kinds.push_back(kind.value_or(TokenKind::kNormal));
  });
  if (!is_good || file.kinds.empty()) return no_model();
  return file;
}

}  // namespace partita
