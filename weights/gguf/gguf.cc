#include "weights/gguf/gguf.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "weights/gguf/index.h"
#include "weights/gguf/parse.h"
#include "weights/gguf/refuse.h"
#include "weights/gguf/split.h"
#include "weights/input_file.h"
#include "weights/sentence.h"
#include "weights/try.h"

namespace partita::internal {
namespace {

/// "a string" and so on, for the message "key 'x' is ..., and ... was expected".
std::string describe(const GgufValue& value) {
  if (const auto* number = std::get_if<std::uint64_t>(&value)) return sentence("the integer ", *number);
  if (const auto* number = std::get_if<std::int64_t>(&value)) return sentence("the integer ", *number);
  if (std::holds_alternative<double>(value)) return "a float";
  if (std::holds_alternative<bool>(value)) return "a bool";
  if (const auto* array = std::get_if<GgufArray>(&value)) {
    return sentence("an array of ", array->size(), " ", name(array->type()), " elements");
  }
  return "a string";
}

}  // namespace

struct Gguf::Impl {
  std::vector<InputFile> files;          // the parts of the model, in their order; most have one
  std::vector<const InputFile*> placed;  // the same, sorted by address
  GgufContents contents;

  const std::string& path() const { return files.front().path(); }

  /// The file that a view of its bytes points into.
  const InputFile& file_of(std::span<const std::byte> part) const {
    if (placed.size() == 1) return *placed.front();
    const auto after = std::upper_bound(placed.begin(), placed.end(), part.data(),
                                        [](const std::byte* byte, const InputFile* file) {
                                          return std::less<>()(byte, file->bytes().data());
                                        });
    return **std::prev(after);
  }

  Error missing(std::string_view key) const {
    return {ErrorCode::kNotFound, sentence("'", path(), "' has no metadata key ", quoted(key))};
  }

  Error wrong_type(std::string_view key, const GgufValue& found, const char* expected) const {
    return {ErrorCode::kBadFile, sentence("'", path(), "': key ", quoted(key), " is ", describe(found),
                                          ", and ", expected, " was expected")};
  }

  static Result<Gguf> make(std::vector<GgufPart> parts) {
    auto contents = join_tables(parts);
    if (!contents) return contents.error();
    auto impl = std::make_unique<Impl>();
    impl->contents = *std::move(contents);
    for (GgufPart& part : parts) impl->files.push_back(std::move(part.file));
    for (const InputFile& file : impl->files) impl->placed.push_back(&file);
    std::sort(impl->placed.begin(), impl->placed.end(), [](const InputFile* a, const InputFile* b) {
      return std::less<>()(a->bytes().data(), b->bytes().data());
    });
    return Gguf(std::move(impl));
  }

