#include "engine/input_moments.h"

#include "engine/tensor_loader.h"

namespace partita::internal {

void InputMoments::input(const Worker& worker, const Linear& linear, const float* values, std::size_t rows,
                         std::size_t cols, std::size_t matrix, std::size_t matrices) {
  if (linear.weight.rows == 0) return;  // a layer that the model lacks
  worker.wait();
  if (worker.index == 0) {
    Entry& entry = entries_[linear.name + ".weight"];
    entry.squares.resize(matrices * cols);
    entry.rows.resize(matrices);
    double* squares = entry.squares.data() + matrix * cols;
    for (std::size_t r = 0; r < rows; ++r) {
      for (std::size_t c = 0; c < cols; ++c) {
        const auto value = static_cast<double>(values[r * cols + c]);
        squares[c] += value * value;
      }
    }
    entry.rows[matrix] += rows;
  }
  worker.wait();  // before the values change
}

}  // namespace partita::internal
