// Look-up by name in a table that keeps the order of the file: indices, sorted by key.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <optional>
#include <string_view>
#include <vector>

namespace partita::internal {

/// Fills `order` with 0 to count - 1, sorted by key_of(i). Returns the place in `order` of a key that occurs
/// twice, if there is one; the next place has the same key.
template <class KeyOf>
std::optional<std::size_t> sort_indices(std::vector<std::uint32_t>& order, std::size_t count, KeyOf key_of) {
  order.resize(count);
  std::iota(order.begin(), order.end(), 0u);
  std::sort(order.begin(), order.end(), [&](auto a, auto b) { return key_of(a) < key_of(b); });
  const auto same = [&](auto a, auto b) { return key_of(a) == key_of(b); };
  const auto twice = std::adjacent_find(order.begin(), order.end(), same);
  if (twice == order.end()) return std::nullopt;
  return static_cast<std::size_t>(twice - order.begin());
}

/// The element of `items` whose name (by `name_of`) is `wanted`, by binary search in `order`; null if none.
template <class Item, class NameOf>
const Item* find_in(const std::vector<Item>& items, const std::vector<std::uint32_t>& order,
                    std::string_view wanted, NameOf name_of) {
  const auto before = [&](std::uint32_t i, std::string_view text) { return name_of(items[i]) < text; };
  const auto found = std::lower_bound(order.begin(), order.end(), wanted, before);
  if (found == order.end() || name_of(items[*found]) != wanted) return nullptr;
  return &items[*found];
}

}  // namespace partita::internal
