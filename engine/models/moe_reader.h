// The sizes and the routing of a mixture of experts, from the metadata of a file.
#pragma once

#include <cstdint>

#include "engine/config.h"
#include "engine/models/metadata_reader.h"

namespace partita::internal {

/// No experts if the file has none. ffn_size: of experts whose size the file does not give. routing: what the
/// file has no keys for.
MoeSizes read_moe(MetadataReader& keys, std::uint32_t ffn_size, const Routing& routing);

}  // namespace partita::internal
