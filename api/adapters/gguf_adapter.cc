#include "api/adapters/gguf_adapter.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "weights/codecs/codec.h"
#include "weights/sentence.h"
#include "weights/try.h"

namespace partita::internal {
namespace {

constexpr std::string_view kType = "general.type", kArchitecture = "general.architecture",
                           kMethod = "adapter.type", kAlpha = "adapter.lora.alpha",
                           kInvocation = "adapter.alora.invocation_tokens";
constexpr std::string_view kA = ".lora_a", kB = ".lora_b", kEmbedding = "token_embd.weight";

class Reader {
 public:
  explicit Reader(const Gguf& file) : file_(file) {}

  Result<AdapterTensors> read(std::string_view family) {
    TRY(check_text(kType, "adapter", "give a file of an adapter"));
    TRY(check_text(kMethod, "lora", "only LoRA adapters are supported"));
    TRY(check_text(kArchitecture, family, "it is an adapter of another model"));
    if (file_.find(kInvocation) != nullptr)
      return error(ErrorCode::kUnsupported, "has ", kInvocation,
                   ": adapters that a text activates (aLoRA) are not supported");
    const auto alpha = file_.get_float(kAlpha, 0);
    if (!alpha) return alpha.error();
    if (!std::isfinite(*alpha))
      return error(ErrorCode::kBadFile, "has an ", kAlpha, " that is not finite: export it again");
    TRY(file_.check_types());
    AdapterTensors out;
    out.path = file_.path();
    for (const TensorView& a : file_.tensors()) {
      const std::string_view name = a.name;
      if (name.ends_with(kB) && file_.has_tensor(base(name) + std::string(kA))) continue;
      if (!name.ends_with(kA))
        return error(
            ErrorCode::kUnsupported, "has a tensor ", internal::quoted(name),
            ", which is not one of a pair NAME.lora_a and NAME.lora_b: it changes the model in another "
            "way than LoRA");
      auto pair = read_pair(a, static_cast<float>(*alpha));
      if (!pair) return pair.error();
      out.pairs.push_back(*std::move(pair));
    }
    if (out.pairs.empty()) return error(ErrorCode::kBadFile, "has no tensors: export it again");
    return out;
  }

 private:
  static std::string base(std::string_view name) {
    return std::string(name.substr(0, name.size() - kA.size()));
  }

  template <class... Parts>
  Error error(ErrorCode code, const Parts&... parts) const {
    return {code, sentence("the adapter '", file_.path(), "' ", parts...)};
  }

  Result<void> check_text(std::string_view key, std::string_view expected, std::string_view remedy) const {
    const auto found = file_.get_string(key);
    if (!found && found.error().code != ErrorCode::kNotFound) return found.error();
    if (found && *found == expected) return {};
    const std::string is =
        found ? sentence("the ", key, " ", internal::quoted(*found)) : sentence("no ", key);
    return error(ErrorCode::kUnsupported, "has ", is, ", and '", expected, "' is expected: ", remedy);
  }

  Result<AdapterPair> read_pair(const TensorView& a, float alpha) {
    AdapterPair pair;
    pair.tensor = base(a.name);
    const TensorView* const found = file_.find_tensor(pair.tensor + std::string(kB));
    if (found == nullptr)
      return error(ErrorCode::kBadFile, "has a tensor ", internal::quoted(a.name), " and no ",
                   internal::quoted(pair.tensor + std::string(kB)), ": export it again");
    const TensorView& b = *found;
    const std::size_t dims = a.shape.size();
    const auto ranks_differ = [&](std::uint64_t of_a, std::uint64_t of_b) {
      return error(ErrorCode::kBadFile, "has ", internal::quoted(a.name), " of rank ", of_a, " and ",
                   internal::quoted(b.name), " of rank ", of_b, ", and they must be the same");
    };
    if ((dims != 2 && dims != 3) || b.shape.size() != dims || (dims == 3 && a.shape[0] != b.shape[0]))
      return error(ErrorCode::kBadFile, "has ", internal::quoted(a.name), " and ", internal::quoted(b.name),
                   ", which are not two matrices, or two stacks of as many matrices");
    const bool embedding = pair.tensor == kEmbedding;  // whose matrix A is transposed
    const std::uint64_t rank = embedding ? a.shape[1] : a.shape[dims - 2], rank_of_b = b.shape[dims - 1];
    if (rank != rank_of_b) return ranks_differ(rank, rank_of_b);
    if (rank > kMaxAdapterRank)
      return error(ErrorCode::kBadFile, "has ", internal::quoted(a.name), " of rank ", rank,
                   ", and the limit is ", kMaxAdapterRank);
    pair.count = dims == 3 ? a.shape[0] : 1;
    pair.rank = rank;
    pair.rows = embedding ? a.shape[0] : b.shape[dims - 2];
    pair.cols = embedding ? b.shape[0] : a.shape[dims - 1];
    pair.scale = alpha != 0 ? alpha / static_cast<float>(rank) : 1;  // as llama.cpp
    TRY(read_values(a, pair.a));
    TRY(read_values(b, pair.b));
    return pair;
  }

  Result<void> read_values(const TensorView& tensor, Vector& out) {
    const auto bytes = file_.read(tensor.bytes, buffer_);
    if (!bytes) return bytes.error();
    out.resize(tensor.shape.elements());
    codec(tensor.dtype).dequantize(bytes->data(), out.size(), out.data());
    return {};
  }

  const Gguf& file_;
  std::vector<std::byte> buffer_;
};

}  // namespace

bool is_adapter(const Gguf& file) {
  const auto type = file.get_string(kType);
  return type && *type == "adapter";
}

std::string describe_adapter(const AdapterTensors& tensors, std::string_view family) {
  std::size_t rank = 0;
  for (const AdapterPair& pair : tensors.pairs) rank = std::max(rank, pair.rank);
  return sentence("a LoRA adapter for models of the family ", internal::quoted(family), " (",
                  tensors.pairs.size(), tensors.pairs.size() == 1 ? " matrix" : " matrices", ", rank ", rank,
                  ")");
}

Result<AdapterTensors> read_gguf_adapter(const Gguf& file, std::string_view family) {
  return Reader(file).read(family);
}

}  // namespace partita::internal
