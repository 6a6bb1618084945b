// The tokens of a vocabulary as samplers see them: their bytes, and which ids end an answer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <span>
#include <string_view>
#include <vector>

namespace partita::internal {

class Vocabulary {
 public:
  virtual ~Vocabulary() = default;
  virtual std::size_t size() const = 0;
  /// The bytes that a token adds to a text; empty for control tokens. Precondition: 0 <= id < size().
  virtual std::string_view text(std::int32_t id) const = 0;
  /// The ids that end an answer.
  virtual std::span<const std::int32_t> ends() const = 0;

  /// The ids that have a text, sorted by bytes. The first call sorts them; calls from several threads are
  /// safe.
  std::span<const std::int32_t> by_text() const;

 private:
  mutable std::once_flag sorted_;
  mutable std::vector<std::int32_t> by_text_;
};

}  // namespace partita::internal
