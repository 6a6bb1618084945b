#include "api/quantize/tensor_quantizer.h"

#include <cmath>
#include <numeric>
#include <optional>

#include "weights/codecs/codec.h"
#include "weights/sentence.h"

namespace partita::internal {
namespace {

/// Rows of a tensor and their sizes in either type.
struct Rows {
  std::size_t columns, from_bytes, to_bytes;
  std::size_t in_matrix;  // rows of one matrix of a stack

  explicit Rows(const TensorJob& job)
      : columns(job.from.shape[job.from.shape.size() - 1]),
        from_bytes(columns / block_elements(job.from.dtype) * block_bytes(job.from.dtype)),
        to_bytes(columns / block_elements(job.to) * block_bytes(job.to)),
        in_matrix(job.from.shape.size() > 1 ? job.from.shape[job.from.shape.size() - 2] : 1) {}
};

/// One worker's buffers.
class RowWriter {
 public:
  RowWriter(const TensorJob& job, const Rows& rows)
      : job_(job), rows_(rows), values_(rows.columns), found_(rows.columns) {}

  /// Row `row` of the tensor, given as it is stored; returns the sum of the squares of the errors.
  double write(std::size_t row, const std::byte* stored, std::byte* out) {
    codec(job_.from.dtype).dequantize(stored, rows_.columns, values_.data());
    quantize(codec(job_.to), values_.data(), importance_of(row), rows_.columns, out);
    codec(job_.to).dequantize(out, rows_.columns, found_.data());
    double squares = 0;
    for (std::size_t i = 0; i < rows_.columns; ++i) {
      const double error = static_cast<double>(values_[i]) - static_cast<double>(found_[i]);
      squares += error * error;
    }
    return squares;
  }

 private:
  const float* importance_of(std::size_t row) const {
    if (job_.importance.empty()) return nullptr;
    return job_.importance.data() + row / rows_.in_matrix * rows_.columns;
  }

  const TensorJob& job_;
  const Rows& rows_;
  std::vector<float> values_, found_;
};

}  // namespace

Result<void> TensorQuantizer::write(const TensorJob& job, std::uint64_t first, std::span<std::byte> out) {
  const Rows rows(job);
  const std::size_t first_row = first / rows.to_bytes, count = out.size() / rows.to_bytes;
  std::vector<double> squares(count);  // by row, so that their sum does not depend on the workers
  std::vector<std::optional<Error>> failures(static_cast<std::size_t>(team_.threads()));
  team_.run([&](const Worker& worker) {
    const auto [begin, end] = worker.share(count);
    if (begin == end) return;
    std::vector<std::byte> buffer;
    const auto stored = model_.read(
        job.from.bytes.subspan((first_row + begin) * rows.from_bytes, (end - begin) * rows.from_bytes),
        buffer);
    if (!stored) {
      failures[static_cast<std::size_t>(worker.index)] = stored.error();
      return;
    }
    RowWriter writer(job, rows);
    for (std::size_t r = begin; r < end; ++r) {
      squares[r] = writer.write(first_row + r, stored->data() + (r - begin) * rows.from_bytes,
                                out.data() + r * rows.to_bytes);
    }
  });
  for (const auto& failure : failures) {
    if (failure) return *failure;
  }
  const double sum = std::accumulate(squares.begin(), squares.end(), 0.0);
  if (!std::isfinite(sum)) {
    return Error{ErrorCode::kBadNumbers,
                 sentence("tensor ", quoted(job.from.name),
                          " has a value that is not finite, or too large for ", name(job.to))};
  }
  Errors& errors = errors_[job.to];
  errors.squares += sum;
  errors.values += count * rows.columns;
  return {};
}

void TensorQuantizer::report_errors(std::map<std::string, double>& by_type) const {
  for (const auto& [dtype, errors] : errors_)
    by_type[std::string(name(dtype))] = std::sqrt(errors.squares / static_cast<double>(errors.values));
}

}  // namespace partita::internal
