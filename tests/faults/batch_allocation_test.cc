// The nth allocation fails while a batch runs, for every n: no token that was chosen is lost, what goes on
// goes on as if nothing had been, and pages that were taken are given back.
#include <cstdio>
#include <map>
#include <string>
#include <vector>

#include "tests/allocations.h"
#include "tests/api/tiny_chat.h"
#include "tests/catch.h"
#include "tests/sanitized.h"

namespace partita::internal::testing {
namespace {

using test::Exhaustion;
using test::FailingAllocation;

/// Rows of every kind, with a beginning in common that is longer than a page.
std::vector<Request> requests() {
  std::vector<Request> all(5);
  for (std::size_t i = 0; i < all.size(); ++i) {
    all[i].prompt = std::string(150, 'a') + " hello " + std::to_string(i);
    all[i].max_tokens = 8 + static_cast<int>(i);
    all[i].sampling.seed = i;
  }
  all[1].guidance_scale = 1.5F;
  all[2].speculation = Speculation::kAlways;
  all[3].logprobs = 2;
  all[3].sampling.repeat_penalty = 1.2F;
  all[4].max_tokens = 0;
  return all;
}

struct Row {
  std::vector<TokenId> ids;
  std::string text;
  Finish finish = Finish::kNone;
  bool failed = false;
  bool operator==(const Row&) const = default;
};

/// A batch of requests() in flight. What the test itself keeps is allocated before anything fails.
class Run {
 public:
  explicit Run(const Model& model) : requests_(requests()), rows_(requests_.size()) {
    BatchOptions options;
    options.max_sequences = 3;
    options.draft = model;
    batch_.emplace(must(model.batch(options)));
    events_.reserve(200);
    for (Row& row : rows_) {
      row.ids.reserve(100);
      row.text.reserve(1000);
    }
    tickets_.assign(requests_.size(), 0);
  }

  /// Adds what is not added yet and advances to the end or to an error.
  Result<void> go_on() {
    for (std::size_t i = 0; i < requests_.size(); ++i) {
      if (tickets_[i] != 0) continue;
      auto ticket = batch_->add(requests_[i]);
      if (!ticket) return ticket.error();
      tickets_[i] = *ticket;
    }
    while (batch_->running() > 0) {
      events_.clear();
      auto advanced = batch_->advance(events_);
      for (const Batch::Event& event : events_) take(event);  // also of a step that failed
      if (!advanced) return advanced;
    }
    return {};
  }

  const std::vector<Row>& rows() const { return rows_; }
  std::size_t failed() const {
    std::size_t count = 0;
    for (const Row& row : rows_) count += row.failed ? 1 : 0;
    return count;
  }

 private:
  void take(const Batch::Event& event) {
    for (std::size_t i = 0; i < tickets_.size(); ++i) {
      if (tickets_[i] != event.ticket) continue;
      Row& row = rows_[i];
      if (event.token) {
        row.ids.push_back(event.token->id);
        row.text += event.token->text;
      }
      row.failed = row.failed || event.error.has_value();
      row.finish = event.finish;
    }
  }

  const std::vector<Request> requests_;
  std::optional<Batch> batch_;
  std::vector<Row> rows_;
  std::vector<Batch::Ticket> tickets_;
  std::vector<Batch::Event> events_;
};

/// Whether a row is as expected, or has failed with what it had until then.
bool is_whole(const Row& row, const Row& expected) {
  if (!row.failed) return row == expected;
  return row.ids.size() <= expected.ids.size() &&
         std::equal(row.ids.begin(), row.ids.end(), expected.ids.begin());
}

TEST_CASE("A batch loses no token and no row where memory runs out") {
  const ChatModelFile file;
  OpenOptions options;
  options.threads = 1;
  options.cache_bytes = std::size_t{1} << 20;
  const Model model = must(Model::open(file.path(), options));
  const auto undisturbed = [&] {
    Run run(model);
    REQUIRE(run.go_on());
    REQUIRE(run.failed() == 0);
    return run.rows();
  };
  const std::vector<Row> expected = undisturbed();
  std::size_t allocations = 0;
  {
    Run run(model);
    const FailingAllocation none(static_cast<std::size_t>(-2), Exhaustion::kOnce);
    REQUIRE(run.go_on());
    allocations = FailingAllocation::attempts_so_far();
  }
  const std::size_t live = test::live_allocated_bytes();
  const std::size_t stride = allocations / test::all_or<std::size_t>(allocations, 60) + 1;
  for (const Exhaustion exhaustion : {Exhaustion::kOnce, Exhaustion::kLasting}) {
    std::size_t positions = 0, steps_failed = 0, rows_failed = 0;
    for (std::size_t n = 0; n < allocations; n += stride, ++positions) {
      Run run(model);
      ErrorCode code = ErrorCode::kOutOfMemory;
      bool ok = false;
      {
        const FailingAllocation failing(n, exhaustion);
        const Result<void> done = run.go_on();
        ok = done.ok();
        if (!ok) code = done.error().code;
      }
      CAPTURE(n, exhaustion == Exhaustion::kLasting, ok);
      REQUIRE(code == ErrorCode::kOutOfMemory);
      steps_failed += ok ? 0 : 1;
      REQUIRE(run.go_on());  // memory is there again: the same batch goes on
      rows_failed += run.failed();
      REQUIRE(run.failed() <= (exhaustion == Exhaustion::kOnce ? 1 : expected.size()));
      for (std::size_t i = 0; i < expected.size(); ++i) {
        CAPTURE(i, run.rows()[i].failed, run.rows()[i].ids, expected[i].ids);
        REQUIRE(is_whole(run.rows()[i], expected[i]));
      }
    }
    std::printf("batch, %s: %zu allocations, %zu positions, %zu calls out of memory, %zu rows failed alone\n",
                exhaustion == Exhaustion::kOnce ? "one fails" : "all fail from one on", allocations,
                positions, steps_failed, rows_failed);
  }
  CHECK(undisturbed() == expected);
  CHECK(test::live_allocated_bytes() <= live + (std::size_t{32} << 10));  // buffers that grew by other steps
}

}  // namespace
}  // namespace partita::internal::testing
