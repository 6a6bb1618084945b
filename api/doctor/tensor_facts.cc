#include "api/doctor/tensor_facts.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "engine/kernels/parallel.h"
#include "weights/catch_all.h"
#include "weights/codecs/codec.h"
#include "weights/hash.h"
#include "weights/try.h"

namespace partita::internal {
namespace {

constexpr std::size_t kSliceElements = std::size_t{1} << 20;  // a multiple of every block
constexpr std::size_t kChunkElements = 8192;                  // decoded at once; a multiple of every block
constexpr std::size_t kSlicesARound = 32;  // of each thread, between two reports of progress

/// A part of a tensor that one thread reads.
struct Slice {
  std::size_t tensor = 0;
  std::uint64_t first = 0;  // element
  std::size_t elements = 0;
};

struct Buffers {
  std::vector<std::byte> bytes;
  std::vector<float> values = std::vector<float>(kChunkElements);
};

std::vector<Slice> slices_of(const Gguf& file) {
  std::vector<Slice> slices;
  for (std::size_t t = 0; t < file.tensors().size(); ++t) {
    const std::uint64_t elements = file.tensors()[t].shape.elements();
    for (std::uint64_t first = 0; first < elements; first += kSliceElements)
      slices.push_back(
          {t, first, static_cast<std::size_t>(std::min<std::uint64_t>(kSliceElements, elements - first))});
  }
  return slices;
}

void add_value(float value, std::uint64_t index, TensorFacts& facts) {
  const bool bad = !std::isfinite(value);
  if (bad && facts.nan + facts.infinite == 0) facts.first_bad = index;
  if (bad) ++(std::isnan(value) ? facts.nan : facts.infinite);
  facts.constant = facts.constant && value == facts.value;
}

Result<TensorFacts> read_slice(const Gguf& file, const Slice& slice, Buffers& buffers) {
  const TensorView& tensor = file.tensors()[slice.tensor];
  const std::size_t block = block_elements(tensor.dtype), width = block_bytes(tensor.dtype);
  const auto part = tensor.bytes.subspan(slice.first / block * width, slice.elements / block * width);
  const auto bytes = file.read(part, buffers.bytes);
  if (!bytes) return bytes.error();
  TensorFacts facts;
  Hash64 hash;
  hash.add(*bytes);
  facts.digest = hash.sum();
  for (std::size_t from = 0; from < slice.elements; from += kChunkElements) {
    const std::size_t count = std::min(kChunkElements, slice.elements - from);
    codec(tensor.dtype).dequantize(bytes->data() + from / block * width, count, buffers.values.data());
    if (from == 0) facts.value = buffers.values[0];
    for (std::size_t i = 0; i < count; ++i) add_value(buffers.values[i], slice.first + from + i, facts);
  }
  return facts;
}

/// Adds the facts of the next slice of a tensor.
void merge(const Slice& slice, const TensorFacts& next, TensorFacts& facts) {
  if (slice.first == 0) {
    facts = next;
    return;
  }
  if (facts.nan + facts.infinite == 0) facts.first_bad = next.first_bad;
  facts.nan += next.nan;
  facts.infinite += next.infinite;
  facts.constant = facts.constant && next.constant && facts.value == next.value;
  Hash64 both;
  const std::uint64_t digests[] = {facts.digest, next.digest};
  both.add(std::as_bytes(std::span(digests)));
  facts.digest = both.sum();
}

}  // namespace

Result<std::vector<TensorFacts>> read_facts(const Gguf& file, int threads,
                                            const std::function<bool(float)>& progress) {
  const std::vector<Slice> slices = slices_of(file);
  const auto members = static_cast<std::size_t>(threads);
  std::vector<TensorFacts> all(file.tensors().size());
  std::vector<Buffers> buffers(members);
  for (std::size_t begin = 0; begin < slices.size(); begin += members * kSlicesARound) {
    const std::size_t count = std::min(members * kSlicesARound, slices.size() - begin);
    std::vector<Result<TensorFacts>> found(count, TensorFacts());
    parallel(threads, [&](const Worker& worker) {
      for (std::size_t i = static_cast<std::size_t>(worker.index); i < count;
           i += static_cast<std::size_t>(worker.count))
        found[i] = catch_all([&] {
          return read_slice(file, slices[begin + i], buffers[static_cast<std::size_t>(worker.index)]);
        });
    });
    for (std::size_t i = 0; i < count; ++i) {
      if (!found[i]) return found[i].error();
      const Slice& slice = slices[begin + i];
      merge(slice, *found[i], all[slice.tensor]);
    }
    const double done = static_cast<double>(begin + count) / static_cast<double>(slices.size());
    if (progress && !progress(static_cast<float>(done)))
      return Error{ErrorCode::kCancelled, "reading '" + file.path() + "' was cancelled"};
  }
  return all;
}

}  // namespace partita::internal
