#include "weights/fingerprint.h"

#include <algorithm>
#include <bit>
#include <variant>

#include "weights/hash.h"

namespace partita::internal {
namespace {

constexpr std::size_t kSampleBytes = 4096;  // bytes
constexpr std::size_t kMaxArrayValues =
    4096;  // longer arrays, such as vocabularies, are hashed by length alone

std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

void add_number(Hash64& hash, std::uint64_t n) { hash.add(std::as_bytes(std::span(&n, 1))); }

struct AddValue {
  Hash64& hash;
  void operator()(std::uint64_t n) const { add_number(hash, n); }
  void operator()(std::int64_t n) const { add_number(hash, static_cast<std::uint64_t>(n)); }
  void operator()(double x) const { add_number(hash, std::bit_cast<std::uint64_t>(x)); }
  void operator()(bool b) const { add_number(hash, b ? 1 : 0); }
  void operator()(std::string_view text) const { hash.add(bytes_of(text)); }
  void operator()(const GgufArray& array) const {
    add_number(hash, array.size());
    for (std::size_t i = 0; i < array.size() && array.size() <= kMaxArrayValues; ++i) {
      if (const auto whole = array.int_at(i)) (*this)(*whole);
      if (const auto real = array.float_at(i)) (*this)(*real);
      if (const auto flag = array.bool_at(i)) (*this)(*flag);
      if (const auto text = array.string_at(i)) (*this)(*text);
    }
  }
};

}  // namespace

Result<std::uint64_t> fingerprint(const Gguf& file) {
  std::vector<std::byte> buffer;
  Hash64 hash;
  for (const GgufEntry& entry : file.metadata()) {
    if (entry.key.starts_with("split.")) continue;  // a model is the same in one file and in several
    hash.add(bytes_of(entry.key));
    std::visit(AddValue{hash}, entry.value);
  }
  for (const TensorView& tensor : file.tensors()) {
    hash.add(bytes_of(tensor.name));
    add_number(hash, static_cast<std::uint64_t>(tensor.dtype));
    for (const std::uint64_t dimension : tensor.shape) add_number(hash, dimension);
    const std::size_t sample = std::min(kSampleBytes, tensor.bytes.size());
    for (const auto part : {tensor.bytes.first(sample), tensor.bytes.last(sample)}) {
      const auto bytes = file.read(part, buffer);
      if (!bytes) return bytes.error();
      hash.add(*bytes);
    }
  }
  return hash.sum();
}

}  // namespace partita::internal
