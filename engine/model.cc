#include "engine/model.h"

#include <algorithm>
#include <new>
#include <string>
#include <string_view>
#include <utility>

#include "engine/tensor_loader.h"
#include "weights/sentence.h"

namespace partita {
namespace {

struct MatrixPiece {
  std::string_view name;
  PackedMatrix Layer::*place;
  std::size_t rows;
  std::size_t cols;
  bool rotary = false;     // rows belong to rotary pairs, which the file may have in another order
  bool with_next = false;  // multiplied together with the next: their panels are one list
};

struct VectorPiece {
  std::string_view name;
  Vector Layer::*place;
  std::size_t size;
  bool exists = true;
};

std::vector<MatrixPiece> matrix_pieces(const Config& c) {
  const std::size_t q_rows = std::size_t{c.heads} * c.head_dim,
                    kv_rows = std::size_t{c.kv_heads} * c.head_dim;
  return {{"attn_q", &Layer::q, q_rows, c.hidden_size, true, true},
          {"attn_k", &Layer::k, kv_rows, c.hidden_size, true, true},
          {"attn_v", &Layer::v, kv_rows, c.hidden_size},
          {"attn_output", &Layer::attention_out, c.hidden_size, q_rows},
          {"ffn_gate", &Layer::gate, c.ffn_size, c.hidden_size},
          {"ffn_up", &Layer::up, c.ffn_size, c.hidden_size},
          {"ffn_down", &Layer::down, c.hidden_size, c.ffn_size}};
}

std::vector<VectorPiece> vector_pieces(const Config& c) {
  return {{"attn_norm", &Layer::attention_norm, c.hidden_size},
          {"ffn_norm", &Layer::ffn_norm, c.hidden_size},
          {"attn_q_norm", &Layer::q_norm, c.head_dim, c.qk_norm},
          {"attn_k_norm", &Layer::k_norm, c.head_dim, c.qk_norm},
          {"post_attention_norm", &Layer::attention_post_norm, c.hidden_size, c.post_norms},
          {"post_ffw_norm", &Layer::ffn_post_norm, c.hidden_size, c.post_norms}};
}

/// Row h * head_dim + i + b * head_dim / 2 (b = 0, 1) of a packed Q or K is row h * head_dim + 2 i + b of the
/// file.
std::vector<std::uint32_t> half_split_rows(std::size_t rows, std::uint32_t head_dim) {
  std::vector<std::uint32_t> map(rows);
  const std::uint32_t half = head_dim / 2;
  for (std::uint32_t r = 0; r < rows; ++r) {
    const std::uint32_t in_head = r % head_dim;
    map[r] = r - in_head + 2 * (in_head % half) + in_head / half;
  }
  return map;
}

Result<Isa> pick_isa(const LoadOptions& options) {
  if (!options.isa) return choose_isa();
  if (can_run(*options.isa)) return *options.isa;
  return Error{ErrorCode::kUnsupported,
               "this processor lacks the instruction set " + std::string(name(*options.isa))};
}

template <class T>
std::vector<T> without_repeats(std::vector<T> all) {
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  return all;
}

/// What a model asks of its kernels.
KernelUse kernel_use(const Gguf& file, const Config& config, KvType cache) {
  KernelUse use;
  use.cache = cache;
  use.head_dim = static_cast<int>(config.head_dim);
  use.gate = config.gate;
  for (const TensorView& tensor : file.tensors()) {
    if (tensor.shape.size() > 1) use.types.push_back(tensor.dtype);
  }
  for (const MatrixPiece& piece : matrix_pieces(config)) use.cols.push_back(piece.cols);
  use.types = without_repeats(std::move(use.types));
  use.cols = without_repeats(std::move(use.cols));
  return use;
}

Result<TestedKernels> pick_kernels(const Gguf& file, const Config& config, const LoadOptions& options) {
  if (options.exact) return TestedKernels{Isa::kScalar, &exact_kernels(), ""};
  const Result<Isa> isa = pick_isa(options);
  if (!isa) return isa.error();
  const bool forced = options.isa || isa_is_forced();
  return test_kernels(*isa, forced, kernel_use(file, config, options.cache), options.kernels);
}

}  // namespace

/// Fills a Transformer from a file, tensor by tensor.
class TransformerLoader {
 public:
  TransformerLoader(const Gguf& file, const LoadOptions& options, Transformer& model)
      : model_(model),
        config_(model.config_),
        tensors_(file, model.arena_, options.threads, options.progress) {
    model.arena_ = PanelArena(count_panel_bytes(file));
  }

  Result<void> load();

 private:
  Result<void> load_layer(std::size_t index);
  Result<void> check_leftovers() const;

