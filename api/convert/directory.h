// Directories and the names of the files in them. Internal to api/.
#pragma once

#include <string>
#include <vector>

namespace partita::internal {

/// Sorted; none if it cannot be read. Throws std::bad_alloc. (std::filesystem's iterators end the program
/// when memory runs out.)
std::vector<std::string> files_in(const std::string& directory);

/// The directory that a file is in: "." for a name alone.
std::string directory_of(const std::string& path);

}  // namespace partita::internal
