// A model in three files, one of which is changed: it is refused, or read to its end. The first byte chooses
// the file and may say that it is missing; the rest are changes.
#include <array>
#include <filesystem>
#include <vector>

#include "tests/fuzz/gguf_cases.h"
#include "tests/fuzz/support.h"
#include "tests/must.h"
#include "weights/gguf/writer.h"

namespace partita::internal::fuzz {
namespace {

constexpr std::size_t kParts = 3;

std::string part_path(std::size_t part) {
  return scratch_directory() + "/split-0000" + std::to_string(part + 1) + "-of-00003.gguf";
}

/// The right files: one tensor each.
std::array<std::string, kParts> right_parts() {
  std::array<std::string, kParts> parts;
  const std::vector<float> values(64, 1);
  for (std::uint32_t i = 0; i < kParts; ++i) {
    GgufWriter writer;
    if (i == 0) writer.add("general.architecture", "llama").add("general.name", "parts");
    writer.add("split.no", i).add("split.count", std::uint32_t{kParts});
    writer.add("split.tensors.count", std::uint32_t{kParts});
    writer.add_tensor("blk." + std::to_string(i), i == 1 ? Dtype::kQ8_0 : Dtype::kF32, {2, 32}, values);
    parts[i] = text_of(testing::must(writer.bytes()));
  }
  return parts;
}

}  // namespace

void run_split(Bytes bytes) {
  static const std::array<std::string, kParts> right = right_parts();
  Input input(bytes);
  const unsigned choice = input.byte();
  const std::size_t changed = choice % kParts;
  for (std::size_t i = 0; i < kParts; ++i) {
    if (i != changed) put(part_path(i), right[i]);
  }
  put(part_path(changed), with_changes(right[changed], input));
  if (choice >= 192) std::filesystem::remove(part_path(changed));
  const Result<Gguf> file = Gguf::open(part_path(0));
  if (!file) return require_message(file.error());
  walk(*file);
}

}  // namespace partita::internal::fuzz
