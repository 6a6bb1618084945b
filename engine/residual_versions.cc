#include "engine/residual_versions.h"

#include <utility>

#include "weights/try.h"

namespace partita::internal {

std::size_t ResidualVersions::bytes_per_token() const {
  std::size_t bytes = 0;
  for (const std::vector<Linear>* all : {&spread, &merge}) {
    for (const Linear& linear : *all) bytes += linear.bytes();
  }
  return bytes;
}

Result<void> load_versions(TensorLoader& tensors, const Config& config, ResidualVersions& out) {
  out.count = config.versions;
  out.active = config.active_version;
  if (out.count == 0) return {};
  for (const auto& [name, all] :
       {std::pair{"altup_proj", &out.spread}, std::pair{"altup_unembd_proj", &out.merge}}) {
    all->resize(out.count - 1);
    std::vector<Linear*> parts;
    for (Linear& linear : *all) parts.push_back(&linear);
    TRY(tensors.stack(name, config.hidden_size, config.hidden_size, parts));
  }
  return {};
}

}  // namespace partita::internal
