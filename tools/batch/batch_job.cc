#include "tools/batch/batch_job.h"

#include "tools/generation/adapters.h"

#include <cstdio>
#include <new>
#include <utility>

#include "tools/batch/output_row.h"
#include "tools/cli/exhaustion.h"
#include "tools/generation/explain.h"

namespace tools {

using partita::Error;
using partita::ErrorCode;
using partita::Finish;
using partita::Result;

namespace {

/// The output is synced after this many rows or this much time.
constexpr std::size_t kSyncRows = 256;
constexpr std::chrono::milliseconds kSyncInterval{1000};

}  // namespace

BatchJob::BatchJob(BatchParts parts, RowOrder order, std::size_t window, bool quiet, BatchProgress& progress)
    : parts_(std::move(parts)), order_(order), window_(window), quiet_(quiet), progress_(&progress) {
  parts_.batch.set_cancel(&interrupted());
  written_.found = stored_.found = parts_.output.rows();
}

/// Creates the slot of a row. In input order it is queued now, else when the row is finished.
std::shared_ptr<BatchJob::Slot> BatchJob::queue(RowId id) {
  auto slot = std::make_shared<Slot>();
  slot->id = std::move(id);
  if (order_ == RowOrder::kInput) slots_.push_back(slot);
  return slot;
}

void BatchJob::finish(const std::shared_ptr<Slot>& slot) {
  if (order_ == RowOrder::kFinished) slots_.push_back(slot);
}

void BatchJob::refuse(const std::shared_ptr<Slot>& slot, const Error& error) {
  slot->line = error_row(slot->id, error);
  slot->failed = true;
  finish(slot);
}

void BatchJob::start(Row row) {
  const auto slot = queue(std::move(row.id));
  auto ticket = parts_.batch.add(row.request);
  if (!ticket && ticket.error().code == ErrorCode::kCancelled) return;  // no answer: fill() ends the job
  if (!ticket) return refuse(slot, ticket.error());
  slot->answer.max_tokens = row.request.max_tokens;
  slot->answer.prompt_tokens = parts_.batch.prompt_tokens(*ticket);
  slot->answer.applied = applied_json(row.request.adapters);
  if (row.request.logprobs >= 0) slot->answer.logprobs = Json::array();
  if (row.request.confidence || row.request.abstain.asks()) slot->answer.confidence = Json::array();
  running_.emplace(*ticket, slot);
}

void BatchJob::take(std::variant<Row, BadRow> row) {
  RowId& id = std::visit([](auto& r) -> RowId& { return r.id; }, row);
  if (!id.duplicate && !parts_.ledger.claim(id.id)) id.duplicate = true;
  if (id.duplicate ? parts_.ledger.take_duplicate(id.id) : parts_.ledger.has_owner(id.id)) {
    ++written_.skipped;
    ++stored_.skipped;
  } else if (const auto* bad = std::get_if<BadRow>(&row)) {
    refuse(queue(bad->id), bad->error);
  } else if (id.duplicate) {
    const std::string why = "line " + std::to_string(id.line) + " repeats an earlier row's id";
    refuse(queue(id), {ErrorCode::kInvalidArgument, why});
  } else {
    start(std::move(std::get<Row>(row)));
  }
}

void BatchJob::warn_about_keys() {
  for (const std::string& key : parts_.reader.take_unknown_keys()) {
    if (quiet_) continue;
    progress_->clear();
    std::fprintf(stderr, "partita: line %zu: %s is not an option of a row; it is ignored in all rows\n",
                 parts_.input.line_number(), json_text(key.substr(0, 60)).c_str());
  }
}

/// Takes the next row of the input; false if there is none now. Blocks only if no other work is left.
Result<bool> BatchJob::read_row() {
  std::string line;
  LineEnd end = parts_.input.next(line, false);
  if (end == LineEnd::kNotYet && parts_.batch.running() == 0 && slots_.empty()) {
    if (auto stored = store(); !stored) return stored.error();
    end = parts_.input.next(line, true);
  }
  const std::size_t number = parts_.input.line_number();
  switch (end) {
    case LineEnd::kLine:
      take(parts_.reader.read(line, number));
      warn_about_keys();
      return true;
    case LineEnd::kTooLong:
      take(row_without_id(number, "line " + std::to_string(number) + " is longer than 16 MiB"));
      return true;
    case LineEnd::kInterrupted:
      return Error{ErrorCode::kCancelled, "interrupted"};
    case LineEnd::kError:
      input_error_ = parts_.input.error();
      [[fallthrough]];
    case LineEnd::kEof:
      input_ended_ = true;
      [[fallthrough]];
    case LineEnd::kNotYet:
      break;
  }
  return false;
}

/// Reads rows until the batch or the window is full.
Result<void> BatchJob::fill() {
  while (!input_ended_ && !parts_.batch.full() && slots_.size() < window_) {
    auto more = read_row();
    if (!more) return more.error();
    if (!*more) break;
    if (interrupted().is_set()) return Error{ErrorCode::kCancelled, "interrupted"};
    if (progress_->due()) progress_->show(stored_, parts_.input.total_rows());
  }
  return {};
}

void BatchJob::handle(const partita::Batch::Event& event) {
  const auto found = running_.find(event.ticket);
  if (found == running_.end()) return;
  const std::shared_ptr<Slot> slot = found->second;
  RowAnswer& answer = slot->answer;
  if (event.token) {
    ++written_.tokens;
    ++stored_.tokens;
    answer.text += event.token->text;
    answer.ids.push_back(event.token->id);
    if (answer.logprobs.is_array()) answer.logprobs.push_back(logprob_json(*event.token));
    if (answer.confidence.is_array()) answer.confidence.push_back(confidence_json(*event.token));
  }
  answer.finish = event.finish;
  if (event.error) {
    refuse(slot, *event.error);
  } else if (event.finish != Finish::kNone) {
    slot->line = answer_row(slot->id, std::exchange(answer, {}), *parts_.model);
    answer.finish = event.finish;
    finish(slot);
  } else {
    return;
  }
  running_.erase(found);
}

Result<void> BatchJob::write(const Slot& slot) {
  if (auto written = parts_.output.write(*slot.line); !written) return written;
  ++written_.rows;
  if (slot.failed) ++written_.errors;
  if (slot.answer.finish == Finish::kAbstain) ++written_.abstained;
  return {};
}

/// Writes finished rows up to the first unfinished one, or past it.
Result<void> BatchJob::write_finished(bool skip_unfinished) {
  while (!slots_.empty() && (slots_.front()->line || skip_unfinished)) {
    if (slots_.front()->line) {
      if (auto written = write(*slots_.front()); !written) return written;
    }
    slots_.pop_front();
  }
  return {};
}

bool BatchJob::store_due() const {
  return parts_.output.rows_since_sync() >= kSyncRows ||
         std::chrono::steady_clock::now() - stored_at_ >= kSyncInterval;
}

/// Syncs the output; rows count once they are on the disk.
Result<void> BatchJob::store() {
  stored_at_ = std::chrono::steady_clock::now();
  if (auto synced = parts_.output.sync(); !synced) return synced;
  stored_ = written_;
  return {};
}

/// Works until the batch is done or fails: `outcome` has errors of the work, `written` those of the output.
void BatchJob::work(Result<void>& outcome, Result<void>& written) {
  std::vector<partita::Batch::Event> events;
  while (outcome && written) {
    outcome = fill();
    if (outcome) written = write_finished(false);
    if (written && store_due()) written = store();
    if (!outcome || !written || (input_ended_ && parts_.batch.running() == 0)) break;
    events.clear();
    if (parts_.batch.running() > 0) outcome = parts_.batch.advance(events);
    for (const partita::Batch::Event& event : events) handle(event);
    if (outcome && memory_ran_out()) outcome = out_of_memory();
    if (progress_->due()) progress_->show(stored_, parts_.input.total_rows());
  }
}

Result<void> BatchJob::run() {
  Result<void> outcome, written;
  try {
    work(outcome, written);
  } catch (const std::bad_alloc&) {
    outcome = out_of_memory();
  }
  progress_->clear();
  // After an interrupt too: finished rows are kept.
  if (written) written = write_finished(true);
  auto stored = store();
  if (!stored) return stored;  // its sentence says what is kept
  if (!written) return written;
  if (!outcome) return outcome;
  return input_error_ ? Result<void>(*input_error_) : Result<void>();
}

}  // namespace tools
