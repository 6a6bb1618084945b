// Writes valid and invalid safetensors files for tests.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace partita::internal::test {

/// The length of the header, the header unchanged, then `data`.
std::vector<std::byte> raw_safetensors(std::string_view header, const std::vector<std::byte>& data = {});

/// Writes tensors contiguously.
///
///     SafeTensorsWriter().add("w", {2, 3}, values).bytes()
class SafeTensorsWriter {
 public:
  /// One float for every element, stored as "F32", "F16" or "BF16".
  SafeTensorsWriter& add(std::string_view name, const std::vector<std::uint64_t>& shape,
                         const std::vector<float>& values, std::string_view type = "F32");
  /// A tensor of any type, given as bytes.
  SafeTensorsWriter& add_bytes(std::string_view name, std::string_view type,
                               const std::vector<std::uint64_t>& shape, const std::vector<std::byte>& bytes);

  std::vector<std::byte> bytes() const;

 private:
  std::string header_;  // its members
  std::vector<std::byte> data_;
};

}  // namespace partita::internal::test
