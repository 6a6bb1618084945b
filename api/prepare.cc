// prepare(): makes the screen of a dense LM head, calibrated on hidden states of text that the model
// generates.
#include <algorithm>
#include <chrono>
#include <filesystem>
#include <utility>

#include "api/clock.h"
#include "api/loaded_model.h"
#include "api/serving/scheduler.h"
#include "engine/step.h"
#include "partita/partita.hpp"
#include "sampling/chain/chain.h"
#include "sampling/heads/heads.h"
#include "sampling/heads/screen_file.h"
#include "sampling/heads/screen_making.h"
#include "weights/catch_all.h"
#include "weights/sentence.h"
#include "weights/try.h"

namespace partita {
using namespace internal;
namespace {

using Clock = std::chrono::steady_clock;

/// The beginnings of calibration texts, each as a chat question and as raw text.
constexpr std::string_view kOpenings[] = {"Once upon a time",
                                          "Write a short story about a lighthouse.",
                                          "def main():",
                                          "The history of",
                                          "Explain how rain forms.",
                                          "What should I cook tonight?",
                                          "In this paper, we",
                                          "Dear Sir or Madam,",
                                          "Write a Python function that sorts a list.",
                                          "1. First,",
                                          "How do I learn to play the piano?",
                                          "The weather today",
                                          "Summarise the causes of the First World War.",
                                          "Q: What is",
                                          "She looked at him and said",
                                          "Translate \"good morning\" into French.",
                                          "<html>",
                                          "Solve 3x + 5 = 20.",
                                          "Breaking news:",
                                          "I think that"};

constexpr std::size_t kSequences = 16;    // that share each step
constexpr std::size_t kTextTokens = 256;  // of one text
constexpr std::size_t kStatesPerDim = 8, kMinStates = 4096;
constexpr std::size_t kTimed = 101;  // hidden states that both heads are timed on

/// Generates texts at temperature 1, and collects their hidden states.
class Writer {
 public:
  Writer(const LoadedModel& model, std::uint64_t seed)
      : model_(model),
        seed_(seed),
        engine_(model.transformer, model.options.threads, kStepRows),
        pool_(model.transformer->states(), model.transformer->kv_type(), 0),
        scratch_(model.head_scratch(kSequences)),
        hidden_(kSequences * model.info.hidden_size),
        last_(kSequences),
        ends_(kSequences),
        questions_(kSequences),
        answers_(kSequences, Answer{}) {
    for (std::size_t s = 0; s < kSequences; ++s) caches_.emplace_back(pool_);
  }

  /// Adds the states of one more token of each text.
  Result<void> write(const Chain& chain, HiddenMoments& moments) {
    std::vector<Chunk> chunks;
    for (std::size_t s = 0; s < kSequences; ++s) {
      if (caches_[s].length() >= ends_[s] || model_.tokenizer->ends_generation(last_[s])) {
        TRY(begin(s));
      }
      chunks.push_back({&caches_[s], {&last_[s], 1}, Role::kGenerated, 1});
    }
    TRY(engine_.step(chunks, hidden_.data()));
    for (std::size_t s = 0; s < kSequences; ++s) {
      questions_[s].hidden = state(s);
      questions_[s].chain = &chain;
      questions_[s].key = {seed_, s, drawn_};
    }
    ++drawn_;
    model_.head->answer(questions_, *scratch_, answers_);
    for (std::size_t s = 0; s < kSequences; ++s) {
      if (!answers_[s]) return answers_[s].error();
      last_[s] = answers_[s]->choice.id;
      moments.add(state(s));
    }
    return {};
  }

  /// Of the last token of text s, [hidden_size].
  const float* state(std::size_t s) const { return hidden_.data() + s * model_.info.hidden_size; }

 private:
  /// Starts text s with the next opening; reads all but the last of its tokens.
  Result<void> begin(std::size_t s) {
    const std::string text(kOpenings[opening_ / 2 % std::size(kOpenings)]);
    const bool asks = opening_++ % 2 == 0;
    Request question;
    question.messages = {{"user", text}};
    auto ids = asks ? model_.prompt_ids(question) : model_.tokenizer->encode_prompt(text, Specials::kAsText);
    if (!ids)
      ids = model_.tokenizer->encode_prompt(text, Specials::kAsText);  // no template, or none for this
    if (!ids) return ids.error();
    if (ids->empty()) ids->push_back(0);
    const std::size_t context = model_.info.context_length;
    const std::size_t most = std::clamp<std::size_t>(context / 2, 1, kStepRows);
    if (ids->size() > most) ids->erase(ids->begin(), ids->end() - static_cast<std::ptrdiff_t>(most));
    ends_[s] = std::min(ids->size() + kTextTokens, context) - 1;
    last_[s] = ids->back();
    ids->pop_back();
    caches_[s] = KvSequence(pool_);
    if (ids->empty()) return {};
    const Chunk chunk{&caches_[s], *ids, Role::kPrompt, 0};
    return engine_.step({&chunk, 1}, hidden_.data());
  }

