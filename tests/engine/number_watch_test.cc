// Where numbers stop being finite is found: the layer and the operation of a weight that was spoiled.
#include "engine/find_bad_number.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <limits>
#include <map>

#include "tests/catch.h"
#include "tests/engine/tiny_models.h"
#include "tests/must.h"
#include "tests/sanitized.h"
#include "weights/codecs/codec.h"
#include "weights/gguf/writer.h"

using namespace partita;
using namespace partita::internal;
using namespace partita::internal::testing;

namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

Gguf file_of(const std::string& name) {
  return must(Gguf::open_whole(std::string(PARTITA_TEST_DATA) + "/families/" + name + ".gguf"));
}

/// A copy of the file in which every element of some tensors is another value, stored as f32.
TinyFile spoiled(const Gguf& file, const std::map<std::string_view, float>& values) {
  GgufWriter writer;
  for (const GgufEntry& entry : file.metadata()) writer.copy(entry);
  for (const TensorView& tensor : file.tensors()) {
    const auto value = values.find(tensor.name);
    if (value == values.end()) {
      writer.add_tensor(tensor.name, tensor.dtype, tensor.shape, tensor.bytes);
    } else {
      const std::vector<float> all(tensor.shape.elements(), value->second);
      writer.add_tensor(tensor.name, Dtype::kF32, tensor.shape, std::span<const float>(all));
    }
  }
  return TinyFile(writer);
}

std::optional<BadNumber> found_in(const Gguf& file, const LoadOptions& options, std::size_t tokens = 40) {
  const auto model = load(file, options);
  const auto ids = random_tokens(tokens, model->config().vocab_size, 3);
  return must(find_bad_number(model, options.threads, ids, tokens / 2));
}

std::string text_of(const std::optional<BadNumber>& bad) { return bad ? to_text(*bad) : "nothing"; }

}  // namespace

TEST_CASE("A model whose numbers are finite has no bad number") {
  CHECK(text_of(found_in(file_of("llama_yarn"), {})) == "nothing");
  CHECK(text_of(found_in(file_of("mixtral"), {.threads = 2, .exact = true})) == "nothing");
}

TEST_CASE("The operation that first has a bad number is named") {
  const Gguf file = file_of("llama3");
  const auto found = [&](const std::map<std::string_view, float>& values, bool exact = false) {
    const TinyFile bad = spoiled(file, values);
    const std::string text = text_of(found_in(bad.gguf(), {.threads = 1, .exact = exact}));
    CHECK(text_of(found_in(bad.gguf(), {.threads = 2, .exact = exact})) == text);
    CHECK(text_of(found_in(bad.gguf(), {.threads = 2, .exact = exact}, 2)) == text);  // few rows
    return text;
  };
  CHECK(found({{"token_embd.weight", kNan}}) == "the embedding: nan (token 0)");
  CHECK(found({{"blk.0.attn_norm.weight", kNan}}) == "layer 0, the norm blk.0.attn_norm: nan (token 0)");
  CHECK(found({{"blk.1.attn_q.weight", kNan}}) == "layer 1, the product with blk.1.attn_q: nan (token 0)");
  CHECK(found({{"blk.0.attn_output.weight", kNan}, {"blk.1.attn_q.weight", kNan}}) ==
        "layer 0, the product with blk.0.attn_output: nan (token 0)");
  CHECK(found({{"blk.1.ffn_norm.weight", INFINITY}}).starts_with("layer 1, the norm blk.1.ffn_norm: "));
  CHECK(found({{"blk.1.ffn_gate.weight", kNan}}) ==
        "layer 1, the product with blk.1.ffn_gate: nan (token 0)");
  CHECK(found({{"blk.1.ffn_down.weight", kNan}}) ==
        "layer 1, the product with blk.1.ffn_down: nan (token 0)");
  CHECK(found({{"output_norm.weight", kNan}}) == "the norm output_norm: nan (token 0)");
  // Numbers that are finite alone: products of gate and up, keys that f16 does not hold, scores of keys that
  // f32 does.
  CHECK(found({{"blk.0.ffn_gate.weight", 1e25F}, {"blk.0.ffn_up.weight", 1e25F}})
            .starts_with("layer 0, the activation of the FFN: "));
  CHECK(found({{"blk.1.attn_norm.weight", 1e19F}}).starts_with("layer 1, keys in the cache: "));
  CHECK(found({{"blk.1.attn_norm.weight", 1e20F}}, true) == "layer 1, attention scores: nan (token 0)");
}

TEST_CASE("Every family: a bad weight of a layer is found in that layer") {
  for (const auto& entry : std::filesystem::directory_iterator(PARTITA_TEST_DATA "/families")) {
    if (entry.path().extension() != ".gguf") continue;
    // With sanitizers some of them, by the lengths of their names.
    if (entry.path().stem().string().size() % test::all_or(1U, 4U) != 0) continue;
    const Gguf file = file_of(entry.path().stem());
    const auto whole = Transformer::load(file, {});
    if (!whole) continue;  // refused
    for (const TensorView& tensor : file.tensors()) {
      std::size_t layer = 0;
      // What chooses experts or keys is no part of results.
      const auto has = [&](const char* part) { return tensor.name.find(part) != std::string_view::npos; };
      if (has("exp_probs_b") || has(".indexer.")) continue;
      if (has("blk.0.time_mix_v") && !has("value")) continue;  // of RWKV-7, which does not use them there
      if (std::sscanf(std::string(tensor.name).c_str(), "blk.%zu.", &layer) != 1) continue;
      INFO(entry.path().stem().string() << ", " << tensor.name);
      if (layer >= (*whole)->layers().size()) continue;  // of multi-token prediction, which is not used
      const TinyFile bad = spoiled(file, {{tensor.name, kNan}});
      if (!Transformer::load(bad.gguf(), {})) continue;  // the weight is checked when it is read
      const auto found = found_in(bad.gguf(), {});
      INFO(text_of(found));
      CHECK(found);
      if (!found) continue;
      CHECK(found->layer == layer);
      // Matrices and norms are named, those of experts together.
      const std::string name(tensor.name),
          stem = name.ends_with("_norm") ? name : name.substr(0, name.rfind('.'));
      const auto ends = [&](const char* end) { return stem.ends_with(end); };
      const bool named =
          ends(".attn_norm") || ends(".ffn_norm") || ends(".attn_q_a_norm") || ends(".attn_kv_a_norm");
      if (named && found->operation != "the experts") CHECK(found->operation == "the norm " + stem);
    }
  }
}
