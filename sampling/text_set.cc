#include "sampling/text_set.h"

#include <algorithm>
#include <utility>

namespace partita::internal {

TextSet::TextSet(std::vector<std::string> texts) : texts_(std::move(texts)), nodes_(1) {
  std::sort(texts_.begin(), texts_.end());
  texts_.erase(std::unique(texts_.begin(), texts_.end()), texts_.end());
  for (const std::string& text : texts_) longest_ = std::max(longest_, text.size());

  starts_.fill(kNothing);
  nodes_[kNothing].last = static_cast<std::uint32_t>(texts_.size());
  for (State state = 0; state < nodes_.size(); ++state) {
    const Node node = nodes_[state];
    nodes_[state].children = static_cast<State>(nodes_.size());
    std::uint32_t first = node.first;
    if (first < node.last && texts_[first].size() == node.depth) {  // a text equal to this state sorts first
      nodes_[state].completes = true;
      ++first;
    }
    while (first < node.last) {
      const char byte = texts_[first][node.depth];
      Node added;
      added.first = first;
      while (first < node.last && texts_[first][node.depth] == byte) ++first;
      added.last = first;
      added.depth = node.depth + 1;
      added.byte = byte;
      // Nodes are added by depth, so the nodes that next() reads here are complete.
      if (state == kNothing) {
        starts_[static_cast<unsigned char>(byte)] = static_cast<State>(nodes_.size());
      } else {
        added.shorter = next(node.shorter, byte);
      }
      nodes_.push_back(added);
    }
    nodes_[state].children_end = static_cast<State>(nodes_.size());
    nodes_[state].completes =
        nodes_[state].completes || (state != kNothing && nodes_[node.shorter].completes);
  }
}

TextSet::State TextSet::child(State state, char byte) const {
  const auto begin = nodes_.begin() + nodes_[state].children;
  const auto end = nodes_.begin() + nodes_[state].children_end;
  // std::string sorts bytes as unsigned ones.
  const auto at = std::lower_bound(begin, end, byte, [](const Node& node, char b) {
    return static_cast<unsigned char>(node.byte) < static_cast<unsigned char>(b);
  });
  return at == end || at->byte != byte ? kNone : static_cast<State>(at - nodes_.begin());
}

TextSet::State TextSet::next(State state, char byte) const {
  while (true) {
    if (state == kNothing) return starts_[static_cast<unsigned char>(byte)];
    const State found = child(state, byte);
    if (found != kNone) return found;
    state = nodes_[state].shorter;
  }
}

TextSet::Run TextSet::run(State state, std::string_view bytes) const {
  Run run{state, false};
  for (const char byte : bytes) {
    run.state = next(run.state, byte);
    run.completed = run.completed || completes(run.state);
  }
  return run;
}

}  // namespace partita::internal
