// Any bytes as a safetensors file and as the index of several.
#include "tests/fuzz/safetensors_cases.h"

#include <algorithm>
#include <vector>

#include "tests/fuzz/support.h"
#include "weights/codecs/codec.h"
#include "weights/safetensors/safetensors.h"

namespace partita::internal::fuzz {
namespace {

void walk(const SafeTensors& file, Bytes bytes) {
  for (const SafeTensor& tensor : file.tensors()) {
    require(file.find(tensor.name) == &tensor);
    require(tensor.bytes.data() >= bytes.data() &&
            tensor.bytes.data() + tensor.bytes.size() <= bytes.data() + bytes.size());
    require(file.tensor(tensor.name, tensor.shape).ok() == (tensor.dtype || tensor.fp8 != Fp8::kNone));
    std::vector<std::byte> read(tensor.bytes.size());
    require(file.read(tensor, 0, read).ok() && std::equal(read.begin(), read.end(), tensor.bytes.begin()));
    if (!tensor.dtype) continue;
    std::size_t elements = 1;
    for (const std::uint64_t dim : tensor.shape) elements *= dim;
    require(read.size() == elements * block_bytes(*tensor.dtype));
  }
}

}  // namespace

bool run_safetensors_case(Bytes bytes) {
  const auto file = SafeTensors::parse(bytes, "case");
  if (file) {
    walk(*file, bytes);
  } else {
    require_message(file.error());
  }
  const auto index = parse_weight_map(text_of(bytes), "case");
  require(index.ok() || !index.error().message.empty());
  if (!index) return file.ok();
  for (const auto& entry : *index)
    require(entry.first.find('/') == entry.first.npos && !entry.second.empty());
  return true;
}

void run_safetensors(Bytes bytes) { run_safetensors_case(bytes); }

}  // namespace partita::internal::fuzz
