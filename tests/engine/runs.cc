#include "tests/engine/runs.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "engine/kernels/parallel.h"
#include "tests/catch.h"
#include "tests/engine/tiny_models.h"

namespace partita::internal::testing {
std::string find_test_model(const std::string& file_name) {
  const char* directory = std::getenv("PARTITA_TEST_MODELS");
  const std::string path =
      (directory != nullptr ? std::string(directory) : PARTITA_TEST_DATA "/../../models") + "/" + file_name;
  return std::filesystem::exists(path) ? path : "";
}

std::vector<float> logits_of(const Transformer& model, std::span<const float> hidden, int threads) {
  const PackedMatrix& head = model.output().root.weight;
  ActivationBuffer buffer(hidden.size() / head.cols, head.cols);
  std::copy(hidden.begin(), hidden.end(), buffer.values());
  const Activations x = buffer.view(hidden.size() / head.cols, head.cols);
  const Kernels& kernels = model.kernels();
  if (head.quantized() && !model.exact()) kernels.quantize(x, 0, x.rows);
  std::vector<float> logits(x.rows * head.rows, std::nanf(""));
  parallel(threads, [&](const Worker& worker) {
    AlignedBytes scratch(matmul_scratch_bytes(head.cols));
    const auto [first, last] = worker.share(head.panels());
    kernels.matmul(head, {first, last}, x, logits.data(), head.rows, scratch.data());
  });
  const Vector& bias = model.output().root.bias;
  for (std::size_t r = 0; r < x.rows && !bias.empty(); ++r)
    kernels.add(bias.data(), bias.size(), logits.data() + r * head.rows);
  if (model.output().softcap > 0) kernels.soft_cap(model.output().softcap, logits.size(), logits.data());
  return logits;
}

double log_probability(std::span<const float> logits, std::int32_t id) {
  const double max = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float logit : logits) sum += std::exp(logit - max);
  return logits[static_cast<std::size_t>(id)] - max - std::log(sum);
}

std::int32_t argmax(std::span<const float> logits) {
  return static_cast<std::int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

Runner::Runner(std::shared_ptr<const Transformer> model, int threads, std::size_t background)
    : model_(std::move(model)),
      pool_(model_->states(), model_->kv_type(), 0),
      engine_(model_, threads, kMaxRows) {
  for (std::size_t i = 0; i < background; ++i) background_.push_back({KvSequence(pool_), {}});
}

std::vector<float> Runner::run(KvSequence& sequence, std::span<const std::int32_t> tokens, std::size_t chunk,
                               Role role) {
  std::vector<float> hidden;
  chunk = std::min(chunk, kMaxRows);
  for (std::size_t at = 0; at < tokens.size(); at += chunk) {
    const auto part = tokens.subspan(at, std::min(chunk, tokens.size() - at));
    const std::vector<float> rows = step({{&sequence, part, role, part.size()}});
    hidden.insert(hidden.end(), rows.begin(), rows.end());
  }
  return hidden;
}

/// Half of the background sequences come before the given chunks, half after them; their hidden states are
/// dropped.
std::vector<float> Runner::step(std::vector<Chunk> chunks) {
  const std::size_t before = background_.size() / 2;
  std::vector<Chunk> all;
  for (std::size_t i = 0; i < before; ++i) all.push_back(next_chunk(background_[i]));
  all.insert(all.end(), chunks.begin(), chunks.end());
  for (std::size_t i = before; i < background_.size(); ++i) all.push_back(next_chunk(background_[i]));

  const std::size_t hidden_size = model_->config().hidden_size;
  std::size_t rows = 0, skipped = 0, wanted = 0;
  for (const Chunk& c : all) {
    poison(*c.sequence, c.tokens.size());
    rows += c.outputs;
  }
  for (std::size_t i = 0; i < before; ++i) skipped += all[i].outputs;
  for (const Chunk& c : chunks) wanted += c.outputs;
  std::vector<float> hidden(rows * hidden_size + 1, std::nanf(""));  // never empty
  auto done = engine_.step(all, hidden.data());
  INFO((done ? "" : done.error().message));
  REQUIRE(done.ok());
  const auto first = hidden.begin() + static_cast<std::ptrdiff_t>(skipped * hidden_size);
  std::vector<float> out(first, first + static_cast<std::ptrdiff_t>(wanted * hidden_size));
  REQUIRE(std::none_of(out.begin(), out.end(), [](float v) { return std::isnan(v); }));
  return out;
}

Chunk Runner::next_chunk(BackgroundSequence& other) {
  const std::size_t most = std::min<std::size_t>(200, model_->config().context_length - 12);
  if (other.sequence.length() > most) other.sequence.truncate(random_() % (most / 2));
  const bool generates = other.sequence.length() != 0 && random_() % 2 == 0;
  other.tokens = random_tokens(generates ? 1 : 1 + random_() % 12, model_->config().vocab_size, random_());
  const std::size_t outputs = random_() % (other.tokens.size() + 1);
  return {&other.sequence, other.tokens, generates ? Role::kGenerated : Role::kPrompt, outputs};
}

void Runner::poison(KvSequence& sequence, std::size_t more) {
  REQUIRE(sequence.reserve(more).ok());
  const KvType type = pool_.type();
  const std::size_t key = bytes_of(kv_keys(type)), value = bytes_of(kv_values(type));
  const std::size_t first = sequence.length(),
                    end = (first + more + kPageTokens - 1) / kPageTokens * kPageTokens;
  for (std::size_t layer = 0; layer < pool_.layers().size(); ++layer) {
    if (const auto* fixed = std::get_if<FixedShape>(&pool_.layers()[layer])) {
      const StateStep state = sequence.state_step(layer, more);
      std::memset(state.after, 0xff, fixed->bytes);
      if (state.snapshot != nullptr) std::memset(state.snapshot, 0xff, fixed->bytes);
      continue;
    }
    const KvShape& kv = std::get<KvShape>(pool_.layers()[layer]);
    for (std::size_t head = 0; head < kv.heads; ++head) {
      for (std::size_t at = first; at < end; ++at) {
        std::byte* page = sequence.page(pool_.class_of(layer), at / kPageTokens);
        const std::size_t slot = at % kPageTokens;
        if (kv.latent) {
          std::byte* latents = page + pool_.k_offset(layer, head);
          std::memset(latents + slot * kv.widths.key * key, 0xff, kv.widths.key * key);
          continue;
        }
        std::byte* k =
            page + pool_.k_offset(layer, head) + (slot / 16 * kv.widths.key * 16 + slot % 16) * key;
        for (std::size_t i = 0; i < kv.widths.key; ++i) std::memset(k + i * 16 * key, 0xff, key);  // a NaN
        std::byte* v = page + pool_.v_offset(layer, head);
        std::memset(v + kv_scale_bytes(type) + slot * kv.widths.value * value, 0xff, kv.widths.value * value);
        if (kv_scale_bytes(type) != 0) std::memset(v + slot * sizeof(float), 0xff, sizeof(float));
      }
    }
  }
}

}  // namespace partita::internal::testing
