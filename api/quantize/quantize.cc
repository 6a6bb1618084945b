// quantize(): a GGUF model file with fewer bits.
#include "partita/quantize.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>
#include <memory>
#include <optional>
#include <utility>

#include "api/gguf_file.h"
#include "api/output_path.h"
#include "api/quantize/importance.h"
#include "api/quantize/mix.h"
#include "api/quantize/plan.h"
#include "api/quantize/tensor_quantizer.h"
#include "api/quantize/trial.h"
#include "api/quantize/type_budget.h"
#include "api/threads.h"
#include "partita/partita.hpp"
#include "weights/catch_all.h"
#include "weights/codecs/codec.h"
#include "weights/gguf/gguf.h"
#include "weights/gguf/writer.h"
#include "weights/sentence.h"
#include "weights/try.h"

namespace partita {
using namespace internal;
namespace {

constexpr std::uint32_t kQuantizationVersion = 2;  // of ggml's block layouts

std::string upper(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return result;
}

Result<const Mix*> find_mix(std::string_view wanted) {
  std::string known;
  for (const Mix& mix : mixes()) {
    if (mix.name == upper(wanted)) return &mix;
    known += sentence(known.empty() ? "" : ", ", mix.name);
  }
  return invalid("the type is ", quoted(wanted), ", and must be one of ", known);
}

Result<Dtype> find_type(std::string_view wanted) {
  std::string known;
  for (std::uint32_t number = 0; number < kGgmlTypes; ++number) {
    const auto dtype = dtype_from_gguf(number);
    if (!dtype || codec(*dtype).quantize == nullptr) continue;
    if (name(*dtype) == upper(wanted)) return *dtype;
    known += sentence(known.empty() ? "" : ", ", name(*dtype));
  }
  return invalid("a tensor's type is ", quoted(wanted), ", and must be one of ", known);
}

Result<std::optional<Dtype>> find_optional_type(const std::string& wanted) {
  if (wanted.empty()) return std::optional<Dtype>();
  const auto type = find_type(wanted);
  if (!type) return type.error();
  return std::optional(*type);
}

Result<TypeOverrides> overrides_of(const QuantizeOptions& options) {
  TypeOverrides overrides;
  for (const auto& [part, wanted] : options.tensor_types) {
    const auto type = find_type(wanted);
    if (!type) return type.error();
    overrides.by_name.emplace_back(part, *type);
  }
  const auto embedding = find_optional_type(options.embedding_type);
  if (!embedding) return embedding.error();
  const auto output = find_optional_type(options.output_type);
  if (!output) return output.error();
  overrides.embedding = *embedding;
  overrides.output = *output;
  return overrides;
}

constexpr std::string_view kImportancePrefix = "quantize.imatrix.";

/// All metadata but what this call decides, and what described a file that was split.
void copy_metadata(const Gguf& model, const Mix& mix, bool importance, GgufWriter& file) {
  for (const GgufEntry& entry : model.metadata()) {
    const bool decided = entry.key == "general.file_type" || entry.key == "general.quantization_version" ||
                         entry.key == "general.alignment" || entry.key.starts_with("split.") ||
                         (importance && entry.key.starts_with(kImportancePrefix));
    if (!decided) file.copy(entry);
  }
  file.add("general.quantization_version", kQuantizationVersion).add("general.file_type", mix.file_type);
}

/// The keys with which llama-quantize says where the importance came from.
void add_importance_keys(const Importance& importance, GgufWriter& file) {
  file.add("quantize.imatrix.file", importance.path);
  if (!importance.dataset.empty()) file.add("quantize.imatrix.dataset", importance.dataset);
  file.add("quantize.imatrix.entries_count", static_cast<std::uint32_t>(importance.columns.size()));
  if (importance.chunks > 0) file.add("quantize.imatrix.chunks_count", importance.chunks);
}

Result<std::optional<Importance>> open_importance(const std::string& path) {
  if (path.empty()) return std::optional<Importance>();
  auto importance = Importance::open(path);
  if (!importance) return importance.error();
  return std::optional(*std::move(importance));
}

/// Progress from `first` to `last` of the whole; empty without progress.
std::function<bool(float)> part_of(const std::function<bool(float)>& progress, float first, float last) {
  if (!progress) return {};
  return [&progress, first, last](float fraction) { return progress(first + (last - first) * fraction); };
}
constexpr float kMeasuring = 0.95F;  // of the time, where types are measured

Result<SizeGoal> goal_of(const QuantizeOptions& options) {
  if (options.budget.empty()) return SizeGoal{.divergence = options.max_divergence};
  if (options.max_divergence > 0)
    return invalid(
        "both a budget and a largest divergence are given, and only one of them can be kept: give one");
  return parse_budget(options.budget);
}

/// The types for a budget or a divergence; fills result.divergence and result.measured_tokens.
Result<std::vector<TensorType>> measured_types(const QuantizePlan& plan, const TypeOverrides& overrides,
                                               const QuantizeOptions& options, TensorQuantizer& quantizer,
                                               const std::string& path, QuantizeResult& result) {
  const auto goal = goal_of(options);
  if (!goal) return goal.error();
  if (options.text.empty())
    return invalid(
        "a budget or a largest divergence needs a text to measure on: give one, such as some pages of "
        "what the model is for");
  const auto candidates = candidate_types(plan.model(), overrides);
  if (!candidates) return candidates.error();
  auto trial = Trial::open(path, options.text, options.threads);
  if (!trial) return trial.error();
  Overlay overlay(plan, quantizer);
  const auto chosen =
      choose_types_for(*goal, plan, *candidates, overlay, *trial, part_of(options.progress, 0, kMeasuring));
  if (!chosen) return chosen.error();
  result.divergence = chosen->divergence;
  result.measured_tokens = trial->tokens();
  std::vector<TensorType> types;
  for (const Dtype type : chosen->types) types.push_back({type});
  return types;
}

/// The mix whose base most of the weights have.
const Mix& nearest_mix(const Gguf& model, const std::vector<TensorType>& types) {
  std::map<Dtype, std::uint64_t> weights;
  for (std::size_t i = 0; i < types.size(); ++i)
    weights[types[i].dtype] += model.tensors()[i].shape.elements();
  const auto weights_of = [&](const Mix& mix) {
    const auto found = weights.find(mix.base);
    return found == weights.end() ? 0 : found->second;
  };
  return *std::max_element(mixes().begin(), mixes().end(),
                           [&](const Mix& a, const Mix& b) { return weights_of(a) < weights_of(b); });
}

Result<void> check_is_file(const std::string& path) {
  std::error_code none;
  if (path == kBundledModel || !std::filesystem::is_directory(path, none)) return {};
  return invalid("'", printable(path),
                 "' is a directory, and quantize reads GGUF files: make one of it with partita convert");
}

}  // namespace

std::span<const std::string_view> quantize_types() noexcept {
  static const auto names = [] {
    std::array<std::string_view, 32> all;
    std::transform(mixes().begin(), mixes().end(), all.begin(), [](const Mix& mix) { return mix.name; });
    return all;
  }();
  return std::span(names).first(mixes().size());
}

Result<QuantizeResult> quantize(const std::string& from, const std::string& to,
                                const QuantizeOptions& options) {
  return catch_all([&]() -> Result<QuantizeResult> {
    const auto mix = find_mix(options.type);
    if (!mix) return mix.error();
    const auto overrides = overrides_of(options);
    if (!overrides) return overrides.error();
    const auto threads = resolve_threads(options.threads);
    if (!threads) return threads.error();
    TRY(check_output_path(to));
    TRY(check_is_file(from));
    TRY(check_not_model(to, from));
    TRY(check_other_file(to, options.importance, "the importance that is read"));
    const auto model = open_gguf_file(from);
    if (!model) return model.error();
    TRY(model->check_types());
    const auto importance = open_importance(options.importance);
    if (!importance) return importance.error();
    if (*importance) TRY((*importance)->check_model(*model));
    QuantizeResult result;
    result.path = to;
    result.tensors = model->tensors().size();
    result.bytes_in = model->file_bytes();
    QuantizePlan plan(*model, *importance, options.allow_requantize);
    TensorQuantizer quantizer(*model, *threads);
    const bool measured = !options.budget.empty() || options.max_divergence > 0;
    const auto types = measured ? measured_types(plan, *overrides, options, quantizer, from, result)
                                : choose_types(*model, **mix, *overrides, importance->has_value());
    if (!types) return types.error();
    for (std::size_t i = 0; i < types->size(); ++i) TRY(plan.add(model->tensors()[i], (*types)[i], result));
    GgufWriter file;
    copy_metadata(*model, measured ? nearest_mix(*model, *types) : **mix, importance->has_value(), file);
    if (*importance) add_importance_keys(**importance, file);
    plan.write_to(file, quantizer);
    TRY(file.write(to, part_of(options.progress, measured ? kMeasuring : 0, 1)));
    quantizer.report_errors(result.error);
    std::error_code none;
    result.bytes_out = std::filesystem::file_size(to, none);
    return result;
  });
}

}  // namespace partita
