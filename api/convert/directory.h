// The names of the files in a directory. Internal to api/.
#pragma once

#include <string>
#include <vector>

namespace partita::internal {

/// Sorted; none if it cannot be read. Throws std::bad_alloc. (std::filesystem's iterators end the program
/// when memory runs out.)
std::vector<std::string> files_in(const std::string& directory);

}  // namespace partita::internal
