// Which keys a row of a batch may have, and what is made of the others.
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

  /// One sentence about a key that is not known, where it looks like an option: one of generate that batches
  /// do not have, one of other programs, or a known one mistyped. Nothing about other keys: they are the
  /// user's own data.
  std::optional<std::string> complaint(const std::string& key) const;

 private:
  std::vector<std::string> names_;  // sorted
};

/// null and the empty array or object ask for nothing.
bool asks_for_nothing(const Json& value);

}  // namespace tools
