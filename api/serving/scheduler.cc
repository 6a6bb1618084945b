#include "api/serving/scheduler.h"

#include <algorithm>
#include <chrono>

#include "api/clock.h"
#include "weights/catch_all.h"

namespace partita {
namespace {

/// A first guess before anything is measured: all rows where a layer has up to 4 MB of weights, fewer for
/// larger ones.
std::size_t first_prompt_rows(const Model::Impl& model) {
  const std::size_t body =
      model.info.bytes_per_token - std::min(model.info.bytes_per_token, model.head->bytes_per_row());
  const std::size_t layer_bytes = body / std::max<std::size_t>(model.info.layers, 1);
  return kStepRows * (std::size_t{4} << 20) / std::max<std::size_t>(layer_bytes, 1);
}

/// Rows of hidden states that a step can ask for.
std::size_t most_questions(std::size_t max_sequences) { return 2 * max_sequences + kMostGuesses; }

}  // namespace

Scheduler::Scheduler(std::shared_ptr<const Model::Impl> model, const SchedulerOptions& options)
    : model_(std::move(model)),
      engine_(model_->transformer, model_->options.threads, kStepRows),
      planner_(options, model_->info.layers, first_prompt_rows(*model_), engine_.roles_differ()),
      max_sequences_(0) {
  grow(options.max_sequences);
}

void Scheduler::grow(std::size_t max_sequences) {
  if (max_sequences <= max_sequences_) return;
  hidden_.resize(most_questions(max_sequences) * model_->info.hidden_size);
  head_scratch_ = model_->head_scratch(most_questions(max_sequences));
  max_sequences_ = max_sequences;
}

Result<std::size_t> Scheduler::read_piece(std::span<const TokenId> ids, std::size_t prompt, KvSequence& cache,
                                          Outputs outputs, float* hidden, const std::atomic<bool>* cancel) {
  const auto start = std::chrono::steady_clock::now();
  const std::size_t known = cache.length();
  const Role role = known < prompt ? Role::kPrompt : Role::kGenerated;
  const auto rest = ids.first(known < prompt ? prompt : ids.size()).subspan(known);
  const auto piece = rest.first(std::min(rest.size(), planner_.prompt_rows(known)));
  const std::size_t last = known + piece.size() == ids.size() ? 1 : 0;
  const Chunk chunk{&cache, piece, role, outputs == Outputs::kAll ? piece.size() : last};
  if (auto done = engine_.step({&chunk, 1}, hidden, cancel); !done) return done.error();
  StepRows prompts;
  prompts.add(piece.size(), known);
  planner_.learn({}, prompts, seconds_since(start));
  return piece.size();
}

void Scheduler::make_chunks(Sequences sequences) {
  chunks_.clear();
  for (const Piece& piece : pieces_) {
    const Sequence::Track track = sequences[piece.index]->track(piece.track);
    const auto ids = piece.guesses > 0 ? sequences[piece.index]->ids_with_guesses() : track.ids;
    chunks_.push_back({track.cache, ids.subspan(track.cache->length(), piece.count + piece.guesses),
                       piece.role, piece.outputs()});
  }
}

void Scheduler::ask(Sequences sequences) {
  questions_.clear();
  const float* hidden = hidden_.data();
  const std::size_t width = model_->info.hidden_size;
  for (const Piece& piece : pieces_) {
    if (piece.asks && piece.track == 0) {
      const Sequence& sequence = *sequences[piece.index];
      // Both tracks of a sequence are asked in one step, one piece after the other.
      const float* negative = sequence.tracks() == 1 ? nullptr : hidden + width;
      for (std::size_t i = 0; i <= piece.guesses; ++i) {
        questions_.push_back(sequence.question(hidden + i * width, negative, i));
      }
    }
    hidden += piece.outputs() * width;
  }
}

/// Takes in the answers after a piece: one, and those after guesses as long as these were right.
void Scheduler::accept(Sequence& sequence, const Piece& piece, std::span<const Result<Answer>> answers,
                       std::vector<Outcome>& outcomes) {
  for (const Result<Answer>& answer : answers) {
    if (!answer) {
      counts_.bad_rows += answer.error().code == ErrorCode::kBadNumbers ? 1 : 0;
      outcomes.push_back(
          {piece.index, guarded([&]() -> Result<Token> { return sequence.at_next(answer.error()); })});
      sequence.drop_guesses();
      break;
    }
    const TokenId guess = sequence.guesses() > 0 ? sequence.ids_with_guesses()[sequence.ids().size()] : -1;
    Result<Token> token = guarded([&]() -> Result<Token> { return sequence.accept(*answer); });
    if (!token) {  // what it remembers is not whole any more
      outcomes.push_back({piece.index, token.error()});
      sequence.drop_guesses();
      break;
    }
    ++counts_.tokens;
    counts_.unsure += token->unsure ? 1 : 0;
    counts_.abstained += sequence.finish() == Finish::kAbstain ? 1 : 0;
    const bool goes_on = sequence.finish() == Finish::kNone && token->id == guess;
    outcomes.push_back({piece.index, std::move(token), sequence.finish()});
    if (!goes_on) break;
  }
  // What wrong guesses have left in the cache.
  if (piece.guesses > 0)
    sequence.cache().truncate(std::min(sequence.cache().length(), sequence.ids().size() - 1));
}

Result<void> Scheduler::compute_answers(Sequences sequences) {
  return guarded([&]() -> Result<void> {
    ask(sequences);
    if (questions_.empty()) return {};
    answers_.assign(questions_.size(), Answer{});
    model_->head->answer(questions_, *head_scratch_, answers_);
    return {};
  });
}

/// After a step whose answers could not be had: the ids that ask are unread again.
void Scheduler::take_back(Sequences sequences) {
  for (const Piece& piece : pieces_) {
    if (!piece.asks) continue;
    KvSequence& cache = *sequences[piece.index]->track(piece.track).cache;
    cache.truncate(cache.length() - 1 - piece.guesses);
  }
  for (Sequence* sequence : sequences) sequence->drop_guesses();
}

void Scheduler::take_in(Sequences sequences, Timing& timing, std::vector<Outcome>& outcomes) {
  std::span<const Result<Answer>> rest = answers_;
  for (const Piece& piece : pieces_) {
    if (!piece.asks || piece.track != 0) continue;
    Sequence& sequence = *sequences[piece.index];
    const std::size_t before = sequence.ids().size();
    accept(sequence, piece, rest.first(piece.outputs()), outcomes);
    rest = rest.subspan(piece.outputs());
    const std::size_t more = sequence.ids().size() - before;
    timing.guessed += piece.guesses;
    timing.guessed_right += more - std::min<std::size_t>(more, 1);
  }
}

void Scheduler::learn(Sequences sequences, double seconds) {
  StepRows answers, prompts;
  for (const Piece& piece : pieces_) {
    const std::size_t after = sequences[piece.index]->track(piece.track).cache->length();
    const bool is_answer = piece.count == 1 && piece.asks;
    const std::size_t rows = piece.count + (is_answer ? piece.guesses : 0);
    (is_answer ? answers : prompts).add(rows, after - std::min(after, rows));
  }
  planner_.learn(answers, prompts, seconds);
}

void Scheduler::count(double seconds, Timing& timing) {
  std::size_t prompt_rows = 0, generated_rows = 0;
  for (const Piece& piece : pieces_)
    (piece.role == Role::kPrompt ? prompt_rows : generated_rows) += piece.count;
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
  // A token that is chosen must find its place: nothing may throw between the two.
  outcomes.reserve(outcomes.size() + 2 * sequences.size() + kMostGuesses);
  planner_.plan(sequences, timing, pieces_, outcomes);
  if (pieces_.empty()) return {};
  const auto planned = std::chrono::steady_clock::now();  // guesses may have taken time
  make_chunks(sequences);
  if (auto done = engine_.step(chunks_, hidden_.data(), cancel); !done) {
    for (Sequence* sequence : sequences) sequence->drop_guesses();
    return done;
  }
  if (auto done = compute_answers(sequences); !done) {
    take_back(sequences);
    return done;
  }
  const std::size_t right = timing.guessed_right;
  take_in(sequences, timing, outcomes);
  timing.decode_tokens += timing.guessed_right - right;
  planner_.keep_prefixes(sequences, pieces_);
  learn(sequences, seconds_since(planned));
  count(seconds_since(start), timing);
  return {};
}

}  // namespace partita
