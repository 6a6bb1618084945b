#include "engine/adapter_loader.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <span>
#include <string_view>
#include <utility>

#include "weights/hash.h"
#include "weights/sentence.h"
#include "weights/try.h"

namespace partita::internal {
namespace {

constexpr std::string_view kEmbedding = "token_embd.weight", kOutput = "output.weight";
constexpr std::string_view kWeight = ".weight";

bool all_finite(const Vector& values) {
  return std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); });
}

template <class... Parts>
Error error_of(const AdapterTensors& from, ErrorCode code, const AdapterPair& pair, const Parts&... parts) {
  return {code, sentence("the adapter '", printable(from.path), "' changes ", quoted(pair.tensor), parts...)};
}

/// The linear layers that read a tensor.
using LinearsByName = std::map<std::string, std::vector<const Linear*>, std::less<>>;

LinearsByName linears_of(const Transformer& model) {
  LinearsByName all;
  const auto add = [&](const Linear& linear) {
    if (linear.index != Linear::kFixed) all[linear.name + std::string(kWeight)].push_back(&linear);
  };
  for (const Layer& layer : model.layers()) {
    for (const Linear* linear : layer.linears()) add(*linear);
  }
  add(model.token_inputs().projection);
  for (const auto* list : {&model.versions().spread, &model.versions().merge}) {
    for (const Linear& linear : *list) add(linear);
  }
  if (model.output().kind == OutputKind::kDense)
    all[std::string(kOutput)] = {&model.output().root};  // of tied weights, too
  return all;
}

}  // namespace

std::uint64_t digest_of(const AdapterTensors& tensors) {
  std::vector<const AdapterPair*> pairs;
  for (const AdapterPair& pair : tensors.pairs) pairs.push_back(&pair);
  std::sort(pairs.begin(), pairs.end(), [](const auto* a, const auto* b) { return a->tensor < b->tensor; });
  Hash64 hash;
  for (const AdapterPair* pair : pairs) {
    hash.add(std::as_bytes(std::span(pair->tensor)));
    hash.add(std::as_bytes(std::span(&pair->scale, 1)));
    for (const Vector* values : {&pair->a, &pair->b}) hash.add(std::as_bytes(std::span(*values)));
  }
  return hash.sum();
}

Result<void> check_pair(const AdapterTensors& from, const AdapterPair& pair) {
  if (pair.rank < 1 || pair.rank > kMaxAdapterRank)
    return error_of(from, ErrorCode::kBadFile, pair, " by a product of rank ", pair.rank,
                    ", and the limit is ", kMaxAdapterRank);
  if (!all_finite(pair.a) || !all_finite(pair.b))
    return error_of(from, ErrorCode::kBadNumbers, pair, " by numbers that are not finite: export it again");
  return {};
}

/// Fills a LoadedAdapter from the tensors of a file.
class AdapterLoader {
 public:
  AdapterLoader(const AdapterTensors& from, const Transformer& model, LoadedAdapter& to)
      : from_(from), model_(model), to_(to), linears_(linears_of(model)) {}

  static Result<std::shared_ptr<const LoadedAdapter>> make(const AdapterTensors& tensors,
                                                           std::shared_ptr<const Transformer> model) {
    std::shared_ptr<LoadedAdapter> adapter(new LoadedAdapter);
    adapter->path_ = tensors.path;
    adapter->name_ = tensors.name;
    adapter->digest_ = digest_of(tensors);
    TRY(AdapterLoader(tensors, *model, *adapter).load());
    adapter->model_ = std::move(model);
    return std::shared_ptr<const LoadedAdapter>(std::move(adapter));
  }

 private:
  Result<void> load() {
    to_.of_linear_.resize(model_.linears());
    for (const AdapterPair& pair : from_.pairs) {
      TRY(check_pair(from_, pair));
      TRY(pair.tensor == kEmbedding ? load_embedding(pair) : load_linears(pair));
      ++to_.tensors_;
      to_.max_rank_ = std::max(to_.max_rank_, pair.rank);
      const std::size_t rows = pair.tensor == kEmbedding ? 0 : pair.rows;  // those are looked up
      to_.max_size_ = std::max({to_.max_size_, rows, pair.cols});
      to_.bytes_ += (pair.a.size() + pair.b.size()) * sizeof(float);
    }
    return {};
  }

