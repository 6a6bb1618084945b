// Models in several files, as llama-gguf-split writes them: NAME-00001-of-00003.gguf and so on. The first
// file has the metadata of the model; tensors are spread over all. Internal to weights/, but for
// paths_of_parts(); the interface is gguf.h.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "partita/result.hpp"
#include "weights/gguf/parse.h"
#include "weights/input_file.h"

namespace partita::internal {

/// More files than any model has (about 100), few enough for the descriptors of a process.
inline constexpr std::uint64_t kMaxGgufParts = 512;

/// One file of a model.
struct GgufPart {
  InputFile file;
  GgufContents contents;

  /// Errors: those of InputFile::open() and parse_gguf().
  static Result<GgufPart> open(const std::string& path);
};

/// Appends the other files of a model to its first, parts.front(), which was opened at `path`; nothing for a
/// model in one file. Errors: kUnsupported for a part that is not the first, or too many; kNotFound naming
/// all files that are missing; kBadFile for a name that does not fit the metadata, for a part that belongs
/// elsewhere, and for a number of tensors that is not that of the metadata.
Result<void> open_other_parts(const std::string& path, std::vector<GgufPart>& parts);

/// The paths of a model's files, given that of its first: `path`, and the others if it is named as the first
/// of several.
std::vector<std::string> paths_of_parts(const std::string& path);

/// One table of all tensors, with the metadata of the first part; empties the parts' own. Error: kBadFile for
/// a tensor that is in two files.
Result<GgufContents> join_tables(std::vector<GgufPart>& parts);

}  // namespace partita::internal
