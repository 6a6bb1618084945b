// Search for several texts at once in a stream of bytes (Aho-Corasick).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace partita::internal {

/// The automaton of Aho & Corasick (1975). A state is the longest suffix of the bytes read so far that is a
/// prefix of a text; there are at most as many states as the texts have bytes, plus one. Reading a byte takes
/// constant time on average.
class TextSet {
 public:
  using State = std::uint32_t;
  static constexpr State kNothing = 0;  // no text has begun

  /// Precondition: no text is empty, and together they have fewer than 2^31 bytes. Duplicates count once.
  explicit TextSet(std::vector<std::string> texts);

  bool empty() const { return texts_.empty(); }
  /// Bytes of the longest text.
  std::size_t longest() const { return longest_; }

  State next(State state, char byte) const;
  /// Whether a text has just been completed.
  bool completes(State state) const { return nodes_[state].completes; }

  struct Run {
    State state = kNothing;
    bool completed = false;  // a text ended at one of these bytes
  };
  Run run(State state, std::string_view bytes) const;
  bool found_in(std::string_view bytes) const { return run(kNothing, bytes).completed; }

  std::size_t states() const { return nodes_.size(); }
  /// The longest state that is a proper suffix of this one (the failure link).
  State shorter(State state) const { return nodes_[state].shorter; }
  /// The number of bytes of a text that have been read in this state, and the texts that begin with them,
  /// sorted.
  std::size_t depth(State state) const { return nodes_[state].depth; }
  std::span<const std::string> begun(State state) const {
    return std::span(texts_).subspan(nodes_[state].first, nodes_[state].last - nodes_[state].first);
  }

 private:
  static constexpr State kNone = std::numeric_limits<State>::max();

  struct Node {
    std::uint32_t first = 0, last = 0;     // of texts_: those that begin with this state
    std::uint32_t depth = 0;               // bytes
    State children = 0, children_end = 0;  // stand together, by their bytes
    State shorter = kNothing;
    char byte = 0;           // the last one
    bool completes = false;  // this state or a shorter one is a text
  };
  State child(State state, char byte) const;

  std::vector<std::string> texts_;  // sorted
  std::vector<Node> nodes_;         // by depth
  std::array<State, 256> starts_;   // by byte: the state that it begins, else kNothing
  std::size_t longest_ = 0;
};

}  // namespace partita::internal