  template <class... Parts>
  Error error(ErrorCode code, const AdapterPair& pair, const Parts&... parts) const {
    return error_of(from_, code, pair, parts...);
  }

  Error wrong_shape(const AdapterPair& pair, std::size_t count, std::size_t rows, std::size_t cols) const {
    const auto text = [](std::size_t n, std::size_t r, std::size_t c) {
      return sentence(n > 1 ? sentence(n, " x ") : "", r, " x ", c);
    };
    return error(ErrorCode::kBadFile, pair, " as a matrix of ", text(pair.count, pair.rows, pair.cols),
                 ", and the model has one of ", text(count, rows, cols),
                 ": it is an adapter of another model");
  }

  Result<void> load_embedding(const AdapterPair& pair) {
    const PackedMatrix* table = model_.embedding().table();
    if (table == nullptr)
      return error(ErrorCode::kUnsupported, pair,
                   ", and the model has an adaptive embedding, which no adapter can change");
    if (pair.count != 1 || pair.rows != table->rows || pair.cols != table->cols)
      return wrong_shape(pair, 1, table->rows, table->cols);
    to_.embedding_ = {pair.rank, pair.a, pair.b, pair.scale};
    return {};
  }

  Result<void> load_linears(const AdapterPair& pair) {
    const auto found = linears_.find(pair.tensor);
    if (found == linears_.end())
      return error(
          ErrorCode::kUnsupported, pair,
          ", and the model has no such matrix that an adapter can change: it is an adapter of another "
          "model, or of a part that is not supported");
    std::size_t rows = 0, slices = 0;  // of the tensor
    for (const Linear* linear : found->second) {
      rows = std::max(rows, linear->source.tensor_rows);
      slices = std::max(slices, linear->source.slice + 1);
    }
    const std::size_t cols = found->second.front()->weight.cols;
    if (pair.count != slices || pair.rows != rows || pair.cols != cols)
      return wrong_shape(pair, slices, rows, cols);
    std::vector<PackedMatrix> a(slices);  // shared by the layers that read one slice
    for (const Linear* linear : found->second) {
      LinearChange& change = to_.of_linear_[linear->index];
      PackedMatrix& own = a[linear->source.slice];
      if (own.rows == 0) TRY(pack(slice_of(pair.a, pair, linear), pair.rank, pair.cols, {}, own));
      change.a = own;
      change.scale = pair.scale;
      TRY(pack(slice_of(pair.b, pair, linear), linear->weight.rows, pair.rank, rows_of(*linear), change.b));
    }
    return {};
  }

  static std::span<const float> slice_of(const Vector& all, const AdapterPair& pair, const Linear* linear) {
    const std::size_t size = all.size() / pair.count;
    return std::span(all).subspan(linear->source.slice * size, size);
  }

  /// The row of the tensor's slice for each row of the layer.
  static std::vector<std::uint32_t> rows_of(const Linear& linear) {
    std::vector<std::uint32_t> rows(linear.weight.rows);
    const LinearSource& source = linear.source;
    for (std::size_t r = 0; r < rows.size(); ++r)
      rows[r] = static_cast<std::uint32_t>(source.first + (source.map.empty() ? r : source.map[r]));
    return rows;
  }

  Result<void> pack(std::span<const float> values, std::size_t rows, std::size_t cols,
                    const std::vector<std::uint32_t>& map, PackedMatrix& out) {
    auto matrix = allocate_panels(Dtype::kF32, rows, cols, to_.arena_);
    if (!matrix) return matrix.error();
    out = *matrix;
    pack_panels(out, {std::as_bytes(values), 0}, map, 0, out.panels());
    return {};
  }

  const AdapterTensors& from_;
  const Transformer& model_;
  LoadedAdapter& to_;
  const LinearsByName linears_;
};

Result<std::shared_ptr<const LoadedAdapter>> load_adapter(AdapterTensors tensors,
                                                          std::shared_ptr<const Transformer> model) {
  return AdapterLoader::make(tensors, std::move(model));
}

}  // namespace partita::internal
