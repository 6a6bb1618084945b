// Parts of tensors: elements in other places, read in any pieces.
#include "api/convert/tensor_part.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "tests/catch.h"
#include "tests/must.h"
#include "tests/weights/safetensors/safetensors_writer.h"

namespace partita::internal::testing {
namespace {

/// One tensor "w" whose element i is i.
class Numbers {
 public:
  Numbers(std::size_t rows, std::size_t cols) : values_(rows * cols) {
    for (std::size_t i = 0; i < values_.size(); ++i) values_[i] = static_cast<float>(i);
    bytes_ = test::SafeTensorsWriter().add("w", {rows, cols}, values_).bytes();
    file_ = std::make_shared<const SafeTensors>(must(SafeTensors::parse(bytes_, "numbers")));
    all_ = zeros(rows, cols);
    all_.from = file_->find("w");
  }
  const TensorPart& all() const { return all_; }
  TensorSource source(std::vector<TensorPart> parts) const {
    return source_of(file_, "out", Dtype::kF32, parts);
  }

 private:
  std::vector<float> values_;
  std::vector<std::byte> bytes_;
  std::shared_ptr<const SafeTensors> file_;
  TensorPart all_;
};

std::vector<float> read(const TensorSource& source, std::size_t first, std::size_t count) {
  std::vector<float> values(count);
  const auto done = source(first * sizeof(float), std::as_writable_bytes(std::span(values)));
  must(done.ok(), done.ok() ? "" : done.error().message);
  return values;
}

/// expected(i) is the number of element i; pieces begin and end anywhere.
template <class Expected>
void check(const TensorSource& source, std::size_t size, Expected expected) {
  const std::pair<std::size_t, std::size_t> pieces[] = {
      {0, size}, {0, 1}, {size - 1, 1}, {size / 3, size / 2}, {7, std::min<std::size_t>(1000, size - 7)}};
  for (const auto& [first, count] : pieces) {
    INFO(first << " " << count);
    const auto values = read(source, first, count);
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < count; ++i) wrong += values[i] != static_cast<float>(expected(first + i));
    CHECK(wrong == 0);
  }
}

TEST_CASE("Parts have their elements where they belong") {
  for (const std::size_t rows : {20, 700}) {  // the smaller is read as a whole, the larger in parts
    const std::size_t cols = 500, size = rows * cols;
    INFO(rows);
    const Numbers numbers(rows, cols);
    const TensorPart& all = numbers.all();
    std::vector<std::size_t> order(rows), some(rows / 2), across(cols);
    for (std::size_t i = 0; i < rows; ++i) order[i] = i * 7 % rows;  // rows is no multiple of 7 but 700
    if (rows % 7 == 0)
      for (std::size_t i = 0; i < rows; ++i) order[i] = i * 11 % rows;
    for (std::size_t i = 0; i < some.size(); ++i) some[i] = 2 * i + 1;
    for (std::size_t i = 0; i < cols; ++i) across[i] = i * 3 % cols;
    check(numbers.source({all}), size, [](std::size_t i) { return i; });
    check(numbers.source({all.slice(3, 5)}), 5 * cols, [&](std::size_t i) { return 3 * cols + i; });
    check(numbers.source({all.with_rows(make_order(order))}), size,
          [&](std::size_t i) { return order[i / cols] * cols + i % cols; });
    check(numbers.source({all.with_cols(make_order(across))}), size,
          [&](std::size_t i) { return i / cols * cols + across[i % cols]; });
    check(numbers.source({all.transposed()}), size,
          [&](std::size_t i) { return i % rows * cols + i / rows; });
    check(numbers.source({all.slice(4, 8).transposed()}), 8 * cols,
          [&](std::size_t i) { return (4 + i % 8) * cols + i / 8; });
    check(numbers.source({all.transposed().with_rows(make_order(across))}), size,
          [&](std::size_t i) { return i % rows * cols + across[i / rows]; });
    check(numbers.source({all.slice(5, 1), all.with_rows(make_order(some)), zeros(2, cols)}),
          (1 + some.size()) * cols,
          [&](std::size_t i) { return i < cols ? 5 * cols + i : some[i / cols - 1] * cols + i % cols; });
    CHECK(read(numbers.source({all, zeros(2, cols)}), size, 2 * cols) == std::vector<float>(2 * cols));
  }
}

TEST_CASE("Elements of parts are changed in order") {
  const Numbers numbers(2, 3);
  TensorPart part = numbers.all().scaled(2);
  part.offset = 1;
  CHECK(read(numbers.source({part}), 0, 6) == std::vector<float>{1, 3, 5, 7, 9, 11});
  part = numbers.all();
  part.is_rate = true;
  CHECK(read(numbers.source({part}), 2, 1).front() == -std::exp(2.0F));
}

TEST_CASE("The place of an element that is not finite is named") {
  std::vector<float> values(300, 1);
  values[201] = INFINITY;
  for (const char* type : {"F32", "F16", "BF16"}) {
    const auto bytes = test::SafeTensorsWriter().add("w", {3, 100}, values, type).bytes();
    const auto file = std::make_shared<const SafeTensors>(must(SafeTensors::parse(bytes, "m")));
    TensorPart part = zeros(3, 100);
    part.from = file->find("w");
    for (const Dtype to : {Dtype::kF32, stored_type({&part, 1})}) {
      std::vector<std::byte> out(300 * (to == Dtype::kF32 ? 4 : 2));
      const auto wrong = source_of(file, "o", to, {part.transposed()})(0, out);
      REQUIRE_FALSE(wrong.ok());
      CHECK(wrong.error().code == ErrorCode::kBadNumbers);
      CHECK(wrong.error().message == "'m': element 201 of tensor 'w' is not finite");
    }
  }
}

TEST_CASE("FP8 elements have the scale of their block, wherever they are") {
  constexpr std::size_t kRows = 300, kCols = 200;  // 3 x 2 blocks
  std::vector<std::byte> codes(2 * kRows * kCols);
  for (std::size_t i = 0; i < codes.size(); ++i) codes[i] = static_cast<std::byte>(i % 119);
  std::vector<float> scales(12);
  for (std::size_t i = 0; i < scales.size(); ++i) scales[i] = 0.1F * static_cast<float>(i + 1);
  const auto bytes = test::SafeTensorsWriter()
                         .add_bytes("w", "F8_E4M3", {2, kRows, kCols}, codes)
                         .add("w_scale", {2, 3, 2}, scales)
                         .add("one", {2, 1, 1}, {3, 5})
                         .bytes();
  const auto file = std::make_shared<const SafeTensors>(must(SafeTensors::parse(bytes, "m")));
  TensorPart part = zeros(2 * kRows, kCols);
  part.from = file->find("w");
  CHECK(stored_type({&part, 1}) == Dtype::kBF16);
  part.scales = must(Fp8Scales::read(*file, *part.from, *file->find("w_scale")));
  CHECK(stored_type({&part, 1}) == Dtype::kF32);
  const auto expected = [&](std::size_t row, std::size_t col) {
    const std::size_t block = (row / kRows * 3 + row % kRows / 128) * 2 + col / 128;
    return decode_fp8(Fp8::kE4M3, static_cast<std::uint8_t>((row * kCols + col) % 119)) * scales[block];
  };
  check(source_of(file, "o", Dtype::kF32, {part}), codes.size(),
        [&](std::size_t i) { return expected(i / kCols, i % kCols); });
  check(source_of(file, "o", Dtype::kF32, {part.transposed()}), codes.size(),
        [&](std::size_t i) { return expected(i % (2 * kRows), i / (2 * kRows)); });
  part.scales = must(Fp8Scales::read(*file, *part.from, *file->find("one")));
  CHECK(stored_type({&part, 1}) == Dtype::kBF16);
  check(source_of(file, "o", Dtype::kF32, {part}), codes.size(), [&](std::size_t i) {
    const float scale = i < kRows * kCols ? 3 : 5;
    return decode_fp8(Fp8::kE4M3, static_cast<std::uint8_t>(i % 119)) * scale;
  });
}

TEST_CASE("Parts of several types are stored in f32") {
  const auto bytes =
      test::SafeTensorsWriter().add("a", {1, 2}, {1, 2}, "F16").add("b", {1, 2}, {3, 4}, "BF16").bytes();
  const auto file = std::make_shared<const SafeTensors>(must(SafeTensors::parse(bytes, "m")));
  TensorPart a = zeros(1, 2), b = a;
  a.from = file->find("a");
  b.from = file->find("b");
  const std::vector<TensorPart> same = {a, zeros(1, 2), a}, mixed = {a, b};
  CHECK(stored_type(same) == Dtype::kF16);
  CHECK(stored_type(mixed) == Dtype::kF32);
  CHECK(read(source_of(file, "o", Dtype::kF32, mixed), 0, 4) == std::vector<float>{1, 2, 3, 4});
}

}  // namespace
}  // namespace partita::internal::testing
