// Constrained decoding: masks the ids that the caller's Constraint does not allow. Each sequence has a fork
// of it as the state of this stage. An exception from it is stored and fails the next row of that sequence
// alone.
#include <exception>
#include <new>
#include <optional>
#include <string>

#include "partita/constraint.hpp"
#include "sampling/chain/options.h"
#include "sampling/stages/stage.h"
#include "weights/catch_all.h"
#include "weights/sentence.h"

namespace partita::internal::stages::constraint {
namespace {

/// Calls code of the caller; stores an exception that it throws in `problem`.
template <class F>
void run_foreign(std::optional<Error>& problem, F&& f) noexcept {
  try {
    f();
  } catch (const std::bad_alloc&) {
    problem = out_of_memory();
  } catch (const std::exception& e) {
    problem = error_of(ErrorCode::kInvalidArgument,
                       [&] { return std::string("the constraint failed: ") + e.what(); });
  } catch (...) {
    problem = error_of(ErrorCode::kInvalidArgument,
                       [] { return std::string("the constraint threw something that is not an exception"); });
  }
}

struct ConstraintState : StageState {
  std::unique_ptr<Constraint> constraint;  // null: see problem
  std::optional<Error> problem;

  std::unique_ptr<StageState> clone() const override { return fork_of(constraint.get(), problem); }

  static std::unique_ptr<StageState> fork_of(const Constraint* from, const std::optional<Error>& problem) {
    auto state = std::make_unique<ConstraintState>();
    state->problem = problem;
    if (state->problem) return state;
    run_foreign(state->problem, [&] { state->constraint = from->fork(); });
    if (state->constraint == nullptr && !state->problem) {
      state->problem = invalid("fork() of the constraint returned null");
    }
    return state;
  }
};

class ConstraintStage : public Stage {
 public:
  explicit ConstraintStage(std::shared_ptr<const Constraint> prototype) : prototype_(std::move(prototype)) {}
  std::string_view name() const override { return "constraint"; }
  std::string describe() const override { return "constraint"; }

  std::unique_ptr<StageState> make_state() const override {
    return ConstraintState::fork_of(prototype_.get(), std::nullopt);
  }

  void apply(Candidates& row, const StageContext& context, const StageState* state) const override {
    const auto& own = static_cast<const ConstraintState&>(*state);
    std::optional<Error> problem = own.problem;
    const std::span<std::uint64_t> allowed = grow_to(row.scratch.words, (row.vocab() + 63) / 64);
    std::fill(allowed.begin(), allowed.end(), ~std::uint64_t{0});
    if (!problem) run_foreign(problem, [&] { own.constraint->allow(allowed); });
    if (problem) return row.fail(*problem);
    row.mask_unset(allowed);
    row.settle(*context.kernels);
  }

  void accept(const Choice& choice, StageState* state) const override {
    auto& own = static_cast<ConstraintState&>(*state);
    if (!own.problem) run_foreign(own.problem, [&] { own.constraint->accept(choice.id); });
  }

 private:
  std::shared_ptr<const Constraint> prototype_;
};

MadeStage make(const SamplingOptions& options, const Vocabulary*) {
  return options.constraint == nullptr ? no_stage() : make_stage<ConstraintStage>(options.constraint);
}

}  // namespace

extern const StageDescriptor stage = {
    {"constraint", "masks what the caller's constraint does not allow; always used where one is given", {}},
    make};

}  // namespace partita::internal::stages::constraint
