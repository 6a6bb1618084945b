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
#include "api/quantize/tensor_quantizer.h"
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

/// The tensors of the new file.
class Plan {
 public:
  Plan(const Gguf& model, const std::optional<Importance>& importance, bool allow_requantize)
      : model_(model), importance_(importance), allow_requantize_(allow_requantize) {}

  Result<void> add(const TensorView& tensor, TensorType type, QuantizeResult& result) {
    TensorJob job{tensor, type.dtype, {}};
    ++result.types[std::string(name(type.dtype))];
    if (type.dtype != tensor.dtype) {
      TRY(check_source(tensor, type.dtype));
      TRY(add_importance(job, result));
      result.error[std::string(name(type.dtype))] = 0;  // known once the file is written
      if (type.fallback) result.fallbacks.emplace_back(tensor.name);
    }
    jobs_.push_back(job);
    return {};
  }

  /// The plan, the quantizer and the model must live until the file is written.
  void write_to(GgufWriter& file, TensorQuantizer& quantizer) const {
    for (const TensorJob& job : jobs_) {
      file.add_tensor(job.from.name, job.to, job.from.shape,
                      [this, &job, &quantizer](std::uint64_t first, std::span<std::byte> rows) {
                        return job.to == job.from.dtype ? copy(job, first, rows)
                                                        : quantizer.write(job, first, rows);
                      });
    }
  }

 private:
  Result<void> check_source(const TensorView& tensor, Dtype to) const {
    if (block_elements(tensor.dtype) == 1 || allow_requantize_) return {};
    return invalid("tensor ", quoted(tensor.name), " is ", name(tensor.dtype), " already, and would become ",
                   name(to),
                   " with the errors of both: quantize a model in F16, BF16 or F32, or allow it "
                   "with --allow-requantize");
  }

  Result<void> add_importance(TensorJob& job, QuantizeResult& result) const {
    if (!importance_ || codec(job.to).quantize_weighted == nullptr) return {};
    const auto columns = importance_->of(job.from);
    if (!columns) return columns.error();
    job.importance = *columns;
    if (columns->empty()) result.without_importance.emplace_back(job.from.name);
    return {};
  }

  Result<void> copy(const TensorJob& job, std::uint64_t first, std::span<std::byte> rows) const {
    std::vector<std::byte> buffer;
    const auto bytes = model_.read(job.from.bytes.subspan(first, rows.size()), buffer);
    if (!bytes) return bytes.error();
    std::copy(bytes->begin(), bytes->end(), rows.begin());
    return {};
  }

  const Gguf& model_;
  const std::optional<Importance>& importance_;
  const bool allow_requantize_;
  std::vector<TensorJob> jobs_;
};

Result<std::optional<Importance>> open_importance(const std::string& path) {
  if (path.empty()) return std::optional<Importance>();
  auto importance = Importance::open(path);
  if (!importance) return importance.error();
  return std::optional(*std::move(importance));
}

Result<void> check_is_file(const std::string& path) {
  std::error_code none;
  if (path == kBundledModel || !std::filesystem::is_directory(path, none)) return {};
  return invalid("'", printable(path),
                 "' is a directory, and GGUF files are quantized: partita convert makes one of a checkpoint");
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
    const auto types = choose_types(*model, **mix, *overrides, importance->has_value());
    if (!types) return types.error();

    QuantizeResult result;
    result.path = to;
    result.tensors = model->tensors().size();
    result.bytes_in = model->file_bytes();
    Plan plan(*model, *importance, options.allow_requantize);
    for (std::size_t i = 0; i < types->size(); ++i) TRY(plan.add(model->tensors()[i], (*types)[i], result));
    TensorQuantizer quantizer(*model, *threads);
    GgufWriter file;
    copy_metadata(*model, **mix, importance->has_value(), file);
    if (*importance) add_importance_keys(**importance, file);
    plan.write_to(file, quantizer);
    TRY(file.write(to, options.progress));
    quantizer.report_errors(result.error);
    std::error_code none;
    result.bytes_out = std::filesystem::file_size(to, none);
    return result;
  });
}

}  // namespace partita
