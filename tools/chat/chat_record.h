// A chat as an append-only record: a tree of messages, and the head: the message after which the chat
// continues.
#pragma once

#include <cstdint>
#include <deque>
#include <partita/partita.hpp>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "tools/common.h"

namespace tools {

// For all files of a chat.
using partita::Error;
using partita::ErrorCode;
using partita::Message;
using partita::Result;

/// The model of a chat.
struct ChatModel {
  std::string path;
  std::string fingerprint;  // 16 hexadecimal digits
  /// Error: kIo if the model's file can no longer be read.
  static partita::Result<ChatModel> of(const partita::Model& model);
  ChatModel(std::string its_path, std::string its_fingerprint)
      : path(std::move(its_path)), fingerprint(std::move(its_fingerprint)) {}
};

/// Each change appends a line to the record, in JSON (docs/session_files.md); no line ever changes. So the
/// record in memory equals its file, and everything that was undone can be redone.
class ChatRecord {
 public:
  using Id = std::uint64_t;  // of a message; 0: before the first

  explicit ChatRecord(const ChatModel& model);

  /// Parses a record; the last line may lack its newline. Error: kInvalidArgument if the text is no chat, or
  /// one of a later version. Damaged lines are skipped.
  struct Read;
  static partita::Result<Read> read(std::string_view text, const std::string& path);

  const std::vector<std::string>& lines() const { return lines_; }
  bool empty() const { return messages_.empty(); }
  Id head() const { return head_; }
  /// The messages from the first to the head.
  std::vector<partita::Message> messages() const;
  const ChatModel& model() const { return model_; }

  void say(const partita::Message& message, std::string_view finish = {});
  /// Records that this model answers from now on.
  void use(const ChatModel& model);
  /// Undoes the last question and its answer. false: there is none.
  bool undo();
  /// Starts the chat again. false: it is empty.
  bool reset();
  /// Goes back to the head before the last undo() or reset(); another redo() returns to the present one.
  bool redo();
  /// Removes a last question without an answer from the chat. false: the last message is no question.
  bool drop_question();

 private:
  struct Node {
    Id id = 0, parent = 0;
    partita::Message message;
    std::uint64_t depth = 0;  // messages before it
    Id jump = 0;              // an ancestor, so that a walk along parents and jumps takes few steps
  };
  struct Left {
    Id id = 0;
    std::uint64_t when = 0;
  };

  ChatRecord() = default;
  void append(const Json& line);
  /// Applies a line. false: it is damaged.
  bool apply(const Json& line);
  bool apply_message(const Json& line);
  bool apply_head(const Json& line);
  bool apply_model(const Json& line);
  bool read_header(const Json& line);
  const Node* find(Id id) const;
  std::string_view role(Id id) const;
  Id parent(Id id) const;
  bool leads_to(Id before, Id after) const;
  void add(Id id, Id parent, partita::Message message);
  void leave(Id id, bool first_to_go_back_to);
  void come_back_to(Id id) { left_now_.erase(id); }
  void go_to(Id id);

  ChatModel model_{{}, {}};
  std::vector<std::string> lines_;  // without newlines
  std::vector<Node> messages_;      // in order of ids; parents come before
  Id head_ = 0;
  // Heads that undo(), reset() or redo() left; redo() goes to the last one first. An entry is stale (the chat
  // returned to it) unless left_now_ has it with the same time.
  std::deque<Left> left_;
  std::unordered_map<Id, std::uint64_t> left_now_;
  std::uint64_t times_left_ = 0;
};

struct ChatRecord::Read {
  ChatRecord record;
  std::size_t bytes = 0;    // of the text, up to the end of the last whole line
  std::size_t damaged = 0;  // whole lines that were skipped
  bool torn = false;        // the last line was not whole
  bool unended = false;     // the last line is whole, but lacks its newline
};

}  // namespace tools
