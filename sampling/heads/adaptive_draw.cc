#include "sampling/heads/adaptive_draw.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "sampling/chain/draw.h"
#include "weights/try.h"

namespace partita::internal {
namespace {

constexpr double kNoBound = std::numeric_limits<double>::infinity();

/// An upper bound of the relative difference between float sums of weights over a vocabulary in any order.
constexpr double kRounding = 1e-5;

/// Draws end long before: except once for each part, an attempt is the last with probability at least 1/2.
constexpr std::uint64_t kMaxAttempts = 1 << 20;

/// Masses are stored as logarithms: at low temperatures they differ by more than the range of doubles.
using Logs = std::vector<double>;

/// The sum of masses in units of exp(unit).
double sum_of(const Logs& logs, double unit) {
  double sum = 0;
  for (const double log_mass : logs) sum += std::exp(log_mass - unit);
  return sum;
}

/// The part that contains the point u (a fraction) of the sum.
std::size_t choose(const Logs& logs, double u) {
  const double most = *std::max_element(logs.begin(), logs.end());
  double left = u * sum_of(logs, most);
  std::size_t last = 0;
  for (std::size_t p = 0; p < logs.size(); ++p) {
    const double mass = std::exp(logs[p] - most);
    if (!(mass > 0)) continue;
    last = p;
    left -= mass;
    if (left < 0) break;
  }
  return last;
}

bool is_no_mass(double log_mass) { return std::isnan(log_mass) || log_mass == kNoBound; }

}  // namespace

/// The row of a draw: log-probabilities of the parts that are computed.
struct AdaptiveDraw::Row {
  std::size_t row = 0;
  AdaptiveScratch& scratch;
  const float* part(std::size_t p) const { return scratch.values(row, p); }
};

AdaptiveDraw::AdaptiveDraw(const AdaptiveParts& parts, const Kernels& kernels, double temperature,
                           double top_p)
    : parts_(parts),
      kernels_(kernels),
      temperature_(temperature),
      factor_(Candidates::weight_factor(1 / temperature)),
      top_p_(top_p) {}

/// The logarithm of the sum of p^(1/T) over the words of a part; -inf without words.
double AdaptiveDraw::log_mass(const Row& row, std::size_t part) const {
  const std::size_t words = parts_.words(part);
  if (words == 0) return -kNoBound;
  const float most = kernels_.max(row.part(part), words);
  if (std::isinf(most)) return static_cast<double>(most);
  double sum = 0;
  for (std::size_t first = 0; first < words; first += kLogitTile) {
    const std::size_t n = std::min(kLogitTile, words - first);
    sum += kernels_.exp_sum(row.part(part) + first, n, most, factor_, nullptr);
  }
  return factor_ * static_cast<double>(most) + std::log(sum);
}

/// Bounds of the masses. For a given sum of p, the sum of p^(1/T) has its extremes where one word has all of
/// p and where all words are equal.
void AdaptiveDraw::bound(const Row& row, Memory& memory) const {
  const std::size_t parts = parts_.parts();
  for (Logs* logs : {&memory.drawn_by, &memory.least, &memory.most}) logs->assign(parts, -kNoBound);
  memory.exact.assign(parts, temperature_ == 1 ? 1 : 0);
  memory.exact[0] = 1;
  for (std::size_t part = 0; part < parts; ++part) {
    double least = 0, most = 0;
    if (part > 0) {
      const double alone = factor_ * static_cast<double>(parts_.cluster_value(row.part(0), part));
      const double equal = alone + (1 - factor_) * std::log(static_cast<double>(parts_.words(part)));
      least = std::min(alone, equal);
      most = std::max(alone, equal);
      memory.drawn_by[part] = most;
    }
    const bool known = row.part(part) != nullptr;
    const double own = known ? log_mass(row, part) : 0;
    memory.least[part] = known ? own : least;
    memory.most[part] = known ? own : most;
    if (part == 0) memory.drawn_by[0] = own;
  }
}

/// The sum over known words before this one in the order of the nucleus (likelier, or equal with a lower id),
/// in units of exp(unit).
double AdaptiveDraw::mass_before(const Row& row, std::size_t part, std::size_t word, double unit) const {
  const float value = row.part(part)[word];
  const std::int32_t id = parts_.id_at(parts_.first_rank(part) + word);
  std::array<float, kLogitTile> weights;
  double total = 0;
  for (std::size_t p = 0; p < parts_.parts(); ++p) {
    const float* const values = row.part(p);
    if (values == nullptr || parts_.words(p) == 0) continue;
    const float most = kernels_.max(values, parts_.words(p));
    if (most < value) continue;
    double sum = 0;
    for (std::size_t first = 0; first < parts_.words(p); first += kLogitTile) {
      const std::size_t n = std::min(kLogitTile, parts_.words(p) - first);
      if (kernels_.max(values + first, n) < value) continue;
      kernels_.exp_sum(values + first, n, most, factor_, weights.data());
      for (std::size_t i = 0; i < n; ++i) {
        const float v = values[first + i];
        const bool before = v > value || (v == value && parts_.id_at(parts_.first_rank(p) + first + i) < id);
        if (before) sum += static_cast<double>(weights[i]);
      }
    }
    total += std::exp(factor_ * static_cast<double>(most) - unit) * sum;
  }
  return total;
}

/// Whether the nucleus contains the word; empty if the bounds do not decide it.
std::optional<bool> AdaptiveDraw::in_nucleus(const Row& row, std::size_t part, std::size_t word,
                                             const Memory& memory) const {
  const float value = row.part(part)[word];
  const double unit = *std::max_element(memory.most.begin(), memory.most.end());
  const double before = mass_before(row, part, word, unit);
  double above = before;  // plus all mass of the clusters that may contain likelier words
  bool all_known = true;
  for (std::size_t p = 1; p < parts_.parts(); ++p) {
    if (row.part(p) != nullptr) continue;
    all_known = false;
    if (!(parts_.cluster_value(row.part(0), p) < value)) above += std::exp(memory.most[p] - unit);
  }
  const double least = top_p_ * sum_of(memory.least, unit), most = top_p_ * sum_of(memory.most, unit);
  if (all_known) return before < most;
  if (above + most * kRounding < least) return true;
  if (before - most * kRounding > most) return false;
  return std::nullopt;
}

Result<AdaptiveDraw::Step> AdaptiveDraw::step(std::size_t r, const DrawKey& key, AdaptiveScratch& scratch,
                                              Memory& memory) const {
  const Row row{r, scratch};
  bound(row, memory);
  if (std::any_of(memory.most.begin(), memory.most.end(), is_no_mass)) {
    return Error{ErrorCode::kBadNumbers, "the probabilities of the clusters are not finite numbers"};
  }
  for (std::uint64_t attempt = 0; attempt < kMaxAttempts; ++attempt) {
    const DrawKey own{key.seed + attempt * 0x9E3779B97F4A7C15U, key.sequence, key.position};
    const std::size_t part = choose(memory.drawn_by, uniform(own, kPartStream));
    if (row.part(part) == nullptr) return Step{part};
    if (memory.exact[part] == 0) {
      const double chance = std::exp(memory.least[part] - memory.drawn_by[part]);
      memory.drawn_by[part] = memory.least[part];
      memory.exact[part] = 1;
      if (uniform(own, kPartStream + 1) >= chance) continue;
    }
    const std::span<const float> words(row.part(part), parts_.words(part));
    TRY(memory.candidates.start(LogitRow(words), kernels_));
    memory.candidates.divide_by(temperature_);
    const std::size_t word = draw(memory.candidates, own);
    const Step chosen{std::nullopt, parts_.id_at(parts_.first_rank(part) + word)};
    if (top_p_ >= 1) return chosen;
    const std::optional<bool> in = in_nucleus(row, part, word, memory);
    if (in && *in) return chosen;
    if (in) continue;
    // Asks for the unread part with the largest possible mass.
    Step more;
    for (std::size_t p = 1; p < parts_.parts(); ++p) {
      if (row.part(p) == nullptr && (!more.needed_part || memory.most[p] > memory.most[*more.needed_part]))
        more.needed_part = p;
    }
    return more;
  }
  return Error{ErrorCode::kBadNumbers, "no word could be drawn"};
}

}  // namespace partita::internal
