#include "weights/safetensors/safetensors.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <functional>
#include <limits>
#include <utility>

#include "weights/input_file.h"
#include "weights/json/reader.h"
#include "weights/sentence.h"
#include "weights/try.h"

namespace partita::internal {
namespace {

static_assert(std::endian::native == std::endian::little, "numbers are copied from the file unchanged");

using Json = nlohmann::json;
using Bytes = std::span<const std::byte>;

constexpr std::uint64_t kMaxHeaderBytes = 100'000'000;  // the format's own limit
constexpr std::size_t kMaxNameBytes = 65535;
constexpr std::size_t kMaxRank = 8;
constexpr std::size_t kMaxFiles = 4096;
constexpr std::size_t kMaxFileName = 255;
constexpr std::string_view kIndexEnd = ".index.json";
constexpr std::string_view kMetadata = "__metadata__";

struct Type {
  std::string_view name;
  std::uint64_t bits;
  std::optional<Dtype> dtype = std::nullopt;
  Fp8 fp8 = Fp8::kNone;
};

/// Every type of the format.
constexpr Type kTypes[] = {{"F32", 32, Dtype::kF32},
                           {"F16", 16, Dtype::kF16},
                           {"BF16", 16, Dtype::kBF16},
                           {"F64", 64},
                           {"F8_E5M2", 8, std::nullopt, Fp8::kE5M2},
                           {"F8_E4M3", 8, std::nullopt, Fp8::kE4M3},
                           {"F8_E8M0", 8},
                           {"F6_E2M3", 6},
                           {"F6_E3M2", 6},
                           {"F4", 4},
                           {"C64", 64},
                           {"I64", 64},
                           {"U64", 64},
                           {"I32", 32},
                           {"U32", 32},
                           {"I16", 16},
                           {"U16", 16},
                           {"I8", 8},
                           {"U8", 8},
                           {"BOOL", 8}};

bool is_file_name(std::string_view name) {
  return !name.empty() && name.size() <= kMaxFileName && name != "." && name != ".." &&
         name.find('/') == name.npos && name.find('\0') == name.npos;
}

std::string_view as_text(Bytes bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

Result<void> check_type(const std::string& path, const SafeTensor& tensor) {
  if (tensor.dtype || tensor.fp8 != Fp8::kNone) return {};
  return Error{ErrorCode::kUnsupported,
               sentence("'", path, "': tensor ", internal::quoted(tensor.name), " is ", tensor.type,
                        ", and F32, F16, BF16, F8_E4M3 and F8_E5M2 can be read")};
}

/// The value as an unsigned 64-bit integer; null if it is not one.
const std::uint64_t* count_in(const Json& value) {
  return value.is_number_unsigned() ? value.get_ptr<const std::uint64_t*>() : nullptr;
}

/// The value of a key in an object; null if there is none.
const Json* member(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found == object.end() ? nullptr : &*found;
}

/// Parses the header of one file.
class HeaderReader {
 public:
  explicit HeaderReader(InputFile& input) : input_(input), file_(input.bytes()), file_name_(input.path()) {}

  /// Sorted by name.
  Result<std::vector<SafeTensor>> run() {
    const auto header = read_header();
    if (!header) return header.error();
    std::vector<SafeTensor> tensors;
    tensors.reserve(header->size());
    for (const auto& [name, value] : header->items()) {
      if (name == kMetadata) {
        TRY(check_metadata(value));
        continue;
      }
      auto tensor = read_tensor(name, value);
      if (!tensor) return tensor.error();
      tensors.push_back(std::move(*tensor));
    }
    TRY(check_offsets(tensors));
    return tensors;
  }

 private:
  template <class... Parts>
  Error bad(const Parts&... parts) const {
    return {ErrorCode::kBadFile, sentence("'", file_name_, "': ", parts..., kDownloadAgain)};
  }

  /// The header's JSON object; sets data_ to the bytes after it.
  Result<JsonDocument> read_header() {
    std::uint64_t length = 0;
    if (file_.size() < sizeof length) {
      return bad("the file has ", file_.size(), " bytes, and the length of its header alone takes ",
                 sizeof length);
    }
    TRY(input_.load(sizeof length));
    std::memcpy(&length, file_.data(), sizeof length);
    const std::uint64_t rest = file_.size() - sizeof length;
    if (length > kMaxHeaderBytes) {
      return bad("the header claims ", length, " bytes, and ", kMaxHeaderBytes, " are allowed");
    }
    if (length > rest) {
      return bad("the header claims ", length, " bytes, and only ", rest, " follow its length");
    }
    TRY(input_.load(sizeof length + length));
    const Bytes header = file_.subspan(sizeof length, length);
    data_ = file_.subspan(sizeof length + length);
    const std::string where = sentence("'", file_name_, "': the header");
    auto json = read_json(as_text(header), where, JsonLimits());
    if (!json) return json;
    if (!json->is_object()) return bad("the header is not a JSON object");
    return json;
  }

  Result<void> check_metadata(const Json& metadata) const {
    const auto is_text = [](const Json& value) { return value.is_string(); };
    if (metadata.is_object() && std::all_of(metadata.begin(), metadata.end(), is_text)) return {};
    return bad("'__metadata__' is not an object of strings");
  }

  Result<SafeTensor> read_tensor(std::string_view name, const Json& value) const {
    if (name.empty() || name.size() > kMaxNameBytes) {
      return bad("a tensor's name has ", name.size(), " bytes, and 1 to ", kMaxNameBytes, " are allowed");
    }
    if (!value.is_object()) return bad("tensor ", quoted(name), " is not described by an object");
    const auto type = read_type(name, member(value, "dtype"));
    if (!type) return type.error();
    auto shape = read_shape(name, member(value, "shape"));
    if (!shape) return shape.error();
    const auto bytes = read_offsets(name, member(value, "data_offsets"));
    if (!bytes) return bytes.error();
    const auto needed = count_bytes(name, **type, *shape);
    if (!needed) return needed.error();
    if (*needed != bytes->size()) {
      return bad("tensor ", quoted(name), " of type ", (*type)->name, " and shape ", shape_text(*shape),
                 " needs ", *needed, " bytes, and its data_offsets give it ", bytes->size());
    }
    return SafeTensor{std::string(name), (*type)->name,     (*type)->dtype,
                      (*type)->fp8,      std::move(*shape), *bytes};
  }

  Result<const Type*> read_type(std::string_view name, const Json* value) const {
    if (value == nullptr || !value->is_string()) {
      return bad("tensor ", quoted(name), " has no 'dtype' that is a string");
    }
    const auto& text = value->get_ref<const std::string&>();
    const auto found =
        std::find_if(std::begin(kTypes), std::end(kTypes), [&](const Type& t) { return t.name == text; });
    if (found != std::end(kTypes)) return found;
    return Error{ErrorCode::kUnsupported,
                 sentence("'", file_name_, "': tensor ", quoted(name), " has the type ",
                          internal::quoted(text), ", which is not a safetensors type")};
  }

  Result<std::vector<std::uint64_t>> read_shape(std::string_view name, const Json* value) const {
    if (value == nullptr || !value->is_array()) {
      return bad("tensor ", quoted(name), " has no 'shape' that is an array");
    }
    if (value->size() > kMaxRank) {
      return bad("tensor ", quoted(name), " has ", value->size(), " dimensions, and ", kMaxRank,
                 " are allowed");
    }
    std::vector<std::uint64_t> shape;
    for (const Json& dim : *value) {
      const std::uint64_t* count = count_in(dim);
      if (count == nullptr)
        return bad("the shape of tensor ", quoted(name), " has a dimension that is not an unsigned integer");
      shape.push_back(*count);
    }
    return shape;
  }

  Result<std::uint64_t> count_bytes(std::string_view name, const Type& type,
                                    std::span<const std::uint64_t> shape) const {
    std::uint64_t bits = type.bits;
    for (const std::uint64_t dim : shape) {
      if (dim != 0 && bits > std::numeric_limits<std::uint64_t>::max() / dim) {
        return bad("tensor ", quoted(name), " has the shape ", shape_text(shape), ", more than 2^64 bits");
      }
      bits *= dim;
    }
    if (bits % 8 != 0) {
      return bad("tensor ", quoted(name), " of type ", type.name, " and shape ", shape_text(shape), " takes ",
                 bits, " bits, which is not a whole number of bytes");
    }
    return bits / 8;
  }

  Result<Bytes> read_offsets(std::string_view name, const Json* value) const {
    const bool is_pair = value != nullptr && value->is_array() && value->size() == 2;
    const std::uint64_t* begin = is_pair ? count_in((*value)[0]) : nullptr;
    const std::uint64_t* end = is_pair ? count_in((*value)[1]) : nullptr;
    if (begin == nullptr || end == nullptr) {
      return bad("tensor ", quoted(name), " has no 'data_offsets' of two unsigned integers");
    }
    if (*begin > *end || *end > data_.size()) {
      return bad("tensor ", quoted(name), " lies at bytes ", *begin, " to ", *end, " of the data, which has ",
                 data_.size(), " bytes");
    }
    return data_.subspan(*begin, *end - *begin);
  }

  /// Tensors must be contiguous and fill the data.
  Result<void> check_offsets(const std::vector<SafeTensor>& tensors) const {
    std::vector<const SafeTensor*> order;
    for (const SafeTensor& tensor : tensors) order.push_back(&tensor);
    const auto position = [](const SafeTensor* t) { return std::pair(t->bytes.data(), t->bytes.size()); };
    std::sort(order.begin(), order.end(), [&](auto* a, auto* b) { return position(a) < position(b); });
    std::uint64_t end = 0;  // of the tensors so far
    for (const SafeTensor* tensor : order) {
      const auto begin = static_cast<std::uint64_t>(tensor->bytes.data() - data_.data());
      if (begin < end) {
        return bad("tensor ", internal::quoted(tensor->name), " begins at byte ", begin,
                   " of the data, within another one, which ends at ", end);
      }
      if (begin > end) {
        return bad("tensor ", internal::quoted(tensor->name), " begins at byte ", begin,
                   " of the data, and the one before it ends at ", end,
                   ": no tensor covers the bytes between");
      }
      end += tensor->bytes.size();
    }
    if (end == data_.size()) return {};
    return bad("the tensors end at byte ", end, " of the data, which has ", data_.size(), " bytes");
  }

  InputFile& input_;
  Bytes file_, data_;  // addresses; the data is not loaded
  const std::string& file_name_;
};

}  // namespace

struct SafeTensors::Impl {
  std::string path;  // for error messages
  std::vector<InputFile> files;
  std::vector<SafeTensor> tensors;  // sorted by name

