#include "api/scheduler.h"

#include <algorithm>
#include <chrono>

namespace partita {
namespace {

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

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
      max_sequences_(max_sequences),
      hidden_(max_sequences * model_->info.hidden_size) {}

void Scheduler::grow(std::size_t max_sequences) {
  if (max_sequences <= max_sequences_) return;
  hidden_.resize(max_sequences * model_->info.hidden_size);
  head_scratch_ = model_->head_scratch(max_sequences);
  max_sequences_ = max_sequences;
}

Result<std::size_t> Scheduler::read_piece(std::span<const TokenId> ids, KvSequence& cache, bool all,
                                          float* hidden, const std::atomic<bool>* cancel, Timing& timing) {
  const auto start = std::chrono::steady_clock::now();
  const auto rest = ids.subspan(cache.length());
  const auto piece = rest.first(std::min(rest.size(), prompt_rows_));
  const std::size_t last = piece.size() == rest.size() ? 1 : 0;
  const Chunk chunk{&cache, piece, Role::kPrompt, all ? piece.size() : last};
  if (auto done = engine_.step({&chunk, 1}, hidden, cancel); !done) return done.error();
  const double seconds = seconds_since(start);
  adapt_pieces(piece.size(), seconds);
  timing.prefill_tokens += piece.size();
  timing.prefill_s += seconds;
  return piece.size();
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
      outcomes.push_back({piece.index, sequence.accept(*answer)});
    } else {
      Error error = answer.error();
      error.message = "token " + std::to_string(sequence.ids().size()) + " of the sequence: " + error.message;
      outcomes.push_back({piece.index, std::move(error)});
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