  const LoadedModel& model_;
  std::uint64_t seed_, drawn_ = 0;
  Engine engine_;
  KvPool pool_;
  std::vector<KvSequence> caches_;  // [kSequences]
  std::unique_ptr<HeadScratch> scratch_;
  std::vector<float> hidden_;      // [kSequences][hidden_size]
  std::vector<TokenId> last_;      // [kSequences]
  std::vector<std::size_t> ends_;  // [kSequences]: lengths at which texts end; 0 before the first text
  std::vector<Question> questions_;
  std::vector<Result<Answer>> answers_;
  std::size_t opening_ = 0;
};

Result<Chain> chain_at(double temperature) {
  SamplingOptions options;
  options.set("temperature", temperature);
  return Chain::create(options);
}

/// Times a greedy token for each hidden state; the median, in seconds.
class Stopwatch {
 public:
  Stopwatch(const OutputHead& head, const Chain& greedy, int threads)
      : head_(head), greedy_(greedy), scratch_(head.make_scratch(1, threads)) {}

  void run(const float* state) {
    Question question;
    question.hidden = state;
    question.chain = &greedy_;
    Result<Answer> answer = Answer{};
    const auto start = Clock::now();
    head_.answer({&question, 1}, *scratch_, {&answer, 1});
    seconds_.push_back(seconds_since(start));
  }
  bool ok() const { return scratch_ != nullptr; }
  double median() {
    const auto middle = seconds_.begin() + static_cast<std::ptrdiff_t>(seconds_.size() / 2);
    std::nth_element(seconds_.begin(), middle, seconds_.end());
    return *middle;
  }

 private:
  const OutputHead& head_;
  const Chain& greedy_;
  std::unique_ptr<HeadScratch> scratch_;
  std::vector<double> seconds_;
};

/// An error unless a screen is possible and at least a fifth smaller than the matrix.
Result<void> check_worth(const PackedMatrix& head) {
  TRY(Screen::check_matrix(head));
  const ScreenPanels screen = screen_panels(head.rows, head.cols);
  if (5 * screen.bytes() <= 4 * head.bytes()) return {};
  return Error{ErrorCode::kUnsupported,
               sentence("the head is ", name(head.dtype), ", ", head.bytes(), " bytes; a screen of ",
                        screen.bytes(), " bytes would save nothing: use the full head")};
}

}  // namespace

Result<PrepareResult> prepare(const std::string& model_path, const PrepareOptions& options) {
  return catch_all([&]() -> Result<PrepareResult> {
    const auto told = [&](double fraction) {
      return !options.progress || options.progress(static_cast<float>(fraction));
    };
    OpenOptions open;
    open.threads = options.threads;
    open.vocabulary = options.vocabulary;
    open.head = HeadKind::kFull;
    open.progress = [&](float) { return told(0); };
    const auto model = Model::open(model_path, open);
    if (!model) return model.error();
    const LoadedModel& impl = model->impl();
    PrepareResult result;
    result.path = options.path.empty() ? screen_path(impl.info.path) : options.path;
    std::error_code none;
    if (std::filesystem::equivalent(result.path, impl.info.path, none)) {
      return invalid("\"", printable(result.path), "\" is the model itself: name another file");
    }
    const OutputWeights& output = impl.transformer->output();
    if (const std::string refusal = output.screen_refusal(); !refusal.empty()) {
      return Error{ErrorCode::kUnsupported, sentence("\"", printable(impl.info.path), "\" has ", refusal)};
    }
    const PackedMatrix& matrix = output.root.weight;
    TRY(check_worth(matrix));
    const Error stopped{ErrorCode::kCancelled, "preparing the screen was stopped"};

    // About half of the time is generating text, half is rounding rows.
    const std::size_t enough = std::max(kMinStates, kStatesPerDim * matrix.cols);
    const std::size_t states = std::max(options.states == 0 ? enough : options.states, matrix.cols);
    HiddenMoments moments(matrix.cols);
    Writer writer(impl, options.seed);
    const auto chain = chain_at(1), greedy = chain_at(0);
    if (!chain) return chain.error();
    if (!greedy) return greedy.error();
    std::vector<float> timed;  // [kTimed][hidden_size]: the last ones
    while (moments.count() < states) {
      if (!told(0.5 * static_cast<double>(moments.count()) / static_cast<double>(states))) return stopped;
      TRY(writer.write(*chain, moments));
      if (moments.count() + kTimed < states + kSequences) continue;
      timed.insert(timed.end(), writer.state(0), writer.state(kSequences));
    }

    ScreenOptions how;
    how.seed = options.seed + 1;
    how.threads = impl.options.threads;
    how.progress = [&](float fraction) { return told(0.5 + 0.5 * static_cast<double>(fraction)); };
    const auto screen = make_screen(matrix, moments, how);
    if (!screen) return screen.error();

    result.states = moments.count();
    result.screen_bytes = screen->panels().bytes();
    result.head_bytes = matrix.bytes();

    const auto screened =
        make_screened_head(matrix, *screen, Certificate::kDithered, impl.transformer->kernels());
    Stopwatch full_time(*impl.head, *greedy, impl.options.threads);
    Stopwatch screened_time(*screened, *greedy, impl.options.threads);
    if (!full_time.ok() || !screened_time.ok()) throw std::bad_alloc();
    for (const float* state = timed.data(); state != timed.data() + timed.size(); state += matrix.cols) {
      full_time.run(state);
      screened_time.run(state);
    }
    result.full_s = full_time.median();
    result.screened_s = screened_time.median();
    // Last, so that a failure leaves no file.
    TRY(write_screen(*screen, matrix, result.path));
    return result;
  });
}

}  // namespace partita
