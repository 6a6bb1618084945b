#include "api/output_path.h"

#include <filesystem>

#include "weights/gguf/split.h"
#include "weights/sentence.h"
#include "weights/try.h"

namespace partita::internal {

namespace fs = std::filesystem;

Result<void> check_output_path(const std::string& path) {
  const fs::path directory = fs::path(path).parent_path();
  std::error_code none;
  if (path.empty() || fs::is_directory(path, none)) {
    return invalid("'", printable(path),
                   "' is not the name of a file to write: give a path that ends in a file name");
  }
  if (directory.empty() || fs::is_directory(directory, none)) return {};
  return Error{ErrorCode::kIo,
               sentence("there is no directory '", printable(directory.string()), "' for the file")};
}

Result<void> check_other_file(const std::string& path, const std::string& input, std::string_view what) {
  std::error_code none;
  if (!fs::equivalent(path, input, none)) return {};
  return invalid("'", printable(path), "' is ", what, ": name another file");
}

Result<void> check_not_model(const std::string& path, const std::string& model) {
  for (const std::string& part : paths_of_parts(model))
    TRY(check_other_file(path, part, "the model that is read"));
  return {};
}

}  // namespace partita::internal
