#include "api/convert/fp8_scales.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <span>

#include "weights/codecs/codec.h"
#include "weights/sentence.h"
#include "weights/try.h"

namespace partita::internal {
namespace {

constexpr std::size_t kBlock = 128;  // rows and columns

std::size_t blocks(std::size_t size) { return (size + kBlock - 1) / kBlock; }

}  // namespace

Result<std::shared_ptr<const Fp8Scales>> Fp8Scales::read(const SafeTensors& from, const SafeTensor& of,
                                                         const SafeTensor& scales) {
  const auto unsupported = [&] {
    return Error{ErrorCode::kUnsupported,
                 sentence("'", from.path(), "': tensor ", internal::quoted(scales.name), " is ", scales.type,
                          " of shape ", shape_text(scales.shape), ", and one scale for ",
                          internal::quoted(of.name), " of shape ", shape_text(of.shape),
                          ", or for each of its rows or blocks of 128 x 128, can be read")};
  };
  if (!scales.dtype || of.shape.size() < 2) return unsupported();
  std::vector<std::byte> bytes(scales.bytes.size());
  TRY(from.read(scales, 0, bytes));
  Fp8Scales out;
  out.values_.resize(bytes.size() / block_bytes(*scales.dtype));
  codec(*scales.dtype).dequantize(bytes.data(), out.values_.size(), out.values_.data());
  if (!std::all_of(out.values_.begin(), out.values_.end(),
                   [](float scale) { return std::isfinite(scale); })) {
    return Error{ErrorCode::kBadNumbers,
                 sentence("'", from.path(), "': tensor ", internal::quoted(scales.name),
                          " has an element that is not finite")};
  }
  const std::size_t rows = of.shape[of.shape.size() - 2], cols = of.shape.back();
  const std::size_t matrices =
      std::accumulate(of.shape.begin(), of.shape.end() - 2, std::size_t{1}, std::multiplies<>());
  const std::size_t count = out.values_.size();
  out.rows_ = out.block_rows_ = rows;
  out.cols_ = out.block_cols_ = cols;
  const bool in_blocks = scales.shape.size() == of.shape.size() && scales.shape.back() == blocks(cols) &&
                         count == matrices * blocks(rows) * blocks(cols);
  if (in_blocks) {
    out.block_rows_ = out.block_cols_ = kBlock;
    out.row_step_ = blocks(cols);
    out.matrix_step_ = blocks(rows) * blocks(cols);
  } else if (count == 1 || count == matrices) {
    out.matrix_step_ = count == 1 ? 0 : 1;
  } else if (count == matrices * rows) {
    out.block_rows_ = out.row_step_ = 1;
    out.matrix_step_ = rows;
  } else {
    return unsupported();
  }
  return std::make_shared<const Fp8Scales>(std::move(out));
}

bool Fp8Scales::keep_bf16(Fp8 type) const {
  // BF16 has 8 significant bits; FP8 numbers have 4 or 3 of them.
  const int bits = type == Fp8::kE4M3 ? 4 : 5;
  constexpr float kLeast = 0x1p-90F, kMost = 0x1p90F;  // the products are normal numbers
  return std::all_of(values_.begin(), values_.end(), [bits](float scale) {
    int exponent = 0;
    const float mantissa = std::ldexp(std::frexp(scale, &exponent), bits);
    return mantissa == std::nearbyint(mantissa) && std::abs(scale) >= kLeast && std::abs(scale) <= kMost;
  });
}

}  // namespace partita::internal
