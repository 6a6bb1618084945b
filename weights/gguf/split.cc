#include "weights/gguf/split.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cinttypes>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

#include "weights/gguf/index.h"
#include "weights/sentence.h"
#include "weights/try.h"

namespace partita::internal {
namespace {

/// The keys of a part. Files of one part may have them too, with a count of 0 or 1.
struct SplitKeys {
  std::uint64_t number = 0;              // of this part, from 0
  std::uint64_t count = 1;               // of all
  std::optional<std::uint64_t> tensors;  // of all
};

const GgufValue* find_value(const GgufContents& contents, std::string_view key) {
  const auto name_of = [](const GgufEntry& entry) { return entry.key; };
  const GgufEntry* entry = find_in(contents.metadata, contents.metadata_by_key, key, name_of);
  return entry != nullptr ? &entry->value : nullptr;
}

std::optional<std::uint64_t> find_uint(const GgufContents& contents, std::string_view key) {
  const GgufValue* value = find_value(contents, key);
  if (value == nullptr) return std::nullopt;
  if (const auto* number = std::get_if<std::uint64_t>(value)) return *number;
  const auto* number = std::get_if<std::int64_t>(value);
  if (number == nullptr || *number < 0) return std::nullopt;
  return static_cast<std::uint64_t>(*number);
}

std::optional<std::string_view> find_text(const GgufContents& contents, std::string_view key) {
  const GgufValue* value = find_value(contents, key);
  const auto* text = value != nullptr ? std::get_if<std::string_view>(value) : nullptr;
  return text != nullptr ? std::optional(*text) : std::nullopt;
}

SplitKeys split_keys(const GgufContents& contents) {
  return {find_uint(contents, "split.no").value_or(0), find_uint(contents, "split.count").value_or(1),
          find_uint(contents, "split.tensors.count")};
}

std::size_t count_tensors(const GgufContents& contents) {
  return contents.tensors.size() + contents.unsupported.size();
}

/// "-00002-of-00003.gguf"; number: from 0.
std::string suffix(std::uint64_t number, std::uint64_t count) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "-%05" PRIu64 "-of-%05" PRIu64 ".gguf", number + 1, count);
  return text.data();
}

/// `path` without suffix(number, count); nothing if it does not end so.
std::optional<std::string> stem(const std::string& path, const SplitKeys& keys) {
  const std::string end = suffix(keys.number, keys.count);
  if (!path.ends_with(end)) return std::nullopt;
  return path.substr(0, path.size() - end.size());
}

Error not_the_first(const std::string& path, const SplitKeys& keys) {
  const auto name = stem(path, keys);
  const std::string first = name ? sentence("'", printable(*name + suffix(0, keys.count)), "'")
                                 : sentence("the file whose name ends in '", suffix(0, keys.count), "'");
  return {ErrorCode::kUnsupported, sentence("'", printable(path), "' is part ", keys.number + 1, " of ",
                                            keys.count, " of a split model; give the first part, ", first)};
}

Result<void> check_first(const std::string& path, const SplitKeys& keys) {
  if (keys.count > kMaxGgufParts) {
    return Error{ErrorCode::kUnsupported,
                 sentence("'", printable(path), "' is one of ", keys.count,
                          " parts of a split model, and the limit is ", kMaxGgufParts,
                          "; join them with llama-gguf-split --merge and give the whole file")};
  }
  if (keys.number != 0) return not_the_first(path, keys);
  if (stem(path, keys)) return {};
  return Error{ErrorCode::kBadFile,
               sentence("'", printable(path), "' is the first of ", keys.count,
                        " parts of a split model, and the others are found by its name, which must end in '",
                        suffix(0, keys.count), "'; give each part the name that it had")};
}

/// Names every file that is not there.
Result<void> check_presence(const std::string& name, std::uint64_t count) {
  constexpr std::size_t kNamed = 8;
  std::string list;
  std::size_t missing = 0;
  for (std::uint64_t i = 1; i < count; ++i) {
    const std::string path = name + suffix(i, count);
    std::error_code ignored;
    if (std::filesystem::exists(path, ignored)) continue;
    if (missing++ < kNamed) list += sentence(list.empty() ? "'" : ", '", printable(path), "'");
  }
  if (missing == 0) return {};
  if (missing > kNamed) list += sentence(" and ", missing - kNamed, " more");
  return Error{ErrorCode::kNotFound,
               sentence("of the ", count, " parts of '", printable(name + suffix(0, count)), "' ", missing,
                        missing == 1 ? " is" : " are", " not there: ", list,
                        "; download every part into one directory")};
}

Error belongs_elsewhere(const GgufPart& part, const std::string& why) {
  return {ErrorCode::kBadFile, sentence("'", part.file.path(), "' is no part of this split model: ", why,
                                        "; download all parts of one model again")};
}

