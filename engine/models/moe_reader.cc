#include "engine/models/moe_reader.h"

#include <algorithm>
#include <string>
#include <string_view>

#include "engine/limits.h"

namespace partita::internal {
namespace {

/// expert_gating_func: 0 in files that do not say.
void read_scores(MetadataReader& keys, Routing& routing) {
  constexpr std::string_view kName = "expert_gating_func";
  constexpr std::uint32_t kSoftmax = 1, kSigmoid = 2, kSoftmaxOfChosen = 3, kMost = 255;
  const std::uint32_t found = keys.count(kName, 0, kMost, 0);
  if (found == kSoftmax || found == kSoftmaxOfChosen) {
    routing.scores = Routing::Scores::kSoftmax;
    if (found == kSoftmaxOfChosen) routing.normalized = true;
  } else if (found == kSigmoid) {
    routing.scores = Routing::Scores::kSigmoid;
  } else if (found != 0) {
    keys.fail(
        ErrorCode::kUnsupported, kName,
        "is " + std::to_string(found) +
            ", and only softmax (1), sigmoid (2) and the softmax of the chosen experts (3) can be used");
  }
}

void read_groups(MetadataReader& keys, std::uint32_t experts, Routing& routing) {
  routing.groups = keys.count("expert_group_count", 0, experts, routing.groups);
  if (routing.groups <= 1) {  // 0: none
    routing.groups = 1;
    return;
  }
  routing.used_groups = keys.count("expert_group_used_count", 1, routing.groups);
  if (experts % routing.groups != 0) {
    return keys.fail(ErrorCode::kBadFile, "expert_group_count",
                     "is " + std::to_string(routing.groups) + ", and must divide the " +
                         std::to_string(experts) + " of expert_count");
  }
  const std::uint32_t left = routing.used_groups * (experts / routing.groups);
  if (left >= routing.used) return;
  keys.fail(ErrorCode::kBadFile, "expert_group_used_count",
            "leaves " + std::to_string(left) + " experts, and a token goes through " +
                std::to_string(routing.used));
}

std::uint32_t read_shared_size(MetadataReader& keys, std::uint32_t ffn_size) {
  constexpr std::string_view kSize = "expert_shared_feed_forward_length", kCount = "expert_shared_count";
  if (keys.has(kSize)) return keys.count(kSize, 0, kMaxFfn);
  const std::uint32_t count = keys.count(kCount, 0, kMaxExperts, 0);
  if (count * ffn_size <= kMaxFfn) return count * ffn_size;
  keys.fail(ErrorCode::kBadFile, kCount,
            "is " + std::to_string(count) + ", and " + std::to_string(ffn_size) +
                " columns of each are more than the limit of " + std::to_string(kMaxFfn));
  return 0;
}

}  // namespace

MoeSizes read_moe(MetadataReader& keys, std::uint32_t ffn_size, const Routing& routing) {
  constexpr double kMostScale = 1e6;
  MoeSizes moe;
  moe.experts = keys.count("expert_count", 0, kMaxExperts, 0);
  if (moe.experts == 0) return moe;
  moe.routing = routing;
  moe.routing.used = keys.count("expert_used_count", 1, moe.experts);
  moe.ffn_size = keys.count("expert_feed_forward_length", 1, kMaxFfn, std::max(ffn_size, 1U));
  moe.shared_ffn_size = read_shared_size(keys, moe.ffn_size);
  moe.routing.normalized = keys.flag("expert_weights_norm", routing.normalized);
  const auto scale = static_cast<float>(keys.number("expert_weights_scale", 0, kMostScale, routing.scale));
  if (scale != 0) moe.routing.scale = scale;  // 0 in files that do not say
  read_scores(keys, moe.routing);
  read_groups(keys, moe.experts, moe.routing);
  return moe;
}

}  // namespace partita::internal