  static Result<Gguf> make(InputFile file) {
    auto contents = parse_gguf(file);
    if (!contents) return contents.error();
    std::vector<GgufPart> parts;
    parts.push_back({std::move(file), *std::move(contents)});
    return make(std::move(parts));
  }
};

Gguf::Gguf(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Gguf::Gguf(Gguf&&) noexcept = default;
Gguf& Gguf::operator=(Gguf&&) noexcept = default;
Gguf::~Gguf() = default;

Result<Gguf> Gguf::open(const std::string& path) {
  auto first = GgufPart::open(path);
  if (!first) return first.error();
  std::vector<GgufPart> parts;
  parts.push_back(*std::move(first));
  TRY(open_other_parts(path, parts));
  return Impl::make(std::move(parts));
}

Result<Gguf> Gguf::open_alone(const std::string& path) {
  auto file = InputFile::open(path);
  if (!file) return file.error();
  return Impl::make(*std::move(file));
}

Result<Gguf> Gguf::open_whole(const std::string& path) {
  auto file = InputFile::open(path);
  if (!file) return file.error();
  TRY(file->load(file->size()));
  return Impl::make(*std::move(file));
}

Result<Gguf> Gguf::parse(std::span<const std::byte> file, std::string name) {
  return Impl::make(InputFile::in_memory(file, std::move(name)));
}

Result<Gguf> Gguf::compute(std::vector<std::byte> head, std::uint64_t data_bytes, FileSource source,
                           std::string name) {
  auto file = InputFile::computed(head, data_bytes, std::move(source), std::move(name));
  if (!file) return file.error();
  return Impl::make(*std::move(file));
}

const std::string& Gguf::path() const { return impl_->path(); }
std::size_t Gguf::files() const { return impl_->files.size(); }
std::uint32_t Gguf::version() const { return impl_->contents.version; }
std::uint64_t Gguf::file_bytes() const {
  std::uint64_t bytes = 0;
  for (const InputFile& file : impl_->files) bytes += file.size();
  return bytes;
}

// --- metadata ---------------------------------------------------------------------------------------

const std::vector<GgufEntry>& Gguf::metadata() const { return impl_->contents.metadata; }

const GgufValue* Gguf::find(std::string_view key) const {
  const GgufContents& contents = impl_->contents;
  const GgufEntry* entry =
      find_in(contents.metadata, contents.metadata_by_key, key, [](const GgufEntry& e) { return e.key; });
  return entry == nullptr ? nullptr : &entry->value;
}

Result<std::uint64_t> Gguf::get_uint(std::string_view key) const {
  const GgufValue* value = find(key);
  if (value == nullptr) return impl_->missing(key);
  if (const auto* number = std::get_if<std::uint64_t>(value)) return *number;
  const auto* number = std::get_if<std::int64_t>(value);
  if (number != nullptr && *number >= 0) return static_cast<std::uint64_t>(*number);
  return impl_->wrong_type(key, *value, "an integer that is not negative");
}

Result<double> Gguf::get_float(std::string_view key) const {
  const GgufValue* value = find(key);
  if (value == nullptr) return impl_->missing(key);
  if (const auto* number = std::get_if<double>(value)) return *number;
  return impl_->wrong_type(key, *value, "a float");
}

Result<bool> Gguf::get_bool(std::string_view key) const {
  const GgufValue* value = find(key);
  if (value == nullptr) return impl_->missing(key);
  if (const auto* flag = std::get_if<bool>(value)) return *flag;
  return impl_->wrong_type(key, *value, "a bool");
}

Result<std::string_view> Gguf::get_string(std::string_view key) const {
  const GgufValue* value = find(key);
  if (value == nullptr) return impl_->missing(key);
  if (const auto* text = std::get_if<std::string_view>(value)) return *text;
  return impl_->wrong_type(key, *value, "a string");
}

Result<const GgufArray*> Gguf::get_array(std::string_view key) const {
  const GgufValue* value = find(key);
  if (value == nullptr) return impl_->missing(key);
  if (const auto* array = std::get_if<GgufArray>(value)) return array;
  return impl_->wrong_type(key, *value, "an array");
}

Result<std::uint64_t> Gguf::get_uint(std::string_view key, std::uint64_t missing) const {
  if (find(key) == nullptr) return missing;
  return get_uint(key);
}

Result<double> Gguf::get_float(std::string_view key, double missing) const {
  if (find(key) == nullptr) return missing;
  return get_float(key);
}

Result<bool> Gguf::get_bool(std::string_view key, bool missing) const {
  if (find(key) == nullptr) return missing;
  return get_bool(key);
}

// --- tensors ----------------------------------------------------------------------------------------

const std::vector<TensorView>& Gguf::tensors() const { return impl_->contents.tensors; }

const std::vector<UnsupportedTensor>& Gguf::unsupported() const { return impl_->contents.unsupported; }

Result<void> Gguf::check_types() const {
  if (unsupported().empty()) return {};
  return explain_tensor_types(unsupported(), path());
}

const TensorView* Gguf::find_tensor(std::string_view name) const {
  const GgufContents& contents = impl_->contents;
  return find_in(contents.tensors, contents.tensors_by_name, name,
                 [](const TensorView& t) { return t.name; });
}

bool Gguf::has_tensor(std::string_view name) const { return find_tensor(name) != nullptr; }

Result<TensorView> Gguf::tensor(std::string_view name, std::span<const std::uint64_t> shape) const {
  const TensorView* found = find_tensor(name);
  TRY(check_found(path(), name, found, shape));
  return *found;
}

Result<TensorView> Gguf::tensor(std::string_view name, std::initializer_list<std::uint64_t> shape) const {
  return tensor(name, std::span<const std::uint64_t>(shape.begin(), shape.size()));
}

Result<std::span<const std::byte>> Gguf::read(std::span<const std::byte> part,
                                              std::vector<std::byte>& buffer) const {
  return impl_->file_of(part).view(part, buffer);
}

}  // namespace partita::internal
