// The mixes of types that `partita quantize` writes, those of llama.cpp's llama-quantize: which type each
// tensor of a model gets. Internal to api/.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "partita/result.hpp"
#include "weights/codecs/dtype.h"
#include "weights/gguf/gguf.h"

namespace partita::internal {

/// One mix. `base` is the type of tensors for which no rule of mix.cc has another.
struct Mix {
  std::string_view name;
  std::uint32_t file_type;  // general.file_type
  Dtype base;
};

/// All of them, in the order in which help lists them. Static data.
std::span<const Mix> mixes();

/// What the caller asks for instead of the mix's types.
struct TypeOverrides {
  std::vector<std::pair<std::string, Dtype>> by_name;  // part of a name; the first that fits
  std::optional<Dtype> embedding, output;
};

/// The type of one tensor.
struct TensorType {
  Dtype dtype;
  bool fallback = false;  // its columns are no multiple of the block of the type that it would have
};

/// The types of all tensors of a model, in the order of model.tensors(). importance: there is a file of it.
/// Errors: kInvalidArgument for a mix that needs importance, and for overrides of names that no tensor has.
Result<std::vector<TensorType>> choose_types(const Gguf& model, const Mix& mix,
                                             const TypeOverrides& overrides, bool importance);

/// The types among which a budget chooses for each tensor, fewest bits first: one for tensors that keep their
/// type, and for those that have another by `overrides`. Errors: those of choose_types().
Result<std::vector<std::vector<Dtype>>> candidate_types(const Gguf& model, const TypeOverrides& overrides);

}  // namespace partita::internal
