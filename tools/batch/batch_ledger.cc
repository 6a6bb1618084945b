#include "tools/batch/batch_ledger.h"

#include <utility>

#include "tools/batch/output_row.h"

namespace tools {

/// The slot of an id, or the free slot where it belongs (linear probing). Precondition: there is a free slot.
std::size_t IdTable::find(const Hash128& id) const {
  const std::size_t mask = slots_.size() - 1;
  // Multiplicative hashing. The marks are masked: slots store them in the lowest bits.
  std::size_t at = ((id.high ^ (id.low & ~kMarks)) * 0x9E3779B97F4A7C15U) >> 20 & mask;
  while ((slots_[at].low & kMarks) != 0 &&
         (slots_[at].high != id.high || ((slots_[at].low ^ id.low) & ~kMarks) != 0)) {
    at = (at + 1) & mask;
  }
  return at;
}

void IdTable::grow() {
  std::vector<Slot> old = std::exchange(slots_, std::vector<Slot>(slots_.empty() ? 1024 : 2 * slots_.size()));
  for (const Slot& slot : old) {
    if ((slot.low & kMarks) != 0) slots_[find({slot.high, slot.low})] = slot;
  }
}

bool IdTable::set(const Hash128& id, Mark mark) {
  if (4 * (used_ + 1) > 3 * slots_.size()) grow();
  Slot& slot = slots_[find(id)];
  if ((slot.low & kMarks) == 0) {
    slot = {id.high, id.low & ~kMarks};
    ++used_;
  }
  const bool before = (slot.low & mark) != 0;
  slot.low |= mark;
  return before;
}

bool IdTable::has(const Hash128& id, Mark mark) const {
  return !slots_.empty() && (slots_[find(id)].low & mark) != 0;
}

void BatchLedger::written(const Json& row) {
  const Hash128 id = key(id_of_written(row));
  if (row.contains("line") || ids_.set(id, IdTable::kWritten)) ++duplicates_[id];
}

bool BatchLedger::take_duplicate(const Json& id) {
  const auto found = duplicates_.find(key(id));
  if (found == duplicates_.end()) return false;
  if (--found->second == 0) duplicates_.erase(found);
  return true;
}

}  // namespace tools
