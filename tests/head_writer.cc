#include "head_writer.h"

#include <algorithm>
#include <numeric>
#include <random>
#include <vector>

namespace partita::internal::test {
namespace {

/// Approximately normal with standard deviation `scale`: the sum of four uniform numbers. The same on every
/// platform.
std::vector<float> normal(std::uint32_t seed, std::size_t n, float scale) {
  std::mt19937 random(seed);
  std::vector<float> values(n);
  for (float& v : values) {
    float sum = 0;
    for (int k = 0; k < 4; ++k) sum += static_cast<float>(random() >> 8) * 0x1p-24F - 0.5F;
    v = sum * 1.7320508F * scale;
  }
  return values;
}

class HeadWriter {
 public:
  HeadWriter(const HeadSpec& spec, GgufWriter& file) : spec_(spec), file_(file) {}

  void write();
  void bands();

 private:
  void matrix(const std::string& name, std::size_t rows, std::size_t cols, float scale) {
    const std::vector<float> values = normal(++seed_, rows * cols, scale);
    const bool blocks = cols % block_elements(spec_.dtype) == 0;
    file_.add_tensor(name + ".weight", blocks ? spec_.dtype : Dtype::kF16, {rows, cols}, values);
  }
  void bias(const std::string& name, std::size_t rows) {
    const std::vector<float> values = normal(++seed_, rows, 0.2F);
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
  GgufWriter& file_;
  std::uint32_t seed_ = 100;
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

/// Joins nodes in pairs, in random order, until one tree is left.
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

void HeadWriter::write() {
  if (spec_.kind == "adaptive") adaptive();
  if (spec_.kind == "classes") classes();
  if (spec_.kind == "tree") tree();
  if (spec_.kind == "mixture") mixture();
  if (spec_.kind == "dense") matrix("output", spec_.vocab, spec_.hidden, 0.15F);
}

void HeadWriter::bands() {
  const std::size_t ends[] = {spec_.vocab / 5, spec_.vocab / 2, spec_.vocab};
  file_.add("partita.embedding.cutoffs", std::vector<std::uint32_t>{static_cast<std::uint32_t>(ends[0]),
                                                                    static_cast<std::uint32_t>(ends[1])});
  for (std::size_t i = 0, begin = 0; i < 3; begin = ends[i++]) {
    const std::string name = "token_embd." + std::to_string(i);
    const std::size_t width = i == 0 ? spec_.hidden : i == 1 ? spec_.hidden / 3 : 8;
    matrix(name, ends[i] - begin, width, 0.5F);
    matrix(name + ".proj", spec_.hidden, width, 0.2F);
  }
}

}  // namespace

void add_head(const HeadSpec& spec, GgufWriter& file) { HeadWriter(spec, file).write(); }
void add_bands(const HeadSpec& spec, GgufWriter& file) { HeadWriter(spec, file).bands(); }

}  // namespace partita::internal::test
