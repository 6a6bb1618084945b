#include "api/convert/tensor_part.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <utility>

#include "weights/codecs/codec.h"
#include "weights/sentence.h"
#include "weights/try.h"

namespace partita::internal {
namespace {

/// Tensors of at most this size are read as a whole where their elements change places.
constexpr std::size_t kSmallBytes = std::size_t{1} << 20;

std::size_t at(const Order& order, std::size_t i) { return order == nullptr ? i : (*order)[i]; }

std::size_t width_of(const SafeTensor& tensor) {  // bytes of an element
  return tensor.dtype ? block_bytes(*tensor.dtype) : 1;
}

/// Whether elements stand one after the other in the tensor.
bool is_contiguous(const TensorPart& p) {
  return p.row_order == nullptr && p.col_order == nullptr && p.col_step == 1 &&
         (p.row_step == p.cols || p.rows <= 1);
}

/// The largest number that a type can hold; scales of quantized types are f16.
float max_of(Dtype type) {
  if (type == Dtype::kF32) return std::numeric_limits<float>::max();
  return type == Dtype::kBF16 ? 0x1.FEp127F : 65504;
}

/// Whether the exponent of an element is that of infinities and NaNs.
template <class Bits>
bool is_finite(const std::byte* element, Bits exponent) {
  Bits bits;
  std::memcpy(&bits, element, sizeof bits);
  return (bits & exponent) != exponent;
}

/// The first of `count` stored elements that is not finite; count: all are.
template <class Bits>
std::size_t first_not_finite(const std::byte* elements, std::size_t count, Bits exponent) {
  constexpr std::size_t kRun = 64;
  for (std::size_t i = 0; i < count; i += kRun) {  // runs without branches
    const std::size_t end = std::min(i + kRun, count);
    bool all = true;
    for (std::size_t k = i; k < end; ++k) all &= is_finite(elements + k * sizeof(Bits), exponent);
    for (std::size_t k = i; k < end && !all; ++k)
      if (!is_finite(elements + k * sizeof(Bits), exponent)) return k;
  }
  return count;
}

std::size_t first_not_finite(Dtype type, const std::byte* elements, std::size_t count) {
  if (type == Dtype::kF16) return first_not_finite<std::uint16_t>(elements, count, 0x7C00);
  if (type == Dtype::kBF16) return first_not_finite<std::uint16_t>(elements, count, 0x7F80);
  return first_not_finite<std::uint32_t>(elements, count, 0x7F800000);
}

/// Reads elements of parts.
class PartReader {
 public:
  PartReader(std::shared_ptr<const SafeTensors> from, std::string name, Dtype to,
             std::vector<TensorPart> parts)
      : from_(std::move(from)), name_(std::move(name)), to_(to), parts_(std::move(parts)) {}

  /// Whole blocks of the tensor.
  Result<void> operator()(std::uint64_t first, std::span<std::byte> out) const {
    const std::size_t block = block_elements(to_), bytes = block_bytes(to_);
    std::size_t begin = static_cast<std::size_t>(first) / bytes * block, count = out.size() / bytes * block;
    for (const TensorPart& part : parts_) {
      if (count == 0) break;
      if (begin >= part.elements()) {
        begin -= part.elements();
        continue;
      }
      const std::size_t here = std::min(count, part.elements() - begin);
      const auto blocks = out.first(here / block * bytes);
      TRY(read(part, begin, here, blocks.data()));
      out = out.subspan(blocks.size());
      count -= here;
      begin = 0;
    }
    return {};
  }

 private:
  /// Elements [begin, begin + count) of a part, encoded.
  Result<void> read(const TensorPart& p, std::size_t begin, std::size_t count, std::byte* out) const {
    const bool changes = p.from == nullptr || p.scale != 1 || p.offset != 0 || p.is_rate;
    if (!changes && p.from->dtype == to_) {
      TRY(gather(p, begin, count, out));
      return check_finite(p, begin, count, out);
    }
    std::vector<float> values(count);
    if (p.from != nullptr) {
      std::vector<std::byte> elements(count * width_of(*p.from));
      TRY(gather(p, begin, count, elements.data()));
      TRY(decode(p, begin, elements, values));
      change(p, values);
    }
    return encode_values(name_, to_, values, out);
  }

  Result<void> decode(const TensorPart& p, std::size_t begin, std::span<const std::byte> elements,
                      std::span<float> values) const {
    if (!p.from->dtype) return decode_fp8(p, begin, elements, values);
    TRY(check_finite(p, begin, values.size(), elements.data()));
    codec(*p.from->dtype).dequantize(elements.data(), values.size(), values.data());
    return {};
  }

