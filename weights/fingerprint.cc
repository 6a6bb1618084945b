#include "weights/fingerprint.h"

#include <algorithm>

#include "weights/hash.h"

namespace partita {
namespace {

constexpr std::size_t kSample = 4096;  // bytes

std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

}  // namespace

std::uint64_t fingerprint(const Gguf& file) {
  Hash64 hash;
  const auto number = [&](std::uint64_t n) { hash.add(std::as_bytes(std::span(&n, 1))); };
  for (const Gguf::Entry& entry : file.metadata()) hash.add(bytes_of(entry.key));
  for (const TensorView& tensor : file.tensors()) {
    hash.add(bytes_of(tensor.name));
    number(static_cast<std::uint64_t>(tensor.dtype));
    for (const std::uint64_t dimension : tensor.shape) number(dimension);
    const std::size_t sample = std::min(kSample, tensor.bytes.size());
    hash.add(tensor.bytes.first(sample));
    hash.add(tensor.bytes.last(sample));
  }
  return hash.sum();
}

}  // namespace partita
