// Any bytes as the config.json of a checkpoint.
#include "api/convert/checkpoint_family.h"
#include "api/convert/convert_config.h"
#include "tests/fuzz/support.h"

namespace partita::internal::fuzz {

void run_config(Bytes bytes) {
  const auto config = parse_checkpoint_config(text_of(bytes), "config.json");
  if (!config) return require_message(config.error());
  require(config->family != nullptr && config->hidden > 0 && config->layers > 0 && config->conv_width <= 64);
  require(config->vocab > 1 && config->context > 0 && config->norm_eps > 0);
  if (!config->family->only_recurrent) {
    require(config->ffn > 0 && config->kv_heads > 0 && config->heads > 0 && config->rope_base >= 1);
    require(config->head_dim > 0 && config->head_dim % 2 == 0 && config->rotary_dim <= config->head_dim);
  }
  const HeadConfig& head = config->head;
  require(head.order.empty() || head.order.size() == config->vocab);
  for (const std::int32_t cutoff : head.cutoffs)
    require(cutoff >= 0 && static_cast<std::uint32_t>(cutoff) <= config->vocab);
  for (const std::int32_t id : head.order) require(id >= 0 && static_cast<std::uint32_t>(id) < config->vocab);
}

}  // namespace partita::internal::fuzz
