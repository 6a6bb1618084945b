// The keys that a row of a batch may have, and how unknown keys are treated.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tools/common.h"

namespace tools {

class RowKeys {
 public:
  RowKeys();

  bool known(const std::string& key) const;

  /// The error for an unknown key that looks like an option: one of generate that batches do not have, one of
  /// other programs, or a mistyped one. Nothing for other keys: they are the user's own data.
  std::optional<std::string> refusal_of(const std::string& key) const;

 private:
  std::vector<std::string> names_;  // sorted
};

/// True for null and the empty array or object: the key is treated as absent.
bool is_empty_value(const Json& value);

}  // namespace tools
