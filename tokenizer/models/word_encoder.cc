#include "tokenizer/models/word_encoder.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <optional>
#include <utility>

#include "tokenizer/vocabulary.h"

namespace partita::internal {

ByteMerges::ByteMerges(MergeTable merges, const std::array<TokenId, 256>& token_of_byte)
    : merges_(std::move(merges)),
      token_of_byte_(token_of_byte),
      of_bytes_(std::size_t{1} << 16, Merge{0, -1}) {
  for (std::size_t i = 0; i < of_bytes_.size(); ++i) {
    const TokenId left = token_of_byte_[i >> 8], right = token_of_byte_[i & 255];
    if (left < 0 || right < 0) continue;
    if (const auto merge = merges_.find(left, right)) of_bytes_[i] = *merge;
  }
}

WordEncoder::WordEncoder(const ByteMerges& merges, const StringTable* whole_words, std::size_t bytes)
    : merges_(&merges),
      whole_words_(whole_words),
      entries_(std::bit_ceil(std::clamp<std::size_t>(bytes / 16, 16, std::size_t{1} << 14))) {}

void WordEncoder::encode(std::string_view word, std::vector<TokenId>& out) {
  if (word.size() > kRemembered) return merge(word, out);
  const Key key = key_of(word);
  Entry& entry = entries_[fold(key.low ^ kGoldenRatio, key.high ^ kGoldenRatio) & (entries_.size() - 1)];
  if (entry.key != key) {
    const std::size_t before = out.size();
    merge(word, out);
    const std::size_t count = out.size() - before;
    if (count > entry.ids.size()) return;
    entry.key = key;
    entry.count = static_cast<std::uint32_t>(count);
    std::copy(out.begin() + static_cast<std::ptrdiff_t>(before), out.end(), entry.ids.begin());
    return;
  }
  for (std::uint32_t i = 0; i < entry.count; ++i) out.push_back(entry.ids[i]);
}

/// Reads overlapping parts of fixed lengths, which is faster than copying a number of bytes that is not
/// known.
WordEncoder::Key WordEncoder::key_of(std::string_view word) {
  const auto load = [&word]<class Int>(Int value, std::size_t at) {
    std::memcpy(&value, word.data() + at, sizeof value);
    return static_cast<std::uint64_t>(value);
  };
  const std::size_t size = word.size();
  Key key{0, static_cast<std::uint64_t>(size) << 56};
  if (size > 8) {
    key.low = load(std::uint64_t{0}, 0);
    key.high |= load(std::uint64_t{0}, size - 8) >> (8 * (16 - size));
  } else if (size >= 4) {
    key.low = load(std::uint32_t{0}, 0) | load(std::uint32_t{0}, size - 4) << (8 * (size - 4));
  } else {
    for (const std::size_t at : {std::size_t{0}, size / 2, size - 1})
      key.low |= load(std::uint8_t{0}, at) << (8 * at);
  }
  return key;
}

void WordEncoder::merge(std::string_view word, std::vector<TokenId>& out) {
  if (whole_words_ != nullptr) {
    if (const auto id = whole_words_->find(word)) return out.push_back(*id);
  }
  word.size() <= kShort ? merge_short(word, out) : merge_long(word, out);
}

/// Merges the symbols of a short word in the order of Merger. The next merge is the least of the keys, which
/// are few enough to be looked through each time; a key is the rank of a merge and the place of its left
/// symbol.
class WordEncoder::ShortWord {
 public:
  ShortWord(const ByteMerges& merges, std::string_view word) : merges_(merges) {
    for (const char byte : word) {
      const TokenId id = merges.token_of(byte);
      if (id < 0) continue;
      if (count_ > 0) set(count_ - 1, merges.of_bytes(last_, byte));
      ids_[count_] = id;
      next_[count_] = static_cast<Place>(count_ + 1);
      previous_[count_] = static_cast<Place>(count_ - 1);  // of the first symbol it is not asked for
      keys_[count_++] = kNoKey;
      last_ = byte;
    }
  }

  void run() {
    for (Key key = least(); key != kNoKey; key = least()) {
      const Place left = static_cast<Place>(static_cast<std::size_t>(key) % kShort), right = next_[left];
      ids_[left] = merged_[left];
      next_[left] = next_[right];
      keys_[right] = kNoKey;
      if (next_[left] < count_) previous_[next_[left]] = left;
      look(left);
      if (left > 0) look(previous_[left]);
    }
  }

  void append_to(std::vector<TokenId>& out) const {
    for (std::size_t i = 0; i < count_; i = next_[i]) out.push_back(ids_[i]);
  }

 private:
  using Key = std::int32_t;
  using Place = std::uint8_t;
  static constexpr Key kNoKey = 0x7FFFFFFF;
  static_assert(kMaxVocabulary * kShort <= kNoKey && kShort < 256);

  Key least() const {
    Key least = kNoKey;
    for (std::size_t i = 0; i < count_; ++i) least = std::min(least, keys_[i]);
    return least;
  }

  void set(std::size_t place, const Merge& merge) {
    keys_[place] = merge.id < 0 ? kNoKey : static_cast<Key>(merge.rank * kShort + place);
    merged_[place] = merge.id;
  }

  void look(std::size_t left) {
    const std::size_t right = next_[left];
    const auto merge = right < count_ ? merges_.find(ids_[left], ids_[right]) : std::nullopt;
    set(left, merge.value_or(Merge{0, -1}));
  }

  const ByteMerges& merges_;
  std::size_t count_ = 0;  // of places
  char last_ = 0;
  std::array<Key, kShort> keys_;        // of the merge of each symbol with the next one
  std::array<TokenId, kShort> merged_;  // what that merge makes
  std::array<TokenId, kShort> ids_;
  std::array<Place, kShort> next_, previous_;
};

void WordEncoder::merge_short(std::string_view word, std::vector<TokenId>& out) const {
  ShortWord symbols(*merges_, word);
  symbols.run();
  symbols.append_to(out);
}

void WordEncoder::merge_long(std::string_view word, std::vector<TokenId>& out) {
  merger_.symbols.clear();
  for (std::size_t i = 0; i < word.size(); ++i) {
    const TokenId id = merges_->token_of(word[i]);
    if (id >= 0) merger_.symbols.push_back({static_cast<std::uint32_t>(i), 1, id});
  }
  merger_.run([this](const Symbol& left, const Symbol& right) { return merges_->find(left.id, right.id); });
  for (const Symbol& symbol : merger_.symbols) {
    if (symbol.length > 0) out.push_back(symbol.id);
  }
}

}  // namespace partita::internal
