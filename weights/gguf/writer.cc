#include "weights/gguf/writer.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <memory>
#include <utility>

#include "weights/checked_file.h"
#include "weights/codecs/codec.h"
#include "weights/gguf/limits.h"
#include "weights/sentence.h"
#include "weights/try.h"

namespace partita::internal {
namespace {

constexpr std::uint64_t kAlignment = 32;  // GGUF's default, so that the key can be omitted
constexpr std::uint64_t kChunkBytes = std::uint64_t{1} << 20;  // asked of a source at a time

using Bytes = std::vector<std::byte>;

void append(Bytes& to, const void* from, std::size_t count) {
  const std::size_t end = to.size();
  to.resize(end + count);
  if (count != 0) std::memcpy(to.data() + end, from, count);
}

template <class T>
void put(Bytes& to, T value) {
  append(to, &value, sizeof value);
}

void put_string(Bytes& to, std::string_view text) {
  put<std::uint64_t>(to, text.size());
  append(to, text.data(), text.size());
}

std::uint64_t padded(std::uint64_t size) { return (size + kAlignment - 1) / kAlignment * kAlignment; }

void pad(Bytes& to) { to.resize(padded(to.size())); }

std::span<const std::uint64_t> as_span(std::initializer_list<std::uint64_t> shape) {
  return {shape.begin(), shape.size()};
}

}  // namespace

void GgufWriter::fail(ErrorCode code, std::string message) {
  if (!error_) error_ = Error{code, std::move(message)};
}

// --- metadata ---------------------------------------------------------------------------------------

void GgufWriter::check_name(std::string_view what, std::string_view name) {
  if (!name.empty() && name.size() <= kMaxGgufNameBytes) return;
  fail(ErrorCode::kInvalidArgument,
       sentence("a ", what, " has ", name.size(), " bytes, and 1 to ", kMaxGgufNameBytes, " are allowed"));
}

/// Writes key and type; false if this or an earlier call has failed.
bool GgufWriter::begin_value(std::string_view key, GgufType type) {
  check_name("metadata key", key);
  if (key == "general.alignment") {
    fail(ErrorCode::kInvalidArgument,
         sentence("metadata key 'general.alignment' cannot be set: the writer always aligns to ", kAlignment,
                  " bytes"));
  }
  if (std::find(keys_.begin(), keys_.end(), key) != keys_.end()) {
    fail(ErrorCode::kInvalidArgument, sentence("metadata key ", quoted(key), " is added twice"));
  }
  if (error_) return false;
  keys_.emplace_back(key);
  put_string(metadata_, key);
  put(metadata_, type);
  return true;
}

bool GgufWriter::begin_array(std::string_view key, GgufType element, std::size_t size) {
  if (!begin_value(key, GgufType::kArray)) return false;
  put(metadata_, element);
  put<std::uint64_t>(metadata_, size);
  return true;
}

GgufWriter& GgufWriter::add(std::string_view key, bool value) {
  if (begin_value(key, GgufType::kBool)) put<std::uint8_t>(metadata_, value ? 1 : 0);
  return *this;
}

GgufWriter& GgufWriter::add(std::string_view key, std::int32_t value) {
  if (begin_value(key, GgufType::kInt32)) put(metadata_, value);
  return *this;
}

GgufWriter& GgufWriter::add(std::string_view key, std::uint32_t value) {
  if (begin_value(key, GgufType::kUint32)) put(metadata_, value);
  return *this;
}

GgufWriter& GgufWriter::add(std::string_view key, std::int64_t value) {
  if (begin_value(key, GgufType::kInt64)) put(metadata_, value);
  return *this;
}

GgufWriter& GgufWriter::add(std::string_view key, std::uint64_t value) {
  if (begin_value(key, GgufType::kUint64)) put(metadata_, value);
  return *this;
}

GgufWriter& GgufWriter::add(std::string_view key, float value) {
  if (begin_value(key, GgufType::kFloat32)) put(metadata_, value);
  return *this;
}

GgufWriter& GgufWriter::add(std::string_view key, double value) {
  if (begin_value(key, GgufType::kFloat64)) put(metadata_, value);
  return *this;
}

GgufWriter& GgufWriter::add(std::string_view key, std::string_view value) {
  if (begin_value(key, GgufType::kString)) put_string(metadata_, value);
  return *this;
}

GgufWriter& GgufWriter::add(std::string_view key, const char* value) {
  return add(key, std::string_view(value));
}

GgufWriter& GgufWriter::add(std::string_view key, const std::vector<std::string>& values) {
  if (!begin_array(key, GgufType::kString, values.size())) return *this;
  for (const std::string& text : values) put_string(metadata_, text);
  return *this;
}

GgufWriter& GgufWriter::add(std::string_view key, const std::vector<bool>& values) {
  if (!begin_array(key, GgufType::kBool, values.size())) return *this;
  for (const bool flag : values) put<std::uint8_t>(metadata_, flag ? 1 : 0);
  return *this;
}

GgufWriter& GgufWriter::add(std::string_view key, const std::vector<std::int32_t>& values) {
  if (!begin_array(key, GgufType::kInt32, values.size())) return *this;
  for (const std::int32_t number : values) put(metadata_, number);
  return *this;
}

GgufWriter& GgufWriter::add(std::string_view key, const std::vector<std::uint32_t>& values) {
  if (!begin_array(key, GgufType::kUint32, values.size())) return *this;
  for (const std::uint32_t number : values) put(metadata_, number);
  return *this;
}

GgufWriter& GgufWriter::add(std::string_view key, const std::vector<float>& values) {
  if (!begin_array(key, GgufType::kFloat32, values.size())) return *this;
  for (const float number : values) put(metadata_, number);
  return *this;
}

GgufWriter& GgufWriter::copy(const GgufEntry& entry) {
  const auto add_narrow = [&](auto value, auto narrow) {
    narrow = static_cast<decltype(narrow)>(value);
    static_cast<decltype(value)>(narrow) == value ? add(entry.key, narrow) : add(entry.key, value);
  };
  if (const auto* array = std::get_if<GgufArray>(&entry.value)) {
    const auto from = array->bytes();
    if (begin_array(entry.key, array->type(), array->size())) append(metadata_, from.data(), from.size());
  } else if (const auto* text = std::get_if<std::string_view>(&entry.value)) {
    add(entry.key, *text);
  } else if (const auto* flag = std::get_if<bool>(&entry.value)) {
    add(entry.key, *flag);
  } else if (const auto* unsigned_value = std::get_if<std::uint64_t>(&entry.value)) {
    add_narrow(*unsigned_value, std::uint32_t{});
  } else if (const auto* signed_value = std::get_if<std::int64_t>(&entry.value)) {
    add_narrow(*signed_value, std::int32_t{});
  } else {
    add_narrow(std::get<double>(entry.value), float{});
  }
  return *this;
}

// --- tensors ----------------------------------------------------------------------------------------

/// The number of elements; nullopt if name, shape or type is invalid.
std::optional<std::uint64_t> GgufWriter::check_tensor(std::string_view name, Dtype dtype,
                                                      std::span<const std::uint64_t> shape) {
  const std::string tensor = sentence("tensor ", quoted(name));
  const auto same_name = [&](const Tensor& t) { return t.name == name; };
  check_name("tensor name", name);
  if (std::any_of(tensors_.begin(), tensors_.end(), same_name)) {
    fail(ErrorCode::kInvalidArgument, sentence(tensor, " is added twice"));
  }
  if (shape.empty() || shape.size() > Shape::kMaxRank) {
    fail(ErrorCode::kInvalidArgument,
         sentence(tensor, " has ", shape.size(), " dimensions, and 1 to ", Shape::kMaxRank, " are allowed"));
    return std::nullopt;
  }
  std::uint64_t max_product = std::numeric_limits<std::int64_t>::max();
  for (const std::uint64_t dim : shape) {
    if (dim == 0 || dim > max_product) {
      fail(ErrorCode::kInvalidArgument,
           sentence(tensor, " has dimension ", dim,
                    ", and dimensions are at least 1 with a product below 2^63"));
      return std::nullopt;
    }
    max_product /= dim;
  }
  if (shape.back() % block_elements(dtype) != 0) {
    fail(ErrorCode::kInvalidArgument, sentence(tensor, " has rows of ", shape.back(),
                                               " elements, which is not a multiple of the block of ",
                                               block_elements(dtype), " of type ", internal::name(dtype)));
  }
  if (error_) return std::nullopt;
  return Shape(shape).elements();
}

GgufWriter& GgufWriter::add_tensor(std::string_view name, Dtype dtype, std::span<const std::uint64_t> shape,
                                   std::span<const std::byte> blocks) {
  const auto elements = check_tensor(name, dtype, shape);
  if (!elements) return *this;
  const std::uint64_t count = *elements / block_elements(dtype);
  if (blocks.size() % block_bytes(dtype) != 0 || blocks.size() / block_bytes(dtype) != count) {
    fail(ErrorCode::kInvalidArgument,
         sentence("tensor ", quoted(name), " is given ", blocks.size(), " bytes, and its shape needs ", count,
                  " blocks of ", block_bytes(dtype)));
    return *this;
  }
  add_blocks(name, dtype, shape, Bytes(blocks.begin(), blocks.end()));
  return *this;
}

GgufWriter& GgufWriter::add_tensor(std::string_view name, Dtype dtype, std::span<const std::uint64_t> shape,
                                   std::span<const float> values) {
  const auto elements = check_tensor(name, dtype, shape);
  if (!elements) return *this;
  if (values.size() != *elements) {
    fail(ErrorCode::kInvalidArgument, sentence("tensor ", quoted(name), " is given ", values.size(),
                                               " values, and its shape needs ", *elements));
    return *this;
  }
  const Codec& codec_of_type = codec(dtype);
  if (codec_of_type.quantize == nullptr) {
    fail(ErrorCode::kUnsupported, sentence("tensor ", quoted(name), ": values cannot be quantized to ",
                                           internal::name(dtype), ", which is only read; give its blocks"));
    return *this;
  }
  Bytes blocks(values.size() / block_elements(dtype) * block_bytes(dtype));
  codec_of_type.quantize(values.data(), values.size(), blocks.data());
  add_blocks(name, dtype, shape, std::move(blocks));
  return *this;
}

void GgufWriter::add_blocks(std::string_view name, Dtype dtype, std::span<const std::uint64_t> shape,
                            Bytes blocks) {
  const auto kept = std::make_shared<const Bytes>(std::move(blocks));  // shared by copies of the writer
  tensors_.push_back({std::string(name), dtype, Shape(shape), [kept](std::uint64_t first, auto rows) {
                        std::memcpy(rows.data(), kept->data() + first, rows.size());
                        return Result<void>();
                      }});
}

GgufWriter& GgufWriter::add_tensor(std::string_view name, Dtype dtype, std::span<const std::uint64_t> shape,
                                   TensorSource source) {
  if (check_tensor(name, dtype, shape))
    tensors_.push_back({std::string(name), dtype, Shape(shape), std::move(source)});
  return *this;
}

GgufWriter& GgufWriter::add_tensor(std::string_view name, Dtype dtype,
                                   std::initializer_list<std::uint64_t> shape,
                                   std::span<const std::byte> blocks) {
  return add_tensor(name, dtype, as_span(shape), blocks);
}

GgufWriter& GgufWriter::add_tensor(std::string_view name, Dtype dtype,
                                   std::initializer_list<std::uint64_t> shape,
                                   std::span<const float> values) {
  return add_tensor(name, dtype, as_span(shape), values);
}

// --- the file ---------------------------------------------------------------------------------------

std::vector<std::byte> GgufWriter::head() const {
  Bytes file;
  append(file, "GGUF", 4);
  put<std::uint32_t>(file, 3);
  put<std::uint64_t>(file, tensors_.size());
  put<std::uint64_t>(file, keys_.size());
  append(file, metadata_.data(), metadata_.size());
  std::uint64_t offset = 0;
  for (const Tensor& tensor : tensors_) {
    put_string(file, tensor.name);
    put(file, static_cast<std::uint32_t>(tensor.shape.size()));
    for (std::size_t i = tensor.shape.size(); i-- > 0;) put(file, tensor.shape[i]);  // fastest first
    put(file, tensor.dtype);
    put(file, offset);
    offset += padded(tensor.bytes());
  }
  pad(file);
  return file;
}

Result<std::vector<std::byte>> GgufWriter::bytes() const {
  if (error_) return *error_;
  Bytes file = head();
  for (const Tensor& tensor : tensors_) {
    const std::size_t begin = file.size();
    file.resize(begin + padded(tensor.bytes()));
    TRY(tensor.source(0, std::span(file).subspan(begin, tensor.bytes())));
  }
  return file;
}

Result<void> GgufWriter::write(const std::string& path, const std::function<bool(float)>& progress) const {
  if (error_) return *error_;
  auto file = AtomicFile::create(path);
  if (!file) return file.error();
  if (!file->write(head())) return file->write_error();
  double all = 0, written = 0;
  for (const Tensor& tensor : tensors_) all += static_cast<double>(tensor.bytes());
  Bytes rows;
  for (const Tensor& tensor : tensors_) {
    const std::uint64_t bytes = tensor.bytes();
    const std::uint64_t step =
        std::max<std::uint64_t>(kChunkBytes / tensor.row_bytes(), 1) * tensor.row_bytes();
    for (std::uint64_t first = 0; first < bytes; first += step) {
      rows.resize(std::min(step, bytes - first));
      TRY(tensor.source(first, rows));
      if (!file->write(rows)) return file->write_error();
      written += static_cast<double>(rows.size());
      if (progress && !progress(static_cast<float>(written / all)))
        return Error{ErrorCode::kCancelled, sentence("writing '", printable(path), "' was stopped")};
    }
    const std::byte zeros[kAlignment] = {};
    if (!file->write(std::span(zeros).first(padded(bytes) - bytes))) return file->write_error();
  }
  return file->finish_without_checksum();
}

/// The data section, computed part by part.
class GgufWriter::Data {
 public:
  explicit Data(std::vector<Tensor> tensors) : tensors_(std::move(tensors)) {
    for (const Tensor& tensor : tensors_) begins_.push_back(begins_.back() + padded(tensor.bytes()));
  }
  std::uint64_t size() const { return begins_.back(); }

