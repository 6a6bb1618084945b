#include "engine/model.h"

#include <algorithm>
#include <new>
#include <string>
#include <string_view>
#include <utility>

#include "engine/adapter.h"
#include "engine/kernels/dispatch.h"
#include "engine/models/config_reader.h"
#include "engine/models/families.h"
#include "engine/tensor_loader.h"
#include "weights/sentence.h"
#include "weights/try.h"

namespace partita::internal {
namespace {

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

/// What the model needs of the kernels.
KernelUse kernel_use(const Gguf& file, const Config& config, KvType cache) {
  KernelUse use{.heads = {}};
  use.cache = cache;
  if (const LatentSizes& latent = config.latent; latent.rank > 0) {
    use.types.push_back(Dtype::kF32);  // of transposed matrices
    use.latents = {HeadWidths{latent.rank + config.rope_dims, latent.rank}.padded()};
  } else {
    for (const LayerSizes& layer : config.layer_sizes) {
      const HeadWidths widths = HeadWidths{layer.head_dim, layer.value_dim}.padded();
      if (std::find(use.heads.begin(), use.heads.end(), widths) == use.heads.end())
        use.heads.push_back(widths);
      use.cols.push_back(std::size_t{layer.heads} * layer.value_dim);
    }
  }
  use.gate = config.activation;
  for (const TensorView& tensor : file.tensors()) {
    if (tensor.shape.size() > 1) use.types.push_back(tensor.dtype);
  }
  use.cols.insert(use.cols.end(), {config.hidden_size, std::size_t{config.heads} * config.head_dim,
                                   config.ffn_size, config.moe.ffn_size, config.moe.shared_ffn_size});
  std::erase(use.cols, 0);  // the model has no such part
  use.types = without_repeats(std::move(use.types));
  use.cols = without_repeats(std::move(use.cols));
  return use;
}

Result<TestedKernels> pick_kernels(const Gguf& file, const Config& config, const LoadOptions& options) {
  if (options.exact || options.shapes_only) return TestedKernels{Isa::kScalar, &exact_kernels(), ""};
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
        family_(*find_family(model.config_.family)),
        tensors_(file, model.arena_, options.threads, options.progress, options.shapes_only) {
    model.arena_ = PanelArena(count_panel_bytes(file));
  }

  Result<void> load();

 private:
  Result<void> load_layer(std::size_t index);
  bool is_of_nextn_layer(std::string_view name) const;
  Result<void> check_leftovers() const;

  Transformer& model_;
  const Config& config_;
  const Family& family_;
  TensorLoader tensors_;
};

Result<void> TransformerLoader::load() {
  const std::size_t vocab = config_.vocab_size, hidden = config_.hidden_size;
  TRY(load_embedding(tensors_, vocab, hidden, model_.embedding_));
  TRY(load_token_inputs(tensors_, config_, model_.token_inputs_));
  TRY(load_versions(tensors_, config_, model_.versions_));
  TRY(load_output(tensors_, vocab, hidden, model_.embedding_, model_.output_));
  if (Linear& root = model_.output_.root; root.index == Linear::kFixed) {  // that of the embedding
    root.source.tensor_rows = root.weight.rows;
    tensors_.number(root);
  }
  model_.output_.softcap = config_.logit_softcap;
  if (config_.logit_softcap > 0 && model_.output_.kind != OutputKind::kDense) {
    return Error{ErrorCode::kUnsupported, "'" + tensors_.file().path() + "' has an output of the kind '" +
                                              std::string(name(model_.output_.kind)) +
                                              "', and only dense ones can have a soft cap of logits"};
  }
  if (config_.logit_scale != 1 && !model_.output_.root.bias.empty()) {
    return Error{ErrorCode::kUnsupported, "'" + tensors_.file().path() +
                                              "' has output.bias and a scale of its logits, and only one of "
                                              "them can be used"};
  }
  if (config_.learned_positions)
    TRY(tensors_.matrix("position_embd.weight", config_.context_length, hidden, model_.positions_));
  for (Norm* each : {&model_.embedding_norm_, &model_.final_norm_}) {
    each->kind = config_.norm;
    each->eps = config_.norm_eps;
  }
  if (config_.embedding_norm) {
    TRY(read_norm(tensors_, "token_embd_norm", hidden, model_.embedding_norm_));
  }
  Norm& norm = model_.final_norm_;
  TRY(read_norm(tensors_, std::string(config_.final_norm), hidden, norm));
  for (Vector* part : {&norm.weight, &norm.bias}) {
    for (float& value : *part) value *= config_.logit_scale;
  }
  for (std::size_t i = 0; i < config_.layers; ++i) {
    TRY(load_layer(i));
  }
  model_.linears_ = tensors_.linears();
  return check_leftovers();
}

Result<void> TransformerLoader::load_layer(std::size_t index) {
  LayerReader reader(tensors_, index, config_);
  model_.layers_.push_back(family_.layer(reader, config_, index));
  if (reader.error()) return *reader.error();
  const auto add_state = [&](auto& mixer) {
    if constexpr (requires { mixer.kv_layer; }) {
      if (mixer.kv_layer) {
        mixer.state = model_.layers_[*mixer.kv_layer].attention()->state;
        return;
      }
    }
    model_.first_output_layer_ = index;
    mixer.state = model_.states_.size();
    model_.states_.push_back(mixer.state_shape());
  };
  const auto add_states = [&](auto& mixer) {
    if constexpr (requires { mixer.state; }) {
      add_state(mixer);
    } else if constexpr (requires { mixer.mamba2; }) {
      add_state(mixer.attention);
      add_state(mixer.mamba2);
    }
  };
  std::visit(add_states, model_.layers_.back().mixer);
  if (TokenShift& shift = model_.layers_.back().ffn_shift; !shift.empty()) add_state(shift);
  return {};
}

bool TransformerLoader::is_of_nextn_layer(std::string_view name) const {
  for (std::uint32_t i = config_.layers; i < config_.layers + config_.nextn_layers; ++i) {
    if (name.starts_with("blk." + std::to_string(i) + ".")) return true;
  }
  return false;
}

/// A tensor that was not read (a bias, an expert) is a part of the model that would be silently ignored.
Result<void> TransformerLoader::check_leftovers() const {
  for (const TensorView& tensor : tensors_.file().tensors()) {
    // RoPE angles: read_config() reads the first; the last, in old files, repeats rope.freq_base.
    if (tensor.name == "rope_freqs.weight" || tensor.name.starts_with("rope_factors_") ||
        tensor.name.ends_with(".attn_rot_embd.weight"))
      continue;
    if (tensors_.used(tensor) || is_of_nextn_layer(tensor.name)) continue;
    return Error{ErrorCode::kUnsupported, "'" + tensors_.file().path() + "' has a tensor " +
                                              quoted(tensor.name) + ", which no part of the family '" +
                                              config_.family + "' uses: this variant is not supported"};
  }
  return {};
}

Result<std::shared_ptr<const Transformer>> Transformer::load(const Gguf& file, const LoadOptions& options) {
  try {
    auto config = read_config(file);
    if (!config) return config.error();
    TRY(file.check_types());
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
    TRY(TransformerLoader(file, options, *model).load());
    return std::shared_ptr<const Transformer>(std::move(model));
  } catch (const std::bad_alloc&) {
    return Error{ErrorCode::kOutOfMemory, "'" + file.path() + "': not enough memory for its weights"};
  }
}

void Transformer::embed(std::uint32_t token, std::size_t position, const AdapterSet* adapters, float* out,
                        float* spare) const {
  embedding_.row(token, out, spare);
  if (adapters != nullptr) adapters->add_embedding(token, config_.hidden_size, out);
  for (std::size_t i = 0; i < config_.hidden_size; ++i) out[i] *= config_.embedding_scale;
  if (!embedding_norm_.empty()) embedding_norm_.apply(*kernels_, out, out);
  if (positions_.rows == 0) return;
  unpack_row(positions_, position, spare);
  for (std::size_t i = 0; i < config_.hidden_size; ++i) out[i] += spare[i];
}

std::size_t Transformer::bytes_per_token() const {
  std::size_t bytes = output_.bytes() + embedding_.bytes_per_row();
  bytes += embedding_norm_.bytes() + final_norm_.bytes() + positions_.panel_bytes() / kPanelRows +
           token_inputs_.bytes_per_token() + versions_.bytes_per_token();
  for (const Layer& layer : layers_) bytes += layer.bytes_per_token();
  return bytes;
}

}  // namespace partita::internal
