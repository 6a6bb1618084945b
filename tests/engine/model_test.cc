// Loading models: packing, releasing memory, refusing bad files.
#include "engine/model.h"

#include <algorithm>
#include <cmath>

#include "engine/kernels/dispatch.h"
#include "tests/catch.h"
#include "tests/engine/tiny_models.h"
#include "tests/sanitized.h"
#include "weights/codecs/codec.h"

using namespace partita;

using namespace partita::internal;
using namespace partita::internal::testing;

namespace {

/// The rows of a tensor as its codec defines them: [rows][cols].
std::vector<float> dequantized(const Gguf& file, const std::string& name) {
  const TensorView* tensor = file.find_tensor(name);
  REQUIRE(tensor != nullptr);
  std::vector<float> values(tensor->shape.elements());
  codec(tensor->dtype).dequantize(tensor->bytes.data(), values.size(), values.data());
  return values;
}

/// Whether row r of the matrix is row `row_of(r)` of the tensor, exactly (0 and -0 being one number).
template <class F>
bool holds(const PackedMatrix& matrix, const std::vector<float>& values, F row_of) {
  std::vector<float> row(matrix.cols);
  for (std::size_t r = 0; r < matrix.rows; ++r) {
    std::fill(row.begin(), row.end(), std::nanf(""));
    unpack_row(matrix, r, row.data());
    if (!std::equal(row.begin(), row.end(), values.data() + row_of(r) * matrix.cols)) return false;
  }
  return matrix.rows * matrix.cols == values.size();
}

constexpr auto kSameRow = [](std::size_t r) { return r; };

Error error_of(const GgufWriter& writer, const LoadOptions& options = {}) {
  const TinyFile file(writer);
  auto model = Transformer::load(file.gguf(), options);
  REQUIRE_FALSE(model.ok());
  return model.error();
}

}  // namespace

TEST_CASE("Every weight of every type arrives exactly") {
  for (const Dtype dtype : all_dtypes()) {
    std::vector<TinySpec> specs = tiny_specs(dtype);
    if (test::kSanitized) specs.erase(specs.begin() + 1, specs.end());
    for (TinySpec spec : specs) {
      spec.tied = false;
      INFO(describe(spec));
      const TinyFile file(spec);
      const Gguf& gguf = file.gguf();
      const auto model = load(gguf, {.threads = 3, .exact = true});
      CHECK(model->exact());
      CHECK(model->kv_type() == KvType::kF32);
      CHECK(&model->kernels() == &exact_kernels());
      REQUIRE(model->layers().size() == spec.layers);
      CHECK(holds(model->output().root.weight, dequantized(gguf, "output.weight"), kSameRow));
      CHECK(model->final_norm().weight == dequantized(gguf, "output_norm.weight"));

      const std::size_t last = spec.layers - 1, d = spec.head_dim;
      const Layer& layer = model->layers()[last];
      const auto& attention = std::get<Attention>(layer.mixer);
      const auto tensor = [&](const std::string& name) {
        return dequantized(gguf, "blk." + std::to_string(last) + "." + name + ".weight");
      };
      const auto rotary =
          [&](std::size_t r) {  // from half-split pairs (i, i + d / 2) to the file's (2i, 2i + 1)
            if (spec.gemma()) return r;
            const std::size_t head = r / d, i = r % d;
            return head * d + (i < d / 2 ? 2 * i : 2 * (i - d / 2) + 1);
          };
      CHECK(holds(attention.q.weight, tensor("attn_q"), rotary));
      CHECK(holds(attention.k.weight, tensor("attn_k"), rotary));
      CHECK(holds(attention.v.weight, tensor("attn_v"), kSameRow));
      CHECK(holds(attention.out.weight, tensor("attn_output"), kSameRow));
      CHECK(holds(std::get<Ffn>(layer.ffn).gate.weight, tensor("ffn_gate"), kSameRow));
      CHECK(holds(std::get<Ffn>(layer.ffn).up.weight, tensor("ffn_up"), kSameRow));
      CHECK(holds(std::get<Ffn>(layer.ffn).down.weight, tensor("ffn_down"), kSameRow));
      CHECK(layer.pre.weight == tensor("attn_norm"));
      CHECK(layer.ffn_pre.weight == tensor("ffn_norm"));
      CHECK(attention.q_norm.weight == (spec.gemma() ? tensor("attn_q_norm") : Vector()));
      CHECK(attention.k_norm.weight == (spec.gemma() ? tensor("attn_k_norm") : Vector()));
      CHECK(layer.post.weight == (spec.gemma() ? tensor("post_attention_norm") : Vector()));
      CHECK(layer.ffn_post.weight == (spec.gemma() ? tensor("post_ffw_norm") : Vector()));
    }
  }
}

