// A changed importance file: quantizing a small model with it is refused, or writes a file that opens.
#include "api/quantize/importance.h"

#include <cmath>
#include <vector>

#include "partita/quantize.hpp"
#include "tests/fuzz/support.h"
#include "tests/must.h"
#include "weights/gguf/writer.h"
#include "weights/sentence.h"

namespace partita::internal::fuzz {
namespace {

constexpr std::size_t kStacks = 2, kMatrices = 3, kRows = 2, kColumns = 32;
constexpr std::string_view kMatrix = "blk.0.ffn_up.weight", kStack = "blk.0.ffn_up_exps.weight";

std::vector<float> waves(std::size_t count) {
  std::vector<float> values(count);
  for (std::size_t i = 0; i < count; ++i)
    values[i] = static_cast<float>(std::sin(static_cast<double>(i * i + 1)));
  return values;
}

/// A model with a matrix and a stack of stacks, and its importance.
struct Right {
  Right() {
    testing::must(GgufWriter()
                      .add("general.architecture", "llama")
                      .add_tensor(kMatrix, Dtype::kF32, {kRows, kColumns}, waves(kRows * kColumns))
                      .add_tensor(kStack, Dtype::kF32, {kStacks, kMatrices, kRows, kColumns},
                                  waves(kStacks * kMatrices * kRows * kColumns))
                      .write(model)
                      .ok(),
                  "the model cannot be written");
    GgufWriter file;
    file.add("general.type", kImportanceType).add(kChunkCountKey, 3u);
    add(file, kMatrix, 1);
    add(file, kStack, kStacks * kMatrices);
    const std::string path = scratch_directory() + "/importance";
    testing::must(file.write(path).ok(), "the importance cannot be written");
    bytes = contents_of(path);
  }

  static void add(GgufWriter& file, std::string_view tensor, std::size_t matrices) {
    file.add_tensor(sentence(tensor, kSumsSuffix), Dtype::kF32, {matrices, kColumns},
                    std::vector<float>(matrices * kColumns, 2.0f))
        .add_tensor(sentence(tensor, kCountsSuffix), Dtype::kF32, {matrices, 1},
                    std::vector<float>(matrices, 4.0f));
  }

  std::string model = scratch_directory() + "/importance_model.gguf";
  std::string bytes;
};

}  // namespace

void run_importance(Bytes bytes) {
  static const Right right;
  Input input(bytes);
  const MemoryFile file(with_changes(right.bytes, input));
  const std::string out = scratch_directory() + "/quantized.gguf";
  QuantizeOptions options;
  options.type = "Q4_0";
  options.importance = file.path();
  options.threads = 1;
  const auto result = partita::quantize(right.model, out, options);
  require(result || !bytes.empty());  // the file is right without changes
  if (!result) return require_message(result.error());
  require(result->types.at("Q4_0") == 2 && Gguf::open(out).ok());
}

}  // namespace partita::internal::fuzz
