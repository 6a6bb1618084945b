#include "sampling/search/continuations.h"

#include <algorithm>
#include <cmath>

#include "sampling/softmax/softmax.h"
#include "sampling/stages/top_k.h"
#include "weights/try.h"

namespace partita::internal {

Result<void> likeliest_after(const Chain& chain, std::span<const float> logits, const StageContext& context,
                             const ChainState* state, std::size_t k, ContinuationScratch& scratch,
                             std::vector<Continuation>& out) {
  out.clear();
  const Result<LogPartition> partition = log_partition(logits, *context.kernels);
  if (!partition) return partition.error();
  const std::span<float> scores = grow_to(scratch.scores, logits.size());
  std::transform(logits.begin(), logits.end(), scores.begin(),
                 [&](float logit) { return partition->log_probability(logit); });
  Candidates& row = scratch.row;
  TRY(chain.filter(LogitRow(scores), context, state, row));

  keep_top_k(row, k);
  for (std::size_t i = 0; i < row.count(); ++i) {
    if (std::isinf(row.values()[i])) continue;
    const double score = static_cast<double>(row.values()[i]) * row.inverse_temperature();
    const std::int32_t id = row.id(i);
    out.push_back(
        {id, static_cast<float>(score), partition->log_probability(logits[static_cast<std::size_t>(id)])});
  }
  return {};
}

}  // namespace partita::internal