TEST_CASE("Biases of Q and K are reordered with the rows of their matrices") {
  const TinySpec spec = tiny_llama(Dtype::kF32);
  const std::uint32_t rotated = GENERATE(32u, 12u);
  GgufWriter writer = tiny_metadata(spec);
  writer.add("llama.rope.dimension_count", rotated);
  add_tiny_tensors(spec, writer);
  std::vector<float> bias(std::size_t{spec.heads} * spec.head_dim);
  for (std::size_t r = 0; r < bias.size(); ++r) bias[r] = static_cast<float>(r);
  writer.add_tensor("blk.0.attn_q.bias", Dtype::kF32, {bias.size()}, std::span<const float>(bias));
  const TinyFile file(writer);
  const auto model = load(file.gguf(), {.exact = true});
  const Vector& packed = std::get<Attention>(model->layers()[0].mixer).q.bias;
  REQUIRE(packed.size() == bias.size());
  const std::size_t d = spec.head_dim;
  // Adjacent pairs (2i, 2i + 1) of the rotated rows become halves (i, i + rotated / 2).
  for (std::size_t r = 0; r < packed.size(); ++r) {
    const std::size_t i = r % d, half = rotated / 2;
    const std::size_t from = i >= rotated ? i : i < half ? 2 * i : 2 * (i - half) + 1;
    CHECK(packed[r] == static_cast<float>(r - i + from));
  }
  CHECK(std::get<Attention>(model->layers()[0].mixer).k.bias.empty());
}

TEST_CASE("Matrices that lie in one tensor are read as if each had its own") {
  for (const TinySpec& spec : {tiny_llama(Dtype::kQ4_1), tiny_qwen(2, Dtype::kF32)}) {
    INFO(describe(spec));
    const TinyFile apart(spec);
    GgufWriter writer = tiny_metadata(spec);
    // Adds the tensors `parts` of a layer, one after the other, as one tensor.
    const auto join = [&](const std::string& layer, std::initializer_list<const char*> parts,
                          const std::string& name) {
      std::vector<std::byte> bytes;
      const TensorView* tensor = nullptr;
      std::uint64_t rows = 0;
      for (const char* part : parts) {
        tensor = apart.gguf().find_tensor(layer + part + name.substr(name.rfind('.')));
        if (tensor == nullptr) return;
        rows += tensor->shape[0];
        bytes.insert(bytes.end(), tensor->bytes.begin(), tensor->bytes.end());
      }
      std::vector<std::uint64_t> shape{rows};
      if (tensor->shape.size() > 1) shape.push_back(tensor->shape[1]);
      writer.add_tensor(layer + name, tensor->dtype, shape, bytes);
    };
    for (std::uint32_t i = 0; i < spec.layers; ++i) {
      const std::string layer = "blk." + std::to_string(i) + ".";
      join(layer, {"attn_q", "attn_k", "attn_v"}, "attn_qkv.weight");
      join(layer, {"attn_q", "attn_k", "attn_v"}, "attn_qkv.bias");
      join(layer, {"ffn_gate", "ffn_up"}, "ffn_up.weight");
    }
    for (const TensorView& tensor : apart.gguf().tensors()) {
      const auto part = [&](const char* name) { return tensor.name.find(name) != std::string::npos; };
      if (part(".attn_q.") || part(".attn_k.") || part(".attn_v.") || part(".ffn_gate.") || part(".ffn_up."))
        continue;
      writer.add_tensor(tensor.name, tensor.dtype, tensor.shape, tensor.bytes);
    }
    const TinyFile joined(writer);
    const auto expected = load(apart.gguf(), {.exact = true});
    float progress = 0;
    const auto found = load(joined.gguf(), {.threads = 3, .exact = true, .progress = [&](float done) {
                                              progress = done;
                                              return true;
                                            }});
    CHECK(progress == 1);
    for (std::uint32_t i = 0; i < spec.layers; ++i) {
      const auto ours = found->layers()[i].linears(), theirs = expected->layers()[i].linears();
      REQUIRE(ours.size() == theirs.size());
      for (std::size_t l = 0; l < ours.size(); ++l) {
        CHECK(ours[l]->bias == theirs[l]->bias);
        const PackedMatrix &a = ours[l]->weight, &b = theirs[l]->weight;
        REQUIRE(a.bytes() == b.bytes());
        CHECK(std::equal(a.storage, a.storage + a.bytes(), b.storage));
      }
    }
  }
}

