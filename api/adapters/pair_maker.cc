#include "api/adapters/pair_maker.h"

#include <algorithm>

#include "weights/codecs/codec.h"
#include "weights/sentence.h"
#include "weights/try.h"

namespace partita::internal {
namespace {

constexpr std::string_view kEmbedding = "token_embd.weight", kWeight = ".weight";

std::size_t at(const Order& order, std::size_t i) { return order == nullptr ? i : (*order)[i]; }

/// Whether the checkpoint stores the part as [inputs][outputs].
bool is_transposed(const TensorPart& part) { return part.col_step != 1; }

/// The output of the checkpoint's matrix that row r of a part is.
std::size_t output_of(const TensorPart& part, std::size_t r) {
  const std::size_t first = is_transposed(part) ? part.first % part.col_step : part.first / part.row_step;
  return first + at(part.row_order, r);
}

/// The input that column c of a part is.
std::size_t input_of(const TensorPart& part, std::size_t c) {
  const std::size_t first = is_transposed(part) ? part.first / part.col_step : part.first % part.row_step;
  return first + at(part.col_order, c);
}

}  // namespace

const PeftModule* PairMaker::module_of(const TensorPart& part, bool embedding) const {
  if (part.from == nullptr) return nullptr;
  const auto found = modules_.find(part.from->name);
  return found != modules_.end() && found->second.embedding == embedding ? &found->second : nullptr;
}

float PairMaker::scale_of(const Rows& rows) const {
  return config_.scale_of(rows.name.substr(0, rows.name.size() - kWeight.size()), rows.module->rank()) *
         rows.part->scale;
}

Result<void> PairMaker::check(const WrittenTensor& tensor, const Rows& rows) const {
  const auto bad = [&](ErrorCode code, const auto&... what) {
    return Error{code, sentence("the adapter '", name_, "' changes ", internal::quoted(rows.name), what...)};
  };
  const TensorPart& part = *rows.part;
  if (part.from->shape.size() != 2)
    return bad(ErrorCode::kUnsupported, ", a stack of matrices in the checkpoint, which is not supported");
  const bool transposed = is_transposed(part);
  if (transposed != config_.transposed)
    return bad(ErrorCode::kUnsupported,
               transposed ? ", whose inputs are rows in the checkpoint"
                          : ", whose inputs are columns in the checkpoint",
               ", and fan_in_fan_out says otherwise: ", internal::quoted(tensor.name), " cannot be changed");
  const std::uint64_t outputs = part.from->shape[transposed ? 1 : 0],
                      inputs = part.from->shape[transposed ? 0 : 1];
  if (rows.module->b->shape[0] != outputs || rows.module->a->shape[1] != inputs)
    return bad(ErrorCode::kBadFile, " as a matrix of ", rows.module->b->shape[0], " x ",
               rows.module->a->shape[1], ", and the model has one of ", outputs, " x ", inputs,
               ": it is an adapter of another model");
  return {};
}

Result<std::optional<PairMaker::Layout>> PairMaker::lay_out(const WrittenTensor& tensor) {
  Layout layout;
  const std::size_t dims = tensor.shape.size();
  layout.slices = dims == 3 ? tensor.shape[0] : 1;
  layout.rows = tensor.shape[dims - 2];
  layout.cols = tensor.shape[dims - 1];
  std::size_t row = 0, column = 0;
  std::optional<float> scale;
  for (const TensorPart& part : tensor.parts) {
    const PeftModule* const module = module_of(part, false);
    Rows rows{&part, module, part.from == nullptr ? std::string_view() : part.from->name, row / layout.rows,
              row % layout.rows};
    row += part.rows;
    if (module == nullptr) continue;
    TRY(check(tensor, rows));
    used_.emplace(rows.name);
    const auto& before = layout.rows_of_parts;
    const bool same_slice = !before.empty() && before.back().slice == rows.slice;
    const bool same =
        same_slice && before.back().module == module && before.back().part->col_order == part.col_order;
    column = !same_slice ? 0 : same ? before.back().column : column;
    rows.column = column;
    if (!same) column += module->rank();
    layout.rank = std::max(layout.rank, rows.column + module->rank());
    layout.scaled |= scale && *scale != scale_of(rows);
    scale = scale_of(rows);
    layout.rows_of_parts.push_back(rows);
  }
  if (layout.rows_of_parts.empty()) return std::optional<Layout>();
  if (layout.rank > kMaxAdapterRank)
    return Error{
        ErrorCode::kUnsupported,
        sentence("the adapter '", name_, "' changes the parts of ", internal::quoted(tensor.name),
                 " by matrices of the ranks ", layout.rank, " together, and the limit is ", kMaxAdapterRank)};
  return std::optional(std::move(layout));
}

Result<Vector> PairMaker::values_of(const SafeTensor& tensor) const {
  std::vector<std::byte> bytes(tensor.bytes.size());
  TRY(file_.read(tensor, 0, bytes));
  Vector values(tensor.shape[0] * tensor.shape[1]);
  codec(*tensor.dtype).dequantize(bytes.data(), values.size(), values.data());
  return values;
}

Result<void> PairMaker::fill(const Layout& layout, const Rows& rows, AdapterPair& pair) const {
  const auto a = values_of(*rows.module->a), b = values_of(*rows.module->b);
  if (!a) return a.error();
  if (!b) return b.error();
  const std::size_t rank = rows.module->rank(), inputs = a->size() / rank;
  const float scale = layout.scaled ? scale_of(rows) : 1;
  float* const to_a = pair.a.data() + (rows.slice * layout.rank + rows.column) * layout.cols;
  for (std::size_t k = 0; k < rank; ++k) {
    for (std::size_t c = 0; c < layout.cols; ++c)
      to_a[k * layout.cols + c] = (*a)[k * inputs + input_of(*rows.part, c)];
  }
  float* const to_b = pair.b.data() + (rows.slice * layout.rows + rows.first) * layout.rank + rows.column;
  for (std::size_t r = 0; r < rows.part->rows; ++r) {
    const float* const from = b->data() + output_of(*rows.part, r) * rank;
    for (std::size_t k = 0; k < rank; ++k) to_b[r * layout.rank + k] = scale * from[k];
  }
  return {};
}

Result<std::optional<AdapterPair>> PairMaker::make_embedding(const WrittenTensor& tensor) {
  using Nothing = std::optional<AdapterPair>;
  const TensorPart& part = tensor.parts.front();
  const PeftModule* const module = module_of(part, true);
  if (module == nullptr) return Nothing();
  used_.insert(part.from->name);
  const auto a = values_of(*module->a), b = values_of(*module->b);
  if (!a) return a.error();
  if (!b) return b.error();
  AdapterPair pair;
  pair.tensor = tensor.name;
  pair.rank = module->rank();
  pair.rows = module->a->shape[1];
  pair.cols = module->b->shape[0];
  pair.scale = scale_of({&part, module, part.from->name, 0, 0});
  pair.a.resize(a->size());
  for (std::size_t k = 0; k < pair.rank; ++k) {
    for (std::size_t word = 0; word < pair.rows; ++word)
      pair.a[word * pair.rank + k] = (*a)[k * pair.rows + word];
  }
  pair.b = *b;
  return Nothing(std::move(pair));
}

Result<std::optional<AdapterPair>> PairMaker::make(const WrittenTensor& tensor) {
  using Nothing = std::optional<AdapterPair>;
  if (tensor.name == kEmbedding) return make_embedding(tensor);
  if (tensor.shape.size() < 2) return Nothing();
  auto layout = lay_out(tensor);
  if (!layout) return layout.error();
  if (!*layout) return Nothing();
  const Layout& found = **layout;
  AdapterPair pair;
  pair.tensor = tensor.name;
  pair.count = found.slices;
  pair.rank = found.rank;
  pair.rows = found.rows;
  pair.cols = found.cols;
  pair.scale = found.scaled ? 1 : scale_of(found.rows_of_parts.front());
  pair.a.resize(found.slices * found.rank * found.cols);
  pair.b.resize(found.slices * found.rows * found.rank);
  for (const Rows& rows : found.rows_of_parts) {
    TRY(fill(found, rows, pair));
  }
  return Nothing(std::move(pair));
}

Result<void> PairMaker::check_leftovers() const {
  for (const auto& [name, module] : modules_) {
    if (used_.contains(name)) continue;
    return Error{
        ErrorCode::kUnsupported,
        sentence("the adapter '", name_, "' changes ", internal::quoted(name),
                 ", and the model has no such matrix that an adapter can change: it is an adapter of "
                 "another model, or of a part that is not supported")};
  }
  return {};
}

}  // namespace partita::internal
