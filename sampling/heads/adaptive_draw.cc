#include "sampling/heads/adaptive_draw.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "sampling/chain/draw.h"

namespace partita {
namespace {

constexpr double kNoBound = std::numeric_limits<double>::infinity();

/// More than what float weights over a vocabulary, summed in whatever order, are apart.
constexpr double kRounding = 1e-5;

/// Draws end long before: each has a chance of at least a half to be the last, but for one of every part.
constexpr std::uint64_t kMostAttempts = 1 << 20;

/// Masses are kept as logarithms: at low temperatures they differ by more than a double holds.
using Logs = std::vector<double>;

/// The sum of masses in units of exp(unit).
double sum_of(const Logs& logs, double unit) {
  double sum = 0;
  for (const double log_mass : logs) sum += std::exp(log_mass - unit);
  return sum;
}

/// The part in which a point of the sum lies.
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

/// What a draw looks at: log-probabilities of the parts that are known.
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

/// The logarithm of the sum of p^(1/T) over the words of a part; -inf where there is none.
double AdaptiveDraw::log_mass(const Row& row, std::size_t part) const {
  const std::size_t words = parts_.words(part);
  if (words == 0) return -kNoBound;
  const float most = kernels_.max(row.part(part), words);
  if (std::isinf(most)) return static_cast<double>(most);
  double sum = 0;
  for (std::size_t first = 0; first < words; first += kBlockValues) {
    const std::size_t n = std::min(kBlockValues, words - first);
    sum += kernels_.exp_sum(row.part(part) + first, n, most, factor_, nullptr);
  }
  return factor_ * static_cast<double>(most) + std::log(sum);
}

/// Of all words with one sum, the p^(1/T) together are most or least where one word has it all, and least or
/// most where all are equal.
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

/// The sum over known words that stand before this one in the order of the nucleus, likelier ones and of
/// equals those with a lower id, in units of exp(unit).
double AdaptiveDraw::mass_before(const Row& row, std::size_t part, std::size_t word, double unit) const {
  const float value = row.part(part)[word];
  const std::int32_t id = parts_.id_at(parts_.first_place(part) + word);
  std::array<float, kBlockValues> weights;
  double total = 0;
  for (std::size_t p = 0; p < parts_.parts(); ++p) {
    const float* const values = row.part(p);
    if (values == nullptr || parts_.words(p) == 0) continue;
    const float most = kernels_.max(values, parts_.words(p));
    if (most < value) continue;
    double sum = 0;
    for (std::size_t first = 0; first < parts_.words(p); first += kBlockValues) {
      const std::size_t n = std::min(kBlockValues, parts_.words(p) - first);
      if (kernels_.max(values + first, n) < value) continue;
      kernels_.exp_sum(values + first, n, most, factor_, weights.data());
      for (std::size_t i = 0; i < n; ++i) {
        const float v = values[first + i];
        const bool before = v > value || (v == value && parts_.id_at(parts_.first_place(p) + first + i) < id);
        if (before) sum += static_cast<double>(weights[i]);
      }
    }
    total += std::exp(factor_ * static_cast<double>(most) - unit) * sum;
  }
  return total;
}

/// Whether the nucleus has the word; nothing where the bounds do not tell.
std::optional<bool> AdaptiveDraw::in_nucleus(const Row& row, std::size_t part, std::size_t word,
                                             const Memory& memory) const {
  const float value = row.part(part)[word];
  const double unit = *std::max_element(memory.most.begin(), memory.most.end());
  const double before = mass_before(row, part, word, unit);
  double above = before;  // with all of the clusters that may have likelier words
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
    return Error{ErrorCode::kBadNumbers, "the probabilities of the clusters are no numbers"};
  }
  for (std::uint64_t attempt = 0; attempt < kMostAttempts; ++attempt) {
    const DrawKey own{key.seed + attempt * 0x9E3779B97F4A7C15U, key.sequence, key.position};
    const std::size_t part = choose(memory.drawn_by, uniform(own, kPartLane));
    if (row.part(part) == nullptr) return Step{part};
    if (memory.exact[part] == 0) {
      const double chance = std::exp(memory.least[part] - memory.drawn_by[part]);
      memory.drawn_by[part] = memory.least[part];
      memory.exact[part] = 1;
      if (uniform(own, kPartLane + 1) >= chance) continue;
    }
    const std::span<const float> words(row.part(part), parts_.words(part));
    if (auto started = memory.candidates.start(LogitRow(words), kernels_); !started) return started.error();
    memory.candidates.divide_by(temperature_);
    const std::size_t word = draw(memory.candidates, own);
    const Step chosen{std::nullopt, parts_.id_at(parts_.first_place(part) + word)};
    if (top_p_ >= 1) return chosen;
    const std::optional<bool> in = in_nucleus(row, part, word, memory);
    if (in && *in) return chosen;
    if (in) continue;
    // The part whose mass says most.
    Step more;
    for (std::size_t p = 1; p < parts_.parts(); ++p) {
      if (row.part(p) == nullptr && (!more.wanted || memory.most[p] > memory.most[*more.wanted]))
        more.wanted = p;
    }
    return more;
  }
  return Error{ErrorCode::kBadNumbers, "no word could be drawn"};
}

}  // namespace partita
