#include "engine/find_bad_number.h"

#include <algorithm>
#include <vector>

#include "engine/cache/kv_cache.h"
#include "engine/step.h"
#include "weights/try.h"

namespace partita::internal {

Result<std::optional<BadNumber>> find_bad_number(std::shared_ptr<const Transformer> model, int threads,
                                                 std::span<const std::int32_t> ids, std::size_t prompt,
                                                 const std::atomic<bool>* cancel) {
  constexpr std::size_t kRows = 64;  // few, so that the first operation is that of early tokens
  KvPool pool(model->states(), model->kv_type(), 0);
  KvSequence sequence(pool);
  sequence.set_rope_limit(model->config().rope_limit(ids.size()));
  Engine engine(model, threads, kRows);
  NumberWatch watch;
  engine.watch(&watch);
  std::vector<float> hidden(kRows * model->config().hidden_size);
  while (sequence.length() < ids.size() && !watch.first()) {
    const std::size_t at = sequence.length(), end = at < prompt ? std::min(prompt, ids.size()) : ids.size();
    const auto tokens = ids.subspan(at, std::min(kRows, end - at));
    const Role role = at < prompt ? Role::kPrompt : Role::kGenerated;
    const Chunk chunk{&sequence, tokens, role, tokens.size()};
    TRY(engine.step({&chunk, 1}, hidden.data(), cancel));
    sequence.release_unseen();
  }
  return watch.first();
}

}  // namespace partita::internal
