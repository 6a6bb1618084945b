// Reading a model's metadata with limits: every value is checked, the first error is kept.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/layers/rope.h"
#include "partita/result.hpp"
#include "weights/gguf/gguf.h"

namespace partita::internal {

/// The keys "{family}.{name}" of one file. The first error is kept in error(); callers ignore values that are
/// read after it.
class MetadataReader {
 public:
  MetadataReader(const Gguf& file, std::string_view family) : file_(file), family_(family) {}

  const Gguf& file() const { return file_; }
  const std::optional<Error>& error() const { return error_; }
  bool has(std::string_view name) const;

  /// A number from min to max; `missing` is the value of a key that the file may leave out. A value outside
  /// the limits is kBadFile and returns `min`.
  std::uint32_t count(std::string_view name, std::uint32_t min, std::uint32_t max,
                      std::optional<std::uint32_t> missing = std::nullopt);
  /// The same for each of `size` layers: the first elements of an array, or one number for all.
  std::vector<std::uint32_t> counts(std::string_view name, std::size_t size, std::uint32_t min,
                                    std::uint32_t max, std::optional<std::uint32_t> missing = std::nullopt);
  double number(std::string_view name, double min, double max, std::optional<double> missing = std::nullopt);
  /// A number from min to max for each of `size` layers; empty if the file has no such key.
  std::vector<double> numbers(std::string_view name, std::size_t size, double min, double max);
  /// A soft cap, or 0: none.
  float softcap(std::string_view name, double missing);
  bool flag(std::string_view name, bool missing);

  /// The first `size` elements of an array of booleans; empty if the key is missing or a plain number.
  std::vector<bool> flags(std::string_view name, std::size_t size);

  /// The text of a key, or `missing`.
  std::string_view text(std::string_view name, std::string_view missing);

  /// "attention.sliding_window" in tokens, or `missing`; 0: none.
  std::uint32_t window(std::uint32_t missing = 0);

  /// The base of a RoPE; 10000 if the file has none.
  double rope_base(std::string_view name);

  /// The RoPE of `dims` dimensions of layers without a window: "rope.freq_base", with the scaling that
  /// metadata and the tensors rope_freqs.weight or rope_factors_long.weight and rope_factors_short.weight
  /// (LongRoPE) give. Another scaling than linear, YaRN and LongRoPE is kUnsupported. whole_pairs: as
  /// Yarn::whole_pairs.
  Rope global_rope(std::uint32_t dims, bool whole_pairs = true);

  /// "rope.dimension_count_swa", an even part of heads of `head_dim`: what RoPE rotates in local layers.
  std::uint32_t local_rope_dims(std::uint32_t head_dim);

  /// Keeps the error "'{file}': {family}.{name} {rest}".
  void fail(ErrorCode code, std::string_view name, const std::string& rest);
  void fail(Error error);

 private:
  std::string key(std::string_view name) const;
  /// Divides frequencies by the factors of a tensor.
  void divide_by(std::string_view name, std::vector<float>& frequencies);
  Yarn yarn(bool whole_pairs);

  const Gguf& file_;
  std::string_view family_;
  std::optional<Error> error_;
};

}  // namespace partita::internal
