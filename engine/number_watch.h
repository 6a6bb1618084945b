// Finds where numbers stop being finite: the first operation of a forward pass whose results hold NaN or an
// infinity. For models whose logits are NaN: a damaged weight, or values beyond what a type can hold.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "engine/step_watch.h"
#include "engine/workspace.h"

namespace partita::internal {

/// The result of an operation that is not finite.
struct BadNumber {
  std::optional<std::size_t> layer;     // none: the embedding, or the final norm
  std::string operation;                // "the product with attn_q", "attention scores"
  std::optional<std::size_t> position;  // of the token; none: the operation is not one of tokens
  float value = 0;
};

/// "layer 3, attention scores: nan (token 17)"; tokens and layers are numbered from 0.
std::string to_text(const BadNumber& bad);

/// Looks at the results of every operation of the steps of an engine (Engine::watch). Slow: workers wait for
/// each look.
class NumberWatch : public StepWatch {
 public:
  void enter(const Worker& worker, std::size_t layer) override;
  void look(const Worker& worker, const Workspace& ws, std::string_view operation, const float* values,
            std::size_t rows, std::size_t cols, float limit = 0) override;

  const std::optional<BadNumber>& first() const { return first_; }

 private:
  std::size_t layer_ = kNoLayer;
  std::optional<BadNumber> first_;
};

/// Lets ws.watch, if there is one, look at all rows of the step in `values`.
inline void look(const Worker& worker, Workspace& ws, const char* operation, FloatBuffer& values,
                 std::size_t cols) {
  if (ws.watch != nullptr) ws.watch->look(worker, ws, operation, values.row(0), ws.rows.size(), cols);
}

}  // namespace partita::internal
