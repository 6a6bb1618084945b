// The nth allocation fails in a step whose prompt rows go through oneDNN, and in calls of the softmax family.
#include <limits>
#include <partita/softmax.hpp>
#include <vector>

#include "engine/cache/kv_cache.h"
#include "engine/kernels/isa.h"
#include "engine/step.h"
#include "tests/catch.h"
#include "tests/engine/tiny_models.h"
#include "tests/faults/sweep.h"
#include "weights/catch_all.h"

/// For LeakSanitizer: where an allocation fails inside oneDNN 2.6, it loses what it had allocated before.
extern "C" __attribute__((visibility("default"))) const char* __lsan_default_suppressions();
const char* __lsan_default_suppressions() { return "leak:libdnnl.so"; }

namespace partita::internal::testing {
namespace {

TEST_CASE("Memory runs out in oneDNN's products") {
  const TinySpec spec = tiny_llama(Dtype::kF32);
  const TinyFile file(spec);
  const auto model = load(file.gguf(), {});
  const auto tokens = random_tokens(70, spec.vocab, 3);
  for (const int threads : {1, 2}) {
    sweep_allocations("a step of matrix tiles",
                      [&]() -> Result<std::string> {
                        Engine engine(model, threads, 128, TileType::kF32);
                        KvPool pool(model->states(), model->kv_type(), 0);
                        KvSequence sequence(pool);
                        std::vector<float> hidden(model->config().hidden_size);
                        const Chunk chunk{&sequence, tokens, Role::kPrompt, 1};
                        if (auto done = engine.step({&chunk, 1}, hidden.data()); !done) return done.error();
                        return std::to_string(hidden.front()) + std::to_string(hidden.back());
                      },
                      {.positions = 400});
  }
}

TEST_CASE("Errors of the softmax family are told without memory, too") {
  const std::vector<float> bad = {1, std::numeric_limits<float>::quiet_NaN()};
  std::vector<float> out(2);
  const auto message = [](const auto& result) -> Result<std::string> {
    if (!result && result.error().code == ErrorCode::kBadNumbers) return result.error().message;
    return result.error();
  };
  sweep_allocations("softmax", [&] { return message(softmax(bad, out)); });
  sweep_allocations("argmax", [&] { return message(argmax(bad)); });
}

}  // namespace
}  // namespace partita::internal::testing
