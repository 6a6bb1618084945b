#include "engine/vocabulary_order.h"

#include <limits>
#include <string>

namespace partita {
namespace {

constexpr std::size_t kMostParts = 65536;

Error bad_key(const Gguf& file, std::string_view key, const std::string& rest) {
  return {ErrorCode::kBadFile, "'" + file.path() + "': " + std::string(key) + rest};
}

}  // namespace

Result<std::vector<std::int64_t>> read_whole_numbers(const Gguf& file, std::string_view key,
                                                     std::int64_t least, std::int64_t most,
                                                     std::size_t most_elements) {
  auto array = file.get_array(key);
  if (!array) return array.error();
  const std::size_t size = (*array)->size();
  if (size > most_elements) {
    return bad_key(
        file, key,
        " has " + std::to_string(size) + " elements, and the limit is " + std::to_string(most_elements));
  }
  std::vector<std::int64_t> numbers(size);
  for (std::size_t i = 0; i < size; ++i) {
    const auto number = (*array)->int_at(i);
    if (!number) return bad_key(file, key, "[" + std::to_string(i) + "] is no whole number");
    if (*number < least || *number > most) {
      return bad_key(file, key,
                     "[" + std::to_string(i) + "] is " + std::to_string(*number) + ", and must be between " +
                         std::to_string(least) + " and " + std::to_string(most));
    }
    numbers[i] = *number;
  }
  return numbers;
}

Result<std::vector<std::size_t>> read_cutoffs(const Gguf& file, std::string_view key, std::size_t vocab,
                                              std::size_t least) {
  auto numbers = read_whole_numbers(file, key, static_cast<std::int64_t>(least),
                                    static_cast<std::int64_t>(vocab) - 1, kMostParts);
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
  auto ids = read_whole_numbers(file, kKey, 0, static_cast<std::int64_t>(vocab) - 1, vocab);
  if (!ids) return ids.error();
  if (ids->size() != vocab) {
    return bad_key(file, kKey,
                   " has " + std::to_string(ids->size()) + " elements, and the vocabulary has " +
                       std::to_string(vocab) + " words");
  }
  constexpr std::uint32_t kNowhere = std::numeric_limits<std::uint32_t>::max();
  order.id_of.resize(vocab);
  order.place_of.assign(vocab, kNowhere);
  for (std::size_t place = 0; place < vocab; ++place) {
    const auto id = static_cast<std::uint32_t>((*ids)[place]);
    if (order.place_of[id] != kNowhere) {
      return bad_key(file, kKey,
                     "[" + std::to_string(place) + "] is " + std::to_string(id) + ", which stands at " +
                         std::to_string(order.place_of[id]) + " already");
    }
    order.id_of[place] = id;
    order.place_of[id] = static_cast<std::uint32_t>(place);
  }
  return order;
}

}  // namespace partita
