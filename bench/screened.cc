// screened MODEL.gguf TEXT [POSITIONS]: a screen of a model's head, made for the first half of the tokens of
// a text and tried on the second: how many rows pass it, how far logits lie from their estimates, and what a
// greedy token takes beside the whole head, one thread.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <limits>
#include <sstream>
#include <string>
#include <vector>

#include "engine/kv_cache.h"
#include "engine/model.h"
#include "engine/step.h"
#include "partita/partita.hpp"
#include "sampling/screen.h"

namespace {

using namespace partita;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kContext = 512;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

double quantile(std::vector<double> values, double q) {
  std::sort(values.begin(), values.end());
  return values[static_cast<std::size_t>(q * static_cast<double>(values.size() - 1))];
}

/// The hidden states of a text, read in pieces of kContext tokens.
std::vector<float> hidden_states(const std::shared_ptr<const Transformer>& model,
                                 const std::vector<TokenId>& ids) {
  KvPool pool(model->config(), model->kv_type(), 0);
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

/// One token's greedy choice, in full and through the screen.
class Trial {
 public:
  Trial(const Transformer& model, const Screen& screen)
      : head_(model.output().root.weight),
        kernels_(model.kernels()),
        screen_(screen),
        buffer_(1, head_.cols),
        scratch_(matmul_scratch_bytes(head_.cols)),
        rows_(1, head_.cols),
        logits_(head_.panels() * kPanelRows),
        exact_(logits_.size()),
        upper_(logits_.size()),
        taken_(head_.cols) {}

  void run(const float* hidden, Certificate certificate) {
    std::copy_n(hidden, head_.cols, buffer_.values());
    const Activations x = buffer_.view(1, head_.cols);
    const auto begin = Clock::now();
    if (head_.quantized()) kernels_.quantize(x, 0, 1);
    kernels_.matmul(head_, 0, head_.panels(), x, logits_.data(), logits_.size(), scratch_.data());
    const auto best =
        std::max_element(logits_.begin(), logits_.begin() + static_cast<std::ptrdiff_t>(head_.rows));
    full.push_back(seconds_since(begin));

    const auto start = Clock::now();
    if (head_.quantized()) kernels_.quantize(x, 0, 1);
    taken_numbers(head_, x, 0, taken_.data());
    screen_.turn(taken_.data(), 0, 0, head_.cols, rows_);
    screen_.ask(taken_.data(), 0, certificate, rows_);
    const double turned = seconds_since(start);
    float lower = -std::numeric_limits<float>::infinity();
    const ScreenPanels panels = screen_.panels();
    kernels_.screen(panels, 0, panels.panels(), rows_.query(1), upper_.data(), upper_.size(), &lower);
    const double seen = seconds_since(start);
    std::size_t passed = 0, read = 0;
    float most = -std::numeric_limits<float>::infinity();
    std::size_t winner = 0;
    for (std::size_t p = 0; p < panels.panels(); ++p) {
      const float* const upper = upper_.data() + p * kPanelRows;
      const auto n = std::count_if(upper, upper + kPanelRows, [&](float u) { return u >= lower; });
      if (n == 0) continue;
      passed += static_cast<std::size_t>(n);
      ++read;
      kernels_.matmul(head_, p, p + 1, x, exact_.data(), exact_.size(), scratch_.data());
      const std::size_t end = std::min((p + 1) * kPanelRows, head_.rows);
      for (std::size_t v = p * kPanelRows; v < end; ++v) {
        if (exact_[v] > most) most = exact_[winner = v];
      }
    }
    screened.push_back(seconds_since(start));
    turning.push_back(turned);
    seeing.push_back(seen - turned);
    survivors.push_back(static_cast<double>(passed));
    bytes.push_back((static_cast<double>(panels.bytes()) + static_cast<double>(read * head_.panel_bytes())) /
                    static_cast<double>(head_.bytes()));
    different += winner != static_cast<std::size_t>(best - logits_.begin());
    const double shift = screen_.shift(taken_.data());
    for (std::size_t v = 0; v < head_.rows; ++v)
      outside += static_cast<double>(logits_[v]) - shift > static_cast<double>(upper_[v]);
  }

  std::vector<double> full, screened, turning, seeing, survivors, bytes;
  std::size_t different = 0, outside = 0;

 private:
  const PackedMatrix& head_;
  const Kernels& kernels_;
  const Screen& screen_;
  ActivationBuffer buffer_;
  AlignedBytes scratch_;
  ScreenRows rows_;
  std::vector<float> logits_, exact_, upper_, taken_;
};

int fail(const std::string& message) {
  std::fprintf(stderr, "screened: %s\n", message.c_str());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return fail("usage: screened MODEL.gguf TEXT [POSITIONS]");
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
  const std::size_t size = (*model)->config().hidden_size, half = ids->size() / 2;
  const std::vector<float> hidden = hidden_states(*model, *ids);
  if (hidden.empty()) return fail("the text could not be read");

  HiddenMoments moments(size);
  for (std::size_t i = 0; i < half; ++i) moments.add(hidden.data() + i * size);
  const auto start = Clock::now();
  const Result<Screen> screen = Screen::make((*model)->output().root.weight, moments, {.threads = 2});
  if (!screen) return fail(screen.error().message);
  std::printf("%s kernels, a head of %zu x %zu in %s; a screen of %.1f MB from %zu states in %.1f s\n",
              std::string(name((*model)->isa())).c_str(), (*model)->output().root.weight.rows, size,
              std::string(name((*model)->output().root.weight.dtype)).c_str(),
              static_cast<double>(screen->panels().bytes()) / 1e6, half, seconds_since(start));
  for (const Certificate certificate : {Certificate::kDithered, Certificate::kStrict}) {
    Trial trial(**model, *screen);
    const std::size_t positions = std::min(ids->size() - half, argc > 3 ? std::stoul(argv[3]) : 200);
    for (std::size_t i = 0; i < positions; ++i) trial.run(hidden.data() + (half + i) * size, certificate);
    std::printf(
        "%-8s %zu positions: %zu other tokens, %zu logits outside; rows that pass: median %.0f, 95 %% %.0f; "
        "bytes "
        "x %.3f (95 %%: %.3f); whole head %.2f ms, screened %.2f ms (turning %.2f, screen %.2f): x %.2f\n",
        certificate == Certificate::kDithered ? "dithered" : "strict", positions, trial.different,
        trial.outside, quantile(trial.survivors, 0.5), quantile(trial.survivors, 0.95),
        quantile(trial.bytes, 0.5), quantile(trial.bytes, 0.95), 1e3 * quantile(trial.full, 0.5),
        1e3 * quantile(trial.screened, 0.5), 1e3 * quantile(trial.turning, 0.5),
        1e3 * quantile(trial.seeing, 0.5), quantile(trial.full, 0.5) / quantile(trial.screened, 0.5));
  }
  return 0;
}
