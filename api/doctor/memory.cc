#include "api/doctor/memory.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <fstream>

#include "engine/kernels/cgroup.h"
#include "engine/tensor_loader.h"

namespace partita::internal {
namespace {

/// "MemAvailable:    123 kB" of /proc/meminfo, in bytes.
std::optional<double> available_memory(const std::string& root) {
  std::ifstream file(root + "/proc/meminfo");
  for (std::string name, unit; file >> name;) {
    double kilobytes = 0;
    if (name == "MemAvailable:" && file >> kilobytes) return kilobytes * 1024;
    std::getline(file, unit);
  }
  return std::nullopt;
}

/// The limit of a cgroup in bytes; infinity if it has none.
double limit_in(const std::string& folder, const char* name) {
  std::ifstream file(folder + name);
  double limit = 0;
  return file >> limit ? limit : INFINITY;  // "max", or no such file
}

}  // namespace

std::uint64_t weight_bytes(const Gguf& file) {
  std::uint64_t bytes = count_panel_bytes(file);
  for (const TensorView& tensor : file.tensors()) {
    if (tensor.shape.size() < 2) bytes += tensor.shape.elements() * sizeof(float);
  }
  return bytes;
}

std::uint64_t cache_bytes(std::span<const StateShape> states, KvType type, std::uint64_t tokens) {
  const std::uint64_t pages = (tokens + kPageTokens - 1) / kPageTokens;
  std::uint64_t bytes = 0;
  for (const StateShape& state : states) {
    if (const auto* keys = std::get_if<KvShape>(&state)) {
      bytes += pages * keys->heads * keys->head_bytes(type);
    } else {
      bytes += std::get<FixedShape>(state).bytes;
    }
  }
  return bytes;
}

std::optional<std::uint64_t> free_memory(const std::string& root) {
  const auto available = available_memory(root);
  if (!available) return std::nullopt;
  const std::string groups = root + "/sys/fs/cgroup";
  const double v2 = tightest(groups, cgroup_path(root, ""),
                             [](const std::string& folder) { return limit_in(folder, "/memory.max"); });
  const double v1 = tightest(groups + "/memory", cgroup_path(root, "memory"), [](const std::string& folder) {
    return limit_in(folder, "/memory.limit_in_bytes");
  });
  return static_cast<std::uint64_t>(std::min({*available, v2, v1}));
}

std::string size_text(std::uint64_t bytes) {
  std::array<char, 32> text{};
  const auto size = static_cast<double>(bytes);
  if (bytes >= 1000000000) {
    std::snprintf(text.data(), text.size(), "%.1f GB", size * 1e-9);
  } else {
    std::snprintf(text.data(), text.size(), "%.1f MB", size * 1e-6);
  }
  return text.data();
}

}  // namespace partita::internal
