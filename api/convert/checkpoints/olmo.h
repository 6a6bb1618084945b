// The layer of OLMo 2 and 3.
#pragma once

#include "api/convert/checkpoint_family.h"
#include "api/convert/layer_copy.h"

namespace partita::internal {

void copy_olmo2(LayerCopy& in);

}  // namespace partita::internal
