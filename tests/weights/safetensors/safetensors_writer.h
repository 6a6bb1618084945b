// Safetensors files for tests, right ones and wrong ones.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace partita::test {

/// A header as it is given, with its length before it and `data` behind.
std::vector<std::byte> raw_safetensors(std::string_view header, const std::vector<std::byte>& data = {});

/// Puts tensors one behind the other.
///
///     SafeTensorsWriter().add("w", {2, 3}, values).bytes()
class SafeTensorsWriter {
 public:
  /// One float for every element, stored as "F32", "F16" or "BF16".
  SafeTensorsWriter& add(std::string_view name, const std::vector<std::uint64_t>& shape,
                         const std::vector<float>& values, std::string_view type = "F32");
  /// Any type, by its bytes.
  SafeTensorsWriter& add_bytes(std::string_view name, std::string_view type,
                               const std::vector<std::uint64_t>& shape, const std::vector<std::byte>& bytes);

  std::vector<std::byte> bytes() const;

 private:
  std::string header_;  // its members
  std::vector<std::byte> data_;
};

}  // namespace partita::test
