// Finds the file of a model named on a command line.
#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <filesystem>

#include "partita/partita.hpp"
#include "weights/bundled/bundled_model.h"
#include "weights/catch_all.h"

namespace partita {
using namespace internal;
namespace {

namespace fs = std::filesystem;

struct KnownModel {
  std::string_view name;
  std::string_view file;
};

constexpr KnownModel kKnown[] = {
    {"smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf"},
    {"gemma3-270m", "gemma-3-270m-q4_k_m.gguf"},
};

/// Only letters and digits, in lower case: "Gemma-3 270M" and "gemma3-270m" are one name.
std::string folded(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) != 0) out += static_cast<char>(std::tolower(byte));
  }
  return out;
}

std::string environment(const char* variable) {
  const char* value = std::getenv(variable);
  return value != nullptr ? value : "";
}

/// Directories that are searched for models.
std::vector<fs::path> model_directories() {
  std::vector<fs::path> directories;
  if (const std::string given = environment("PARTITA_MODELS"); !given.empty())
    directories.emplace_back(given);
  directories.emplace_back("models");
  std::error_code none;
  const fs::path program = fs::read_symlink("/proc/self/exe", none);
  if (!none) {
    // build/<preset>/partita of a checkout, whose scripts fetch into models/; or <prefix>/bin/partita.
    const fs::path directory = program.parent_path();
    directories.push_back(directory.parent_path().parent_path() / "models");
    directories.push_back(directory.parent_path() / "share" / "partita" / "models");
  }
  return directories;
}

bool is_file(const fs::path& path) {
  std::error_code none;
  return fs::is_regular_file(path, none);
}

std::optional<std::string> in_directories(std::string_view file) {
  for (const fs::path& directory : model_directories()) {
    if (is_file(directory / file)) return (directory / file).string();
  }
  return std::nullopt;
}

std::optional<std::string> known_or_file(const std::string& name) {
  for (const KnownModel& known : kKnown) {
    const std::string whole = folded(fs::path(known.file).stem().string());
    if (folded(name) != folded(known.name) && folded(name) != whole) continue;
    if (auto found = in_directories(known.file)) return found;
  }
  if (name.find('/') != std::string::npos) return std::nullopt;
  if (auto found = in_directories(name)) return found;
  return in_directories(name + ".gguf");
}

/// "organisation/model", perhaps after "hf:" or a hub's address.
bool is_hub_name(std::string_view name) {
  if (name.starts_with("hf:") || name.starts_with("hf.co/") || name.starts_with("https://")) return true;
  const auto slash = name.find('/');
  return slash != 0 && slash != std::string_view::npos && slash == name.rfind('/') &&
         slash + 1 < name.size() && name[0] != '.' && name[0] != '~' && !name.ends_with(".gguf");
}

Error not_found(const std::string& name) {
  if (is_hub_name(name)) {
    return {ErrorCode::kNotFound,
            "there is no file \"" + printable(name) +
                "\", and Partita fetches no models by name: download a GGUF file of the "
                "model and give its path with -m"};
  }
  return {ErrorCode::kNotFound,
          "there is no model \"" + printable(name) +
              "\": neither a file, nor in $PARTITA_MODELS or ./models; give the path of a "
              "GGUF file with -m, or -m bundled for the small model inside the program"};
}

Error none_at_all() {
  return {
      ErrorCode::kNotFound,
      "no model is named, there is none in $PARTITA_MODELS or ./models, and this Partita was built without "
      "the bundled one: give a GGUF file with -m PATH or in $PARTITA_MODEL"};
}

}  // namespace

Result<std::string> find_model(const std::string& name) {
  return catch_all([&]() -> Result<std::string> {
    const std::string asked = name.empty() ? environment("PARTITA_MODEL") : name;
    if (asked.empty()) {
      if (auto found = in_directories(kKnown[0].file)) return *found;
      if (bundled_model().empty()) return none_at_all();
      return std::string(kBundledModel);
    }
    if (asked == kBundledModel) return asked;
    std::error_code none;
    if (fs::exists(asked, none)) return asked;
    if (auto found = known_or_file(asked)) return *found;
    return not_found(asked);
  });
}

}  // namespace partita
