// Runs the engine in tests: prompts in chunks, alone or batched with other sequences, and the logits of the
// results.
#pragma once

#include <cstdint>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "engine/cache/kv_cache.h"
#include "engine/model.h"
#include "engine/step.h"

namespace partita::internal::testing {

/// The path of a real model: in $PARTITA_TEST_MODELS or models/ of the source tree. Empty if it is not there.
std::string find_test_model(const std::string& file_name);

/// Logits [rows][vocab] of hidden states [rows][hidden], with the kernels of the model.
std::vector<float> logits_of(const Transformer& model, std::span<const float> hidden, int threads);

/// log softmax(logits)[id], in double.
double log_probability(std::span<const float> logits, std::int32_t id);
std::int32_t argmax(std::span<const float> logits);

/// One engine with its pool. Unwritten slots of the cache hold NaN when a step begins, so that a kernel that
/// reads too far is detected.
class Runner {
 public:
  static constexpr std::size_t kMaxRows = 512;

  /// background: the number of other sequences in every step, with prompts of several lengths or one
  /// generated token.
  Runner(std::shared_ptr<const Transformer> model, int threads, std::size_t background = 0);

  KvSequence sequence() { return KvSequence(pool_); }

  /// Appends tokens in chunks of at most `chunk` and kMaxRows; returns the hidden states of all of them:
  /// [tokens][hidden].
  std::vector<float> run(KvSequence& sequence, std::span<const std::int32_t> tokens, std::size_t chunk,
                         Role role = Role::kPrompt);

  /// One step of several chunks and the background sequences; returns the hidden states of the chunks: [sum
  /// of outputs][hidden].
  std::vector<float> step(std::vector<Chunk> chunks);

 private:
  struct BackgroundSequence {
    KvSequence sequence;
    std::vector<std::int32_t> tokens;
  };
  Chunk next_chunk(BackgroundSequence& other);
  void poison(KvSequence& sequence, std::size_t more);

  std::shared_ptr<const Transformer> model_;
  KvPool pool_;
  Engine engine_;
  std::vector<BackgroundSequence> background_;
  std::mt19937_64 random_{11};
};

}  // namespace partita::internal::testing
