#include "sampling/chain/candidates.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "sampling/chain/numbers.h"

namespace partita::internal {
namespace {

constexpr std::size_t kGroup = 16;
constexpr float kUnsettled = std::numeric_limits<float>::quiet_NaN();

/// The number of values in a group that are at least `least`. Out of line, so that g++ compiles it to four
/// vector compares.
[[gnu::noinline]] int count_from(const float* group, float least) {
  int n = 0;
  for (std::size_t i = 0; i < kGroup; ++i) n += group[i] >= least ? 1 : 0;
  return n;
}

/// Calls visit(i) for the entries of [first, last) that are at least `least` and possibly for some of their
/// neighbours. Skips groups without such an entry.
template <class Visit>
void visit_groups(const float* values, std::size_t first, std::size_t last, float least, Visit&& visit) {
  std::size_t i = first;
  for (; i + kGroup <= last; i += kGroup) {
    if (count_from(values + i, least) == 0) continue;
    for (std::size_t lane = 0; lane < kGroup; ++lane) visit(i + lane);
  }
  for (; i < last; ++i) visit(i);
}

}  // namespace

Result<void> Candidates::start(const LogitRow& row, const Kernels& kernels) {
  values_ = row.logits.data();
  vocab_ = count_ = row.logits.size();
  full_ = true;
  problem_.reset();
  inverse_temperature_ = 1;
  if (row.tile_maxima.empty()) {
    find_max(kernels);
  } else {
    maxima_ = row.tile_maxima;
    max_ = kernels.max(maxima_.data(), maxima_.size());
  }
  if (!std::isfinite(max_)) return bad_logits(row.logits);
  return {};
}

void Candidates::find_max(const Kernels& kernels) {
  max_ = -std::numeric_limits<float>::infinity();
  if (count_ == 0) return;
  if (full_) {
    own_maxima_.assign(tiles_of(count_), kUnsettled);
    maxima_ = own_maxima_;
    settle(kernels);
  } else {
    max_ = kernels.max(values_, count_);
  }
}

float& Candidates::own(std::size_t i) {
  if (values_ != logits_.data()) {
    std::copy_n(values_, count_, grow_to(logits_, count_).begin());
    values_ = logits_.data();
  }
  if (full_) {
    if (maxima_.data() != own_maxima_.data()) {
      own_maxima_.assign(maxima_.begin(), maxima_.end());
      maxima_ = own_maxima_;
    }
    own_maxima_[i / kLogitTile] = kUnsettled;
  }
  return logits_[i];
}

void Candidates::set(std::size_t i, float value) { own(i) = value; }

void Candidates::add(std::size_t i, double amount) {
  float& value = own(i);
  const double sum = double{value} + amount / inverse_temperature_;
  constexpr double kMax = std::numeric_limits<float>::max();
  value = static_cast<float>(std::isinf(sum) ? sum : std::clamp(sum, -kMax, kMax));
}

void Candidates::mask_unset(std::span<const std::uint64_t> words) {
  if (full_) {
    for (std::size_t w = 0; w < words.size() && w * 64 < count_; ++w) {
      for (std::uint64_t unset = ~words[w]; unset != 0; unset &= unset - 1) {
        const std::size_t i = w * 64 + static_cast<std::size_t>(std::countr_zero(unset));
        if (i < count_) mask(i);
      }
    }
    return;
  }
  for (std::size_t i = 0; i < count_; ++i) {
    const auto at = static_cast<std::size_t>(id(i));
    if (at / 64 < words.size() && (words[at / 64] >> (at % 64) & 1) == 0) mask(i);
  }
}

void Candidates::settle(const Kernels& kernels) {
  if (!full_) {
    find_max(kernels);
    return;
  }
  if (maxima_.data() != own_maxima_.data()) return;  // nothing was set
  for (std::size_t b = 0; b < maxima_.size(); ++b) {
    if (!std::isnan(own_maxima_[b])) continue;
    const std::size_t first = b * kLogitTile;
    own_maxima_[b] = kernels.max(values_ + first, std::min(kLogitTile, count_ - first));
  }
  max_ = kernels.max(maxima_.data(), maxima_.size());
}

std::optional<std::size_t> Candidates::find(std::int32_t id) const {
  if (id < 0) return std::nullopt;
  if (full_) {
    const auto i = static_cast<std::size_t>(id);
    return i < count_ ? std::optional(i) : std::nullopt;
  }
  const auto end = ids_.begin() + static_cast<std::ptrdiff_t>(count_);
  const auto at = std::lower_bound(ids_.begin(), end, id);
  if (at == end || *at != id) return std::nullopt;
  return static_cast<std::size_t>(at - ids_.begin());
}

std::size_t Candidates::best() const {
  std::size_t i = 0;
  if (full_) {
    const auto tile = std::find(maxima_.begin(), maxima_.end(), max_);
    i = static_cast<std::size_t>(tile - maxima_.begin()) * kLogitTile;
  }
  while (i + 1 < count_ && values_[i] != max_) ++i;
  return i;
}

double Candidates::weight_factor(double inverse_temperature) {
  constexpr double kMin = std::numeric_limits<float>::min();
  constexpr double kMax = std::numeric_limits<float>::max();
  return std::clamp(inverse_temperature, kMin, kMax);
}

template <class Visit>
void Candidates::visit_from(float least, Visit&& visit) const {
  for (std::size_t first = 0; first < count_; first += kLogitTile) {
    if (full_ && maxima_[first / kLogitTile] < least) continue;
    visit_groups(values_, first, std::min(first + kLogitTile, count_), least, visit);
  }
}

void Candidates::keep(const Cut& cut) {
  grow_to(ids_, count_);
  grow_to(logits_, count_);
  std::size_t ties = std::isinf(cut.least) ? 0 : cut.ties;
  std::size_t kept = 0;
  visit_from(cut.least, [&](std::size_t i) {
    const float value = values_[i];  // values_ may point to logits_; kept <= i
    const bool tie = value == cut.least && ties > 0;
    ids_[kept] = id(i);
    logits_[kept] = value;
    kept += value > cut.least || tie ? 1 : 0;
    ties -= tie ? 1 : 0;
  });
  values_ = logits_.data();
  count_ = kept;
  full_ = false;
}

void Candidates::keep_between(float least, float most) {
  grow_to(ids_, count_);
  grow_to(logits_, count_);
  std::size_t kept = 0;
  visit_from(least, [&](std::size_t i) {
    const float value = values_[i];  // values_ may point to logits_; kept <= i
    ids_[kept] = id(i);
    logits_[kept] = value;
    kept += value >= least && value <= most ? 1 : 0;
  });
  values_ = logits_.data();
  count_ = kept;
  full_ = false;
  max_ = most;
}

void Candidates::replace(const Kernels& kernels) {
  logits_.swap(scratch.values);
  values_ = logits_.data();
  find_max(kernels);
}

std::span<float> Candidates::collect(float least) {
  const std::span<float> out = grow_to(scratch.values, count_);
  std::size_t kept = 0;
  visit_from(least, [&](std::size_t i) {
    out[kept] = values_[i];
    kept += values_[i] >= least ? 1 : 0;
  });
  return out.first(kept);
}

}  // namespace partita::internal
