// screened MODEL.gguf TEXT [POSITIONS [STATES]]: makes a screen of the LM head from the first half of the
// tokens of a text (or STATES tokens) and tries it on the rest, for requests of four kinds with one random
// number generator: whether the tokens equal those of the whole head, whether logits are within their bounds,
// and the time per token with either head, one thread.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "engine/cache/kv_cache.h"
#include "engine/model.h"
#include "engine/step.h"
#include "partita/partita.hpp"
#include "sampling/heads/heads.h"
#include "sampling/heads/screen.h"
#include "sampling/heads/screen_making.h"

namespace {

using namespace partita;

using namespace partita::internal;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kContext = 512;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

double quantile(std::vector<double> values, double q) {
  std::sort(values.begin(), values.end());
  return values[static_cast<std::size_t>(q * static_cast<double>(values.size() - 1))];
}

double mean(const std::vector<double>& values) {
  double sum = 0;
  for (const double v : values) sum += v;
  return sum / static_cast<double>(values.size());
}

/// The hidden states of a text, processed in parts of kContext tokens.
std::vector<float> hidden_states(const std::shared_ptr<const Transformer>& model,
                                 const std::vector<TokenId>& ids) {
  KvPool pool(model->states(), model->kv_type(), 0);
  Engine engine(model, 2, kContext);
  const std::size_t size = model->config().hidden_size;
  std::vector<float> hidden(ids.size() * size);
  for (std::size_t at = 0; at < ids.size(); at += kContext) {
    const std::size_t n = std::min(kContext, ids.size() - at);
    KvSequence sequence(pool);
    const Chunk chunk{&sequence, std::span(ids).subspan(at, n), Role::kPrompt, n};
    if (!engine.step({&chunk, 1}, hidden.data() + at * size)) return {};
  }
  return hidden;
}

/// The cost of a token with either head, for one kind of request.
struct Trial {
  const char* name;
  Chain chain;
  std::vector<double> whole, screened, bytes;  // seconds; seconds; share of the bytes of the whole head
  std::size_t others = 0;                      // tokens that differ
};

std::vector<Trial> make_trials() {
  const auto chain = [](const SamplingOptions& options) { return *Chain::create(options); };
  std::vector<Trial> trials;
  trials.push_back({"greedy", chain({{"temperature", 0}}), {}, {}, {}});
  trials.push_back({"T 0.8", chain({{"temperature", 0.8F}}), {}, {}, {}});
  trials.push_back({"top-k 40, T 0.8", chain({{"temperature", 0.8F}, {"top_k", 40}}), {}, {}, {}});
  trials.push_back({"top-p 0.95, T 0.8", chain({{"temperature", 0.8F}, {"top_p", 0.95F}}), {}, {}, {}});
  return trials;
}

/// Runs both heads on one thread, alternately.
class Heads {
 public:
  Heads(const Transformer& model, const Screen& screen, Certificate certificate)
      : matrix_(model.output().root.weight),
        plain_(make_dense_head(matrix_, model.kernels())),
        screened_(make_screened_head(matrix_, screen, certificate, model.kernels())),
        plain_scratch_(plain_->make_scratch(1, 1)),
        screened_scratch_(screened_->make_scratch(1, 1)) {}

  void run(const float* hidden, std::size_t position, Trial& trial) {
    Question question;
    question.hidden = hidden;
    question.chain = &trial.chain;
    question.key = {7, 1, position};
    const Answer whole = ask(*plain_, *plain_scratch_, question, trial.whole);
    const Answer few = ask(*screened_, *screened_scratch_, question, trial.screened);
    trial.bytes.push_back(static_cast<double>(few.head_bytes) / static_cast<double>(matrix_.bytes()));
    trial.others += whole.choice.id == few.choice.id ? 0 : 1;
  }

  void logits(const float* hidden, std::vector<float>& out) {
    plain_->logits(hidden, 1, nullptr, *plain_scratch_, out.data());
  }

 private:
  static Answer ask(const OutputHead& head, HeadScratch& scratch, const Question& question,
                    std::vector<double>& seconds) {
    Result<Answer> answer = Answer{};
    const auto start = Clock::now();
    head.answer({&question, 1}, scratch, {&answer, 1});
    seconds.push_back(seconds_since(start));
    if (!answer) std::exit(1);
    return *answer;
  }

  const PackedMatrix& matrix_;
  std::unique_ptr<OutputHead> plain_, screened_;
  std::unique_ptr<HeadScratch> plain_scratch_, screened_scratch_;
};

/// Counts logits outside the bounds of the screen.
class BoundsCheck {
 public:
  BoundsCheck(const Transformer& model, const Screen& screen, Certificate certificate)
      : matrix_(model.output().root.weight),
        kernels_(model.kernels()),
        screen_(screen),
        certificate_(certificate),
        buffer_(1, matrix_.cols),
        rows_(1, matrix_.cols),
        taken_(matrix_.cols),
        logits_(matrix_.panels() * kPanelRows),
        upper_(logits_.size()) {}

