#include "tests/engine/tiny_models.h"

#include <cmath>
#include <random>

#include "tests/block_scales.h"
#include "tests/must.h"
#include "weights/codecs/codec.h"

namespace partita::internal::testing {
namespace {

using Random = std::mt19937_64;

float uniform(Random& random, float low, float high) {
  return low + (high - low) * static_cast<float>(static_cast<double>(random() >> 11) * 0x1p-53);
}

using test::put_f16;

/// The types whose random blocks are computed by a formula, which keeps recorded models as they are.
bool is_older_k_type(Dtype dtype) {
  return dtype == Dtype::kQ4_K || dtype == Dtype::kQ5_K || dtype == Dtype::kQ6_K;
}

/// Random bytes are valid in every field of blocks but the scales, which get values that make the elements
/// about `size` large and centred on zero.
void fill_block(Dtype dtype, float size, Random& random, std::byte* block) {
  for (std::size_t i = 0; i < block_bytes(dtype); ++i) block[i] = static_cast<std::byte>(random() & 255);
  const float jitter = uniform(random, 0.5f, 1.5f);
  if (!is_older_k_type(dtype)) return test::scale_block(dtype, jitter * size, block);
  if (dtype == Dtype::kQ6_K) {  // d * sc * (q - 32): sc about 74, q - 32 about 18 in magnitude
    put_f16(jitter * size / (74 * 18), block + 208);
  } else {  // d * sc * q - dmin * mn: sc and mn about 32 on average
    const float middle = dtype == Dtype::kQ4_K ? 7.5f : 15.5f;
    const float d = jitter * size / (32 * middle);
    put_f16(d, block);
    put_f16(d * middle, block + 2);
  }
}

/// Needs rows of 256 columns.
bool has_long_blocks(Dtype dtype) { return block_elements(dtype) > 32; }

std::vector<float> random_values(std::size_t n, float low, float high, std::uint64_t seed) {
  Random random(seed);
  std::vector<float> values(n);
  for (float& v : values) v = uniform(random, low, high);
  return values;
}

/// A seed per name, so that adding a tensor does not change the others.
std::uint64_t seed_of(const TinySpec& spec, const std::string& name) {
  std::uint64_t hash = 14695981039346656037u ^ spec.seed;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
  return hash;
}

void add_matrix(const TinySpec& spec, const std::string& name, std::uint32_t rows, std::uint32_t cols,
                Dtype dtype, GgufWriter& file) {
  file.add_tensor(name, dtype, {rows, cols},
                  std::span<const std::byte>(random_blocks(dtype, rows, cols, seed_of(spec, name))));
}

void add_norm(const TinySpec& spec, const std::string& name, std::uint32_t size, GgufWriter& file) {
  file.add_tensor(name, Dtype::kF32, {size},
                  std::span<const float>(random_values(size, 0.5f, 1.5f, seed_of(spec, name))));
}

void add_layer(const TinySpec& spec, std::uint32_t index, GgufWriter& file) {
  const std::string p = "blk." + std::to_string(index) + ".";
  const std::uint32_t q_rows = spec.heads * spec.head_dim, kv_rows = spec.kv_heads * spec.head_dim;
  const struct {
    const char* name;
    std::uint32_t rows, cols;
  } matrices[] = {{"attn_q", q_rows, spec.hidden},     {"attn_k", kv_rows, spec.hidden},
                  {"attn_v", kv_rows, spec.hidden},    {"attn_output", spec.hidden, q_rows},
                  {"ffn_gate", spec.ffn, spec.hidden}, {"ffn_up", spec.ffn, spec.hidden},
                  {"ffn_down", spec.hidden, spec.ffn}};
  if (spec.has_qkv_bias()) {
    add_norm(spec, p + "attn_q.bias", q_rows, file);
    add_norm(spec, p + "attn_k.bias", kv_rows, file);
    add_norm(spec, p + "attn_v.bias", kv_rows, file);
  }
  std::size_t next = index;
  for (const auto& [name, rows, cols] : matrices) {
    const Dtype dtype = spec.mix.empty() ? spec.dtype : spec.mix[next++ % spec.mix.size()];
    add_matrix(spec, p + name + ".weight", rows, cols, dtype, file);
  }
  add_norm(spec, p + "attn_norm.weight", spec.hidden, file);
  add_norm(spec, p + "ffn_norm.weight", spec.hidden, file);
  if (spec.has_qk_norm()) {
    add_norm(spec, p + "attn_q_norm.weight", spec.head_dim, file);
    add_norm(spec, p + "attn_k_norm.weight", spec.head_dim, file);
  }
  if (!spec.gemma()) return;
  add_norm(spec, p + "post_attention_norm.weight", spec.hidden, file);
  add_norm(spec, p + "post_ffw_norm.weight", spec.hidden, file);
}

}  // namespace

TinySpec tiny_llama(Dtype dtype) {
  TinySpec spec;
  spec.dtype = dtype;
  if (has_long_blocks(dtype)) {
    spec.hidden = 256;
    spec.ffn = 512;
    spec.heads = 4;
    spec.kv_heads = 2;
    spec.head_dim = 64;
  }
  return spec;
}

TinySpec tiny_gemma3(Dtype dtype) {
  TinySpec spec = tiny_llama(dtype);
  spec.family = "gemma3";
  spec.layers = 7;
  spec.window = 21;
  if (has_long_blocks(dtype)) return spec;
  spec.hidden = 64;
  spec.ffn = 96;
  spec.heads = 4;
  spec.kv_heads = 2;
  return spec;
}

TinySpec tiny_qwen(int generation, Dtype dtype) {
  TinySpec spec = tiny_llama(dtype);
  spec.family = "qwen" + std::to_string(generation);
  return spec;
}

std::vector<TinySpec> tiny_specs(Dtype dtype) { return {tiny_llama(dtype), tiny_gemma3(dtype)}; }

const std::vector<Dtype>& all_dtypes() {
  static const std::vector<Dtype> kAll = {
      Dtype::kF32,     Dtype::kF16,   Dtype::kBF16,   Dtype::kQ4_0,    Dtype::kQ4_1,  Dtype::kQ5_0,
      Dtype::kQ5_1,    Dtype::kQ8_0,  Dtype::kQ4_K,   Dtype::kQ5_K,    Dtype::kQ6_K,  Dtype::kMXFP4,
      Dtype::kQ2_K,    Dtype::kQ3_K,  Dtype::kIQ4_NL, Dtype::kIQ4_XS,  Dtype::kNVFP4, Dtype::kIQ3_S,
      Dtype::kIQ3_XXS, Dtype::kIQ2_S, Dtype::kIQ2_XS, Dtype::kIQ2_XXS, Dtype::kIQ1_S, Dtype::kIQ1_M,
      Dtype::kTQ1_0,   Dtype::kTQ2_0, Dtype::kQ1_0,   Dtype::kQ2_0};
  return kAll;
}

std::string describe(const TinySpec& spec) { return spec.family + " " + std::string(name(spec.dtype)); }

GgufWriter tiny_metadata(const TinySpec& spec) {
  GgufWriter file;
  const std::string f = spec.family + ".";
  file.add("general.architecture", spec.family)
      .add(f + "block_count", spec.layers)
      .add(f + "context_length", spec.context)
      .add(f + "embedding_length", spec.hidden)
      .add(f + "feed_forward_length", spec.ffn)
      .add(f + "attention.head_count", spec.heads)
      .add(f + "attention.head_count_kv", spec.kv_heads)
      .add(f + "attention.key_length", spec.head_dim)
      .add(f + "attention.layer_norm_rms_epsilon", 1e-5f)
      .add(f + "rope.freq_base", spec.gemma() ? 1e6f : 1e4f);
  if (spec.window != 0) file.add(f + "attention.sliding_window", spec.window);
  if (spec.linear_factor != 1) {
    file.add(f + "rope.scaling.type", "linear").add(f + "rope.scaling.factor", spec.linear_factor);
  }
  if (spec.short_context != 0) {
    file.add(f + "rope.scaling.original_context_length", spec.short_context)
        .add(f + "rope.scaling.attn_factor", 1.25F);
  }
  if (spec.dynamic_factor != 0) file.add(f + "rope.scaling.dynamic_factor", spec.dynamic_factor);
  return file;
}

void add_tiny_tensors(const TinySpec& spec, GgufWriter& file) {
  if (!spec.bands) add_matrix(spec, "token_embd.weight", spec.vocab, spec.hidden, spec.dtype, file);
  add_norm(spec, "output_norm.weight", spec.hidden, file);
  if (!spec.tied) add_matrix(spec, "output.weight", spec.vocab, spec.hidden, spec.dtype, file);
  if (spec.rope_factors) {
    file.add_tensor("rope_freqs.weight", Dtype::kF32, {spec.head_dim / 2},
                    std::span<const float>(random_values(spec.head_dim / 2, 1, 8, spec.seed)));
  }
  if (spec.short_context != 0 && spec.dynamic_factor == 0) {
    for (const char* name : {"rope_factors_short.weight", "rope_factors_long.weight"}) {
      file.add_tensor(name, Dtype::kF32, {spec.head_dim / 2},
                      std::span<const float>(random_values(spec.head_dim / 2, 1, 8, seed_of(spec, name))));
    }
  }
  for (std::uint32_t i = 0; i < spec.layers; ++i) add_layer(spec, i, file);
}

std::vector<std::byte> random_blocks(Dtype dtype, std::size_t rows, std::size_t cols, std::uint64_t seed) {
  const std::size_t blocks = rows * cols / block_elements(dtype);
  const float size = 1.0f / std::sqrt(static_cast<float>(cols));
  std::vector<std::byte> out(blocks * block_bytes(dtype));
  if (codec(dtype).quantize == nullptr || is_older_k_type(dtype)) {
    Random random(seed);
    for (std::size_t i = 0; i < blocks; ++i)
      fill_block(dtype, size, random, out.data() + i * block_bytes(dtype));
  } else {
    const float limit = std::sqrt(3.0f) * size;
    codec(dtype).quantize(random_values(rows * cols, -limit, limit, seed).data(), rows * cols, out.data());
  }
  return out;
}

TinyFile::TinyFile(const TinySpec& spec) {
  GgufWriter writer = tiny_metadata(spec);
  add_tiny_tensors(spec, writer);
  parse(writer);
}

TinyFile::TinyFile(const GgufWriter& writer) { parse(writer); }

void TinyFile::parse(const GgufWriter& writer) {
  bytes_ = must(writer.bytes());
  gguf_ = std::make_unique<Gguf>(must(Gguf::parse(bytes_, "tiny.gguf")));
}

std::vector<Isa> engine_isas() {
  std::vector<Isa> isas = supported_isas();
  if (can_run(Isa::kAmxEmulated)) isas.push_back(Isa::kAmxEmulated);
  return isas;
}

std::shared_ptr<const Transformer> load(const Gguf& file, const LoadOptions& options) {
  return must(Transformer::load(file, options));
}

LoadOptions with_attention(const TinySpec& spec, LoadOptions options) {
  options.attention_window = spec.attention_window;
  options.attention_sinks = spec.attention_sinks;
  return options;
}

std::vector<std::int32_t> random_tokens(std::size_t n, std::uint32_t vocab, std::uint64_t seed) {
  Random random(seed);
  std::vector<std::int32_t> tokens(n);
  for (std::int32_t& t : tokens) t = static_cast<std::int32_t>(random() % vocab);
  return tokens;
}

}  // namespace partita::internal::testing
