#include "api/quantize/tensor_quantizer.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <numeric>
#include <optional>

#include "weights/codecs/codec.h"
#include "weights/sentence.h"

namespace partita::internal {
namespace {

/// The largest magnitude of a type's values.
double largest_of(const Codec& codec) {
  constexpr double kLargestF16 = 65504, kLargestF32 = std::numeric_limits<float>::max();
  const QuantLayout& layout = codec.layout;
  const int high = (1 << layout.bits) - 1;
  const int level =
      std::max(std::abs(layout.level(0)), std::abs(layout.level(static_cast<std::uint8_t>(high))));
  switch (layout.scale) {
    case ScaleKind::kNone:
      return codec.dtype == Dtype::kF16 ? kLargestF16 : kLargestF32;
    case ScaleKind::kF16:
      return kLargestF16 * level;
    case ScaleKind::kF16Min:
      return kLargestF16 * (high + 1);
    case ScaleKind::kSuper:
      return kLargestF16 * 63 * high;
    case ScaleKind::kSuperU4:
      return kLargestF16 * 15 * high;
    case ScaleKind::kSuperI8:
      return kLargestF16 * (codec.dtype == Dtype::kQ6_K ? 128 : 32) * level;
    case ScaleKind::kE8M0:
    case ScaleKind::kUE4M3:
      return kLargestF32;
  }
  return kLargestF32;
}

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
      : job_(job),
        rows_(rows),
        largest_(largest_of(codec(job.to))),
        values_(rows.columns),
        found_(rows.columns) {}

  /// Row `row` of the tensor, given as it is stored; returns the sums of the squares of the errors. Error:
  /// kBadNumbers.
  Result<TensorQuantizer::Squares> write(std::size_t row, const std::byte* stored, std::byte* out) {
    codec(job_.from.dtype).dequantize(stored, rows_.columns, values_.data());
    quantize(codec(job_.to), values_.data(), importance_of(row), rows_.columns, out);
    codec(job_.to).dequantize(out, rows_.columns, found_.data());
    const auto fits = [&](float value) { return std::fabs(static_cast<double>(value)) <= largest_; };
    const auto bad = std::find_if_not(values_.begin(), values_.end(), fits);
    if (bad != values_.end()) return bad_number(row, bad);
    TensorQuantizer::Squares squares;
    const float* importance = importance_of(row);
    for (std::size_t i = 0; i < rows_.columns; ++i) {
      const double error = static_cast<double>(values_[i]) - static_cast<double>(found_[i]);
      squares.plain += error * error;
      if (importance != nullptr) squares.weighed += error * error * static_cast<double>(importance[i]);
    }
    if (importance == nullptr) squares.weighed = squares.plain;
    if (!std::isfinite(squares.plain))
      return bad_number(row, std::max_element(values_.begin(), values_.end(), smaller));
    return squares;
  }

 private:
  static bool smaller(float a, float b) { return std::fabs(a) < std::fabs(b); }

  Error bad_number(std::size_t row, std::vector<float>::const_iterator at) const {
    const double value = static_cast<double>(*at);
    return {ErrorCode::kBadNumbers,
            sentence("tensor ", quoted(job_.from.name), " has the value ", rounded_text(value), " in row ",
                     row, ", column ", at - values_.begin(), ", which ", problem_of(value))};
  }

  std::string problem_of(double value) const {
    if (!std::isfinite(value)) return "is not finite";
    if (std::fabs(value) > largest_)
      return sentence("is too large for ", name(job_.to), ", whose limit is ", rounded_text(largest_));
    return sentence("is too large for ", name(job_.to), " with the other values of its block");
  }

  const float* importance_of(std::size_t row) const {
    if (job_.importance.empty()) return nullptr;
    return job_.importance.data() + row / rows_.in_matrix * rows_.columns;
  }

  const TensorJob& job_;
  const Rows& rows_;
  const double largest_;
  std::vector<float> values_, found_;
};

}  // namespace

Result<TensorQuantizer::Squares> TensorQuantizer::write_rows(const TensorJob& job, std::uint64_t first,
                                                             std::span<std::byte> out) {
  const Rows rows(job);
  const std::size_t first_row = first / rows.to_bytes, count = out.size() / rows.to_bytes;
  std::vector<Squares> squares(count);  // by row, so that their sum does not depend on the workers
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
      const auto sum = writer.write(first_row + r, stored->data() + (r - begin) * rows.from_bytes,
                                    out.data() + r * rows.to_bytes);
      if (!sum) {
        failures[static_cast<std::size_t>(worker.index)] = sum.error();
        return;
      }
      squares[r] = *sum;
    }
  });
  for (const auto& failure : failures) {
    if (failure) return *failure;
  }
  return std::accumulate(squares.begin(), squares.end(), Squares(), [](const Squares& a, const Squares& b) {
    return Squares{a.plain + b.plain, a.weighed + b.weighed};
  });
}

Result<void> TensorQuantizer::write(const TensorJob& job, std::uint64_t first, std::span<std::byte> out) {
  const auto squares = write_rows(job, first, out);
  if (!squares) return squares.error();
  const Rows rows(job);
  Errors& errors = errors_[job.to];
  errors.squares += squares->plain;
  errors.values += out.size() / rows.to_bytes * rows.columns;
  return {};
}

Result<double> TensorQuantizer::quantize(const TensorJob& job, std::span<std::byte> out) {
  const auto squares = write_rows(job, 0, out);
  if (!squares) return squares.error();
  return squares->weighed;
}

void TensorQuantizer::report_errors(std::map<std::string, double>& by_type) const {
  for (const auto& [dtype, errors] : errors_)
    by_type[std::string(name(dtype))] = std::sqrt(errors.squares / static_cast<double>(errors.values));
}

}  // namespace partita::internal
