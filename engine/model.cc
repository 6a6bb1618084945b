#include "engine/model.h"

#include <algorithm>
#include <atomic>
#include <new>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>

#include "engine/kernels/parallel.h"
#include "weights/codec.h"

namespace partita {
namespace {

/// Bytes packed between two looks at progress; little more than this is in memory twice, as file and as
/// panels.
constexpr std::size_t kSliceBytes = std::size_t{8} << 20;

struct MatrixPiece {
  std::string_view name;
  PackedMatrix Layer::*place;
  std::size_t rows;
  std::size_t cols;
  bool rotary = false;     // rows belong to rotary pairs, which the file may have in another order
  bool with_next = false;  // multiplied together with the next: their panels are one list
};

/// A matrix to be packed, and where its rows come from.
struct Packing {
  PackedMatrix* matrix;
  std::span<const std::byte> bytes;  // of the file
  std::vector<std::uint32_t> map;    // which row of the file is which; empty: the same
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
  if (options.exact) return Isa::kScalar;
  if (!options.isa) return choose_isa();
  const std::vector<Isa> supported = supported_isas();
  if (std::find(supported.begin(), supported.end(), *options.isa) != supported.end()) return *options.isa;
  return Error{ErrorCode::kUnsupported,
               "this processor lacks the instruction set " + std::string(name(*options.isa))};
}

std::size_t count_bytes(const Gguf& file) {
  std::size_t bytes = 0;
  for (const TensorView& tensor : file.tensors()) bytes += tensor.bytes.size();
  return bytes;
}

/// What the panels of a file's matrices take.
std::size_t count_panel_bytes(const Gguf& file) {
  std::size_t bytes = 0;
  for (const TensorView& tensor : file.tensors()) {
    if (tensor.shape.size() != 2) continue;
    if (auto panels = panels_for(tensor.dtype, tensor.shape[0], tensor.shape[1])) bytes += panels->bytes();
  }
  return bytes;
}

}  // namespace

/// Fills a Transformer from a file, tensor by tensor.
class TransformerLoader {
 public:
  TransformerLoader(const Gguf& file, const LoadOptions& options, Transformer& model)
      : file_(file), options_(options), model_(model), config_(model.config_), total_(count_bytes(file)) {}

  Result<void> load();

 private:
  Result<void> load_layer(std::size_t index);
  Result<TensorView> fetch(const std::string& name, std::span<const std::uint64_t> shape);
  Result<void> load_vector(const std::string& name, std::size_t size, Vector& out);
  Result<void> load_matrix(const std::string& name, std::size_t rows, std::size_t cols, PackedMatrix& out);
  Result<Packing> prepare(const std::string& name, std::size_t rows, std::size_t cols, bool permuted,
                          PackedMatrix& out);
  Result<void> pack(std::span<const Packing> list);
  std::size_t pack_slice(std::span<const Packing> list, std::size_t first, std::size_t last) const;
  Result<void> report(std::size_t bytes);
  Result<void> check_leftovers() const;

  const Gguf& file_;
  const LoadOptions& options_;
  Transformer& model_;
  const Config& config_;
  const std::size_t total_;
  std::size_t done_ = 0;
  std::unordered_set<std::string_view> used_;
};

Result<void> TransformerLoader::load() {
  model_.arena_ = PanelArena(count_panel_bytes(file_));
  const std::size_t vocab = config_.vocab_size, hidden = config_.hidden_size;
  if (auto r = load_matrix("token_embd.weight", vocab, hidden, model_.embedding_); !r) return r;
  if (file_.has_tensor("output.weight")) {
    if (auto r = load_matrix("output.weight", vocab, hidden, model_.head_); !r) return r;
  }
  if (auto r = load_vector("output_norm.weight", hidden, model_.final_norm_); !r) return r;
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
    if (auto r = load_vector(full_name(piece.name), piece.size, layer.*piece.place); !r) return r;
  }
  std::vector<Packing> list;
  for (const MatrixPiece& piece : matrix_pieces(config_)) {
    const bool permuted = piece.rotary && config_.interleaved_qk;
    auto packing = prepare(full_name(piece.name), piece.rows, piece.cols, permuted, layer.*piece.place);
    if (!packing) return packing.error();
    list.push_back(*std::move(packing));
    if (piece.with_next) continue;
    if (auto r = pack(list); !r) return r;
    list.clear();
  }
  return {};
}

Result<TensorView> TransformerLoader::fetch(const std::string& name, std::span<const std::uint64_t> shape) {
  auto tensor = file_.tensor(name, shape);
  if (tensor) used_.insert(tensor->name);
  return tensor;
}

/// Norms are F32 in every file in sight; other types cost nothing to read.
Result<void> TransformerLoader::load_vector(const std::string& name, std::size_t size, Vector& out) {
  const std::uint64_t shape[] = {size};
  auto tensor = fetch(name, shape);
  if (!tensor) return tensor.error();
  out.resize(size);
  codec(tensor->dtype).dequantize(tensor->bytes.data(), size, out.data());
  return report(tensor->bytes.size());
}

Result<void> TransformerLoader::load_matrix(const std::string& name, std::size_t rows, std::size_t cols,
                                            PackedMatrix& out) {
  auto packing = prepare(name, rows, cols, false, out);
  if (!packing) return packing.error();
  return pack({&*packing, 1});
}

