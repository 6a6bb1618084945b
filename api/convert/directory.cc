#include "api/convert/directory.h"

#include <dirent.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <memory>
#include <new>

namespace partita::internal {
namespace {

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};

}  // namespace

std::vector<std::string> files_in(const std::string& directory) {
  const std::unique_ptr<DIR, CloseDirectory> open(::opendir(directory.c_str()));
  if (open == nullptr && errno == ENOMEM) throw std::bad_alloc();
  std::vector<std::string> names;
  while (const dirent* entry = open != nullptr ? ::readdir(open.get()) : nullptr)
    names.emplace_back(entry->d_name);
  std::sort(names.begin(), names.end());
  return names;
}

std::string directory_of(const std::string& path) {
  const std::filesystem::path whole(path);
  return whole.has_parent_path() ? whole.parent_path().string() : ".";
}

}  // namespace partita::internal
