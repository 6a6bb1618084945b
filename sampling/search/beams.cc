#include "sampling/search/beams.h"

#include <algorithm>
#include <cmath>

namespace partita::internal {

BeamSearch::BeamSearch(const BeamOptions& options)
    : options_(options),
      group_size_(options.beams / options.groups),
      // Enough for all beams of the group to continue even if each of them also ends with every end id.
      kept_(std::max<std::size_t>(2, options.endings + 1) * group_size_),
      // A penalised id may fall behind, so as many more continuations are needed as ids can be penalised.
      wanted_(kept_ + (options.diversity_penalty > 0 ? options.beams - group_size_ : 0)),
      groups_(options.groups),
      running_(options.beams),
      previous_(options.beams),
      running_count_(options.groups) {
  for (std::size_t g = 0; g < groups_.size(); ++g) {
    groups_[g].first = g;
    groups_[g].count = 1;
  }
}

void BeamSearch::advance(std::span<const std::vector<Continuation>> likeliest, const Completes& completes) {
  running_.swap(previous_);
  running_count_ = 0;
  parents_.clear();
  chosen_ids_.clear();
  ++length_;
  for (Group& group : groups_) {
    if (group.count == 0) continue;
    gather(group, likeliest);
    for (Candidate& c : candidates_) c.ends = completes(c.beam, c.next.id);
    collect_complete(group);
    collect_running(group);
    if (!is_done(group)) continue;
    running_count_ -= group.count;
    parents_.resize(running_count_);
    group.count = 0;
  }
}

/// The kept_ best continuations of the group's beams, in order.
void BeamSearch::gather(const Group& group, std::span<const std::vector<Continuation>> likeliest) {
  candidates_.clear();
  for (std::size_t beam = group.first; beam < group.first + group.count; ++beam) {
    for (const Continuation& next : likeliest[beam]) {
      double score = previous_[beam].score + static_cast<double>(next.score);
      if (options_.diversity_penalty > 0) {
        const auto same = std::count(chosen_ids_.begin(), chosen_ids_.end(), next.id);
        score -= options_.diversity_penalty * static_cast<double>(same);
      }
      candidates_.push_back({beam, next, score, false});
    }
  }
  const auto better = [](const Candidate& a, const Candidate& b) {
    if (a.score != b.score) return a.score > b.score;
    return a.beam != b.beam ? a.beam < b.beam : a.next.id < b.next.id;
  };
  const std::size_t kept = std::min(kept_, candidates_.size());
  std::partial_sort(candidates_.begin(), candidates_.begin() + static_cast<std::ptrdiff_t>(kept),
                    candidates_.end(), better);
  candidates_.resize(kept);
}

/// Completions beyond the first group_size_ candidates do not count; those candidates only supply running
/// beams.
void BeamSearch::collect_complete(Group& group) {
  for (std::size_t i = 0; i < std::min(group_size_, candidates_.size()); ++i) {
    const Candidate& c = candidates_[i];
    if (!c.ends && !at_limit()) continue;
    const double of_this = rank(c.score, length_);
    const auto worse = [](double value, const CompleteBeam& other) { return value > other.rank; };
    const auto at = std::upper_bound(group.complete.begin(), group.complete.end(), of_this, worse);
    if (at == group.complete.end() && group.complete.size() == group_size_) continue;
    CompleteBeam& added = *group.complete.insert(at, CompleteBeam{previous_[c.beam], of_this});
    added.beam.ids.push_back(c.next.id);
    added.beam.logprobs.push_back(c.next.logprob);
    added.beam.score = c.score;
    if (group.complete.size() > group_size_) group.complete.pop_back();
  }
}

/// Chooses the best candidates that do not end; they continue unless the length limit is reached.
void BeamSearch::collect_running(Group& group) {
  group.first = running_count_;
  group.count = 0;
  std::size_t taken = 0;
  for (const Candidate& c : candidates_) {
    if (c.ends) continue;
    if (taken++ == group_size_) break;
    chosen_ids_.push_back(c.next.id);
    if (at_limit()) continue;
    Beam& beam = running_[running_count_++];
    beam = previous_[c.beam];  // reuses its memory
    beam.ids.push_back(c.next.id);
    beam.logprobs.push_back(c.next.logprob);
    beam.score = c.score;
    parents_.push_back(c.beam);
    ++group.count;
  }
}

bool BeamSearch::is_done(const Group& group) const {
  if (group.count == 0) return true;
  if (group.complete.size() < group_size_) return false;
  if (options_.stop == StopRule::kFull) return true;
  const bool longest = options_.stop == StopRule::kNever && options_.length_penalty > 0;
  const double hoped = rank(running_[group.first].score, longest ? options_.max_length : length_);
  return !(hoped > group.complete.back().rank);
}

double BeamSearch::rank(double score, std::size_t length) const {
  return score / std::pow(static_cast<double>(length), options_.length_penalty);
}

std::vector<CompleteBeam> BeamSearch::best(std::size_t n) const {
  std::vector<CompleteBeam> all;
  for (const Group& group : groups_) all.insert(all.end(), group.complete.begin(), group.complete.end());
  std::stable_sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.rank > b.rank; });
  all.resize(std::min(n, all.size()));
  return all;
}

}  // namespace partita::internal
