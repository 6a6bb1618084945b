// Measures what the linear layers of a model read: the sum of squares of every column of their inputs.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "engine/step_watch.h"

namespace partita::internal {

/// Sums over the rows of all steps while it is an engine's watch (Engine::watch). They do not depend on the
/// number of threads.
class InputMoments : public StepWatch {
 public:
  struct Entry {
    std::vector<double> squares;      // [matrices][cols]
    std::vector<std::uint64_t> rows;  // [matrices]
  };

  void input(const Worker& worker, const Linear& linear, const float* values, std::size_t rows,
             std::size_t cols, std::size_t matrix, std::size_t matrices) override;

  /// By the name of the tensor.
  const std::map<std::string, Entry>& entries() const { return entries_; }

 private:
  std::map<std::string, Entry> entries_;
};

}  // namespace partita::internal
