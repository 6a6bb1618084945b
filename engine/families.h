// The common shape of the rows in families.cc, and what a row may use to read its metadata.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/config.h"
#include "partita/result.hpp"
#include "weights/gguf/gguf.h"

namespace partita {

/// The keys "{family}.{name}" of one file, each checked against its limits. The first mistake is kept in
/// error(); what is read after it is not looked at.
class FamilyKeys {
 public:
  FamilyKeys(const Gguf& file, std::string_view family) : file_(file), family_(family) {}

  const Gguf& file() const { return file_; }
  const std::optional<Error>& error() const { return error_; }
  bool has(std::string_view name) const;

  /// A number from min to max; one that may be left out has a value for that. What is found outside the
  /// limits is kBadFile and comes back as `min`.
  std::uint32_t count(std::string_view name, std::uint32_t min, std::uint32_t max,
                      std::optional<std::uint32_t> missing = std::nullopt);
  double number(std::string_view name, double min, double max, std::optional<double> missing = std::nullopt);
  bool flag(std::string_view name, bool missing);

  /// The first `size` elements of an array of booleans; empty if the key is missing or a plain number.
  std::vector<bool> flags(std::string_view name, std::size_t size);

  /// The text of a key, or `missing`.
  std::string_view text(std::string_view name, std::string_view missing);

  /// Keeps the error "'{file}': {family}.{name} {rest}".
  void fail(ErrorCode code, std::string_view name, const std::string& rest);
  void fail(Error error);

 private:
  std::string key(std::string_view name) const;

  const Gguf& file_;
  std::string_view family_;
  std::optional<Error> error_;
};

/// An architecture as data. Functions see a Config whose sizes are filled in.
struct Family {
  std::string_view name;  // general.architecture
  GateFunction gate;
  bool interleaved_qk;
  bool qk_norm;
  bool post_norms;
  float (*embedding_scale)(const Config& config);
  float (*attention_scale)(const Config& config);
  /// Which layers see how far, and with which angles: fills Config::layer_kinds and Config::rope.
  void (*positions)(FamilyKeys& keys, Config& config);
};

/// One row for each family.
std::span<const Family> families();

/// Angles base^(-2i / head_dim), for i in [0, head_dim / 2).
Rope make_rope(double base, std::uint32_t head_dim);

/// The angles of layers that see everything: "rope.freq_base", divided by the factors that metadata and the
/// tensor rope_freqs.weight give. Scalings that are not linear fail with kUnsupported.
Rope read_global_rope(FamilyKeys& keys, std::uint32_t head_dim);

}  // namespace partita
