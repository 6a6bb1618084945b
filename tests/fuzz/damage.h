// Damage to model files, chosen at random: what a bad disk, a cut download or a bad converter makes of them.
#pragma once

#include <cstdint>
#include <random>
#include <string>

#include "weights/gguf/gguf.h"

namespace partita::internal::fuzz {

/// A damaged copy of a model file, and what was done to it.
struct Damaged {
  std::string bytes;
  std::string what;
};

/// Cuts the file, changes bytes of its header, or writes it anew with other values of keys, other shapes and
/// types of tensors, or weights that are no numbers. `file` holds the same bytes.
Damaged damage(const std::string& bytes, const Gguf& file, std::mt19937_64& random);

}  // namespace partita::internal::fuzz
