#include <algorithm>
#include <array>
#include <vector>

#include "api/serving/drafter.h"

namespace partita {
namespace {

using Ids = std::span<const std::int32_t>;

constexpr std::size_t kMostGuesses = 16;
constexpr std::size_t kMostPlaces = 32;    // where the last id stood before, that are looked at
constexpr std::size_t kLongestMatch = 32;  // ids that are compared at each

/// Where each id stood: the latest place by id, and the one before by place. Ids that share a slot share a
/// list.
class Occurrences {
 public:
  /// Takes in all but the last of ids, so that it does not find itself. ids: those of the last call, and
  /// more.
  void take_in(Ids ids) {
    latest_.resize(kSlots);
    for (; before_.size() + 1 < ids.size();) {
      std::uint32_t& latest = latest_[slot(ids[before_.size()])];
      before_.push_back(latest);
      latest = static_cast<std::uint32_t>(before_.size());
    }
  }

  /// Visits places p with ids[p - 1] == id, the latest first.
  template <class Visit>
  void visit(Ids ids, std::int32_t id, Visit&& visit) const {
    std::size_t seen = 0;
    for (std::size_t p = latest_[slot(id)]; p != 0 && seen < kMostPlaces; p = before_[p - 1], ++seen) {
      if (ids[p - 1] == id) visit(p);
    }
  }

 private:
  static constexpr std::size_t kSlots = 4096;
  static std::size_t slot(std::int32_t id) { return static_cast<std::uint32_t>(id) % kSlots; }

  std::vector<std::uint32_t> latest_;  // [kSlots], 0: none
  std::vector<std::uint32_t> before_;  // [ids taken in]
};

/// How often guesses were right, by how many ids before them matched: 1, 2, 3, 4 and more than 4, 6, 10, 20.
class HitRates {
 public:
  double of(std::size_t match) const { return rates_[bucket(match)]; }
  void learn(std::size_t match, bool right) {
    double& rate = rates_[bucket(match)];
    rate += ((right ? 1.0 : 0.0) - rate) / kMemory;
  }

 private:
  static std::size_t bucket(std::size_t match) {
    constexpr std::array<std::size_t, 7> kBounds = {1, 2, 3, 4, 6, 10, 20};
    return static_cast<std::size_t>(std::lower_bound(kBounds.begin(), kBounds.end(), match) -
                                    kBounds.begin());
  }
  static constexpr double kMemory = 12;  // guesses
  std::array<double, 8> rates_ = {0.2, 0.35, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95};
};

class PromptLookup final : public Drafter {
 public:
  std::span<const Guess> guess(Ids ids, const GuessTerms& terms) override {
    learn(ids);
    guesses_.clear();
    asked_ = ids.size();
    match_ = 0;
    places_.take_in(ids);
    std::size_t place = 0;
    places_.visit(ids, ids.back(), [&](std::size_t p) {
      const std::size_t n = match(ids, p);
      if (n > match_) {
        match_ = n;
        place = p;
      }
    });
    if (place == 0) return guesses_;
    for (std::size_t i = 0; i < std::min(terms.most, kMostGuesses); ++i) {
      // Past its end the text is taken to go on as it does since the place: a repetition.
      const std::size_t from = place + i;
      guesses_.push_back(
          {from < ids.size() ? ids[from] : guesses_[from - ids.size()].id, rates_.of(match_ + i)});
    }
    return guesses_;
  }

 private:
  /// How many ids before `place` are those at the end.
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

  Occurrences places_;
  HitRates rates_;
  std::vector<Guess> guesses_;  // of the last call
  std::size_t asked_ = 0;       // ids there were then
  std::size_t match_ = 0;       // of them, those that matched
};

}  // namespace

std::unique_ptr<Drafter> make_prompt_lookup() { return std::make_unique<PromptLookup>(); }

}  // namespace partita