  Result<void> read(std::uint64_t offset, std::span<std::byte> out) const {
    while (!out.empty()) {
      const auto i = static_cast<std::size_t>(std::upper_bound(begins_.begin(), begins_.end(), offset) -
                                              begins_.begin()) -
                     1;
      const std::uint64_t first = offset - begins_[i], bytes = tensors_[i].bytes();
      const std::span<std::byte> part =
          out.first(std::min<std::uint64_t>(out.size(), begins_[i + 1] - offset));
      const std::uint64_t data = first < bytes ? std::min<std::uint64_t>(part.size(), bytes - first) : 0;
      if (data > 0) TRY(tensors_[i].source(first, part.first(data)));
      std::fill(part.begin() + static_cast<std::ptrdiff_t>(data), part.end(), std::byte{0});
      offset += part.size();
      out = out.subspan(part.size());
    }
    return {};
  }

 private:
  std::vector<Tensor> tensors_;
  std::vector<std::uint64_t> begins_ = {0};  // of each tensor, and the end
};

Result<Gguf> GgufWriter::open(std::string name) const {
  if (error_) return *error_;
  const auto data = std::make_shared<const Data>(tensors_);
  const auto read = [data](std::uint64_t offset, std::span<std::byte> out) {
    return data->read(offset, out);
  };
  return Gguf::compute(head(), data->size(), read, std::move(name));
}

}  // namespace partita::internal
