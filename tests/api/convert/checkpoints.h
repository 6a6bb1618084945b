// Checkpoints of tiny Llamas as directories, right ones and spoiled ones.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <partita/partita.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "tests/api/tiny_chat.h"
#include "weights/gguf/gguf.h"

namespace partita::internal::testing {

/// A tensor in a checkpoint.
struct CheckpointTensor {
  std::vector<std::uint64_t> shape;
  std::vector<float> values;
  std::string type = "F32";
};

/// config.json and tensors, at first of a dense model with the vocabulary of ChatModelFile; the directory,
/// and the model made of it, go with their owner.
class Checkpoint {
 public:
  static constexpr std::uint32_t kHidden = 64, kFfn = 96, kLayers = 2, kHeads = 4, kKvHeads = 2,
                                 kHeadDim = 16;
  static constexpr std::uint32_t kVocab = ChatVocabulary::kSize;

  Checkpoint();
  ~Checkpoint();
  Checkpoint(const Checkpoint&) = delete;
  Checkpoint& operator=(const Checkpoint&) = delete;

  nlohmann::json config;
  std::map<std::string, CheckpointTensor> tensors;

  /// A tensor of random multiples of 1 / 128 below 1, which every float type can hold; its values.
  const std::vector<float>& add(const std::string& name, const std::vector<std::uint64_t>& shape);
  /// Takes the dense head away and puts "partita_head" into config.json.
  void set_head(const nlohmann::json& head);

  std::string directory() const { return directory_.string(); }
  std::string output() const { return (directory_ / "model.gguf").string(); }
  const std::string& vocabulary() const { return base_.path(); }

  void write() const;  // config.json and model.safetensors
  void write_config() const;
  Result<ConvertResult> convert(const std::string& type = "f32") const;  // written anew before
  /// Converts it and opens what came of it; the test fails where that is impossible.
  Gguf converted(const std::string& type = "f32") const;

 private:
  ChatModelFile base_;
  std::filesystem::path directory_;
};

/// Elements of a tensor of a model file, which must have this shape.
std::vector<float> values_of(const Gguf& file, std::string_view name,
                             std::initializer_list<std::uint64_t> shape);

/// Elements of an array of whole numbers.
std::vector<std::int32_t> integers_of(const Gguf& file, std::string_view key);

/// Rows [first, first + rows) of a matrix with `cols` columns.
std::vector<float> rows_of(const std::vector<float>& matrix, std::size_t first, std::size_t rows,
                           std::size_t cols);

}  // namespace partita::internal::testing
