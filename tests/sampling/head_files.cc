#include "head_files.h"

#include <algorithm>
#include <numeric>
#include <random>
#include <utility>

#include "rows.h"
#include "tests/catch.h"

namespace partita::test {
namespace {

class HeadWriter {
 public:
  explicit HeadWriter(const HeadSpec& spec) : spec_(spec) {}

  GgufWriter write();

 private:
  void matrix(const std::string& name, std::size_t rows, std::size_t cols, float scale) {
    std::vector<float> values = row("normal", ++seed_, rows * cols);
    for (float& v : values) v *= scale;
    const bool blocks = cols % block_elements(spec_.dtype) == 0;
    file_.add_tensor(name + ".weight", blocks ? spec_.dtype : Dtype::kF16, {rows, cols}, values);
  }
  void bias(const std::string& name, std::size_t rows) {
    std::vector<float> values = row("normal", ++seed_, rows);
    for (float& v : values) v *= 0.2F;
    file_.add_tensor(name + ".bias", Dtype::kF32, {rows}, values);
  }
  void order() {
    std::vector<std::int32_t> ids(spec_.vocab);
    std::iota(ids.begin(), ids.end(), 0);
    std::shuffle(ids.begin(), ids.end(), std::mt19937(7));
    file_.add("partita.vocabulary.order", ids);
  }
  void adaptive();
  void classes();
  void tree();
  void mixture();

  const HeadSpec& spec_;
  GgufWriter file_;
  std::uint64_t seed_ = 100;
};

void HeadWriter::adaptive() {
  const std::size_t ends[] = {spec_.vocab / 5, spec_.vocab / 2, spec_.vocab};
  file_.add("partita.head.kind", "adaptive");
  file_.add("partita.head.cutoffs", std::vector<std::uint32_t>{static_cast<std::uint32_t>(ends[0]),
                                                               static_cast<std::uint32_t>(ends[1])});
  order();
  matrix("output", ends[0] + 2, spec_.hidden, 0.14F);
  bias("output", ends[0] + 2);
  for (std::size_t i = 0; i < 2; ++i) {
    const std::string name = "output." + std::to_string(i);
    const std::size_t width = i == 0 ? spec_.hidden / 3 : 8;
    matrix(name + ".proj", width, spec_.hidden, 0.15F);
    matrix(name, ends[i + 1] - ends[i], width, 0.5F);
    if (i == 1) bias(name, ends[i + 1] - ends[i]);
  }
}

void HeadWriter::classes() {
  std::vector<std::uint32_t> cutoffs;
  for (std::size_t end = 0, size = 3; end < spec_.vocab; end += size++) {
    cutoffs.push_back(static_cast<std::uint32_t>(end));
  }
  file_.add("partita.head.kind", "adaptive").add("partita.head.cutoffs", cutoffs);
  order();
  matrix("output", cutoffs.size(), spec_.hidden, 0.15F);
  for (std::size_t i = 0; i < cutoffs.size(); ++i) {
    const std::size_t end = i + 1 < cutoffs.size() ? cutoffs[i + 1] : spec_.vocab;
    matrix("output." + std::to_string(i), end - cutoffs[i], spec_.hidden, 0.15F);
  }
}

/// Words are joined by twos, in a mixed order, until one tree is left.
void HeadWriter::tree() {
  std::vector<std::int32_t> roots, children;
  for (std::size_t w = 0; w < spec_.vocab; ++w) roots.push_back(-1 - static_cast<std::int32_t>(w));
  std::mt19937 random(5);
  while (roots.size() > 1) {
    for (int side = 0; side < 2; ++side) {
      std::swap(roots[random() % roots.size()], roots.back());
      children.push_back(roots.back());
      roots.pop_back();
    }
    roots.push_back(static_cast<std::int32_t>(children.size() / 2) - 1);
  }
  file_.add("partita.head.kind", "tree").add("partita.head.children", children);
  matrix("output", spec_.vocab - 1, spec_.hidden, 0.3F);
  bias("output", spec_.vocab - 1);
}

void HeadWriter::mixture() {
  file_.add("partita.head.kind", "mixture");
  constexpr std::size_t kContexts = 3, kWidth = 64;
  matrix("output.prior", kContexts, spec_.hidden, 0.1F);
  matrix("output.latent", kContexts * kWidth, spec_.hidden, 0.15F);
  bias("output.latent", kContexts * kWidth);
  matrix("output", spec_.vocab, kWidth, 0.4F);
  bias("output", spec_.vocab);
}

GgufWriter HeadWriter::write() {
  if (spec_.kind == "adaptive") adaptive();
  if (spec_.kind == "classes") classes();
  if (spec_.kind == "tree") tree();
  if (spec_.kind == "mixture") mixture();
  if (spec_.kind == "dense") matrix("output", spec_.vocab, spec_.hidden, 0.15F);
  return std::move(file_);
}

}  // namespace

std::unique_ptr<OwnedOutput> load_owned(const Gguf& file, std::size_t vocab, std::size_t hidden) {
  auto owned = std::make_unique<OwnedOutput>();
  TensorLoader tensors(file, owned->arena, 1);
  const Result<void> loaded = load_output(tensors, vocab, hidden, Embedding{}, owned->weights);
  INFO((loaded ? "" : loaded.error().message));
  REQUIRE(loaded);
  return owned;
}

GgufWriter write_head(const HeadSpec& spec) { return HeadWriter(spec).write(); }

std::unique_ptr<OwnedOutput> make_head_weights(const HeadSpec& spec) {
  const auto bytes = write_head(spec).bytes();
  REQUIRE(bytes);
  const auto file = Gguf::parse(*bytes, "head.gguf");
  REQUIRE(file);
  return load_owned(*file, spec.vocab, spec.hidden);
}

}  // namespace partita::test