TEST_CASE("A tied head is the embedding, and embeddings are scaled") {
  for (const TinySpec& spec : tiny_specs(Dtype::kQ5_1)) {
    INFO(describe(spec));
    const TinyFile file(spec);
    const auto model = load(file.gguf(), {.exact = true});
    const std::vector<float> values = dequantized(file.gguf(), "token_embd.weight");
    CHECK(holds(model->output().root.weight, values, kSameRow));
    std::vector<float> row(spec.hidden, std::nanf("")), spare(spec.hidden);
    for (const std::uint32_t token : {0u, 17u, spec.vocab - 1}) {
      model->embed(token, 0, nullptr, row.data(), spare.data());
      const float scale = spec.gemma() ? 8.0f : 1.0f;
      for (std::size_t i = 0; i < spec.hidden; ++i) CHECK(row[i] == values[token * spec.hidden + i] * scale);
    }
  }
}

TEST_CASE("Bytes read for a token are those of the layers, the head and one embedding") {
  TinySpec spec = tiny_llama(Dtype::kF32);
  spec.vocab = 112;  // whole panels, so that the file's bytes are the panels'
  const auto bytes_of = [](const TinySpec& s) {
    const TinyFile file(s);
    std::size_t bytes = 0;
    for (const TensorView& tensor : file.gguf().tensors()) bytes += tensor.bytes.size();
    return std::pair(bytes, load(file.gguf(), {.exact = true})->bytes_per_token());
  };
  const std::size_t embedding_row = spec.hidden * sizeof(float);
  const auto [tied_file, tied] = bytes_of(spec);
  CHECK(tied == tied_file + embedding_row);
  spec.tied = false;
  const auto [file, read] = bytes_of(spec);
  CHECK(read == file - spec.vocab * embedding_row + embedding_row);
}

TEST_CASE("The kernels are those of the instruction set that was asked for") {
  const TinyFile file(tiny_llama(Dtype::kQ4_0));
  for (const Isa isa : engine_isas()) {
    const auto model = load(file.gguf(), {.isa = isa});
    CHECK(model->isa() == isa);
    CHECK(&model->kernels() == &kernels(isa));
    CHECK(model->kv_type() == KvType::kF16);
  }
  if (!can_run(Isa::kAmx)) {
    auto model = Transformer::load(file.gguf(), {.isa = Isa::kAmx});
    REQUIRE_FALSE(model.ok());
    CHECK(model.error().code == ErrorCode::kUnsupported);
    CHECK(model.error().message == "this processor lacks the instruction set amx");
  }
}

TEST_CASE("Progress climbs to one, and can stop the loading") {
  const TinyFile file(tiny_gemma3(Dtype::kQ8_0));
  std::vector<float> seen;
  const auto model = load(file.gguf(), {.threads = 2, .exact = true, .progress = [&](float done) {
                                          seen.push_back(done);
                                          return true;
                                        }});
  // Q, K and V of a layer are one progress step.
  CHECK(seen.size() == file.gguf().tensors().size() - 2 * model->layers().size());
  CHECK(std::is_sorted(seen.begin(), seen.end()));
  CHECK(seen.front() > 0);
  CHECK(seen.back() == 1.0f);

  int calls = 0;
  auto stopped =
      Transformer::load(file.gguf(), {.exact = true, .progress = [&](float) { return ++calls < 5; }});
  REQUIRE_FALSE(stopped.ok());
  CHECK(stopped.error().code == ErrorCode::kCancelled);
  CHECK(stopped.error().message == "loading 'tiny.gguf' was cancelled");
  CHECK(calls == 5);
}

TEST_CASE("Norms of other types than F32 are read as well") {
  TinySpec spec = tiny_llama(Dtype::kF32);
  spec.layers = 1;
  GgufWriter writer = tiny_metadata(spec);
  const TinyFile plain(spec);
  for (const TensorView& tensor : plain.gguf().tensors()) {
    const bool norm = tensor.name == "output_norm.weight";
    const std::vector<float> values = dequantized(plain.gguf(), std::string(tensor.name));
    writer.add_tensor(tensor.name, norm ? Dtype::kBF16 : Dtype::kF32, tensor.shape,
                      std::span<const float>(values));
  }
  const TinyFile file(writer);
  CHECK(load(file.gguf(), {.exact = true})->final_norm().weight ==
        dequantized(file.gguf(), "output_norm.weight"));
}

