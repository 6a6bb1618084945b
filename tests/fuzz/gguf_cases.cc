// Any bytes as a GGUF file. A file that the reader accepts is then read to its end.
#include "tests/fuzz/gguf_cases.h"

#include <cstddef>
#include <span>
#include <variant>
#include <vector>

#include "tests/fuzz/support.h"
#include "weights/codecs/codec.h"
#include "weights/gguf/gguf.h"

namespace partita::internal::fuzz {
namespace {

/// Reads every byte of a view, so that a sanitizer detects a view past the end of the file.
std::size_t sum(std::string_view text) {
  std::size_t total = 0;
  for (const char c : text) total += static_cast<unsigned char>(c);
  return total;
}

std::size_t walk(const GgufArray& array) {
  std::size_t present = 0;
  for (std::size_t i = 0; i < array.size(); ++i) {
    present += array.uint_at(i).has_value() + array.int_at(i).has_value() + array.float_at(i).has_value();
    present += array.bool_at(i).has_value();
    if (const auto text = array.string_at(i)) present += 1 + sum(*text) % 2;
  }
  require(!array.uint_at(array.size()) && !array.string_at(array.size()));
  return present;
}

std::size_t walk_metadata(const Gguf& file) {
  std::size_t seen = 0;
  for (const GgufEntry& entry : file.metadata()) {
    require(file.find(entry.key) == &entry.value);
    require(file.get_uint(entry.key).ok() + file.get_float(entry.key).ok() + file.get_bool(entry.key).ok() +
                file.get_string(entry.key).ok() + file.get_array(entry.key).ok() <=
            1);
    seen += sum(entry.key);
    if (const auto* text = std::get_if<std::string_view>(&entry.value)) seen += sum(*text);
    if (const auto* array = std::get_if<GgufArray>(&entry.value)) seen += walk(*array);
  }
  return seen;
}

/// Requires that reading a part of a tensor gives it, or an error.
void read_block(const Gguf& file, const TensorView& tensor, std::size_t offset) {
  std::vector<std::byte> buffer;
  const auto block = file.read(tensor.bytes.subspan(offset, block_bytes(tensor.dtype)), buffer);
  if (!block) return require_message(block.error());
  std::vector<float> values(block_elements(tensor.dtype));
  codec(tensor.dtype).dequantize(block->data(), values.size(), values.data());
}

void walk_tensors(const Gguf& file) {
  for (const TensorView& tensor : file.tensors()) {
    require(file.find_tensor(tensor.name) == &tensor);
    require(file.tensor(tensor.name, tensor.shape).ok());
    const std::size_t block = block_elements(tensor.dtype);
    require(tensor.shape.elements() / block * block_bytes(tensor.dtype) == tensor.bytes.size());
    read_block(file, tensor, 0);
    read_block(file, tensor, tensor.bytes.size() - block_bytes(tensor.dtype));
  }
}

}  // namespace

void walk(const Gguf& file) {
  walk_metadata(file);
  walk_tensors(file);
}

void run_gguf(Bytes bytes) {
  const Result<Gguf> file = Gguf::parse(bytes, "fuzz");
  if (!file) return require_message(file.error());
  walk(*file);
  for (const TensorView& tensor : file->tensors()) {
    require(tensor.bytes.data() >= bytes.data() &&
            tensor.bytes.data() + tensor.bytes.size() <= bytes.data() + bytes.size());
  }
}

}  // namespace partita::internal::fuzz