  /// The file that has part of a tensor's bytes.
  const InputFile& file_of(Bytes part) const {
    const auto has = [&](const InputFile& file) {
      const Bytes all = file.bytes();
      return !std::less<>()(part.data(), all.data()) &&
             !std::less<>()(all.data() + all.size(), part.data() + part.size());
    };
    return *std::find_if(files.begin(), files.end(), has);
  }
  Result<Bytes> view(Bytes part, std::vector<std::byte>& buffer) const {
    return file_of(part).view(part, buffer);
  }

  static Result<SafeTensors> open(InputFile file);

  static Result<SafeTensors> open_file(const std::string& path);
  static Result<SafeTensors> open_index(const std::string& path);

  /// Adds one shard: the tensors that the index assigns to this file.
  Result<void> add_file(const std::string& directory, const std::string& file,
                        const std::vector<std::string>& names);
};

SafeTensors::SafeTensors(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
SafeTensors::SafeTensors(SafeTensors&&) noexcept = default;
SafeTensors& SafeTensors::operator=(SafeTensors&&) noexcept = default;
SafeTensors::~SafeTensors() = default;

// --- opening ----------------------------------------------------------------------------------------

Result<SafeTensors> SafeTensors::parse(std::span<const std::byte> file, std::string name) {
  return Impl::open(InputFile::in_memory(file, std::move(name)));
}

Result<SafeTensors> SafeTensors::Impl::open(InputFile file) {
  auto tensors = HeaderReader(file).run();
  if (!tensors) return tensors.error();
  auto impl = std::make_unique<Impl>();
  impl->path = file.path();
  impl->files.push_back(std::move(file));
  impl->tensors = std::move(*tensors);
  return SafeTensors(std::move(impl));
}

Result<SafeTensors> SafeTensors::open(const std::string& path) {
  return path.ends_with(kIndexEnd) ? Impl::open_index(path) : Impl::open_file(path);
}

Result<SafeTensors> SafeTensors::Impl::open_file(const std::string& path) {
  auto file = InputFile::open(path);
  if (!file) return file.error();
  return open(*std::move(file));
}

Result<SafeTensors> SafeTensors::Impl::open_index(const std::string& path) {
  const auto index = read_text_file(path, "an index of tensors", JsonLimits().bytes);
  if (!index) return index.error();
  const auto weight_map = parse_weight_map(*index, printable(path));
  if (!weight_map) return weight_map.error();
  auto impl = std::make_unique<Impl>();
  impl->path = printable(path);
  const std::string directory = path.substr(0, path.rfind('/') + 1);
  for (const auto& [file, names] : *weight_map) {
    TRY(impl->add_file(directory, file, names));
  }
  std::sort(impl->tensors.begin(), impl->tensors.end(),
            [](const SafeTensor& a, const SafeTensor& b) { return a.name < b.name; });
  return SafeTensors(std::move(impl));
}

Result<void> SafeTensors::Impl::add_file(const std::string& directory, const std::string& file,
                                         const std::vector<std::string>& names) {
  auto shard = open_file(directory + file);
  if (!shard) return shard.error();
  for (const std::string& name : names) {
    const SafeTensor* tensor = shard->find(name);
    if (tensor == nullptr) {
      return Error{ErrorCode::kBadFile,
                   sentence("'", path, "' says that tensor ", internal::quoted(name), " is in ",
                            internal::quoted(file), ", and it is not", kDownloadAgain)};
    }
    tensors.push_back(*tensor);
  }
  for (InputFile& opened : shard->impl_->files) files.push_back(std::move(opened));
  return {};
}

Result<WeightMap> parse_weight_map(std::string_view text, const std::string& name) {
  const std::string where = sentence("'", name, "'");
  const auto bad = [&](const auto&... parts) {
    return Error{ErrorCode::kBadFile, sentence(where, parts..., kDownloadAgain)};
  };
  const auto json = read_json(text, where, JsonLimits());
  if (!json) return json.error();
  const Json* found = json->is_object() ? member(*json, "weight_map") : nullptr;
  if (found == nullptr || !found->is_object()) return bad(" has no 'weight_map' that is an object");
  WeightMap weight_map;
  for (const auto& [tensor, file] : found->items()) {
    if (!file.is_string())
      return bad(" gives tensor ", internal::quoted(tensor), " a file that is not a string");
    const auto& file_name = file.get_ref<const std::string&>();
    if (!is_file_name(file_name)) {
      return bad(" says that tensor ", internal::quoted(tensor), " is in ", internal::quoted(file_name),
                 ", and only plain names of files beside it are allowed");
    }
    weight_map[file_name].push_back(tensor);
    if (weight_map.size() > kMaxFiles) return bad(" names more files than the ", kMaxFiles, " allowed");
  }
  return weight_map;
}

// --- look-ups ----------------------------------------------------------------------------------

const std::string& SafeTensors::path() const { return impl_->path; }
const std::vector<SafeTensor>& SafeTensors::tensors() const { return impl_->tensors; }

const SafeTensor* SafeTensors::find(std::string_view name) const {
  const auto& all = impl_->tensors;
  const auto before = [](const SafeTensor& t, std::string_view wanted) { return t.name < wanted; };
  const auto found = std::lower_bound(all.begin(), all.end(), name, before);
  return found == all.end() || found->name != name ? nullptr : &*found;
}

Result<const SafeTensor*> SafeTensors::tensor(std::string_view name,
                                              std::span<const std::uint64_t> shape) const {
  const SafeTensor* found = find(name);
  TRY(check_found(path(), name, found, shape));
  TRY(check_type(path(), *found));
  return found;
}

Result<const SafeTensor*> SafeTensors::tensor(std::string_view name,
                                              std::initializer_list<std::uint64_t> shape) const {
  return tensor(name, std::span<const std::uint64_t>(shape.begin(), shape.size()));
}

Result<void> SafeTensors::read(const SafeTensor& tensor, std::uint64_t first,
                               std::span<std::byte> out) const {
  if (out.empty()) return {};
  const Bytes part = tensor.bytes.subspan(first, out.size());
  const InputFile& file = impl_->file_of(part);
  return file.read(static_cast<std::uint64_t>(part.data() - file.bytes().data()), out);
}

Result<bool> SafeTensors::same_bytes(const SafeTensor& one, const SafeTensor& other) const {
  if (one.bytes.size() != other.bytes.size()) return false;
  std::vector<std::byte> buffers[2];
  constexpr std::size_t kChunk = std::size_t{1} << 20;  // bytes
  for (std::size_t i = 0; i < one.bytes.size(); i += kChunk) {
    const std::size_t count = std::min(kChunk, one.bytes.size() - i);
    const auto a = impl_->view(one.bytes.subspan(i, count), buffers[0]);
    const auto b = a ? impl_->view(other.bytes.subspan(i, count), buffers[1]) : a;
    if (!b) return b.error();
    if (!std::equal(a->begin(), a->end(), b->begin())) return false;
  }
  return true;
}

}  // namespace partita::internal
