// The constraint stage: masks what the caller's Constraint does not allow.
#include "partita/constraint.hpp"

#include <limits>
#include <stdexcept>

#include "engine/kernels/dispatch.h"
#include "sampling/chain/chain.h"
#include "tests/catch.h"
#include "tests/sampling/rows.h"

namespace partita::internal::test {
namespace {

using Ids = std::vector<std::int32_t>;

/// Allows the ids of a given sequence in order, then none; throws on request.
class Script : public Constraint {
 public:
  enum class Fault { kNone, kAllow, kAccept, kFork, kForkThrows, kStrange };
  explicit Script(Ids ids, Fault fault = Fault::kNone) : ids_(std::move(ids)), fault_(fault) {}

  void allow(std::span<std::uint64_t> allowed) const override {
    if (fault_ == Fault::kAllow) throw std::runtime_error("no rule");
    if (fault_ == Fault::kStrange) throw 7;
    for (const std::uint64_t word : allowed) CHECK(word == ~std::uint64_t{0});
    for (std::uint64_t& word : allowed) word = 0;
    if (at_ < ids_.size())
      allowed[static_cast<std::size_t>(ids_[at_]) / 64] |= std::uint64_t{1} << (ids_[at_] % 64);
  }
  void accept(std::int32_t id) override {
    if (fault_ == Fault::kAccept) throw std::runtime_error("no such word");
    CHECK(id == ids_.at(at_));
    ++at_;
  }
  void roll_back(std::size_t tokens) override { at_ -= tokens; }
  std::unique_ptr<Constraint> fork() const override {
    if (fault_ == Fault::kFork) return nullptr;
    if (fault_ == Fault::kForkThrows) throw std::runtime_error("no fork");
    return std::make_unique<Script>(*this);
  }

 private:
  Ids ids_;
  Fault fault_;
  std::size_t at_ = 0;
};

SamplingOptions with(Script script) {
  SamplingOptions options;
  options.constraint = std::make_shared<Script>(std::move(script));
  return options;
}

Result<Choice> choose(const Chain& chain, const ChainState& state, std::size_t vocab = 1000) {
  Candidates scratch;
  return chain.choose(row("normal", 1, vocab), {{}, 0, {}, &exact_kernels()}, &state, scratch);
}

TEST_CASE("A sequence follows its constraint, and forks continue independently") {
  const Ids script = {999, 0, 64, 63};
  const Result<Chain> chain = Chain::create(with(Script(script)));
  REQUIRE(chain);
  CHECK(chain->describe() == "constraint");
  ChainState state = chain->make_state(), other = chain->make_state();
  ChainState fork;
  for (std::size_t i = 0; i < script.size(); ++i) {
    if (i == 2) fork = state;
    const Result<Choice> choice = choose(*chain, state);
    REQUIRE(choice);
    CHECK(choice->id == script[i]);
    chain->accept(*choice, state);
  }
  const Result<Choice> none = choose(*chain, state);
  CHECK(none.error().code == ErrorCode::kBadNumbers);
  CHECK(none.error().message == "constraint leaves no token to choose from");
  CHECK(choose(*chain, fork)->id == 64);
  CHECK(choose(*chain, other)->id == 999);
}

TEST_CASE("A constraint comes first where it is not named, and filters see what it leaves") {
  const std::vector<float> logits = row("normal", 1, 1000);
  for (const char* stages : {"top_k", "constraint top_k", "top_k constraint"}) {
    SamplingOptions options = with(Script({5}));
    options.set("top_k", 1);
    options.samplers = {"top_k"};
    const std::string_view order(stages);
    if (order.starts_with("constraint")) options.samplers.insert(options.samplers.begin(), "constraint");
    if (order.ends_with("constraint")) options.samplers.push_back("constraint");
    const Result<Chain> chain = Chain::create(options);
    const ChainState state = chain->make_state();
    const Result<Choice> choice = choose(*chain, state);
    // The likeliest id is not 5.
    CHECK(static_cast<bool>(choice) == !order.ends_with("constraint"));
    if (choice) CHECK(choice->id == 5);
  }
}

TEST_CASE("An exception from a constraint is an error of its row") {
  using Fault = Script::Fault;
  const auto problem = [&](Fault fault) {
    const Result<Chain> chain = Chain::create(with(Script({5, 6}, fault)));
    ChainState state = chain->make_state();
    const Result<Choice> first = choose(*chain, state);
    if (!first) return first.error();
    chain->accept(*first, state);
    chain->accept(*first, state);  // the constraint is not called any more
    const ChainState fork = state;
    CHECK(choose(*chain, fork).error().message == choose(*chain, state).error().message);
    return choose(*chain, state).error();
  };
  CHECK(problem(Fault::kAllow).message == "the constraint failed: no rule");
  CHECK(problem(Fault::kAccept).message == "the constraint failed: no such word");
  CHECK(problem(Fault::kForkThrows).message == "the constraint failed: no fork");
  CHECK(problem(Fault::kFork).message == "fork() of the constraint returned null");
  CHECK(problem(Fault::kStrange).message == "the constraint threw something that is not an exception");
  CHECK(problem(Fault::kAllow).code == ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace partita::internal::test