  Result<void> decode_fp8(const TensorPart& p, std::size_t begin, std::span<const std::byte> elements,
                          std::span<float> values) const {
    static constexpr auto kE4M3 = fp8_values(Fp8::kE4M3), kE5M2 = fp8_values(Fp8::kE5M2);
    const auto& all = p.from->fp8 == Fp8::kE4M3 ? kE4M3 : kE5M2;
    for (std::size_t i = 0; i < values.size(); ++i) {
      values[i] = all[std::to_integer<std::size_t>(elements[i])];
      if (!std::isfinite(values[i])) return not_finite(p, begin + i);
    }
    if (p.scales == nullptr) return {};
    const bool in_rows = p.col_step == 1 && p.col_order == nullptr;  // else a scale is looked up for each
    for (std::size_t i = 0, run = 0; i < values.size(); i += run) {
      const std::size_t place = p.place(begin + i), rest = p.cols - (begin + i) % p.cols;
      run = in_rows ? std::min({p.scales->run(place), rest, values.size() - i}) : 1;
      const float scale = p.scales->at(place);
      for (float& value : values.subspan(i, run)) value *= scale;
    }
    return {};
  }

  static void change(const TensorPart& p, std::span<float> values) {
    for (float& value : values) {
      if (p.scale != 1) value *= p.scale;
      if (p.offset != 0) value += p.offset;
      if (p.is_rate) value = -std::exp(value);
    }
  }

  Result<void> check_finite(const TensorPart& p, std::size_t begin, std::size_t count,
                            const std::byte* elements) const {
    const std::size_t wrong = first_not_finite(*p.from->dtype, elements, count);
    return wrong == count ? Result<void>() : not_finite(p, begin + wrong);
  }

  Error not_finite(const TensorPart& p, std::size_t i) const {
    return Error{ErrorCode::kBadNumbers,
                 sentence("'", from_->path(), "': element ", p.place(i), " of tensor ",
                          internal::quoted(p.from->name), " is not finite")};
  }

  Result<void> gather(const TensorPart& p, std::size_t begin, std::size_t count, std::byte* out) const {
    if (is_contiguous(p)) return stored(p, p.first + begin, count, out);
    switch (width_of(*p.from)) {
      case 1:
        return gather_places<std::uint8_t>(p, begin, count, out);
      case 2:
        return gather_places<std::uint16_t>(p, begin, count, out);
      default:
        return gather_places<std::uint32_t>(p, begin, count, out);
    }
  }

  /// Elements as the checkpoint stores them.
  Result<void> stored(const TensorPart& p, std::size_t first, std::size_t count, std::byte* out) const {
    const std::size_t width = width_of(*p.from);
    return from_->read(*p.from, first * width, {out, count * width});
  }

  template <class Bits>
  Result<void> gather_places(const TensorPart& p, std::size_t begin, std::size_t count,
                             std::byte* out) const {
    if (p.from->bytes.size() <= kSmallBytes) return gather_small<Bits>(p, begin, count, out);
    return p.col_step == 1 ? gather_rows<Bits>(p, begin, count, out)
                           : gather_columns<Bits>(p, begin, count, out);
  }

  template <class Bits>
  Result<void> gather_small(const TensorPart& p, std::size_t begin, std::size_t count, std::byte* out) const {
    std::vector<std::byte> all(p.from->bytes.size());
    TRY(from_->read(*p.from, 0, all));
    for (std::size_t i = 0; i < count; ++i)
      std::memcpy(out + i * sizeof(Bits), all.data() + p.place(begin + i) * sizeof(Bits), sizeof(Bits));
    return {};
  }

  /// Row after row; where columns are in another order, as a whole.
  template <class Bits>
  Result<void> gather_rows(const TensorPart& p, std::size_t begin, std::size_t count, std::byte* out) const {
    std::vector<std::byte> row(p.col_order == nullptr ? 0 : p.row_step * sizeof(Bits));
    for (std::size_t i = begin, here = 0; i < begin + count; i += here) {
      const std::size_t col = i % p.cols, start = p.first + at(p.row_order, i / p.cols) * p.row_step;
      here = std::min(p.cols - col, begin + count - i);
      std::byte* const to = out + (i - begin) * sizeof(Bits);
      if (p.col_order == nullptr) {
        TRY(stored(p, start + col, here, to));
        continue;
      }
      TRY(stored(p, start, p.row_step, row.data()));
      for (std::size_t k = 0; k < here; ++k)
        std::memcpy(to + k * sizeof(Bits), row.data() + at(p.col_order, col + k) * sizeof(Bits),
                    sizeof(Bits));
    }
    return {};
  }

