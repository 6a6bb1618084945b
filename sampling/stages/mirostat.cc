// Mirostat (Basu et al. 2020): keeps the surprise of the text near tau bits by adapting the cut. mu begins at
// 2 tau; after each token of probability p, mu falls by eta (-log2(p) - tau). p is the probability in the
// distribution that the token was drawn from, as in llama.cpp; the paper's program uses the distribution
// before the cut.
//
// Version 1 estimates the exponent s of Zipf's law from the 100 likeliest candidates and keeps the k
// likeliest, k = (e 2^mu / (1 - N^-e))^(1/s), e = s - 1, N the size of the vocabulary; at e = 0 its limit,
// where llama.cpp divides 0 by 0. Version 2 drops candidates more surprising than mu bits. At least one
// candidate stays. Ties by id.
//
// llama.cpp applies only the temperature with it; here all enabled stages apply.
#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <limits>

#include "sampling/chain/draw.h"
#include "sampling/chain/numbers.h"
#include "sampling/chain/options.h"
#include "sampling/chain/surprisal.h"
#include "sampling/stages/stage.h"
#include "sampling/stages/top_k.h"
#include "weights/sentence.h"

namespace partita::internal::stages::mirostat {
namespace {

constexpr std::size_t kZipf = 100;

struct Mu : StageState {
  explicit Mu(double start) : value(start) {}
  std::unique_ptr<StageState> clone() const override { return std::make_unique<Mu>(*this); }
  double value;  // bits
};

class Mirostat : public Stage {
 public:
  Mirostat(int version, float tau, float eta) : version_(version), tau_(tau), eta_(eta) {}
  std::string_view name() const override { return "mirostat"; }
  std::string describe() const override {
    return "mirostat " + std::to_string(version_) + " tau " + to_text(tau_) + " eta " + to_text(eta_);
  }

  std::unique_ptr<StageState> make_state() const override { return std::make_unique<Mu>(start()); }

  void apply(Candidates& row, const StageContext& context, const StageState* state) const override {
    const double mu = state == nullptr ? start() : static_cast<const Mu*>(state)->value;
    version_ == 1 ? keep_zipf(row, mu) : keep_surprises(row, mu, *context.kernels);
  }

  bool needs_probability() const override { return true; }

  void accept(const Choice& choice, StageState* state) const override {
    const double p = std::max(static_cast<double>(choice.probability), kMinProbability);
    double& mu = static_cast<Mu*>(state)->value;
    mu -= static_cast<double>(eta_) * (-std::log2(p) - static_cast<double>(tau_));
  }

 private:
  static constexpr double kMinProbability = std::numeric_limits<float>::min();
  double start() const { return 2 * static_cast<double>(tau_); }
  static void keep_zipf(Candidates& row, double mu);
  static void keep_surprises(Candidates& row, double mu, const Kernels& kernels);

  int version_;
  float tau_, eta_;
};

/// The exponent of Zipf's law: the slope of log p over log rank, by least squares over the likeliest.
double zipf_exponent(Candidates& row) {
  std::array<float, kZipf> best;
  const std::size_t n = largest(row, best);
  double products = 0, squares = 0;
  for (std::size_t i = 0; i + 1 < n; ++i) {
    const double t = std::log(static_cast<double>(i + 2) / static_cast<double>(i + 1));
    const double b = row.weight_factor() * (static_cast<double>(best[i]) - static_cast<double>(best[i + 1]));
    products += t * b;
    squares += t * t;
  }
  return n < 2 ? 0 : products / squares;
}

void Mirostat::keep_zipf(Candidates& row, double mu) {
  const double s = zipf_exponent(row), e = s - 1;
  const double log_vocab = std::log(static_cast<double>(row.vocab()));
  const double scale = e == 0 ? 1 / log_vocab : e / -std::expm1(-e * log_vocab);
  const double k = std::pow(scale * std::exp2(mu), 1 / s);
  // Nothing is dropped if k is NaN (a single id, an exponent of 0).
  if (std::isnan(k) || k >= static_cast<double>(row.count())) return;
  keep_top_k(row, std::max<std::size_t>(static_cast<std::size_t>(k), 1));
}

void Mirostat::keep_surprises(Candidates& row, double mu, const Kernels& kernels) {
  const double total = sum_weights(row, kernels, row.scratch.sums);
  const double light = std::exp2(-mu) * total;  // the smallest weight that is kept
  row.keep(light > 1 ? Cut{row.max(), 1} : Cut{least_of_weight(row, light), Cut::kAllTies});
}

constexpr std::array kOptions = {
    SamplingOption{"mirostat", OptionKind::kWholeNumber, 0, "version 1 or 2 of Mirostat; 0: off"},
    SamplingOption{"mirostat_tau", OptionKind::kNumber, 5, "Mirostat: target surprise, in bits"},
    SamplingOption{"mirostat_eta", OptionKind::kNumber, 0.1, "Mirostat: learning rate"}};

MadeStage make(const SamplingOptions& options, const Vocabulary*) {
  const std::int64_t version = options.whole("mirostat");
  if (version < 0 || version > 2) return bad_option("mirostat", std::to_string(version), "0 (off), 1 or 2");
  for (const std::string_view name : {"mirostat_tau", "mirostat_eta"}) {
    const float value = options.real(name);
    if (!(value >= 0) || std::isinf(value)) return bad_option(name, to_text(value), "a number of 0 or more");
  }
  if (version == 0) return no_stage();
  return make_stage<Mirostat>(static_cast<int>(version), options.real("mirostat_tau"),
                              options.real("mirostat_eta"));
}

}  // namespace

extern const StageDescriptor stage = {
    {"mirostat", "keeps the surprise of the text near a target by adapting a cut", kOptions}, make, true};

}  // namespace partita::internal::stages::mirostat
