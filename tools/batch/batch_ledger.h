// Which rows of a batch are there, so that each is answered once however often the job is cut off.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "tools/common.h"

namespace tools {

/// 128 bits that stand for a text: FNV-1a.
struct Hash128 {
  std::uint64_t high = 0, low = 0;
  bool operator==(const Hash128&) const = default;
};
Hash128 hash128(std::string_view text);
std::string hex(const Hash128& hash);  // 32 digits

/// A set of ids, each with two marks. It keeps 126 bits of an id's hash: 16 bytes a slot, of which three
/// quarters at most are taken, so ten million ids take 256 MiB.
class IdTable {
 public:
  enum Mark : std::uint64_t { kWritten = 1, kRead = 2 };

  /// Sets a mark, and says whether it was set before.
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

/// The first row of an id owns it. The others, and lines whose id cannot be read, are spare: they never run
/// and get an error row that has their line number, by which it is told from the owner's row whatever the
/// order of the rows.
class BatchLedger {
 public:
  /// What an output row says. A second row of one id counts as spare.
  void written(const Json& row);

  /// A row of the input has this id; whether it is the first.
  bool claim(const Json& id) { return !ids_.set(key(id), IdTable::kRead); }
  /// Whether the output held the row of this id's owner.
  bool has_owner(const Json& id) const { return ids_.has(key(id), IdTable::kWritten); }
  /// Whether the output held a spare row of this id that has not been asked about yet.
  bool take_spare(const Json& id);

 private:
  struct Fold {
    std::size_t operator()(const Hash128& hash) const { return hash.high ^ hash.low; }
  };
  static Hash128 key(const Json& id) { return hash128(json_text(id)); }

  IdTable ids_;
  std::unordered_map<Hash128, std::size_t, Fold> spares_;  // how many rows
};

}  // namespace tools
