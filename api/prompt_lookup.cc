#include <algorithm>
#include <array>
#include <bit>

#include "api/drafter.h"

namespace partita {
namespace {

using Ids = std::span<const std::int32_t>;

constexpr std::size_t kMostGuesses = 16;
constexpr std::size_t kLongestMatch = 32;

/// Where each run of `width` ids was followed last: a hash table whose entries are checked against the text,
/// so that a collision costs a guess and no more.
class LastPlaces {
 public:
  explicit LastPlaces(std::size_t width) : width_(width) {}

  /// The place after the last run that equals the end of ids, or 0 if there is none. Takes in what is new.
  std::size_t find(Ids ids) {
    if (ids.size() * 2 > table_.size()) {
      table_.assign(std::bit_ceil(ids.size() * 4), 0);
      known_ = width_;
    }
    // A run is taken in once what follows it is known: so the end does not find itself.
    for (; known_ < ids.size(); ++known_)
      table_[slot(ids.first(known_))] = static_cast<std::uint32_t>(known_);
    if (ids.size() < width_) return 0;
    const std::size_t place = table_[slot(ids)];
    if (place == 0 || place >= ids.size()) return 0;
    const Ids end = ids.last(width_);
    return std::equal(end.begin(), end.end(), ids.begin() + static_cast<std::ptrdiff_t>(place - width_))
               ? place
               : 0;
  }

 private:
  std::size_t slot(Ids ids) const {
    std::uint64_t hash = 0;
    for (const std::int32_t id : ids.last(width_)) {
      hash = (hash ^ static_cast<std::uint32_t>(id)) * 0x9E3779B97F4A7C15U;
      hash ^= hash >> 32;
    }
    return hash & (table_.size() - 1);
  }

  const std::size_t width_;
  std::size_t known_ = 0;  // runs that end before here are in the table
  std::vector<std::uint32_t> table_;
};

/// How often guesses were right, by how many ids before them matched.
class HitRates {
 public:
  double of(std::size_t match) const { return rates_[bucket(match)]; }
  void learn(std::size_t match, bool right) {
    double& rate = rates_[bucket(match)];
    rate += ((right ? 1.0 : 0.0) - rate) / kMemory;
  }

 private:
  static std::size_t bucket(std::size_t match) {
    return static_cast<std::size_t>(std::bit_width(std::clamp(match, std::size_t{2}, kLongestMatch)) - 2);
  }
  static constexpr double kMemory = 12;                         // guesses
  std::array<double, 5> rates_ = {0.15, 0.4, 0.6, 0.75, 0.85};  // of 2-3, 4-7, 8-15, 16-31, 32 ids
};

class PromptLookup final : public Drafter {
 public:
  std::span<const Guess> guess(Ids ids, std::size_t most) override {
    learn(ids);
    guesses_.clear();
    asked_ = ids.size();
    std::size_t place = triples_.find(ids);
    const std::size_t of_pair = pairs_.find(ids);
    if (place == 0) place = of_pair;
    if (place == 0) return guesses_;
    match_ = match(ids, place);
    for (std::size_t i = 0; i < std::min(most, kMostGuesses); ++i) {
      // Past its end the text is taken to go on as it does since the place: a repetition.
      const std::size_t from = place + i;
      guesses_.push_back(
          {from < ids.size() ? ids[from] : guesses_[from - ids.size()].id, rates_.of(match_ + i)});
    }
    return guesses_;
  }

 private:
  static std::size_t match(Ids ids, std::size_t place) {
    std::size_t n = 0;
    while (n < std::min(place, kLongestMatch) && ids[place - 1 - n] == ids[ids.size() - 1 - n]) ++n;
    return n;
  }

  void learn(Ids ids) {
    for (std::size_t i = 0; i < guesses_.size() && asked_ + i < ids.size(); ++i) {
      const bool right = ids[asked_ + i] == guesses_[i].id;
      rates_.learn(match_ + i, right);
      if (!right) break;
    }
  }

  LastPlaces triples_{3}, pairs_{2};
  HitRates rates_;
  std::vector<Guess> guesses_;  // of the last call
  std::size_t asked_ = 0;       // ids there were then
  std::size_t match_ = 0;       // of them, those that matched
};

}  // namespace

std::unique_ptr<Drafter> make_prompt_lookup() { return std::make_unique<PromptLookup>(); }

}  // namespace partita
