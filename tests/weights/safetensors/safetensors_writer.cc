#include "tests/weights/safetensors/safetensors_writer.h"

#include <cstring>

#include "weights/codecs/codec.h"

namespace partita::internal::test {
namespace {

using Bytes = std::vector<std::byte>;

template <class T>
void put(Bytes& to, T value) {
  to.resize(to.size() + sizeof value);
  std::memcpy(to.data() + to.size() - sizeof value, &value, sizeof value);
}

}  // namespace

Bytes raw_safetensors(std::string_view header, const Bytes& data) {
  Bytes file;
  put<std::uint64_t>(file, header.size());
  for (const char c : header) put(file, c);
  file.insert(file.end(), data.begin(), data.end());
  return file;
}

SafeTensorsWriter& SafeTensorsWriter::add(std::string_view name, const std::vector<std::uint64_t>& shape,
                                          const std::vector<float>& values, std::string_view type) {
  Bytes bytes;
  for (const float value : values) {
    if (type == "F32") {
      put(bytes, value);
    } else {
      put(bytes, type == "F16" ? f32_to_f16(value) : f32_to_bf16(value));
    }
  }
  return add_bytes(name, type, shape, bytes);
}

SafeTensorsWriter& SafeTensorsWriter::add_bytes(std::string_view name, std::string_view type,
                                                const std::vector<std::uint64_t>& shape, const Bytes& bytes) {
  std::string dims;
  for (const std::uint64_t dim : shape) dims += (dims.empty() ? "" : ",") + std::to_string(dim);
  if (!header_.empty()) header_ += ',';
  header_ += '"' + std::string(name) + R"(":{"dtype":")" + std::string(type) + R"(","shape":[)" + dims +
             R"(],"data_offsets":[)" + std::to_string(data_.size()) + ',' +
             std::to_string(data_.size() + bytes.size()) + "]}";
  data_.insert(data_.end(), bytes.begin(), bytes.end());
  return *this;
}

Bytes SafeTensorsWriter::bytes() const { return raw_safetensors('{' + header_ + '}', data_); }

}  // namespace partita::internal::test
