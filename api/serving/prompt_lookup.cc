#include "api/serving/prompt_lookup.h"

#include <algorithm>
#include <array>
#include <vector>

#include "api/serving/acceptance_rates.h"

namespace partita::internal {
namespace {

using Ids = std::span<const std::int32_t>;

constexpr std::size_t kMaxCandidates = 32;  // earlier positions of the last id that are compared
constexpr std::size_t kMaxMatch = 32;       // ids compared at each position

/// An index of the positions of each id: the latest by id, and the one before it by position. Ids of the same
/// slot share a list.
class Occurrences {
 public:
  /// Adds all but the last of ids, so that it does not find itself. ids: those of the last call, and more.
  void add(Ids ids) {
    latest_.resize(kSlots);
    for (; previous_.size() + 1 < ids.size();) {
      std::uint32_t& latest = latest_[slot(ids[previous_.size()])];
      previous_.push_back(latest);
      latest = static_cast<std::uint32_t>(previous_.size());
    }
  }

  /// Visits positions p with ids[p - 1] == id, the latest first.
  template <class Visit>
  void visit(Ids ids, std::int32_t id, Visit&& visit) const {
    std::size_t seen = 0;
    for (std::size_t p = latest_[slot(id)]; p != 0 && seen < kMaxCandidates; p = previous_[p - 1], ++seen) {
      if (ids[p - 1] == id) visit(p);
    }
  }

 private:
  static constexpr std::size_t kSlots = 4096;
  static std::size_t slot(std::int32_t id) { return static_cast<std::uint32_t>(id) % kSlots; }

  std::vector<std::uint32_t> latest_;    // [kSlots], 0: none
  std::vector<std::uint32_t> previous_;  // [ids added]
};

/// The bucket of a draft token by how many ids before it matched: 1, 2, 3, 4 and more than 4, 6, 10, 20.
std::size_t bucket_of(std::size_t match) {
  constexpr std::array<std::size_t, 7> kBounds = {1, 2, 3, 4, 6, 10, 20};
  return static_cast<std::size_t>(std::lower_bound(kBounds.begin(), kBounds.end(), match) - kBounds.begin());
}

class PromptLookup final : public Drafter {
 public:
  std::span<const DraftToken> draft(Ids ids, const DraftTerms& terms) override {
    learn(ids);
    draft_.clear();
    asked_ = ids.size();
    match_ = 0;
    occurrences_.add(ids);
    std::size_t position = 0;
    occurrences_.visit(ids, ids.back(), [&](std::size_t p) {
      const std::size_t n = match(ids, p);
      if (n > match_) {
        match_ = n;
        position = p;
      }
    });
    if (position == 0) return draft_;
    for (std::size_t i = 0; i < std::min(terms.max_tokens, kMaxDraftTokens); ++i) {
      // Past its end the text is assumed to repeat what follows the match.
      const std::size_t from = position + i;
      draft_.push_back(
          {from < ids.size() ? ids[from] : draft_[from - ids.size()].id, rates_.of(bucket_of(match_ + i))});
    }
    return draft_;
  }

 private:
  /// How many ids before `position` equal those at the end.
  static std::size_t match(Ids ids, std::size_t position) {
    std::size_t n = 0;
    while (n < std::min(position, kMaxMatch) && ids[position - 1 - n] == ids[ids.size() - 1 - n]) ++n;
    return n;
  }

  void learn(Ids ids) {
    for (std::size_t i = 0; i < draft_.size() && asked_ + i < ids.size(); ++i) {
      const bool right = ids[asked_ + i] == draft_[i].id;
      rates_.learn(bucket_of(match_ + i), right);
      if (!right) break;
    }
  }

  Occurrences occurrences_;
  AcceptanceRates<8> rates_{{0.2, 0.35, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95}, 12};
  std::vector<DraftToken> draft_;  // of the last call
  std::size_t asked_ = 0;          // ids of that call
  std::size_t match_ = 0;          // of them, the last ones that matched
};

}  // namespace

std::unique_ptr<Drafter> make_prompt_lookup() { return std::make_unique<PromptLookup>(); }

}  // namespace partita::internal