  void run(const float* hidden, Heads& heads) {
    heads.logits(hidden, logits_);
    std::copy_n(hidden, matrix_.cols, buffer_.values());
    const Activations x = buffer_.view(1, matrix_.cols);
    if (matrix_.quantized()) kernels_.quantize(x, 0, 1);
    product_input(matrix_, x, 0, taken_.data());
    screen_.change_basis(taken_.data(), 0, 0, matrix_.cols, kernels_, rows_);
    screen_.make_query(taken_.data(), 0, certificate_, rows_);
    float lower = -std::numeric_limits<float>::infinity();
    const ScreenPanels panels = screen_.panels();
    kernels_.screen(panels, 0, panels.panels(), rows_.query(1), upper_.data(), upper_.size(), &lower);
    const double shift = screen_.shift(taken_.data());
    std::size_t count = 0;
    float most = -std::numeric_limits<float>::infinity();
    for (std::size_t v = 0; v < matrix_.rows; ++v) {
      outside += static_cast<double>(logits_[v]) - shift > static_cast<double>(upper_[v]) ? 1 : 0;
      count += upper_[v] >= lower ? 1 : 0;
      most = std::max(most, logits_[v]);
    }
    outside += static_cast<double>(most) - shift < static_cast<double>(lower) ? 1 : 0;
    passed.push_back(static_cast<double>(count));
  }

  std::size_t outside = 0;
  std::vector<double> passed;

 private:
  const PackedMatrix& matrix_;
  const Kernels& kernels_;
  const Screen& screen_;
  const Certificate certificate_;
  ActivationBuffer buffer_;
  ScreenQueries rows_;
  std::vector<float> taken_, logits_, upper_;
};

int fail(const std::string& message) {
  std::fprintf(stderr, "screened: %s\n", message.c_str());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return fail("usage: screened MODEL.gguf TEXT [POSITIONS [STATES]]");
  OpenOptions text_only;
  text_only.text_only = true;
  const Result<Model> words = Model::open(argv[1], text_only);
  if (!words) return fail(words.error().message);
  std::ostringstream text;
  text << std::ifstream(argv[2]).rdbuf();
  const auto ids = words->tokenize(text.str(), {});
  if (!ids) return fail(ids.error().message);
  const Result<Gguf> file = Gguf::open(argv[1]);
  if (!file) return fail(file.error().message);
  const auto model = Transformer::load(*file, {.threads = 2});
  if (!model) return fail(model.error().message);
  const std::size_t size = (*model)->config().hidden_size,
                    half = argc > 4 ? std::stoul(argv[4]) : ids->size() / 2;
  if (half + 1 > ids->size()) return fail("the text is too short");
  const std::size_t used = argc > 3 ? std::min(ids->size(), half + std::stoul(argv[3])) : ids->size();
  const std::vector<float> hidden =
      hidden_states(*model, {ids->begin(), ids->begin() + static_cast<std::ptrdiff_t>(used)});
  if (hidden.empty()) return fail("the text could not be read");

  HiddenMoments moments(size);
  for (std::size_t i = 0; i < half; ++i) moments.add(hidden.data() + i * size);
  const auto start = Clock::now();
  const Result<Screen> screen = make_screen((*model)->output().root.weight, moments, {.threads = 2});
  if (!screen) return fail(screen.error().message);
  std::printf("%s kernels, a head of %zu x %zu in %s; a screen of %.1f MB from %zu states in %.1f s\n",
              std::string(name((*model)->isa())).c_str(), (*model)->output().root.weight.rows, size,
              std::string(name((*model)->output().root.weight.dtype)).c_str(),
              static_cast<double>(screen->panels().bytes()) / 1e6, half, seconds_since(start));
  for (const Certificate certificate : {Certificate::kDithered, Certificate::kStrict}) {
    Heads heads(**model, *screen, certificate);
    BoundsCheck bounds(**model, *screen, certificate);
    std::vector<Trial> trials = make_trials();
    // The strict certificate is compared only briefly.
    const std::size_t wanted = argc > 3 ? std::stoul(argv[3]) : 200;
    const std::size_t most =
        certificate == Certificate::kDithered ? wanted : std::min<std::size_t>(wanted, 200);
    const std::size_t positions = std::min(ids->size() - half, most);
    for (std::size_t i = 0; i < positions; ++i) {
      const float* const state = hidden.data() + (half + i) * size;
      for (Trial& trial : trials) heads.run(state, i, trial);
      bounds.run(state, heads);
      if ((i + 1) % 10000 == 0) {
        std::size_t others = 0;
        for (const Trial& trial : trials) others += trial.others;
        std::fprintf(stderr, "%zu positions: %zu other tokens, %zu logits outside\n", i + 1, others,
                     bounds.outside);
      }
    }
    std::printf("%s, %zu positions: %zu logits outside; rows that pass: median %.0f, 95 %% %.0f\n",
                certificate == Certificate::kDithered ? "dithered" : "strict", positions, bounds.outside,
                quantile(bounds.passed, 0.5), quantile(bounds.passed, 0.95));
    for (const Trial& trial : trials) {
      std::printf(
          "  %-18s %zu other tokens; bytes x %.3f (95 %%: %.3f); mean %.2f ms, screened %.2f: x %.2f; "
          "95 %% %.2f ms, screened %.2f: x %.2f\n",
          trial.name, trial.others, mean(trial.bytes), quantile(trial.bytes, 0.95), 1e3 * mean(trial.whole),
          1e3 * mean(trial.screened), mean(trial.whole) / mean(trial.screened),
          1e3 * quantile(trial.whole, 0.95), 1e3 * quantile(trial.screened, 0.95),
          quantile(trial.whole, 0.95) / quantile(trial.screened, 0.95));
    }
  }
  return 0;
}