/// Compares what a part says with its place and with the first part.
Result<void> check_part(const GgufPart& first, const GgufPart& part, std::uint64_t number) {
  const SplitKeys expected = split_keys(first.contents), found = split_keys(part.contents);
  if (found.count != expected.count) {
    return belongs_elsewhere(
        part, sentence("it is one of ", found.count, " parts, and the first is one of ", expected.count));
  }
  if (found.number != number) {
    return belongs_elsewhere(part, sentence("it says that it is part ", found.number + 1,
                                            ", and its name says part ", number + 1));
  }
  if (found.tensors && expected.tensors && *found.tensors != *expected.tensors) {
    return belongs_elsewhere(part, sentence("its model has ", *found.tensors,
                                            " tensors, and that of the first part has ", *expected.tensors));
  }
  for (const std::string_view key : {"general.architecture", "general.name"}) {
    const auto its = find_text(part.contents, key), own = find_text(first.contents, key);
    if (its && own && *its != *own)
      return belongs_elsewhere(
          part, sentence("its ", key, " is ", quoted(*its), ", and that of the first is ", quoted(*own)));
  }
  return {};
}

Result<void> check_tensor_count(const std::vector<GgufPart>& parts) {
  const auto expected = split_keys(parts.front().contents).tensors;
  std::size_t found = 0;
  for (const GgufPart& part : parts) found += count_tensors(part.contents);
  if (!expected || found == *expected) return {};
  return Error{ErrorCode::kBadFile, sentence("'", parts.front().file.path(), "': its ", parts.size(),
                                             " parts have ", found, " tensors, and split.tensors.count is ",
                                             *expected, "; download all parts of one model again")};
}

}  // namespace

Result<GgufPart> GgufPart::open(const std::string& path) {
  auto file = InputFile::open(path);
  if (!file) return file.error();
  auto contents = parse_gguf(*file);
  if (!contents) return contents.error();
  return GgufPart{*std::move(file), *std::move(contents)};
}

std::vector<std::string> paths_of_parts(const std::string& path) {
  constexpr std::size_t kCountAt = 10, kDigits = 5;  // in "00003.gguf", from the end
  std::vector<std::string> paths{path};
  SplitKeys keys;
  if (path.size() < kCountAt) return paths;
  const char* const digits = path.data() + path.size() - kCountAt;
  std::from_chars(digits, digits + kDigits, keys.count);
  const auto name = stem(path, keys);
  for (std::uint64_t i = 1; name && i < std::min(keys.count, kMaxGgufParts); ++i)
    paths.push_back(*name + suffix(i, keys.count));
  return paths;
}

Result<void> open_other_parts(const std::string& path, std::vector<GgufPart>& parts) {
  const SplitKeys keys = split_keys(parts.front().contents);
  if (keys.count <= 1) return {};
  TRY(check_first(path, keys));
  const std::string name = *stem(path, keys);
  TRY(check_presence(name, keys.count));
  for (std::uint64_t i = 1; i < keys.count; ++i) {
    auto part = GgufPart::open(name + suffix(i, keys.count));
    if (!part) return part.error();
    TRY(check_part(parts.front(), *part, i));
    parts.push_back(*std::move(part));
  }
  return check_tensor_count(parts);
}

Result<GgufContents> join_tables(std::vector<GgufPart>& parts) {
  GgufContents all = std::move(parts.front().contents);
  if (parts.size() == 1) return all;
  std::vector<std::size_t> ends = {all.tensors.size()};  // of the parts, in the table of all tensors
  for (GgufPart& part : std::span(parts).subspan(1)) {
    for (UnsupportedTensor tensor : part.contents.unsupported) {
      tensor.tensors += all.tensors.size();
      all.unsupported.push_back(tensor);
    }
    const std::vector<TensorView>& tensors = part.contents.tensors;
    all.tensors.insert(all.tensors.end(), tensors.begin(), tensors.end());
    ends.push_back(all.tensors.size());
    part.contents = {};
  }
  const auto name_of = [&](std::uint32_t i) { return all.tensors[i].name; };
  const auto twice = sort_indices(all.tensors_by_name, all.tensors.size(), name_of);
  if (!twice) return all;
  const std::uint32_t first = all.tensors_by_name[*twice], second = all.tensors_by_name[*twice + 1];
  const auto file_of = [&](std::uint32_t i) -> const std::string& {
    const auto part = std::upper_bound(ends.begin(), ends.end(), i) - ends.begin();
    return parts[static_cast<std::size_t>(part)].file.path();
  };
  return Error{ErrorCode::kBadFile,
               sentence("tensor ", quoted(name_of(first)), " is both in '", file_of(first), "' and in '",
                        file_of(second), "'; download all parts of one model again")};
}

}  // namespace partita::internal
