#include "weights/gguf/parse.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <utility>

#include "weights/gguf/index.h"
#include "weights/gguf/limits.h"
#include "weights/gguf/refuse.h"
#include "weights/sentence.h"
#include "weights/try.h"

namespace partita::internal {
namespace {

static_assert(std::endian::native == std::endian::little,
              "GGUF numbers are copied as they stand in the file");

constexpr std::uint64_t kMinKeyBytes = 8 + 1 + 4 + 1;                 // length, key, type, value
constexpr std::uint64_t kMinTensorInfoBytes = 8 + 1 + 4 + 8 + 4 + 8;  // length, name, rank, dim, type, offset
constexpr std::uint64_t kDefaultAlignment = 32;

/// The item being read, for error messages: "the value of key" + 'general.name'. The message is built only on
/// an error.
struct Where {
  std::string_view what;
  std::string_view name = {};
};

/// One tensor as the file describes it, before the start of the data section is known.
struct TensorInfo {
  TensorView view;           // bytes: the right size, not yet the right address
  std::uint64_t offset = 0;  // from the start of the data section
  std::uint32_t type = 0;    // ggml_type number
  bool supported = true;     // whether the type has a codec; if not, `bytes` and `dtype` are unset
};

/// Reads sequentially; position_ never passes the end of the file or of its loaded part.
class Parser {
 public:
  explicit Parser(InputFile& input) : input_(input), file_(input.bytes()), file_name_(input.path()) {}

  Result<GgufContents> run();

 private:
  std::uint64_t remaining() const { return file_.size() - position_; }

  // --- errors ---
  template <class... Parts>
  Error bad(const Parts&... parts) const;
  Error cut_short(const Where& where, std::uint64_t needed) const;

  /// Whether the next `count` bytes are loaded; if not, need() loads them or returns the error.
  bool have(std::uint64_t count) const {
    const std::uint64_t loaded = input_.loaded();
    return count <= loaded && position_ <= loaded - count;
  }
  Result<void> need(const Where& where, std::uint64_t count);

  // --- pieces ---
  template <class T>
  Result<T> number(const Where& where);
  Result<std::string_view> short_name(const Where& where);
  Result<GgufType> value_type(std::string_view key);

  // --- metadata ---
  Result<void> read_metadata(std::uint64_t count);
  Result<GgufValue> read_value(std::string_view key);
  Result<GgufValue> read_scalar(GgufType type, std::string_view key);
  Result<GgufValue> read_array(std::string_view key);
  Result<GgufValue> read_strings(std::uint64_t count, std::string_view key);
  Result<void> index_metadata();
  Result<std::uint64_t> alignment() const;

  // --- tensors ---
  Result<void> read_tensors(std::uint64_t count);
  Result<TensorInfo> read_tensor_info();
  Result<Shape> read_shape(std::string_view tensor);
  Result<std::uint64_t> count_bytes(const TensorView& view) const;
  Result<void> place_tensors(const std::vector<std::uint64_t>& offsets, std::uint64_t align);
  Result<void> check_overlaps();
  Result<void> index_tensors();