  /// Of a transposed part: of each of its columns the strip in which the rows lie.
  template <class Bits>
  Result<void> gather_columns(const TensorPart& p, std::size_t begin, std::size_t count,
                              std::byte* out) const {
    const std::size_t first_row = begin / p.cols, end_row = (begin + count - 1) / p.cols + 1;
    std::size_t least = at(p.row_order, first_row), most = least;
    for (std::size_t r = first_row; r < end_row; ++r) {
      least = std::min(least, at(p.row_order, r));
      most = std::max(most, at(p.row_order, r));
    }
    std::vector<std::byte> strip((most - least + 1) * sizeof(Bits));
    for (std::size_t c = 0; c < p.cols; ++c) {
      TRY(stored(p, p.first + at(p.col_order, c) * p.col_step + least, most - least + 1, strip.data()));
      for (std::size_t r = first_row; r < end_row; ++r) {
        const std::size_t i = r * p.cols + c;
        if (i < begin || i >= begin + count) continue;
        std::memcpy(out + (i - begin) * sizeof(Bits),
                    strip.data() + (at(p.row_order, r) - least) * sizeof(Bits), sizeof(Bits));
      }
    }
    return {};
  }

  std::shared_ptr<const SafeTensors> from_;
  std::string name_;
  Dtype to_;
  std::vector<TensorPart> parts_;
};

}  // namespace

Order make_order(std::span<const std::size_t> order) {
  return std::make_shared<const std::vector<std::size_t>>(order.begin(), order.end());
}

std::size_t TensorPart::place(std::size_t i) const {
  return first + at(row_order, i / cols) * row_step + at(col_order, i % cols) * col_step;
}

TensorPart TensorPart::reshaped(std::size_t new_rows, std::size_t new_cols) const {
  TensorPart part = *this;
  part.rows = new_rows;
  part.cols = part.row_step = new_cols;
  return part;
}

TensorPart TensorPart::slice(std::size_t first_row, std::size_t count) const {
  TensorPart part = *this;
  part.first += first_row * row_step;
  part.rows = count;
  return part;
}

TensorPart TensorPart::transposed() const {
  TensorPart part = *this;
  std::swap(part.rows, part.cols);
  std::swap(part.row_step, part.col_step);
  return part;
}

TensorPart TensorPart::with_rows(Order order) const {
  TensorPart part = *this;
  part.rows = order->size();
  part.row_order = std::move(order);
  return part;
}

TensorPart TensorPart::with_cols(Order order) const {
  TensorPart part = *this;
  part.cols = order->size();
  part.col_order = std::move(order);
  return part;
}

TensorPart TensorPart::scaled(float by) const {
  TensorPart part = *this;
  part.scale = by;
  return part;
}

TensorPart zeros(std::size_t rows, std::size_t cols) {
  TensorPart part;
  part.rows = rows;
  part.cols = part.row_step = cols;
  return part;
}

Dtype stored_type(std::span<const TensorPart> parts) {
  std::optional<Dtype> type;
  for (const TensorPart& part : parts) {
    if (part.from == nullptr) continue;
    const bool is_exact = part.scales == nullptr || part.scales->keep_bf16(part.from->fp8);
    const Dtype own = part.from->dtype.value_or(is_exact ? Dtype::kBF16 : Dtype::kF32);
    if (type && *type != own) return Dtype::kF32;
    type = own;
  }
  return type.value_or(Dtype::kF32);
}

Result<void> encode_values(const std::string& name, Dtype type, std::span<const float> values,
                           std::byte* out) {
  const float max = max_of(type);
  if (!std::all_of(values.begin(), values.end(), [max](float value) { return std::abs(value) <= max; })) {
    const bool is_bf16 = type == Dtype::kBF16;
    return Error{ErrorCode::kBadNumbers,
                 sentence(internal::quoted(name), " has a value beyond the ",
                          is_bf16 ? "3.39e38 of bf16" : "65504 of f16", ", which ", internal::name(type),
                          " cannot hold: ", is_bf16 ? "f32 can" : "bf16 and f32 can")};
  }
  codec(type).quantize(values.data(), values.size(), out);
  return {};
}

TensorSource source_of(std::shared_ptr<const SafeTensors> from, std::string name, Dtype to,
                       std::vector<TensorPart> parts) {
  return PartReader(std::move(from), std::move(name), to, std::move(parts));
}

}  // namespace partita::internal
