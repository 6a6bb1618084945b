#include "api/serving/step_plan.h"

#include <algorithm>
#include <new>

namespace partita {
namespace {

/// Cancelling is noticed before every layer, so a layer must not take long: prompt pieces are made as large
/// as this many seconds a layer allow. (What a token gets does not depend on the size of the piece it came
/// in.)
constexpr double kLayerSeconds = 0.05;

constexpr std::size_t kFewestRows = 32;  // fewer would read the weights too often, where nobody waits
constexpr double kUnbounded = std::numeric_limits<double>::infinity();
constexpr double kWorthIt = 1.05;  // guesses must promise so many times what there is without

/// The last ids of both tracks of a sequence with guidance are read in one step; the first to get there
/// waits.
bool is_ready(const Sequence& s) {
  return s.track(0).pending == 1 && (s.tracks() == 1 || s.track(1).pending == 1);
}

bool reads_prompt(const Sequence& s) { return !is_ready(s) && s.pending() > 0; }

std::size_t unread(const Sequence& s) {
  std::size_t ids = 0;
  for (std::size_t t = 0; t < s.tracks(); ++t) ids += s.track(t).pending;
  return ids;
}

/// The rows of an answer's next step.
void add_answer(const Sequence& s, StepRows& rows) {
  for (std::size_t t = 0; t < s.tracks(); ++t) rows.add(1, s.track(t).cache->length());
}

/// Tokens of whole pages that two prompts have in common at their beginning.
std::size_t common_pages(std::span<const TokenId> a, std::span<const TokenId> b) {
  const auto same = std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first - a.begin();
  return static_cast<std::size_t>(same) / kPageTokens * kPageTokens;
}

}  // namespace

StepPlanner::StepPlanner(const SchedulerOptions& options, std::size_t layers, std::size_t first_prompt_rows,
                         bool roles_differ)
    : options_(options),
      most_seconds_(kLayerSeconds * static_cast<double>(layers)),
      first_prompt_rows_(std::clamp(first_prompt_rows, kFewestRows, kStepRows)),
      roles_differ_(roles_differ) {}

/// What names the tokens of a track in the prefix cache: their ids, and where roles compute differently the
/// role, as a sign.
std::span<const TokenId> StepPlanner::keys(const Sequence::Track& track) {
  if (!roles_differ_) return track.ids;
  keys_.assign(track.ids.begin(), track.ids.end());
  for (std::size_t i = track.prompt_size; i < keys_.size(); ++i) keys_[i] = ~keys_[i];
  return keys_;
}

void StepPlanner::take_up_prefixes(Sequences sequences, Timing& timing) {
  for (const Sequence* sequence : sequences) {
    for (std::size_t t = 0; t < sequence->tracks(); ++t) {
      const Sequence::Track track = sequence->track(t);
      if (track.pending <= kPageTokens / 2) continue;  // little to win
      const std::size_t before = track.cache->length();
      // The last id is read here in any case: its hidden state is what the next token comes from.
      if (options_.prefixes->take_up(keys(track).first(track.ids.size() - 1), *track.cache)) {
        timing.shared_tokens += track.cache->length() - before;
      }
    }
  }
}

/// Whether another sequence before this one is about to read whole pages of the same ids.
bool StepPlanner::waits_for_prefix(Sequences sequences, std::size_t index) const {
  if (options_.prefixes == nullptr) return false;
  const Sequence& own = *sequences[index];
  const auto ids = own.prompt().first(own.prompt().size() - 1);
  for (std::size_t j = 0; j < index; ++j) {
    if (!reads_prompt(*sequences[j])) continue;
    const std::size_t shared = common_pages(ids, sequences[j]->prompt());
    if (shared > own.cache().length() && shared > sequences[j]->cache().length()) return true;
  }
  return false;
}

std::size_t StepPlanner::prompt_rows(std::size_t depth) const {
  if (!cost_.knows_prompts()) return first_prompt_rows_;
  const double rows = cost_.prompt_rows(most_seconds_, depth);
  return static_cast<std::size_t>(
      std::clamp(rows, static_cast<double>(kFewestRows), static_cast<double>(kStepRows)));
}

void StepPlanner::share_out(Sequences sequences) {
  shares_.assign(sequences.size(), {});
  std::size_t rows = 0, prompts = 0;
  StepRows answers;
  for (std::size_t i = 0; i < sequences.size(); ++i) {
    const Sequence& s = *sequences[i];
    const std::size_t kept = std::min<std::size_t>(prompts, 1);  // a row for a prompt before this one
    if (is_ready(s) && rows + s.tracks() + kept <= options_.step_rows) {
      shares_[i] = {.rows = s.tracks(), .answers = true};
      rows += s.tracks();
      add_answer(s, answers);
    } else if (reads_prompt(s) && !waits_for_prefix(sequences, i)) {
      shares_[i].reads = true;
      ++prompts;
    }
  }
  if (prompts > 0) share_out_prompts(sequences, allowance(rows, answers), prompts);
}

/// What the prompts of a step may have in all.
StepPlanner::Allowance StepPlanner::allowance(std::size_t taken, const StepRows& answers) const {
  Allowance all{std::min(options_.step_rows - taken, prompt_rows(0))};
  if (taken == 0 || options_.most_delay == kUnbounded) return all;
  if (cost_.knows_answers() && cost_.knows_prompts()) {
    all.seconds = (options_.most_delay - 1) * cost_.answers(answers);
  } else {
    all.rows = std::min(all.rows, taken);  // which take about as long as these
  }
  return all;
}

/// How many ids of a prompt an allowance lets be read.
std::size_t StepPlanner::fitting_rows(const Sequence& sequence, const Allowance& allowed) const {
  const std::size_t depth = sequence.cache().length(), rows = std::min(unread(sequence), allowed.rows);
  if (allowed.seconds == kUnbounded) return std::min(rows, prompt_rows(depth));
  return static_cast<std::size_t>(
      std::min(cost_.prompt_rows(allowed.seconds, depth), static_cast<double>(rows)));
}

void StepPlanner::share_out_prompts(Sequences sequences, Allowance left, std::size_t prompts) {
  const Allowance part{left.rows / prompts, left.seconds / static_cast<double>(prompts)};
  const auto give = [&](std::size_t i, std::size_t rows) {
    StepRows given;
    given.add(rows, sequences[i]->cache().length());
    shares_[i].rows = rows;
    left.rows -= rows;
    left.seconds -= rows > 0 ? cost_.prompts(given) : 0;
  };
  // First those that get through with their part, then the others in order; the first of these reads on
  // whatever it takes.
  const auto is_short = [&](std::size_t i) {
    return fitting_rows(*sequences[i], part) == unread(*sequences[i]);
  };
  long_ones_.clear();
  for (std::size_t i = 0; i < sequences.size(); ++i) {
    if (!shares_[i].reads) continue;
    is_short(i) ? give(i, unread(*sequences[i])) : long_ones_.push_back(i);
  }
  for (const std::size_t i : long_ones_) {
    const std::size_t least = i == long_ones_.front() ? std::min<std::size_t>(left.rows, 1) : 0;
    give(i, std::max(fitting_rows(*sequences[i], left), least));
  }
}

/// Guesses are rows that cost time and promise tokens: for each sequence in turn as many as give the most
/// tokens for the time of the step, and none where that is hardly more than without.
void StepPlanner::guess(Sequences sequences) {
  std::size_t all = 0;  // rows of the step
  StepRows rows;        // of its answers
  double tokens = 0;    // that it will give
  for (std::size_t i = 0; i < sequences.size(); ++i) {
    all += shares_[i].rows;
    if (!shares_[i].answers) continue;
    add_answer(*sequences[i], rows);
    ++tokens;
  }
  std::size_t left = std::min(kMostGuesses, options_.step_rows - std::min(all, options_.step_rows));
  for (std::size_t i = 0; i < sequences.size(); ++i) {
    Sequence& s = *sequences[i];
    if (s.drafter() == nullptr || !shares_[i].answers || s.ids().size() == s.prompt().size()) continue;
    GuessTerms terms{std::min(left, s.room() - 1), kUnbounded, 0};
    const StepRows one{1, static_cast<double>(s.cache().length())};  // each more row of it
    if (!s.always_guesses()) {
      terms.per_token = cost_.answers(rows) / tokens;
      terms.per_row = cost_.answers(rows + one) - cost_.answers(rows);
    }
    auto guesses = s.drafter()->guess(s.ids(), terms);
    if (!s.always_guesses()) guesses = guesses.first(worthwhile(guesses, rows, one, tokens));
    double probability = 1;
    for (const Guess& guess : guesses) tokens += probability *= guess.probability;
    s.guess(guesses);
    for (std::size_t n = 0; n < guesses.size(); ++n) rows = rows + one;
    left -= guesses.size();
  }
}

/// How many guesses, each a row like `one`, to add to a step of such rows that gives so many tokens.
std::size_t StepPlanner::worthwhile(std::span<const Guess> guesses, StepRows rows, const StepRows& one,
                                    double tokens) const {
  std::size_t best = 0;
  double best_rate = kWorthIt * tokens / cost_.answers(rows), probability = 1;
  for (std::size_t n = 1; n <= guesses.size(); ++n) {
    tokens += probability *= guesses[n - 1].probability;
    rows = rows + one;
    const double rate = tokens / cost_.answers(rows);
    if (rate <= best_rate) continue;
    best = n;
    best_rate = rate;
  }
  return best;
}

/// Reserves the room of a piece, at the cost of those that come after it; of a smaller piece where that is
/// all there is. False if it has to wait, or can never go on.
bool StepPlanner::make_room(Sequences sequences, Piece& piece) {
  KvSequence& needy = *sequences[piece.index]->track(piece.track).cache;
  auto reserved = needy.reserve(piece.count);
  const auto is_short = [&] { return !reserved && reserved.error().code == ErrorCode::kOutOfMemory; };
  for (std::size_t j = sequences.size(); is_short() && j > piece.index + 1; --j) {
    const Sequence& later = *sequences[j - 1];
    for (std::size_t t = 0; t < later.tracks(); ++t) later.track(t).cache->truncate(0);
    reserved = needy.reserve(piece.count);
  }
  if (is_short() && others_hold_pages(sequences, piece.index)) return false;  // waits for them
  while (is_short() && piece.count > 1) {
    piece.count /= 2;  // windows move on between pieces
    reserved = needy.reserve(piece.count);
  }
  if (!reserved) outcomes_->push_back({piece.index, reserved.error()});
  return reserved.ok();
}

bool StepPlanner::others_hold_pages(Sequences sequences, std::size_t index) const {
  const auto holds_pages = [](const Sequence* s) {
    return s->cache().length() > 0 || (s->tracks() > 1 && s->track(1).cache->length() > 0);
  };
  return std::any_of(sequences.begin(), sequences.begin() + static_cast<std::ptrdiff_t>(index),
                     holds_pages) ||
         std::any_of(pieces_->begin(), pieces_->end(), [&](const Piece& p) { return p.index != index; });
}

/// Plans up to `rows` ids of a track; false if there is no room for them now.
bool StepPlanner::add_piece(Sequences sequences, std::size_t index, std::size_t which, std::size_t rows) {
  const Sequence::Track track = sequences[index]->track(which);
  const std::size_t start = track.cache->length();
  Piece piece;
  piece.index = index;
  piece.track = which;
  piece.role = start < track.prompt_size ? Role::kPrompt : Role::kGenerated;
  piece.count = start < track.prompt_size ? std::min(rows, track.prompt_size - start) : rows;
  if (!make_room(sequences, piece)) return false;
  piece.asks = piece.count == track.pending;
  // No request gives pages up for guesses.
  if (!track.cache->reserve(piece.count + sequences[index]->guesses())) sequences[index]->drop_guesses();
  piece.guesses = sequences[index]->guesses();
  pieces_->push_back(piece);
  return true;
}

/// The last id of every track, if there is room for all.
void StepPlanner::plan_answer(Sequences sequences, std::size_t index) {
  Sequence& s = *sequences[index];
  const std::size_t planned = pieces_->size();
  bool all = is_ready(s);  // or one before it has taken its pages
  for (std::size_t t = 0; all && t < s.tracks(); ++t) all = add_piece(sequences, index, t, 1);
  if (all) return;
  pieces_->resize(planned);
  s.drop_guesses();
}

void StepPlanner::plan_reading(Sequences sequences, std::size_t index) {
  const std::size_t tracks = sequences[index]->tracks();
  std::size_t left = shares_[index].rows;
  for (std::size_t t = 0; t < tracks && left > 0; ++t) {
    const std::size_t pending = sequences[index]->track(t).pending;
    // With guidance, all but the last id: that one is for the step of both tracks.
    const std::size_t rows = std::min(pending - std::min(pending, tracks - 1), left);
    if (rows == 0) continue;
    if (!add_piece(sequences, index, t, rows)) return;
    left -= pieces_->back().count;
  }
}

void StepPlanner::plan(Sequences sequences, Timing& timing, std::vector<Piece>& pieces,
                       std::vector<Outcome>& outcomes) {
  pieces_ = &pieces;
  outcomes_ = &outcomes;
  pieces.clear();
  for (Sequence* s : sequences) s->drop_guesses();  // of a step that failed
  if (options_.prefixes != nullptr) take_up_prefixes(sequences, timing);
  share_out(sequences);
  guess(sequences);
  for (std::size_t i = 0; i < sequences.size(); ++i) {
    shares_[i].answers ? plan_answer(sequences, i) : plan_reading(sequences, i);
  }
}

void StepPlanner::keep_prefixes(Sequences sequences, std::span<const Piece> pieces) {
  if (options_.prefixes == nullptr) return;
  for (const Piece& piece : pieces) {
    const Sequence::Track track = sequences[piece.index]->track(piece.track);
    const std::size_t length = track.cache->length();
    // Guesses that were wrong are gone: what is in the cache now is in the ids.
    const std::size_t before = length - std::min(length, piece.count + piece.guesses);
    if (before / kPageTokens == length / kPageTokens) continue;
    try {
      options_.prefixes->insert(keys(track).first(length), *track.cache);
    } catch (const std::bad_alloc&) {
      return;  // they are read again where they are needed
    }
  }
}

}  // namespace partita
