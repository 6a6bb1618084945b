// The normalization table of a SentencePiece model (precompiled_charsmap): byte sequences and what replaces
// them.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace partita::internal {

class CharacterMap {
 public:
  /// nullopt: not a valid table (is_valid_charsmap()). An empty one changes nothing.
  static std::optional<CharacterMap> create(std::string table);
  static std::optional<CharacterMap> from_base64(std::string_view text);

  struct Found {
    std::size_t length = 0;  // bytes of the text; 0: no entry begins it
    std::string_view replacement;
  };

  /// The shortest, or the longest, entry that `text` begins with.
  Found shortest(std::string_view text) const { return find(text, true); }
  Found longest(std::string_view text) const { return find(text, false); }

  /// Changes valid UTF-8 as Hugging Face's tokenizers do: whole grapheme clusters of up to 5 bytes, else
  /// characters, are replaced by the shortest entry that they begin with. Stops where more than `limit` bytes
  /// are written.
  void normalize(std::string& text, std::size_t limit) const;

 private:
  explicit CharacterMap(std::string table) : table_(std::move(table)) {}

  Found find(std::string_view text, bool stop_at_first) const;
  bool replace(std::string_view part, std::string& out) const;

  std::string table_;
};

}  // namespace partita::internal
