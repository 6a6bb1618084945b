#include "api/serving/step_plan.h"

#include <algorithm>
#include <new>

namespace partita::internal {
namespace {

/// Cancelling takes effect before the next layer, so a layer must not take long: prompt chunks are as large
/// as this many seconds a layer allow. (Results do not depend on the chunk size.)
constexpr double kLayerSeconds = 0.05;

constexpr std::size_t kMinPromptRows = 32;  // fewer would read the weights too often; applies without answers
constexpr double kUnbounded = std::numeric_limits<double>::infinity();
constexpr double kMinGain = 1.05;  // of tokens per second, by which a draft must improve a step

/// Whether the next step can choose a token. The last ids of both tracks of a sequence with guidance are read
/// in one step, so the first track that gets there waits.
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

bool same_adapters(const Sequence& a, const Sequence& b) {
  return a.cache().adapters_key() == b.cache().adapters_key();
}

/// The length of the common prefix of two prompts, in whole pages.
std::size_t common_pages(std::span<const TokenId> a, std::span<const TokenId> b) {
  const auto same = std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first - a.begin();
  return static_cast<std::size_t>(same) / kPageTokens * kPageTokens;
}

}  // namespace

StepPlanner::StepPlanner(const SchedulerOptions& options, std::size_t layers, std::size_t first_prompt_rows,
                         bool roles_differ)
    : options_(options),
      max_seconds_(kLayerSeconds * static_cast<double>(layers)),
      first_prompt_rows_(std::clamp(first_prompt_rows, kMinPromptRows, kStepRows)),
      roles_differ_(roles_differ) {}

/// The keys of a track's tokens in the prefix cache: their ids, and as the sign the role, where roles compute
/// differently.
std::span<const TokenId> StepPlanner::keys(const Sequence::Track& track) {
  if (!roles_differ_) return track.ids;
  keys_.assign(track.ids.begin(), track.ids.end());
  for (std::size_t i = track.prompt_size; i < keys_.size(); ++i) keys_[i] = ~keys_[i];
  return keys_;
}

void StepPlanner::reuse_prefixes(Sequences sequences, Timing& timing) {
  for (const Sequence* sequence : sequences) {
    for (std::size_t t = 0; t < sequence->tracks(); ++t) {
      const Sequence::Track track = sequence->track(t);
      if (track.pending <= kPageTokens / 2) continue;  // saves little
      const std::size_t before = track.cache->length();
      // The last id is always read: the next token is chosen from its hidden state.
      if (options_.prefixes->reuse_prefix(keys(track).first(track.ids.size() - 1), *track.cache)) {
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
    if (!reads_prompt(*sequences[j]) || !same_adapters(own, *sequences[j])) continue;
    const std::size_t shared = common_pages(ids, sequences[j]->prompt());
    if (shared > own.cache().length() && shared > sequences[j]->cache().length()) return true;
  }
  return false;
}

/// Where a chunk of a prompt that begins at `start` should end, so that the states there are kept as a
/// snapshot: the next page border up to which other prompts are the same, those that wait or that are cached;
/// SIZE_MAX if there is none.
std::size_t StepPlanner::snapshot_border(Sequences sequences, std::size_t index, std::size_t which,
                                         std::size_t start) {
  const Sequence::Track track = sequences[index]->track(which);
  if (options_.prefixes == nullptr || !track.cache->pool().fixed_class()) return SIZE_MAX;
  std::size_t border = options_.prefixes->known_prefix(keys(track).first(track.ids.size() - 1), *track.cache);
  if (border <= start) border = SIZE_MAX;
  for (std::size_t j = index + 1; which == 0 && j < sequences.size(); ++j) {
    if (!reads_prompt(*sequences[j]) || !same_adapters(*sequences[index], *sequences[j])) continue;
    const auto other = sequences[j]->prompt();
    const std::size_t shared = common_pages(sequences[index]->prompt(), other.first(other.size() - 1));
    if (shared > start) border = std::min(border, shared);
  }
  return border;
}

std::size_t StepPlanner::prompt_rows(std::size_t depth) const {
  if (!cost_.knows_prompts()) return first_prompt_rows_;
  const double rows = cost_.prompt_rows(max_seconds_, depth);
  return static_cast<std::size_t>(
      std::clamp(rows, static_cast<double>(kMinPromptRows), static_cast<double>(kStepRows)));
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
  if (prompts > 0) share_out_prompts(sequences, prompt_budget(rows, answers), prompts);
}

/// Rows and time of a step for all prompts together.
StepPlanner::PromptBudget StepPlanner::prompt_budget(std::size_t taken, const StepRows& answers) const {
  PromptBudget all{std::min(options_.step_rows - taken, prompt_rows(0))};
  if (taken == 0 || options_.most_delay == kUnbounded) return all;
  if (cost_.knows_answers() && cost_.knows_prompts()) {
    all.seconds = (options_.most_delay - 1) * cost_.answers(answers);
  } else {
    all.rows = std::min(all.rows, taken);  // which take about as long as these
  }
  return all;
}

/// How many ids of a prompt fit into a budget.
std::size_t StepPlanner::fitting_rows(const Sequence& sequence, const PromptBudget& allowed) const {
  const std::size_t depth = sequence.cache().length(), rows = std::min(unread(sequence), allowed.rows);
  if (allowed.seconds == kUnbounded) return std::min(rows, prompt_rows(depth));
  return static_cast<std::size_t>(
      std::min(cost_.prompt_rows(allowed.seconds, depth), static_cast<double>(rows)));
}

void StepPlanner::share_out_prompts(Sequences sequences, PromptBudget left, std::size_t prompts) {
  const PromptBudget part{left.rows / prompts, left.seconds / static_cast<double>(prompts)};
  const auto give = [&](std::size_t i, std::size_t rows) {
    StepRows given;
    given.add(rows, sequences[i]->cache().length());
    shares_[i].rows = rows;
    left.rows -= rows;
    left.seconds -= rows > 0 ? cost_.prompts(given) : 0;
  };
  // First the prompts that an equal part completes, then the others in order. The first of these always reads
  // at least one row.
  const auto is_short = [&](std::size_t i) {
    return fitting_rows(*sequences[i], part) == unread(*sequences[i]);
  };
  long_prompts_.clear();
  for (std::size_t i = 0; i < sequences.size(); ++i) {
    if (!shares_[i].reads) continue;
    is_short(i) ? give(i, unread(*sequences[i])) : long_prompts_.push_back(i);
  }
  for (const std::size_t i : long_prompts_) {
    const std::size_t least = i == long_prompts_.front() ? std::min<std::size_t>(left.rows, 1) : 0;
    give(i, std::max(fitting_rows(*sequences[i], left), least));
  }
}

/// Draft tokens are rows that cost time and yield tokens with a probability: each sequence in turn gets as
/// many as maximise the tokens per second of the step, and none where the gain is below kMinGain.
void StepPlanner::add_drafts(Sequences sequences) {
  std::size_t all = 0;  // rows of the step
  StepRows rows;        // of its answers
  double tokens = 0;    // that it is expected to yield
  for (std::size_t i = 0; i < sequences.size(); ++i) {
    all += shares_[i].rows;
    if (!shares_[i].answers) continue;
    add_answer(*sequences[i], rows);
    ++tokens;
  }
  std::size_t left = std::min(kMaxDraftTokensPerStep, options_.step_rows - std::min(all, options_.step_rows));
  for (std::size_t i = 0; i < sequences.size(); ++i) {
    Sequence& s = *sequences[i];
    if (s.drafter() == nullptr || !shares_[i].answers || s.ids().size() == s.prompt().size()) continue;
    // A rejected draft leaves fixed states at a snapshot, up to a page back: rarely worth it.
    if (s.cache().pool().fixed_class() && !s.always_speculates()) continue;
    DraftTerms terms{std::min(left, s.tokens_left() - 1), kUnbounded, 0};
    const StepRows one{1, static_cast<double>(s.cache().length())};  // each more row of it
    if (!s.always_speculates()) {
      terms.per_token = cost_.answers(rows) / tokens;
      terms.per_row = cost_.answers(rows + one) - cost_.answers(rows);
    }
    auto draft = s.drafter()->draft(s.ids(), terms);
    if (!s.always_speculates()) draft = draft.first(best_draft_size(draft, rows, one, tokens));
    double probability = 1;
    for (const DraftToken& token : draft) tokens += probability *= token.probability;
    s.add_draft(draft);
    for (std::size_t n = 0; n < draft.size(); ++n) rows = rows + one;
    left -= draft.size();
  }
}

/// How many draft tokens, each a row like `one`, to add to a step of `rows` that yields `tokens`.
std::size_t StepPlanner::best_draft_size(std::span<const DraftToken> draft, StepRows rows,
                                         const StepRows& one, double tokens) const {
  std::size_t best = 0;
  double best_rate = kMinGain * tokens / cost_.answers(rows), probability = 1;
  for (std::size_t n = 1; n <= draft.size(); ++n) {
    tokens += probability *= draft[n - 1].probability;
    rows = rows + one;
    const double rate = tokens / cost_.answers(rows);
    if (rate <= best_rate) continue;
    best = n;
    best_rate = rate;
  }
  return best;
}

/// Reserves the KV cache pages of a chunk. It preempts later sequences, from the last, by evicting their
/// pages. If that is not enough, the sequence waits for earlier ones; without these its chunk is halved.
/// False if it has to wait, or can never continue.
bool StepPlanner::evict_for(Sequences sequences, PlannedChunk& chunk) {
  KvSequence& cache = *sequences[chunk.index]->track(chunk.track).cache;
  auto reserved = cache.reserve(chunk.count);
  const auto is_short = [&] { return !reserved && reserved.error().code == ErrorCode::kOutOfMemory; };
  for (std::size_t j = sequences.size(); is_short() && j > chunk.index + 1; --j) {
    const Sequence& later = *sequences[j - 1];
    for (std::size_t t = 0; t < later.tracks(); ++t) later.track(t).cache->truncate(0);
    reserved = cache.reserve(chunk.count);
  }
  if (is_short() && others_hold_pages(sequences, chunk.index)) return false;  // waits for their pages
  while (is_short() && chunk.count > 1) {
    chunk.count /= 2;  // an attention window releases pages between chunks
    reserved = cache.reserve(chunk.count);
  }
  if (!reserved) outcomes_->push_back({chunk.index, reserved.error()});
  return reserved.ok();
}

bool StepPlanner::others_hold_pages(Sequences sequences, std::size_t index) const {
  const auto holds_pages = [](const Sequence* s) {
    return s->cache().length() > 0 || (s->tracks() > 1 && s->track(1).cache->length() > 0);
  };
  return std::any_of(sequences.begin(), sequences.begin() + static_cast<std::ptrdiff_t>(index),
                     holds_pages) ||
         std::any_of(chunks_->begin(), chunks_->end(),
                     [&](const PlannedChunk& p) { return p.index != index; });
}

/// Plans up to `rows` ids of a track. False if they do not fit into the cache now.
bool StepPlanner::add_chunk(Sequences sequences, std::size_t index, std::size_t which, std::size_t rows) {
  const Sequence::Track track = sequences[index]->track(which);
  const std::size_t start = track.cache->length();
  PlannedChunk chunk;
  chunk.index = index;
  chunk.track = which;
  chunk.role = start < track.prompt_size ? Role::kPrompt : Role::kGenerated;
  chunk.count = rows;
  if (start < track.prompt_size) {
    chunk.count =
        std::min({rows, track.prompt_size - start, snapshot_border(sequences, index, which, start) - start});
  }
  if (!evict_for(sequences, chunk)) return false;
  chunk.asks = chunk.count == track.pending;
  // Drafts never preempt another request.
  if (!track.cache->reserve(chunk.count + sequences[index]->draft_size())) sequences[index]->drop_draft();
  chunk.draft_tokens = sequences[index]->draft_size();
  chunks_->push_back(chunk);
  return true;
}

/// Plans the last id of every track, if all fit.
void StepPlanner::plan_answer(Sequences sequences, std::size_t index) {
  Sequence& s = *sequences[index];
  const std::size_t planned = chunks_->size();
  bool all = is_ready(s);  // false if an earlier sequence has evicted its pages
  for (std::size_t t = 0; all && t < s.tracks(); ++t) all = add_chunk(sequences, index, t, 1);
  if (all) return;
  chunks_->resize(planned);
  s.drop_draft();
}

void StepPlanner::plan_reading(Sequences sequences, std::size_t index) {
  const std::size_t tracks = sequences[index]->tracks();
  std::size_t left = shares_[index].rows;
  for (std::size_t t = 0; t < tracks && left > 0; ++t) {
    const std::size_t pending = sequences[index]->track(t).pending;
    // With guidance all but the last id, which both tracks read in one step.
    const std::size_t rows = std::min(pending - std::min(pending, tracks - 1), left);
    if (rows == 0) continue;
    if (!add_chunk(sequences, index, t, rows)) return;
    left -= chunks_->back().count;
  }
}

void StepPlanner::plan(Sequences sequences, Timing& timing, std::vector<PlannedChunk>& chunks,
                       std::vector<Outcome>& outcomes) {
  chunks_ = &chunks;
  outcomes_ = &outcomes;
  chunks.clear();
  for (Sequence* s : sequences) s->drop_draft();  // left by a step that failed
  if (options_.prefixes != nullptr) reuse_prefixes(sequences, timing);
  share_out(sequences);
  add_drafts(sequences);
  for (std::size_t i = 0; i < sequences.size(); ++i) {
    shares_[i].answers ? plan_answer(sequences, i) : plan_reading(sequences, i);
  }
}

void StepPlanner::keep_prefixes(Sequences sequences, std::span<const PlannedChunk> chunks) {
  if (options_.prefixes == nullptr) return;
  for (const PlannedChunk& chunk : chunks) {
    const Sequence::Track track = sequences[chunk.index]->track(chunk.track);
    const std::size_t length = track.cache->length();
    // Rejected draft tokens are gone: all tokens in the cache are in the ids.
    const std::size_t before = length - std::min(length, chunk.count + chunk.draft_tokens);
    if (before / kPageTokens == length / kPageTokens) continue;
    try {
      options_.prefixes->insert(keys(track).first(length), *track.cache);
    } catch (const std::bad_alloc&) {
      return;  // without a cached prefix prompts are read again
    }
  }
}

}  // namespace partita::internal