TEST_CASE("What is missing, misshapen or left over is named") {
  const TinySpec spec = tiny_llama(Dtype::kF32);
  const TinyFile good(spec);

  // The file again, with one tensor missing or with another shape.
  const auto without = [&](std::string_view name, std::span<const std::uint64_t> shape) {
    GgufWriter writer = tiny_metadata(spec);
    for (const TensorView& tensor : good.gguf().tensors()) {
      if (tensor.name != name) {
        writer.add_tensor(tensor.name, tensor.dtype, tensor.shape, tensor.bytes);
      } else if (!shape.empty()) {
        writer.add_tensor(tensor.name, tensor.dtype, shape, tensor.bytes);
      }
    }
    return writer;
  };
  for (const TensorView& tensor : good.gguf().tensors()) {
    INFO(tensor.name);
    const Error missing = error_of(without(tensor.name, {}));
    CHECK(missing.code == ErrorCode::kNotFound);
    CHECK(missing.message.find(tensor.name) != std::string::npos);

    const std::uint64_t flat[] = {1, tensor.shape.elements()};
    const Error misshapen = error_of(without(tensor.name, flat));
    CHECK(misshapen.code == ErrorCode::kBadFile);
    CHECK(misshapen.message.find(tensor.name) != std::string::npos);
    CHECK(misshapen.message.find(std::to_string(tensor.shape.elements())) != std::string::npos);
  }

  const auto with_extra = [&](const char* name) {
    GgufWriter writer = tiny_metadata(spec);
    add_tiny_tensors(spec, writer);
    writer.add_tensor(name, Dtype::kF32, {spec.hidden},
                      std::span<const float>(std::vector<float>(spec.hidden)));
    return writer;
  };
  const Error extra = error_of(with_extra("blk.0.attn_sinks.weight"));
  CHECK(extra.code == ErrorCode::kUnsupported);
  CHECK(extra.message ==
        "'tiny.gguf' has a tensor 'blk.0.attn_sinks.weight', which no part of the family 'llama' uses: this "
        "variant is not supported");
  CHECK(error_of(with_extra("blk.2.attn_norm.weight")).code == ErrorCode::kUnsupported);
  // A fused tensor beside the parts of one, or with rows that belong to nothing.
  CHECK(error_of(with_extra("blk.0.attn_qkv.weight")).code == ErrorCode::kBadFile);
  const TinyFile old(with_extra("blk.0.attn_rot_embd.weight"));
  CHECK(Transformer::load(old.gguf(), {.exact = true}).ok());
}

TEST_CASE("A bias of logits and a scale of theirs exclude each other") {
  TinySpec spec = tiny_llama(Dtype::kF32);
  spec.family = "granite";
  spec.tied = false;
  const auto with_scale = [&](float scale) {
    GgufWriter writer = tiny_metadata(spec);
    writer.add("granite.logit_scale", scale);
    add_tiny_tensors(spec, writer);
    writer.add_tensor("output.bias", Dtype::kF32, {spec.vocab},
                      std::span<const float>(std::vector<float>(spec.vocab)));
    return writer;
  };
  const TinyFile plain(with_scale(1));
  CHECK(Transformer::load(plain.gguf(), {.exact = true}).ok());
  const Error refused = error_of(with_scale(2));
  CHECK(refused.code == ErrorCode::kUnsupported);
  CHECK(refused.message ==
        "'tiny.gguf' has output.bias and a scale of its logits, and only one of them can be used");
}

TEST_CASE("Matrices of experts that share a tensor arrive where they belong, with their biases") {
  constexpr std::size_t kExperts = 3, kRows = 20, kCols = 32;
  std::vector<float> weights(kExperts * 2 * kRows * kCols), biases(kExperts * 2 * kRows);
  for (std::size_t i = 0; i < weights.size(); ++i) weights[i] = static_cast<float>(i);
  for (std::size_t i = 0; i < biases.size(); ++i) biases[i] = -static_cast<float>(i);
  GgufWriter writer;
  writer
      .add_tensor("experts.weight", Dtype::kF32, {kExperts, 2 * kRows, kCols},
                  std::span<const float>(weights))
      .add_tensor("experts.bias", Dtype::kF32, {kExperts, 2 * kRows}, std::span<const float>(biases));
  const TinyFile file(writer);
  PanelArena arena;
  TensorLoader tensors(file.gguf(), arena, 2);
  std::vector<Linear> linears(2 * kExperts);
  std::vector<Linear*> parts;
  for (Linear& linear : linears) parts.push_back(&linear);
  CHECK_FALSE(tensors.stack("experts", kRows, kCols, parts).ok());
  REQUIRE(tensors.stack("experts", kRows, kCols, parts, 2).ok());
  for (std::size_t i = 0; i < linears.size(); ++i) {
    const auto at = [&](const std::vector<float>& all, std::size_t n) {
      return std::vector<float>(all.begin() + static_cast<std::ptrdiff_t>(i * n),
                                all.begin() + static_cast<std::ptrdiff_t>((i + 1) * n));
    };
    CHECK(holds(linears[i].weight, at(weights, kRows * kCols), kSameRow));
    CHECK(linears[i].bias == at(biases, kRows));
  }
}
