#include "api/scheduler.h"

#include <algorithm>
#include <chrono>

#include "api/clock.h"

namespace partita {
namespace {

constexpr std::size_t kFewestRows = 32;  // fewer would read the weights too often

/// A first guess before anything is measured: all rows where a layer has up to 4 MB of weights, fewer for
/// larger ones.
std::size_t first_prompt_rows(const Model::Impl& model) {
  const std::size_t body =
      model.info.bytes_per_token - std::min(model.info.bytes_per_token, model.head->bytes_per_row());
  const std::size_t layer_bytes = body / std::max<std::size_t>(model.info.layers, 1);
  const std::size_t rows = kStepRows * (std::size_t{4} << 20) / std::max<std::size_t>(layer_bytes, 1);
  return std::clamp(rows, kFewestRows, kStepRows);
}

}  // namespace

Scheduler::Scheduler(std::shared_ptr<const Model::Impl> model, std::size_t max_sequences)
    : model_(std::move(model)),
      engine_(model_->transformer, model_->options.threads, kStepRows),
      head_scratch_(model_->head_scratch(max_sequences)),
      prompt_rows_(first_prompt_rows(*model_)),
      hidden_(max_sequences * model_->info.hidden_size) {}

Result<void> Scheduler::read_piece(std::span<const TokenId> ids, std::size_t prompt, KvSequence& cache,
                                   float* hidden, const std::atomic<bool>* cancel) {
  const auto start = std::chrono::steady_clock::now();
  const std::size_t known = cache.length();
  const Role role = known < prompt ? Role::kPrompt : Role::kGenerated;
  const auto rest = ids.first(known < prompt ? prompt : ids.size()).subspan(known);
  const auto piece = rest.first(std::min(rest.size(), prompt_rows_));
  const bool last = known + piece.size() == ids.size();
  const Chunk chunk{&cache, piece, role, last ? std::size_t{1} : std::size_t{0}};
  if (auto done = engine_.step({&chunk, 1}, hidden, cancel); !done) return done;
  adapt_pieces(role == Role::kPrompt ? piece.size() : 0, seconds_since(start));
  return {};
}

bool Scheduler::make_room(std::span<Sequence* const> sequences, const Piece& piece,
                          std::vector<Outcome>& outcomes) {
  Sequence& needy = *sequences[piece.index];
  auto reserved = needy.cache().reserve(piece.count);
  for (std::size_t j = sequences.size(); !reserved && j > piece.index + 1; --j) {
    if (reserved.error().code != ErrorCode::kOutOfMemory) break;
    sequences[j - 1]->cache().truncate(0);
    reserved = needy.cache().reserve(piece.count);
  }
  if (reserved) return true;
  const bool others_hold_pages =
      std::any_of(sequences.begin(), sequences.begin() + static_cast<std::ptrdiff_t>(piece.index),
                  [](const Sequence* s) { return s->cache().length() > 0; }) ||
      !pieces_.empty();
  if (reserved.error().code == ErrorCode::kOutOfMemory && others_hold_pages) return false;  // waits for them
  outcomes.push_back({piece.index, reserved.error()});
  return false;
}

void Scheduler::plan(std::span<Sequence* const> sequences, std::vector<Outcome>& outcomes) {
  pieces_.clear();
  const auto single = static_cast<std::size_t>(
      std::count_if(sequences.begin(), sequences.end(), [](const Sequence* s) { return s->pending() == 1; }));
  std::size_t budget = std::min(prompt_rows_, kStepRows - single);  // for everything longer than one token
  for (std::size_t i = 0; i < sequences.size(); ++i) {
    const Sequence& sequence = *sequences[i];
    const std::size_t pending = sequence.pending();
    const std::size_t rows = pending == 1 ? 1 : std::min(pending, budget);
    if (rows == 0) continue;
    const std::size_t start = sequence.cache().length();
    const std::size_t prompt = sequence.prompt().size();
    Piece piece;
    piece.index = i;
    piece.role = start < prompt ? Role::kPrompt : Role::kGenerated;
    piece.count = start < prompt ? std::min(rows, prompt - start) : rows;
    piece.asks = piece.count == pending;
    if (!make_room(sequences, piece, outcomes)) continue;
    if (pending > 1) budget -= piece.count;
    pieces_.push_back(piece);
  }
}

void Scheduler::answer(std::span<Sequence* const> sequences, std::vector<Outcome>& outcomes) {
  questions_.clear();
  for (const Piece& piece : pieces_) {
    if (!piece.asks) continue;
    questions_.push_back(
        sequences[piece.index]->question(hidden_.data() + questions_.size() * model_->info.hidden_size));
  }
  if (questions_.empty()) return;
  answers_.assign(questions_.size(), Answer{});
  model_->head->answer(questions_, *head_scratch_, answers_);

  std::size_t row = 0;
  for (const Piece& piece : pieces_) {
    if (!piece.asks) continue;
    Sequence& sequence = *sequences[piece.index];
    const Result<Answer>& answer = answers_[row++];
    if (answer) {
      Token token = sequence.accept(*answer);
      ++counts_.tokens;
      counts_.unsure += token.unsure ? 1 : 0;
      counts_.abstained += sequence.finish() == Finish::kAbstain ? 1 : 0;
      outcomes.push_back({piece.index, std::move(token)});
    } else {
      counts_.bad_rows += answer.error().code == ErrorCode::kBadNumbers ? 1 : 0;
      outcomes.push_back({piece.index, sequence.at_next(answer.error())});
    }
  }
}

void Scheduler::adapt_pieces(std::size_t prompt_rows, double seconds) {
  if (prompt_rows < kFewestRows) return;  // too little to learn from
  const double allowed = kLayerSeconds * static_cast<double>(model_->info.layers);
  const double rows = static_cast<double>(prompt_rows) * allowed / std::max(seconds, 1e-9);
  prompt_rows_ = static_cast<std::size_t>(
      std::clamp(rows, static_cast<double>(kFewestRows), static_cast<double>(kStepRows)));
}

Result<void> Scheduler::step(std::span<Sequence* const> sequences, const std::atomic<bool>* cancel,
                             Timing& timing, std::vector<Outcome>& outcomes) {
  const auto start = std::chrono::steady_clock::now();
  plan(sequences, outcomes);
  if (pieces_.empty()) return {};
  chunks_.clear();
  std::size_t prompt_rows = 0, generated_rows = 0;
  for (const Piece& piece : pieces_) {
    const Sequence& sequence = *sequences[piece.index];
    const auto tokens = sequence.ids().subspan(sequence.cache().length(), piece.count);
    chunks_.push_back({&sequence.cache(), tokens, piece.role, piece.asks ? std::size_t{1} : std::size_t{0}});
    (piece.role == Role::kPrompt ? prompt_rows : generated_rows) += piece.count;
  }
  if (auto done = engine_.step(chunks_, hidden_.data(), cancel); !done) return done;
  answer(sequences, outcomes);

  const double seconds = seconds_since(start);
  const double prompt_share =
      static_cast<double>(prompt_rows) / static_cast<double>(prompt_rows + generated_rows);
  adapt_pieces(prompt_rows, seconds);
  timing.prefill_tokens += prompt_rows;
  timing.decode_tokens += generated_rows;
  timing.prefill_s += seconds * prompt_share;
  timing.decode_s += seconds * (1 - prompt_share);
  return {};
}

}  // namespace partita
