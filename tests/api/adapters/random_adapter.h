// Adapters with random weights, and models into which they are merged.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "weights/gguf/gguf.h"
#include "weights/gguf/writer.h"

namespace partita::internal::testing {

struct AdapterSpec {
  std::uint64_t seed = 1;
  std::size_t rank = 4;
  float alpha = 8;
  std::vector<std::string> tensors = {};  // of the model
};

/// The matrices of a model's attention and FFNs, experts too, its embedding, and its output if it has one.
std::vector<std::string> matrices_of(const Gguf& model);

/// A GGUF adapter of the model, as llama.cpp's converter writes it: of these tensors, or of matrices_of().
GgufWriter random_adapter(const Gguf& model, const AdapterSpec& spec);

/// The model in F32 with the adapters, each times its scale, added to its matrices: W + scale * alpha / rank
/// * B A, summed in double.
struct Merge {
  const Gguf* adapter;
  double scale;
};
GgufWriter merged(const Gguf& model, const std::vector<Merge>& merges);

/// The file in the system's temporary directory; its destructor removes it.
class WrittenFile {
 public:
  WrittenFile(const GgufWriter& file, const std::string& name);
  ~WrittenFile();
  WrittenFile(const WrittenFile&) = delete;
  WrittenFile& operator=(const WrittenFile&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace partita::internal::testing
