#include "api/serving/scheduler.h"

#include <algorithm>
#include <chrono>

#include "api/clock.h"
#include "api/trace_nan.h"
#include "weights/catch_all.h"

namespace partita::internal {
namespace {

/// An estimate until step times are measured: all rows where a layer has up to 4 MB of weights, fewer for
/// larger ones.
std::size_t first_prompt_rows(const LoadedModel& model) {
  const std::size_t body =
      model.info.bytes_per_token - std::min(model.info.bytes_per_token, model.head->bytes_per_row());
  const std::size_t layer_bytes = body / std::max<std::size_t>(model.info.layers, 1);
  return kStepRows * (std::size_t{4} << 20) / std::max<std::size_t>(layer_bytes, 1);
}

/// Rows of hidden states that a step can ask for.
std::size_t max_questions(std::size_t max_sequences) { return 2 * max_sequences + kMaxDraftTokensPerStep; }

}  // namespace

Scheduler::Scheduler(std::shared_ptr<const LoadedModel> model, const SchedulerOptions& options)
    : model_(std::move(model)),
      engine_(model_->transformer, model_->options.threads, kStepRows),
      planner_(options, model_->info.layers, first_prompt_rows(*model_), engine_.roles_differ()),
      max_sequences_(0) {
  grow(options.max_sequences);
}

void Scheduler::grow(std::size_t max_sequences) {
  if (max_sequences <= max_sequences_) return;
  hidden_.resize(max_questions(max_sequences) * model_->info.hidden_size);
  head_scratch_ = model_->head_scratch(max_questions(max_sequences));
  max_sequences_ = max_sequences;
}

Result<std::size_t> Scheduler::read_chunk(std::span<const TokenId> ids, std::size_t prompt, KvSequence& cache,
                                          Outputs outputs, float* hidden, const std::atomic<bool>* cancel) {
  const auto start = std::chrono::steady_clock::now();
  const std::size_t known = cache.length();
  const Role role = known < prompt ? Role::kPrompt : Role::kGenerated;
  const auto rest = ids.first(known < prompt ? prompt : ids.size()).subspan(known);
  const auto tokens = rest.first(std::min(rest.size(), planner_.prompt_rows(known)));
  const std::size_t last = known + tokens.size() == ids.size() ? 1 : 0;
  const Chunk chunk{&cache, tokens, role, outputs == Outputs::kAll ? tokens.size() : last};
  if (auto done = engine_.step({&chunk, 1}, hidden, cancel); !done) return done.error();
  StepRows prompts;
  prompts.add(tokens.size(), known);
  planner_.learn({}, prompts, seconds_since(start));
  return tokens.size();
}

void Scheduler::make_chunks(Sequences sequences) {
  chunks_.clear();
  for (const PlannedChunk& chunk : plan_) {
    const Sequence::Track track = sequences[chunk.index]->track(chunk.track);
    const auto ids = chunk.draft_tokens > 0 ? sequences[chunk.index]->ids_with_draft() : track.ids;
    chunks_.push_back({track.cache, ids.subspan(track.cache->length(), chunk.count + chunk.draft_tokens),
                       chunk.role, chunk.outputs()});
  }
}

void Scheduler::ask(Sequences sequences) {
  questions_.clear();
  const float* hidden = hidden_.data();
  const std::size_t width = model_->info.hidden_size;
  for (const PlannedChunk& chunk : plan_) {
    if (chunk.asks && chunk.track == 0) {
      const Sequence& sequence = *sequences[chunk.index];
      // Both tracks of a sequence are asked in one step, one chunk after the other.
      const float* negative = sequence.tracks() == 1 ? nullptr : hidden + width;
      for (std::size_t i = 0; i <= chunk.draft_tokens; ++i) {
        questions_.push_back(sequence.question(hidden + i * width, negative, i));
      }
    }
    hidden += chunk.outputs() * width;
  }
}

/// Accepts the answers after a chunk: the next token, and one more for each draft token that was right.
void Scheduler::accept(Sequence& sequence, const PlannedChunk& chunk, std::span<const Result<Answer>> answers,
                       std::vector<Outcome>& outcomes, const std::atomic<bool>* cancel) {
  for (const Result<Answer>& answer : answers) {
    if (!answer) {
      counts_.bad_rows += answer.error().code == ErrorCode::kBadNumbers ? 1 : 0;
      outcomes.push_back({chunk.index, catch_all([&]() -> Result<Token> {
                            return sequence.at_next(explained(sequence, answer, cancel));
                          })});
      sequence.drop_draft();
      break;
    }
    const TokenId expected =
        sequence.draft_size() > 0 ? sequence.ids_with_draft()[sequence.ids().size()] : -1;
    Result<Token> token = catch_all([&]() -> Result<Token> { return sequence.accept(*answer); });
    if (!token) {  // its state may be incomplete
      outcomes.push_back({chunk.index, token.error()});
      sequence.drop_draft();
      break;
    }
    ++counts_.tokens;
    counts_.unsure += token->unsure ? 1 : 0;
    counts_.abstained += sequence.finish() == Finish::kAbstain ? 1 : 0;
    const bool goes_on = sequence.finish() == Finish::kNone && token->id == expected;
    outcomes.push_back({chunk.index, std::move(token), sequence.finish()});
    if (!goes_on) break;
  }
  // Removes rejected draft tokens from the cache.
  if (chunk.draft_tokens > 0)
    sequence.cache().truncate(std::min(sequence.cache().length(), sequence.ids().size() - 1));
}

/// The error of an answer, with the place where NaN began if it is known.
Error Scheduler::explained(const Sequence& sequence, const Result<Answer>& answer,
                           const std::atomic<bool>* cancel) const {
  const Question& question = questions_[static_cast<std::size_t>(&answer - answers_.data())];
  Error error =
      traced(*model_, answer.error(), question.hidden, sequence.ids(), sequence.prompt().size(), cancel);
  if (question.negative == nullptr || error.message != answer.error().message) return error;
  const Sequence::Track negative = sequence.track(1);
  return traced(*model_, error, question.negative, negative.ids, negative.prompt_size, cancel);
}

Result<void> Scheduler::compute_answers(Sequences sequences) {
  return catch_all([&]() -> Result<void> {
    ask(sequences);
    if (questions_.empty()) return {};
    answers_.assign(questions_.size(), Answer{});
    model_->head->answer(questions_, *head_scratch_, answers_);
    return {};
  });
}

/// After a step whose answers failed: removes the ids that ask from the caches, so that they are read again.
void Scheduler::roll_back(Sequences sequences) {
  for (const PlannedChunk& chunk : plan_) {
    if (!chunk.asks) continue;
    KvSequence& cache = *sequences[chunk.index]->track(chunk.track).cache;
    cache.truncate(cache.length() - 1 - chunk.draft_tokens);
  }
  for (Sequence* sequence : sequences) sequence->drop_draft();
}

void Scheduler::accept_all(Sequences sequences, Timing& timing, std::vector<Outcome>& outcomes,
                           const std::atomic<bool>* cancel) {
  std::span<const Result<Answer>> rest = answers_;
  for (const PlannedChunk& chunk : plan_) {
    if (!chunk.asks || chunk.track != 0) continue;
    Sequence& sequence = *sequences[chunk.index];
    const std::size_t before = sequence.ids().size();
    accept(sequence, chunk, rest.first(chunk.outputs()), outcomes, cancel);
    rest = rest.subspan(chunk.outputs());
    const std::size_t more = sequence.ids().size() - before;
    timing.draft_tokens += chunk.draft_tokens;
    timing.accepted_tokens += more - std::min<std::size_t>(more, 1);
  }
}

void Scheduler::learn(Sequences sequences, double seconds) {
  StepRows answers, prompts;
  for (const PlannedChunk& chunk : plan_) {
    const std::size_t after = sequences[chunk.index]->track(chunk.track).cache->length();
    const bool is_answer = chunk.count == 1 && chunk.asks;
    const std::size_t rows = chunk.count + (is_answer ? chunk.draft_tokens : 0);
    (is_answer ? answers : prompts).add(rows, after - std::min(after, rows));
  }
  planner_.learn(answers, prompts, seconds);
}

void Scheduler::count(double seconds, Timing& timing) {
  std::size_t prompt_rows = 0, generated_rows = 0;
  for (const PlannedChunk& chunk : plan_)
    (chunk.role == Role::kPrompt ? prompt_rows : generated_rows) += chunk.count;
  const double rows = static_cast<double>(prompt_rows + generated_rows);
  const double prompt_share = static_cast<double>(prompt_rows) / rows;
  timing.prefill_tokens += prompt_rows;
  timing.decode_tokens += generated_rows;
  timing.prefill_s += seconds * prompt_share;
  timing.decode_s += seconds * (1 - prompt_share);
}

Result<void> Scheduler::step(Sequences sequences, const std::atomic<bool>* cancel, Timing& timing,
                             std::vector<Outcome>& outcomes) {
  const auto start = std::chrono::steady_clock::now();
  // No chosen token may be lost: storing it must not throw.
  outcomes.reserve(outcomes.size() + 2 * sequences.size() + kMaxDraftTokensPerStep);
  planner_.plan(sequences, timing, plan_, outcomes);
  if (plan_.empty()) return {};
  const auto planned = std::chrono::steady_clock::now();  // drafting may have taken time
  make_chunks(sequences);
  if (auto done = engine_.step(chunks_, hidden_.data(), cancel); !done) {
    for (Sequence* sequence : sequences) sequence->drop_draft();
    return done;
  }
  if (auto done = compute_answers(sequences); !done) {
    roll_back(sequences);
    return done;
  }
  const std::size_t accepted_before = timing.accepted_tokens;
  accept_all(sequences, timing, outcomes, cancel);
  timing.decode_tokens += timing.accepted_tokens - accepted_before;
  planner_.keep_prefixes(sequences, plan_);
  learn(sequences, seconds_since(planned));
  count(seconds_since(start), timing);
  return {};
}

}  // namespace partita::internal