Result<Packing> TransformerLoader::prepare(const std::string& name, std::size_t rows, std::size_t cols,
                                           bool permuted, PackedMatrix& out) {
  const std::uint64_t shape[] = {rows, cols};
  auto tensor = fetch(name, shape);
  if (!tensor) return tensor.error();
  auto matrix = allocate_panels(tensor->dtype, rows, cols, model_.arena_);
  if (!matrix) return matrix.error();
  out = *std::move(matrix);
  return Packing{&out, tensor->bytes,
                 permuted ? half_split_rows(rows, config_.head_dim) : std::vector<std::uint32_t>()};
}

/// Packs panels [first, last) of the list and lets go of the file's pages. Returns the bytes read.
std::size_t TransformerLoader::pack_slice(std::span<const Packing> list, std::size_t first,
                                          std::size_t last) const {
  std::size_t bytes = 0, begin = 0;  // begin: of the matrix in the list
  for (const Packing& p : list) {
    const std::size_t end = begin + p.matrix->panels();
    const std::size_t from = std::clamp(first, begin, end) - begin, to = std::clamp(last, begin, end) - begin;
    begin = end;
    if (from == to) continue;
    pack_panels(*p.matrix, p.bytes, p.map, from, to);
    const std::size_t row_bytes = p.bytes.size() / p.matrix->rows, first_row = from * kPanelRows;
    const std::size_t rows = std::min(to * kPanelRows, p.matrix->rows) - first_row;
    file_.release(p.bytes.subspan(first_row * row_bytes, rows * row_bytes));
    bytes += rows * row_bytes;
  }
  return bytes;
}

/// Packs matrices whose panels a step shares out as one list (block.cc). Every worker packs the panels that
/// it will multiply, so that on machines of several nodes they lie in its node's memory, a slice at a time.
Result<void> TransformerLoader::pack(std::span<const Packing> list) {
  std::size_t panels = 0;
  for (const Packing& p : list) panels += p.matrix->panels();
  const std::size_t unit = config_.head_dim / kPanelRows;  // panels of a head, whose rows a map mixes
  const int threads = std::max(options_.threads, 1);
  const std::size_t share_bytes = kSliceBytes / static_cast<std::size_t>(threads);
  const std::size_t slice = (share_bytes / list.front().matrix->panel_bytes() / unit + 1) * unit;
  const std::size_t rounds = panels / static_cast<std::size_t>(threads) / slice + 1;  // of the largest share
  for (std::size_t round = 0; round < rounds; ++round) {
    std::atomic<std::size_t> bytes{0};
    parallel(threads, [&](const Worker& worker) {
      // All shares are packed, also where OpenMP grants fewer workers than there are shares.
      for (int member = worker.index; member < threads; member += worker.count) {
        const auto [own, end] = Worker{member, threads}.share(panels);
        const std::size_t first = std::min(own + round * slice, end);
        bytes += pack_slice(list, first, std::min(first + slice, end));
      }
    });
    if (auto r = report(bytes); !r) return r;
  }
  return {};
}

Result<void> TransformerLoader::report(std::size_t bytes) {
  done_ += bytes;
  if (!options_.progress) return {};
  if (options_.progress(static_cast<float>(static_cast<double>(done_) / static_cast<double>(total_))))
    return {};
  return Error{ErrorCode::kCancelled, "loading '" + file_.path() + "' was cancelled"};
}

/// A tensor that nothing asked for (a bias, an expert) would be a piece of the model left out in silence.
Result<void> TransformerLoader::check_leftovers() const {
  for (const TensorView& tensor : file_.tensors()) {
    // The angles: read_config takes the first; the second, in old files, repeats what rope.freq_base says.
    if (tensor.name == "rope_freqs.weight" || tensor.name.ends_with(".attn_rot_embd.weight")) continue;
    if (used_.count(tensor.name) != 0) continue;
    return Error{ErrorCode::kUnsupported, "'" + file_.path() + "' has a tensor '" + std::string(tensor.name) +
                                              "', which is no piece that a model of the family '" +
                                              config_.family + "' can use here"};
  }
  return {};
}

Result<std::shared_ptr<const Transformer>> Transformer::load(const Gguf& file, const LoadOptions& options) {
  try {
    auto config = read_config(file);
    if (!config) return config.error();
    auto isa = pick_isa(options);
    if (!isa) return isa.error();

    std::shared_ptr<Transformer> model(new Transformer);
    model->config_ = *std::move(config);
    if (options.attention_window > 0) {
      limit_attention(model->config_, options.attention_window, options.attention_sinks);
    }
    model->exact_ = options.exact;
    model->isa_ = *isa;
    model->kv_type_ = options.exact ? KvType::kF32 : options.cache;
    model->kernels_ = options.exact ? &exact_kernels() : &partita::kernels(*isa);
    if (auto r = TransformerLoader(file, options, *model).load(); !r) return r.error();
    return std::shared_ptr<const Transformer>(std::move(model));
  } catch (const std::bad_alloc&) {
    return Error{ErrorCode::kOutOfMemory, "'" + file.path() + "': not enough memory for its weights"};
  }
}

void Transformer::embed(std::uint32_t token, float* out) const {
  unpack_row(embedding_, token, out);
  for (std::size_t i = 0; i < config_.hidden_size; ++i) out[i] *= config_.embedding_scale;
}

std::size_t Transformer::bytes_per_token() const {
  std::size_t bytes = head().bytes() + embedding_.panel_bytes() / kPanelRows;
  bytes += final_norm_.size() * sizeof(float);
  for (const Layer& layer : layers_) {
    for (const MatrixPiece& piece : matrix_pieces(config_)) bytes += (layer.*piece.place).bytes();
    for (const VectorPiece& piece : vector_pieces(config_))
      bytes += (layer.*piece.place).size() * sizeof(float);
  }
  return bytes;
}

}  // namespace partita
