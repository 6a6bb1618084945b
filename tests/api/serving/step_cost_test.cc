// The cost model of steps, on simulated times whose law is known.
#include "api/serving/step_cost.h"

#include <algorithm>

#include "tests/catch.h"

namespace partita::internal::testing {
namespace {

StepRows rows_of(std::size_t count, std::size_t depth = 0) {
  StepRows rows;
  rows.add(count, depth);
  return rows;
}

TEST_CASE("The cost of steps is learned from a few of them") {
  StepCost cost;
  CHECK_FALSE(cost.knows_answers());
  for (int i = 0; i < 30; ++i) {
    for (const std::size_t rows : {1, 20, 40})
      cost.learn(rows_of(rows), {}, 2e-3 + 0.5e-3 * static_cast<double>(rows));
  }
  CHECK(cost.answers(rows_of(30)) == Approx(17e-3).epsilon(0.05));
  CHECK(cost.answers(rows_of(1)) == Approx(2.5e-3).epsilon(0.05));
  for (int i = 0; i < 60; ++i) {
    const auto rows = 8 + 40 * static_cast<std::size_t>(i % 3),
               depth = 1000 * static_cast<std::size_t>(i % 5);
    const StepRows prompts = rows_of(rows, depth);
    cost.learn(rows_of(20), prompts,
               12e-3 + 1e-3 * static_cast<double>(rows) + 5e-7 * prompts.attended_tokens);
  }
  CHECK(cost.prompt_rows(50e-3, 0) == Approx(50).epsilon(0.1));
  CHECK(cost.prompt_rows(50e-3, 4000) == Approx((50e-3 - 4e-3) / 3e-3).epsilon(0.15));
}

TEST_CASE("A cost measured as zero is relearned") {
  StepCost cost;
  for (int i = 0; i < 200; ++i) {  // all attributed to attention
    const StepRows prompts = rows_of(2, 100 + 4000 * static_cast<std::size_t>(i % 2));
    cost.learn({}, prompts, std::max(4e-7 * prompts.attended_tokens - 1e-3, 0.0));
  }
  for (int i = 0; i < 20; ++i) cost.learn({}, rows_of(100), 0.1);
  CHECK(cost.prompt_rows(50e-3, 0) == Approx(50).epsilon(0.2));
}

TEST_CASE("Answers grow longer while a prompt is read, and what they take is not put down to the prompt") {
  constexpr double kAnswer = 1e-3, kRow = 1e-3, kAttend = 4e-7;
  const auto seconds = [&](const StepRows& answers, const StepRows& prompts) {
    return 4e-3 + kAnswer * answers.count + kRow * prompts.count +
           kAttend * (answers.attended_tokens + prompts.attended_tokens);
  };
  const auto answers_at = [](std::size_t depth, std::size_t count) {
    StepRows answers;
    for (std::size_t i = 0; i < count; ++i) answers.add(1, depth);
    return answers;
  };
  for (const std::size_t count : {8, 24}) {  // few, which are averaged by number, and more
    StepCost cost;
    for (int i = 0; i < 8; ++i) cost.learn({}, rows_of(100), seconds({}, rows_of(100)));
    std::size_t depth = 100;
    for (int i = 0; i < 60; ++i, ++depth) {
      cost.learn(answers_at(depth, count), {}, seconds(answers_at(depth, count), {}));
    }
    for (std::size_t read = 0; read < 8000; ++depth) {
      const StepRows answers = answers_at(depth, count);
      const double alone = seconds(answers, {});
      const double expected = cost.answers(answers);
      const std::size_t rows =
          std::max<std::size_t>(static_cast<std::size_t>(cost.prompt_rows(1.5 * expected, read)), 1);
      const double taken = seconds(answers, rows_of(rows, read));
      if (read > 500) {
        REQUIRE(expected == Approx(alone).epsilon(0.15));
        REQUIRE(taken < 2.75 * alone);
        REQUIRE(taken > 1.8 * alone);
      }
      cost.learn(answers, rows_of(rows, read), taken);
      read += rows;
    }
    CHECK(depth < 2000);
  }
}

}  // namespace
}  // namespace partita::internal::testing
