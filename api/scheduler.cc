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
      max_sequences_(max_sequences),
      hidden_(2 * max_sequences * model_->info.hidden_size) {}

void Scheduler::grow(std::size_t max_sequences) {
  if (max_sequences <= max_sequences_) return;
  hidden_.resize(2 * max_sequences * model_->info.hidden_size);
  head_scratch_ = model_->head_scratch(max_sequences);
  max_sequences_ = max_sequences;
}

Result<std::size_t> Scheduler::read_piece(std::span<const TokenId> ids, std::size_t prompt, KvSequence& cache,
                                          Outputs outputs, float* hidden, const std::atomic<bool>* cancel) {
  const auto start = std::chrono::steady_clock::now();
  const std::size_t known = cache.length();
  const Role role = known < prompt ? Role::kPrompt : Role::kGenerated;
  const auto rest = ids.first(known < prompt ? prompt : ids.size()).subspan(known);
  const auto piece = rest.first(std::min(rest.size(), prompt_rows_));
  const std::size_t last = known + piece.size() == ids.size() ? 1 : 0;
  const Chunk chunk{&cache, piece, role, outputs == Outputs::kAll ? piece.size() : last};
  if (auto done = engine_.step({&chunk, 1}, hidden, cancel); !done) return done.error();
  adapt_pieces(role == Role::kPrompt ? piece.size() : 0, seconds_since(start));
  return piece.size();
}

bool Scheduler::make_room(std::span<Sequence* const> sequences, const Piece& piece,
                          std::vector<Outcome>& outcomes) {
  KvSequence& needy = *sequences[piece.index]->track(piece.track).cache;
  auto reserved = needy.reserve(piece.count);
  for (std::size_t j = sequences.size(); !reserved && j > piece.index + 1; --j) {
    if (reserved.error().code != ErrorCode::kOutOfMemory) break;
    const Sequence& younger = *sequences[j - 1];
    for (std::size_t t = 0; t < younger.tracks(); ++t) younger.track(t).cache->truncate(0);
    reserved = needy.reserve(piece.count);
  }
  if (reserved) return true;
  const auto holds_pages = [](const Sequence* s) {
    return s->cache().length() > 0 || (s->tracks() > 1 && s->track(1).cache->length() > 0);
  };
  const bool others_hold_pages =
      std::any_of(sequences.begin(), sequences.begin() + static_cast<std::ptrdiff_t>(piece.index),
                  holds_pages) ||
      std::any_of(pieces_.begin(), pieces_.end(),
                  [&](const Piece& other) { return other.index != piece.index; });
  if (reserved.error().code == ErrorCode::kOutOfMemory && others_hold_pages) return false;  // waits for them
  outcomes.push_back({piece.index, reserved.error()});
  return false;
}

/// Plans up to `rows` ids of a track; false if there is no room for them now.
bool Scheduler::add_piece(std::span<Sequence* const> sequences, std::size_t index, std::size_t which,
                          std::size_t rows, std::vector<Outcome>& outcomes) {
  const Sequence::Track track = sequences[index]->track(which);
  const std::size_t start = track.cache->length();
  Piece piece;
  piece.index = index;
  piece.track = which;
  piece.role = start < track.prompt_size ? Role::kPrompt : Role::kGenerated;
  piece.count = start < track.prompt_size ? std::min(rows, track.prompt_size - start) : rows;
  piece.asks = piece.count == track.pending;
  if (!make_room(sequences, piece, outcomes)) return false;
  pieces_.push_back(piece);
  return true;
}

void Scheduler::plan(std::span<Sequence* const> sequences, std::vector<Outcome>& outcomes) {
  // The last ids of both tracks of a sequence with guidance are read in one step; the first to get there
  // waits.
  const auto is_ready = [](const Sequence* s) {
    return s->track(0).pending == 1 && (s->tracks() == 1 || s->track(1).pending == 1);
  };
  pieces_.clear();
  std::size_t single = 0;
  for (const Sequence* s : sequences) single += is_ready(s) ? s->tracks() : 0;
  std::size_t left = kStepRows;
  std::size_t budget = std::min(prompt_rows_, left - std::min(single, left));  // for all but single tokens
  for (std::size_t i = 0; i < sequences.size(); ++i) {
    const std::size_t tracks = sequences[i]->tracks();
    if (is_ready(sequences[i])) {
      const std::size_t planned = pieces_.size();
      bool all = tracks <= left;
      for (std::size_t t = 0; all && t < tracks; ++t) all = add_piece(sequences, i, t, 1, outcomes);
      if (!all) pieces_.resize(planned);
      left -= pieces_.size() - planned;
      continue;
    }
    for (std::size_t t = 0; t < tracks; ++t) {
      const std::size_t pending = sequences[i]->track(t).pending;
      // With guidance, all but the last id: that one is for the step of both tracks.
      const std::size_t rows = std::min(pending - std::min(pending, tracks - 1), budget);
      if (rows == 0) continue;
      if (!add_piece(sequences, i, t, rows, outcomes)) break;
      budget -= pieces_.back().count;
    }
  }
}

void Scheduler::answer(std::span<Sequence* const> sequences, std::vector<Outcome>& outcomes) {
  questions_.clear();
  const float* hidden = hidden_.data();
  for (const Piece& piece : pieces_) {
    if (!piece.asks) continue;
    if (piece.track == 0) {
      const Sequence& sequence = *sequences[piece.index];
      // Both tracks of a sequence are asked in one step, one piece after the other.
      const float* negative = sequence.tracks() == 1 ? nullptr : hidden + model_->info.hidden_size;
      questions_.push_back(sequence.question(hidden, negative));
    }
    hidden += model_->info.hidden_size;
  }
  if (questions_.empty()) return;
  answers_.assign(questions_.size(), Answer{});
  model_->head->answer(questions_, *head_scratch_, answers_);

  std::size_t row = 0;
  for (const Piece& piece : pieces_) {
    if (!piece.asks || piece.track != 0) continue;
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
    const Sequence::Track track = sequences[piece.index]->track(piece.track);
    const auto tokens = track.ids.subspan(track.cache->length(), piece.count);
    chunks_.push_back({track.cache, tokens, piece.role, piece.asks ? std::size_t{1} : std::size_t{0}});
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
