// Words to ids by merges: the inner loop of byte-level BPE.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "tokenizer/lookup.h"
#include "tokenizer/models/merger.h"
#include "tokenizer/token.h"

namespace partita::internal {

/// The merges of a vocabulary, with those of two bytes in a table of their own. Threads may share one.
class ByteMerges {
 public:
  /// token_of_byte: -1 for a byte that is dropped.
  ByteMerges(MergeTable merges, const std::array<TokenId, 256>& token_of_byte);

  TokenId token_of(char byte) const { return token_of_byte_[static_cast<std::uint8_t>(byte)]; }
  Merge of_bytes(char left, char right) const {
    return of_bytes_[static_cast<std::size_t>(static_cast<std::uint8_t>(left)) << 8 |
                     static_cast<std::uint8_t>(right)];
  }
  std::optional<Merge> find(TokenId left, TokenId right) const { return merges_.find(left, right); }

 private:
  MergeTable merges_;
  std::array<TokenId, 256> token_of_byte_;
  std::vector<Merge> of_bytes_;  // by two bytes; id -1: no merge
};

/// Encodes the words of one text: remembers short words, which come again, and reuses its buffers.
class WordEncoder {
 public:
  /// whole_words: words that are one token whatever the merges say, or null. bytes: the length of the text.
  WordEncoder(const ByteMerges& merges, const StringTable* whole_words, std::size_t bytes);

  /// Appends the ids of a word, which is not empty.
  void encode(std::string_view word, std::vector<TokenId>& out);

 private:
  static constexpr std::size_t kShort = 128;      // bytes of a word that is merged without a heap
  static constexpr std::size_t kRemembered = 15;  // bytes of a word that is remembered

  /// The bytes of a short word and, in the last byte, their number.
  struct Key {
    std::uint64_t low = 0, high = 0;
    bool operator==(const Key&) const = default;
  };
  struct Entry {
    Key key;  // of length 0: free
    std::uint32_t count;
    std::array<TokenId, 3> ids;
  };

  class ShortWord;

  static Key key_of(std::string_view word);
  void merge(std::string_view word, std::vector<TokenId>& out);
  void merge_short(std::string_view word, std::vector<TokenId>& out) const;
  void merge_long(std::string_view word, std::vector<TokenId>& out);

  const ByteMerges* merges_;
  const StringTable* whole_words_;
  std::vector<Entry> entries_;  // by the hash of the key; a new word replaces the old one
  Merger merger_;
};

}  // namespace partita::internal
