#include "api/quantize/overlay.h"

#include <algorithm>
#include <utility>

#include "weights/gguf/writer.h"
#include "weights/try.h"

namespace partita::internal {

Result<double> Overlay::set(std::size_t tensor, Dtype to) {
  const TensorView& from = plan_.model().tensors()[tensor];
  std::optional<Tensor>& own = replaced_[tensor];
  if (to == from.dtype) {
    own.reset();
    return 0.0;
  }
  if (own && own->dtype == to) return own->squares;
  const auto job = plan_.job_of(from, to);
  if (!job) return job.error();
  own.reset();  // frees its memory first
  Tensor made{to, 0, std::vector<std::byte>(tensor_bytes(from, to))};
  const auto squares = quantizer_.quantize(*job, made.bytes);
  if (!squares) return squares.error();
  made.squares = *squares;
  own = std::move(made);
  return *squares;
}

Result<void> Overlay::set_all(const std::vector<Dtype>& types) {
  for (std::size_t i = 0; i < types.size(); ++i) {
    const auto squares = set(i, types[i]);
    if (!squares) return squares.error();
  }
  return {};
}

Result<Gguf> Overlay::open() const {
  const Gguf& model = plan_.model();
  GgufWriter file;
  for (const GgufEntry& entry : model.metadata()) {
    if (entry.key != "general.alignment" && !entry.key.starts_with("split.")) file.copy(entry);
  }
  for (std::size_t i = 0; i < replaced_.size(); ++i) {
    const TensorView& from = model.tensors()[i];
    const std::optional<Tensor>& own = replaced_[i];
    file.add_tensor(from.name, own ? own->dtype : from.dtype, from.shape,
                    [&model, &from, &own](std::uint64_t first, std::span<std::byte> rows) -> Result<void> {
                      if (!own) return copy_rows(model, from, first, rows);
                      std::copy_n(own->bytes.begin() + static_cast<std::ptrdiff_t>(first), rows.size(),
                                  rows.begin());
                      return {};
                    });
  }
  return file.open(model.path());
}

}  // namespace partita::internal
