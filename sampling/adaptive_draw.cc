#include "sampling/adaptive_draw.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "sampling/draw.h"

namespace partita {
namespace {

/// Sums of doubles over a vocabulary are far nearer to each other than this, in whatever order they are
/// taken.
constexpr double kRounding = 1e-9;

/// The part in which a point of the sum lies.
std::size_t choose(const std::vector<double>& masses, double u) {
  double sum = 0;
  for (const double mass : masses) sum += mass;
  double left = u * sum;
  std::size_t last = 0;
  for (std::size_t p = 0; p < masses.size(); ++p) {
    if (!(masses[p] > 0)) continue;
    last = p;
    left -= masses[p];
    if (left < 0) break;
  }
  return last;
}

double sum_of(const std::vector<double>& masses) {
  double sum = 0;
  for (const double mass : masses) sum += mass;
  return sum;
}

}  // namespace

/// What a draw looks at: log-probabilities of the parts that are known, and the largest of the root's, in
/// whose units masses are.
struct AdaptiveDraw::Row {
  std::size_t row = 0;
  AdaptiveScratch& scratch;
  float most = 0;
  const float* part(std::size_t p) const { return scratch.values(row, p); }
};

AdaptiveDraw::AdaptiveDraw(const AdaptiveParts& parts, const Kernels& kernels, double temperature,
                           double top_p)
    : parts_(parts),
      kernels_(kernels),
      temperature_(temperature),
      factor_(Candidates::weight_factor(1 / temperature)),
      top_p_(top_p) {}

/// The sum of p^(1/T) over the words of a part.
double AdaptiveDraw::mass(const Row& row, std::size_t part) const {
  const std::size_t words = parts_.words(part);
  double sum = 0;
  for (std::size_t first = 0; first < words; first += kBlockValues) {
    const std::size_t n = std::min(kBlockValues, words - first);
    sum += kernels_.exp_sum(row.part(part) + first, n, row.most, factor_, nullptr);
  }
  return sum;
}

/// Of all words with one sum, the p^(1/T) together are most or least where one word has it all, and least or
/// most where all are equal.
void AdaptiveDraw::bound(const Row& row, Memory& memory) const {
  const std::size_t parts = parts_.parts();
  for (auto* masses : {&memory.drawn_by, &memory.least, &memory.most}) masses->assign(parts, 0);
  memory.exact.assign(parts, temperature_ == 1 ? 1 : 0);
  memory.exact[0] = 1;
  for (std::size_t part = 0; part < parts; ++part) {
    double alone = 0, equal = 0;
    if (part > 0) {
      const double p =
          static_cast<double>(parts_.cluster_value(row.part(0), part)) - static_cast<double>(row.most);
      alone = std::exp(factor_ * p);
      equal = alone * std::exp((1 - factor_) * std::log(static_cast<double>(parts_.words(part))));
      memory.drawn_by[part] = std::max(alone, factor_ < 1 ? equal : 0);
    }
    const bool known = row.part(part) != nullptr;
    const double own = known ? mass(row, part) : 0;
    memory.least[part] = known ? own : std::min(alone, equal) * (1 - kRounding);
    memory.most[part] = known ? own : std::max(alone, equal) * (1 + kRounding);
    if (part == 0) memory.drawn_by[0] = own;
  }
}

/// The sum over known words that stand before this one in the order of the nucleus: likelier ones, and of
/// equals those with a lower id.
double AdaptiveDraw::mass_before(const Row& row, std::size_t part, std::size_t word) const {
  const float value = row.part(part)[word];
  const std::int32_t id = parts_.id_at(parts_.first_place(part) + word);
  std::array<float, kBlockValues> weights;
  double sum = 0;
  for (std::size_t p = 0; p < parts_.parts(); ++p) {
    const float* const values = row.part(p);
    for (std::size_t first = 0; values != nullptr && first < parts_.words(p); first += kBlockValues) {
      const std::size_t n = std::min(kBlockValues, parts_.words(p) - first);
      if (kernels_.max(values + first, n) < value) continue;
      kernels_.exp_sum(values + first, n, row.most, factor_, weights.data());
      for (std::size_t i = 0; i < n; ++i) {
        const float v = values[first + i];
        const bool before = v > value || (v == value && parts_.id_at(parts_.first_place(p) + first + i) < id);
        if (before) sum += static_cast<double>(weights[i]);
      }
    }
  }
  return sum;
}

/// Whether the nucleus has the word; nothing where the bounds do not tell.
std::optional<bool> AdaptiveDraw::in_nucleus(const Row& row, std::size_t part, std::size_t word,
                                             const Memory& memory) const {
  const float value = row.part(part)[word];
  const double before = mass_before(row, part, word);
  double above = before;  // with all of the clusters that may have likelier words
  bool all_known = true;
  for (std::size_t p = 1; p < parts_.parts(); ++p) {
    if (row.part(p) != nullptr) continue;
    all_known = false;
    if (!(parts_.cluster_value(row.part(0), p) < value)) above += memory.most[p];
  }
  const double least = top_p_ * sum_of(memory.least), most = top_p_ * sum_of(memory.most);
  if (all_known) return before < most;
  if (above < least * (1 - kRounding)) return true;
  if (before > most * (1 + kRounding)) return false;
  return std::nullopt;
}

Result<AdaptiveDraw::Step> AdaptiveDraw::step(std::size_t r, const DrawKey& key, AdaptiveScratch& scratch,
                                              Memory& memory) const {
  Row row{r, scratch, kernels_.max(scratch.values(r, 0), parts_.root_values())};
  bound(row, memory);
  for (std::uint64_t attempt = 0;; ++attempt) {
    // Sequences are few, so that the upper bits of their number are free.
    const DrawKey own{key.seed, key.sequence ^ (attempt << 40), key.position};
    const std::size_t part = choose(memory.drawn_by, uniform(own, kPartLane));
    if (row.part(part) == nullptr) return Step{part};
    if (memory.exact[part] == 0) {
      const double bound = memory.drawn_by[part];
      memory.drawn_by[part] = memory.least[part];
      memory.exact[part] = 1;
      if (uniform(own, kPartLane + 1) * bound >= memory.least[part]) continue;
    }
    const std::span<const float> words(row.part(part), parts_.words(part));
    if (auto started = memory.candidates.start(LogitRow(words), kernels_); !started) return started.error();
    if (!std::isfinite(sum_of(memory.most))) {
      return Error{ErrorCode::kBadNumbers, "the probabilities of the clusters have no finite sum"};
    }
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
}

}  // namespace partita
