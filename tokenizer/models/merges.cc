#include "tokenizer/models/merges.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "tokenizer/vocabulary.h"

namespace partita::internal {
namespace {

constexpr std::string_view kMerges = "tokenizer.ggml.merges";

Error bad_merge(std::size_t i, std::string_view merge, std::string_view why) {
  return {ErrorCode::kBadFile, std::string(kMerges) + "[" + std::to_string(i) + "] is \"" +
                                   std::string(merge.substr(0, 100)) + "\", " + std::string(why)};
}

}  // namespace

/// A merge is written "left right"; a token may begin with a space, but contains no other.
Result<MergeTable> read_merges(const Gguf& file, const StringTable& spellings) {
  const auto array = file.get_array(kMerges);
  if (!array) return array.error();
  if ((*array)->size() > kMaxVocabulary) {
    return Error{ErrorCode::kBadFile, std::string(kMerges) + " has " + std::to_string((*array)->size()) +
                                          " entries, more than " + std::to_string(kMaxVocabulary)};
  }
  MergeTable merges((*array)->size());
  std::string joined;
  for (std::size_t i = 0; i < (*array)->size(); ++i) {
    const auto merge = (*array)->string_at(i);
    if (!merge) {
      return Error{ErrorCode::kBadFile, std::string(kMerges) + " is an array of numbers, not of strings"};
    }
    const std::size_t space = merge->find(' ', 1);
    if (space == std::string_view::npos) return bad_merge(i, *merge, "not two tokens with a space between");
    const std::string_view left = merge->substr(0, space);
    const std::string_view right = merge->substr(space + 1);
    joined.assign(left).append(right);
    const auto left_id = spellings.find(left);
    const auto right_id = spellings.find(right);
    const auto id = spellings.find(joined);
    if (!left_id || !right_id || !id) {
      const std::string_view missing = !left_id ? left : !right_id ? right : std::string_view(joined);
      return bad_merge(i, *merge, "but no token is spelled \"" + std::string(missing.substr(0, 100)) + "\"");
    }
    merges.set(*left_id, *right_id, {static_cast<std::uint32_t>(i), *id});
  }
  return merges;
}

}  // namespace partita::internal
