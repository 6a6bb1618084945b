#include "api/quantize/plan.h"

#include <algorithm>
#include <string>

#include "weights/codecs/codec.h"
#include "weights/sentence.h"
#include "weights/try.h"

namespace partita::internal {

Result<void> QuantizePlan::add(const TensorView& tensor, TensorType type, QuantizeResult& result) {
  TensorJob job{tensor, type.dtype, {}};
  ++result.types[std::string(name(type.dtype))];
  if (type.dtype != tensor.dtype) {
    auto made = job_of(tensor, type.dtype);
    if (!made) return made.error();
    job = *made;
    const bool weighed = importance_ && codec(job.to).quantize_weighted != nullptr;
    if (weighed && job.importance.empty()) result.without_importance.emplace_back(tensor.name);
    result.error[std::string(name(type.dtype))] = 0;  // known once the file is written
    if (type.fallback) result.fallbacks.emplace_back(tensor.name);
  }
  jobs_.push_back(job);
  return {};
}

void QuantizePlan::write_to(GgufWriter& file, TensorQuantizer& quantizer) const {
  for (const TensorJob& job : jobs_) {
    file.add_tensor(job.from.name, job.to, job.from.shape,
                    [this, &job, &quantizer](std::uint64_t first, std::span<std::byte> rows) {
                      return job.to == job.from.dtype ? copy_rows(model_, job.from, first, rows)
                                                      : quantizer.write(job, first, rows);
                    });
  }
}

Result<TensorJob> QuantizePlan::job_of(const TensorView& tensor, Dtype to) const {
  TRY(check_source(tensor, to));
  TensorJob job{tensor, to, {}};
  if (!importance_) return job;
  const auto columns = importance_->of(tensor);
  if (!columns) return columns.error();
  job.importance = *columns;
  return job;
}

Result<void> QuantizePlan::check_source(const TensorView& tensor, Dtype to) const {
  if (block_elements(tensor.dtype) == 1 || allow_requantize_) return {};
  return invalid("tensor ", quoted(tensor.name), " is ", name(tensor.dtype), " already, and would become ",
                 name(to),
                 " with the errors of both: quantize a model in F16, BF16 or F32, or allow it "
                 "with --allow-requantize");
}

std::uint64_t tensor_bytes(const TensorView& tensor, Dtype type) {
  return tensor.shape.elements() / block_elements(type) * block_bytes(type);
}

Result<void> copy_rows(const Gguf& model, const TensorView& tensor, std::uint64_t first,
                       std::span<std::byte> rows) {
  std::vector<std::byte> buffer;
  const auto bytes = model.read(tensor.bytes.subspan(first, rows.size()), buffer);
  if (!bytes) return bytes.error();
  std::copy(bytes->begin(), bytes->end(), rows.begin());
  return {};
}

}  // namespace partita::internal
