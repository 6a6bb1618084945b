#include "engine/vocabulary_order.h"

#include <limits>
#include <string>

namespace partita::internal {
namespace {

constexpr std::size_t kMaxParts = 65536;

Error bad_key(const Gguf& file, std::string_view key, const std::string& rest) {
  return {ErrorCode::kBadFile, "'" + file.path() + "': " + std::string(key) + rest};
}

}  // namespace

Result<std::vector<std::int64_t>> read_integers(const Gguf& file, std::string_view key, std::int64_t min,
                                                std::int64_t max, std::size_t max_elements) {
  auto array = file.get_array(key);
  if (!array) return array.error();
  const std::size_t size = (*array)->size();
  if (size > max_elements) {
    return bad_key(
        file, key,
        " has " + std::to_string(size) + " elements, and the limit is " + std::to_string(max_elements));
  }
  std::vector<std::int64_t> numbers(size);
  for (std::size_t i = 0; i < size; ++i) {
    const auto number = (*array)->int_at(i);
    if (!number) return bad_key(file, key, "[" + std::to_string(i) + "] is not an integer");
    if (*number < min || *number > max) {
      return bad_key(file, key,
                     "[" + std::to_string(i) + "] is " + std::to_string(*number) + ", and must be between " +
                         std::to_string(min) + " and " + std::to_string(max));
    }
    numbers[i] = *number;
  }
  return numbers;
}

Result<std::vector<std::size_t>> read_cutoffs(const Gguf& file, std::string_view key, std::size_t vocab,
                                              std::size_t min) {
  auto numbers = read_integers(file, key, static_cast<std::int64_t>(min),
                               static_cast<std::int64_t>(vocab) - 1, kMaxParts);
  if (!numbers) return numbers.error();
  if (numbers->empty()) return bad_key(file, key, " is empty, and must have a cutoff");
  std::vector<std::size_t> cutoffs;
  for (std::size_t i = 0; i < numbers->size(); ++i) {
    const auto cutoff = static_cast<std::size_t>((*numbers)[i]);
    if (i > 0 && cutoff <= cutoffs.back()) {
      return bad_key(file, key,
                     "[" + std::to_string(i) + "] is " + std::to_string(cutoff) + ", and must be above the " +
                         std::to_string(cutoffs.back()) + " before it");
    }
    cutoffs.push_back(cutoff);
  }
  cutoffs.push_back(vocab);
  return cutoffs;
}

Result<VocabularyOrder> read_order(const Gguf& file, std::size_t vocab) {
  constexpr std::string_view kKey = "partita.vocabulary.order";
  VocabularyOrder order;
  if (file.find(kKey) == nullptr) return order;
  auto ids = read_integers(file, kKey, 0, static_cast<std::int64_t>(vocab) - 1, vocab);
  if (!ids) return ids.error();
  if (ids->size() != vocab) {
    return bad_key(file, kKey,
                   " has " + std::to_string(ids->size()) + " elements, and the vocabulary has " +
                       std::to_string(vocab) + " words");
  }
  constexpr std::uint32_t kUnranked = std::numeric_limits<std::uint32_t>::max();
  order.id_of.resize(vocab);
  order.rank_of.assign(vocab, kUnranked);
  for (std::size_t rank = 0; rank < vocab; ++rank) {
    const auto id = static_cast<std::uint32_t>((*ids)[rank]);
    if (order.rank_of[id] != kUnranked) {
      return bad_key(file, kKey,
                     "[" + std::to_string(rank) + "] is " + std::to_string(id) +
                         ", which is already at rank " + std::to_string(order.rank_of[id]));
    }
    order.id_of[rank] = id;
    order.rank_of[id] = static_cast<std::uint32_t>(rank);
  }
  return order;
}

}  // namespace partita::internal
