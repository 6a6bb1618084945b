// The ledger of a batch: which rows the output has, so that each is answered exactly once across restarts.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "tools/batch/hash128.h"
#include "tools/common.h"

namespace tools {

/// A hash set of ids, each with two marks. It stores 126 bits of an id's hash: 16 bytes a slot, at a load
/// factor of at most 3/4, so ten million ids take 256 MiB.
class IdTable {
 public:
  enum Mark : std::uint64_t { kWritten = 1, kRead = 2 };

  /// Sets a mark; returns whether it was set before.
  bool set(const Hash128& id, Mark mark);
  bool has(const Hash128& id, Mark mark) const;

 private:
  struct Slot {
    std::uint64_t high = 0, low = 0;  // the lowest bits of `low` are the marks; none: the slot is free
  };
  static constexpr std::uint64_t kMarks = 3;

  std::size_t find(const Hash128& id) const;
  void grow();

  std::vector<Slot> slots_;  // a power of two
  std::size_t used_ = 0;
};

/// The first row with an id owns it. Later rows with that id, and lines whose id cannot be read, are
/// duplicates: they never run and get an error row with their line number, which distinguishes it from the
/// owner's row in any order of the rows.
class BatchLedger {
 public:
  /// Records an output row. A second row with an id counts as a duplicate.
  void written(const Json& row);

  /// Records that a row of the input has this id; true if it is the first.
  bool claim(const Json& id) { return !ids_.set(key(id), IdTable::kRead); }
  /// True if the output had the row of this id's owner.
  bool has_owner(const Json& id) const { return ids_.has(key(id), IdTable::kWritten); }
  /// True if the output had a duplicate row of this id that no earlier call took.
  bool take_duplicate(const Json& id);

 private:
  struct Fold {
    std::size_t operator()(const Hash128& hash) const { return hash.high ^ hash.low; }
  };
  static Hash128 key(const Json& id) { return hash128(json_text(id)); }

  IdTable ids_;
  std::unordered_map<Hash128, std::size_t, Fold> duplicates_;  // number of rows
};

}  // namespace tools
