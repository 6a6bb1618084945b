#include "tests/fuzz/safetensors_cases.h"

#include <cstdlib>
#include <string_view>

#include "weights/safetensors.h"

namespace partita::test {
namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

void walk(const SafeTensors& file, std::span<const std::byte> bytes) {
  for (const SafeTensor& tensor : file.tensors()) {
    require(file.find(tensor.name) == &tensor);
    require(tensor.bytes.data() >= bytes.data() &&
            tensor.bytes.data() + tensor.bytes.size() <= bytes.data() + bytes.size());
    require(file.tensor(tensor.name, tensor.shape).ok() == tensor.dtype.has_value());
    const auto values = file.read(tensor.name);
    require(values.ok() == tensor.dtype.has_value());
    if (!values) continue;
    std::size_t elements = 1;
    for (const std::uint64_t dim : tensor.shape) elements *= dim;
    require(values->size() == elements);
  }
}

}  // namespace

bool run_safetensors_case(std::span<const std::byte> bytes) {
  const auto file = SafeTensors::parse(bytes, "case");
  if (file) {
    walk(*file, bytes);
  } else {
    require(!file.error().message.empty());
  }
  const auto index = parse_weight_map({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, "case");
  require(index.ok() || !index.error().message.empty());
  if (!index) return file.ok();
  for (const auto& entry : *index)
    require(entry.first.find('/') == entry.first.npos && !entry.second.empty());
  return true;
}

}  // namespace partita::test