  InputFile& input_;
  std::span<const std::byte> file_;  // addresses; the first input_.loaded() bytes are readable
  const std::string& file_name_;
  std::uint64_t position_ = 0;
  GgufContents contents_;
};

template <class... Parts>
Error Parser::bad(const Parts&... parts) const {
  return {ErrorCode::kBadFile, sentence("'", file_name_, "': ", parts..., kDownloadAgain)};
}

Error Parser::cut_short(const Where& where, std::uint64_t needed) const {
  const std::string named = where.name.empty() ? "" : sentence(" ", quoted(where.name));
  return bad(where.what, named, " needs ", needed, " bytes from byte ", position_,
             ", and the file ends at byte ", file_.size());
}

Result<void> Parser::need(const Where& where, std::uint64_t count) {
  if (remaining() < count) return cut_short(where, count);
  return input_.load(static_cast<std::size_t>(position_ + count));
}

template <class T>
Result<T> Parser::number(const Where& where) {
  if (!have(sizeof(T))) {
    TRY(need(where, sizeof(T)));
  }
  T value;
  std::memcpy(&value, file_.data() + position_, sizeof value);
  position_ += sizeof value;
  return value;
}

/// Reads a metadata key or a tensor name.
Result<std::string_view> Parser::short_name(const Where& where) {
  const std::uint64_t start = position_;
  const auto length = number<std::uint64_t>(where);
  if (!length) return length.error();
  if (*length == 0 || *length > kMaxGgufNameBytes) {
    return bad(where.what, " at byte ", start, " claims a length of ", *length, ", and 1 to ",
               kMaxGgufNameBytes, " are allowed");
  }
  TRY(need(where, *length));
  const std::string_view text(reinterpret_cast<const char*>(file_.data() + position_), *length);
  position_ += *length;
  return text;
}

Result<GgufType> Parser::value_type(std::string_view key) {
  const std::uint64_t start = position_;
  const auto type = number<std::uint32_t>({"the type of key", key});
  if (!type) return type.error();
  if (*type > static_cast<std::uint32_t>(GgufType::kFloat64)) {
    return bad("key ", quoted(key), " has value type ", *type, " at byte ", start,
               ", and types go from 0 to 12");
  }
  return static_cast<GgufType>(*type);
}

Result<GgufContents> Parser::run() {
  constexpr std::size_t kBeginning = 64;  // as much as explain_not_gguf() reads
  TRY(input_.load(std::min(file_.size(), kBeginning)));
  if (file_.size() < kGgufHeaderBytes || std::memcmp(file_.data(), "GGUF", 4) != 0) {
    return explain_not_gguf(file_, file_name_);
  }
  std::uint64_t counts[2];  // tensors, keys
  std::memcpy(&contents_.version, file_.data() + 4, 4);
  std::memcpy(counts, file_.data() + 8, 16);
  if (contents_.version != 2 && contents_.version != 3) return explain_not_gguf(file_, file_name_);
  position_ = kGgufHeaderBytes;
  TRY(read_metadata(counts[1]));
  TRY(read_tensors(counts[0]));
  return std::move(contents_);
}

// --- metadata ---------------------------------------------------------------------------------------

Result<void> Parser::read_metadata(std::uint64_t count) {
  const std::uint64_t limit = std::min(kMaxGgufKeys, remaining() / kMinKeyBytes);
  if (count > limit) {
    return bad("the header claims ", count, " metadata keys, and a file of ", file_.size(),
               " bytes can have at most ", limit);
  }
  contents_.metadata.reserve(count);
  for (std::uint64_t i = 0; i < count; ++i) {
    const auto key = short_name({"a metadata key"});
    if (!key) return key.error();
    auto value = read_value(*key);
    if (!value) return value.error();
    contents_.metadata.push_back({*key, std::move(*value)});
  }
  return index_metadata();
}

Result<GgufValue> Parser::read_value(std::string_view key) {
  const auto type = value_type(key);
  if (!type) return type.error();
  if (*type == GgufType::kArray) return read_array(key);
  if (*type != GgufType::kString) return read_scalar(*type, key);
  const auto length = number<std::uint64_t>({"the string of key", key});
  if (!length) return length.error();
  if (auto there = need({"the string of key", key}, *length); !there) return there.error();
  const std::string_view text(reinterpret_cast<const char*>(file_.data() + position_), *length);
  position_ += *length;
  return GgufValue(text);
}

Result<GgufValue> Parser::read_scalar(GgufType type, std::string_view key) {
  const std::size_t width = gguf_type_bytes(type);
  if (auto there = need({"the value of key", key}, width); !there) return there.error();
  const std::byte* from = file_.data() + position_;
  if (type == GgufType::kBool && *from > std::byte{1}) {
    return bad("key ", quoted(key), " is a bool of value ", std::to_integer<int>(*from), " at byte ",
               position_, ", and 0 and 1 are allowed");
  }
  position_ += width;
  return load_gguf_scalar(type, from);
}

Result<GgufValue> Parser::read_array(std::string_view key) {
  const auto type = value_type(key);
  if (!type) return type.error();
  const std::uint64_t start = position_;
  const auto count = number<std::uint64_t>({"the array of key", key});
  if (!count) return count.error();
  if (*type == GgufType::kArray) {
    return Error{ErrorCode::kUnsupported,
                 sentence("'", file_name_, "': key ", quoted(key),
                          " is an array of arrays, which no model needs and Partita does not "
                          "read; remove the key or convert the model again")};
  }
  const std::size_t width = *type == GgufType::kString ? sizeof(std::uint64_t) : gguf_type_bytes(*type);
  if (*count > remaining() / width) {
    return bad("key ", quoted(key), " claims an array of ", *count, " elements at byte ", start,
               ", and at most ", remaining() / width, " fit into the rest of the file");
  }
  if (*type == GgufType::kString) return read_strings(*count, key);
  if (auto there = need({"the array of key", key}, *count * width); !there) return there.error();
  const std::byte* first = file_.data() + position_;
  position_ += *count * width;
  const auto is_bool = [](std::byte b) { return b <= std::byte{1}; };
  if (*type == GgufType::kBool && !std::all_of(first, first + *count, is_bool)) {
    return bad("the array of key ", quoted(key), " has a bool that is neither 0 nor 1");
  }
  return GgufValue(GgufArray(*type, *count, first, nullptr));
}

/// Records where each string begins, in one pass: 8 bytes for each string, as many as its length field takes.
Result<GgufValue> Parser::read_strings(std::uint64_t count, std::string_view key) {
  auto starts = std::make_unique_for_overwrite<std::uint64_t[]>(count + 1);
  const std::uint64_t first = position_;
  for (std::uint64_t i = 0; i < count; ++i) {
    starts[i] = position_ - first;
    const auto length = number<std::uint64_t>({"a string in the array of key", key});
    if (!length) return length.error();
    if (!have(*length)) {
      if (auto there = need({"a string in the array of key", key}, *length); !there) return there.error();
    }
    position_ += *length;
  }
  starts[count] = position_ - first;
  contents_.string_starts.push_back(std::move(starts));
  return GgufValue(
      GgufArray(GgufType::kString, count, file_.data() + first, contents_.string_starts.back().get()));
}

Result<void> Parser::index_metadata() {
  const auto key_of = [&](std::uint32_t i) { return contents_.metadata[i].key; };
  const auto twice = sort_indices(contents_.metadata_by_key, contents_.metadata.size(), key_of);
  if (twice)
    return bad("key ", quoted(key_of(contents_.metadata_by_key[*twice])), " occurs twice in the metadata");
  return {};
}

Result<std::uint64_t> Parser::alignment() const {
  for (const GgufEntry& entry : contents_.metadata) {
    if (entry.key != "general.alignment") continue;
    const auto* value = std::get_if<std::uint64_t>(&entry.value);
    if (value == nullptr) return bad("key 'general.alignment' is not an unsigned integer");
    if (!std::has_single_bit(*value) || *value < kMinGgufAlignment || *value > kMaxGgufAlignment) {
      return bad("key 'general.alignment' is ", *value, ", and powers of two from ", kMinGgufAlignment,
                 " to ", kMaxGgufAlignment, " are allowed");
    }
    return *value;
  }
  return kDefaultAlignment;
}

// --- tensors ----------------------------------------------------------------------------------------

Result<void> Parser::read_tensors(std::uint64_t count) {
  const auto align = alignment();
  if (!align) return align.error();
  // Every tensor but the last takes at least one step of the alignment in the data section.
  const std::uint64_t limit = remaining() / (kMinTensorInfoBytes + *align) + 1;
  if (count > limit) {
    return bad("the header claims ", count, " tensors, and ", remaining(),
               " bytes after the metadata can describe at most ", limit);
  }
  std::vector<std::uint64_t> offsets;
  offsets.reserve(count);
  contents_.tensors.reserve(count);
  for (std::uint64_t i = 0; i < count; ++i) {
    const auto info = read_tensor_info();
    if (!info) return info.error();
    if (!info->supported) {
      contents_.unsupported.push_back(
          {info->view.name, info->view.shape, info->type, contents_.tensors.size()});
      continue;
    }
    contents_.tensors.push_back(info->view);
    offsets.push_back(info->offset);
  }
  TRY(place_tensors(offsets, *align));
  TRY(check_overlaps());
  return index_tensors();
}

Result<TensorInfo> Parser::read_tensor_info() {
  const auto name = short_name({"a tensor's name"});
  if (!name) return name.error();
  const auto shape = read_shape(*name);
  if (!shape) return shape.error();
  const auto type = number<std::uint32_t>({"the type of tensor", *name});
  if (!type) return type.error();
  const auto offset = number<std::uint64_t>({"the offset of tensor", *name});
  if (!offset) return offset.error();
  const auto dtype = dtype_from_gguf(*type);
  TensorView view{.name = *name, .shape = *shape, .bytes = {}, .dtype = dtype.value_or(Dtype::kF32)};
  if (!dtype) return TensorInfo{view, *offset, *type, false};
  const auto bytes = count_bytes(view);
  if (!bytes) return bytes.error();
  view.bytes = file_.first(*bytes);
  return TensorInfo{view, *offset, *type, true};
}

/// The file has the fastest dimension first; Shape has it last. The product fits into 63 bits.
Result<Shape> Parser::read_shape(std::string_view tensor) {
  const auto rank = number<std::uint32_t>({"the number of dimensions of tensor", tensor});
  if (!rank) return rank.error();
  if (*rank == 0 || *rank > Shape::kMaxRank) {
    return bad("tensor ", quoted(tensor), " claims ", *rank, " dimensions, and 1 to ", Shape::kMaxRank,
               " are allowed");
  }
  std::array<std::uint64_t, Shape::kMaxRank> dims{};
  std::uint64_t max_product = std::numeric_limits<std::int64_t>::max();  // of the remaining dimensions
  for (std::uint32_t i = 0; i < *rank; ++i) {
    const auto dim = number<std::uint64_t>({"the shape of tensor", tensor});
    if (!dim) return dim.error();
    if (*dim == 0 || *dim > max_product) {
      return bad("tensor ", quoted(tensor), " has dimension ", *dim,
                 ", and dimensions are at least 1 with a product below 2^63");
    }
    max_product /= *dim;
    dims[*rank - 1 - i] = *dim;
  }
  return Shape(std::span(dims).first(*rank));
}

/// The size of the tensor data in bytes; an error if it exceeds the file.
Result<std::uint64_t> Parser::count_bytes(const TensorView& view) const {
  const std::uint64_t block = block_elements(view.dtype);
  const std::uint64_t row = view.shape[view.shape.size() - 1];
  if (row % block != 0) {
    return bad("tensor ", quoted(view.name), " of type ", name(view.dtype), " has rows of ", row,
               " elements, which is not a multiple of its block of ", block);
  }
  const std::uint64_t blocks = view.shape.elements() / block;
  if (blocks > file_.size() / block_bytes(view.dtype)) {
    return bad("tensor ", quoted(view.name), " of type ", name(view.dtype), " claims ", view.shape.elements(),
               " elements, more than fit into the ", file_.size(), " bytes of the file");
  }
  return blocks * block_bytes(view.dtype);
}

Result<void> Parser::place_tensors(const std::vector<std::uint64_t>& offsets, std::uint64_t align) {
  const std::uint64_t start = std::min<std::uint64_t>((position_ + align - 1) / align * align, file_.size());
  const std::uint64_t size = file_.size() - start;  // of the data section
  for (std::size_t i = 0; i < offsets.size(); ++i) {
    TensorView& view = contents_.tensors[i];
    if (offsets[i] % align != 0) {
      return bad("tensor ", quoted(view.name), " has offset ", offsets[i],
                 ", which is not a multiple of the alignment ", align);
    }
    if (offsets[i] > size || view.bytes.size() > size - offsets[i]) {
      return bad("tensor ", quoted(view.name), " takes ", view.bytes.size(), " bytes at offset ", offsets[i],
                 ", and the data section has only ", size, " bytes, so the file is probably cut short");
    }
    view.bytes = file_.subspan(start + offsets[i], view.bytes.size());
  }
  return {};
}

Result<void> Parser::check_overlaps() {
  const std::vector<TensorView>& tensors = contents_.tensors;
  std::vector<std::uint32_t>& order =
      contents_.tensors_by_name;  // reused as scratch: index_tensors sorts it again
  sort_indices(order, tensors.size(), [&](std::uint32_t i) { return tensors[i].bytes.data(); });
  for (std::size_t i = 1; i < order.size(); ++i) {
    const TensorView& first = tensors[order[i - 1]];
    const TensorView& second = tensors[order[i]];
    if (first.bytes.data() + first.bytes.size() > second.bytes.data()) {
      return bad("tensors ", quoted(first.name), " and ", quoted(second.name), " overlap in the file");
    }
  }
  return {};
}

Result<void> Parser::index_tensors() {
  const auto name_of = [&](std::uint32_t i) { return contents_.tensors[i].name; };
  const auto twice = sort_indices(contents_.tensors_by_name, contents_.tensors.size(), name_of);
  if (twice)
    return bad("tensor ", quoted(name_of(contents_.tensors_by_name[*twice])), " occurs twice in the file");
  return {};
}

}  // namespace

Result<GgufContents> parse_gguf(InputFile& file) { return Parser(file).run(); }

}  // namespace partita::internal