  Transformer& model_;
  const Config& config_;
  TensorLoader tensors_;
};

Result<void> TransformerLoader::load() {
  const std::size_t vocab = config_.vocab_size, hidden = config_.hidden_size;
  if (auto r = load_embedding(tensors_, vocab, hidden, model_.embedding_); !r) return r;
  if (auto r = load_output(tensors_, vocab, hidden, model_.embedding_, model_.output_); !r) return r;
  if (auto r = tensors_.vector("output_norm.weight", hidden, model_.final_norm_); !r) return r;
  for (std::size_t i = 0; i < config_.layers; ++i) {
    if (auto r = load_layer(i); !r) return r;
  }
  return check_leftovers();
}

Result<void> TransformerLoader::load_layer(std::size_t index) {
  Layer& layer = model_.layers_.emplace_back();
  layer.kind = config_.layer_kinds[index];
  const std::string prefix = "blk." + std::to_string(index) + ".";
  const auto full_name = [&](std::string_view piece) { return prefix + std::string(piece) + ".weight"; };
  for (const VectorPiece& piece : vector_pieces(config_)) {
    if (!piece.exists) continue;
    if (auto r = tensors_.vector(full_name(piece.name), piece.size, layer.*piece.place); !r) return r;
  }
  std::vector<Packing> list;
  for (const MatrixPiece& piece : matrix_pieces(config_)) {
    const bool permuted = piece.rotary && config_.interleaved_qk;
    auto map = permuted ? half_split_rows(piece.rows, config_.head_dim) : std::vector<std::uint32_t>();
    auto packing =
        tensors_.prepare(full_name(piece.name), piece.rows, piece.cols, std::move(map), layer.*piece.place);
    if (!packing) return packing.error();
    list.push_back(*std::move(packing));
    if (piece.with_next) continue;
    // In units of a head, whose rows a map mixes.
    if (auto r = tensors_.pack(list, config_.head_dim / kPanelRows); !r) return r;
    list.clear();
  }
  return {};
}

/// A tensor that nothing asked for (a bias, an expert) would be a piece of the model left out in silence.
Result<void> TransformerLoader::check_leftovers() const {
  for (const TensorView& tensor : tensors_.file().tensors()) {
    // The angles: read_config takes the first; the second, in old files, repeats what rope.freq_base says.
    if (tensor.name == "rope_freqs.weight" || tensor.name.ends_with(".attn_rot_embd.weight")) continue;
    if (tensors_.used(tensor.name)) continue;
    return Error{ErrorCode::kUnsupported,
                 "'" + tensors_.file().path() + "' has a tensor " + quoted(tensor.name) +
                     ", which is no piece that a model of the family '" + config_.family + "' can use here"};
  }
  return {};
}

Result<std::shared_ptr<const Transformer>> Transformer::load(const Gguf& file, const LoadOptions& options) {
  try {
    auto config = read_config(file);
    if (!config) return config.error();
    if (auto readable = file.check_types(); !readable) return readable.error();
    auto kernels = pick_kernels(file, *config, options);
    if (!kernels) return kernels.error();

    std::shared_ptr<Transformer> model(new Transformer);
    model->config_ = *std::move(config);
    if (options.attention_window > 0) {
      limit_attention(model->config_, options.attention_window, options.attention_sinks);
    }
    model->exact_ = options.exact;
    model->isa_ = kernels->isa;
    model->kernels_ = kernels->table;
    model->refused_kernels_ = std::move(kernels->refused);
    model->kv_type_ = options.exact ? KvType::kF32 : options.cache;
    if (auto r = TransformerLoader(file, options, *model).load(); !r) return r.error();
    return std::shared_ptr<const Transformer>(std::move(model));
  } catch (const std::bad_alloc&) {
    return Error{ErrorCode::kOutOfMemory, "'" + file.path() + "': not enough memory for its weights"};
  }
}

void Transformer::embed(std::uint32_t token, float* out, float* spare) const {
  embedding_.row(token, out, spare);
  for (std::size_t i = 0; i < config_.hidden_size; ++i) out[i] *= config_.embedding_scale;
}

std::size_t Transformer::bytes_per_token() const {
  std::size_t bytes = output_.bytes() + embedding_.bytes_per_row();
  bytes += final_norm_.size() * sizeof(float);
  for (const Layer& layer : layers_) {
    for (const MatrixPiece& piece : matrix_pieces(config_)) bytes += (layer.*piece.place).bytes();
    for (const VectorPiece& piece : vector_pieces(config_))
      bytes += (layer.*piece.place).size() * sizeof(float);
  }
  return bytes;
}

}  // namespace partita
