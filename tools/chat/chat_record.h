// A chat as a record that only grows: a tree of messages, and the end of the tree where the chat goes on.
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

/// The model that a chat is had with.
struct ChatModel {
  std::string path;
  std::string fingerprint;  // 16 hexadecimal digits
  /// Error: kIo, where the model's file cannot be read any more.
  static partita::Result<ChatModel> of(const partita::Model& model);
  ChatModel(std::string its_path, std::string its_fingerprint)
      : path(std::move(its_path)), fingerprint(std::move(its_fingerprint)) {}
};

/// What changes a record appends a line to it, in JSON (docs/session_files.md); no line ever changes. So the
/// record in memory and its file hold the same, and whatever was taken back can be got back.
class ChatRecord {
 public:
  using Id = std::uint64_t;  // of a message; 0: before the first

  explicit ChatRecord(const ChatModel& model);

  /// The record that these lines are, which need not end in a newline. Error: kInvalidArgument where the text
  /// is no chat, or one of a later version. What does not fit is left out.
  struct Read;
  static partita::Result<Read> read(std::string_view text, const std::string& path);

  const std::vector<std::string>& lines() const { return lines_; }
  bool empty() const { return messages_.empty(); }
  Id head() const { return head_; }
  /// From the first to the head.
  std::vector<partita::Message> messages() const;
  const ChatModel& model() const { return model_; }

  void say(const partita::Message& message, std::string_view finish = {});
  /// What comes now is said by this model.
  void use(const ChatModel& model);
  /// The last question and its answer are taken back. false: there is none.
  bool undo();
  /// The chat begins anew. false: it has not begun.
  bool reset();
  /// Back to where the last undo() or reset() was; what was said since can be got back in the same way.
  bool redo();
  /// The last question was not answered: it is no part of the chat. false: the last message is no question.
  bool drop_question();

 private:
  struct Node {
    Id id = 0, parent = 0;
    partita::Message message;
    std::uint64_t depth = 0;  // messages before it
    Id jump = 0;              // one of them, so that a walk by parents and jumps takes few steps
  };
  struct Left {
    Id id = 0;
    std::uint64_t when = 0;
  };

  ChatRecord() = default;
  void append(const Json& line);
  /// Takes in what a line says. false: it does not fit.
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
  // Ends that were left by undo(), reset() or redo(); the last one first to go back to. Those that left_now_
  // does not have with the same time were come back to.
  std::deque<Left> left_;
  std::unordered_map<Id, std::uint64_t> left_now_;
  std::uint64_t times_left_ = 0;
};

struct ChatRecord::Read {
  ChatRecord record;
  std::size_t bytes = 0;     // of the text, up to the end of the last line that is whole
  std::size_t left_out = 0;  // whole lines that do not fit
  bool torn = false;         // a last line was not whole
  bool unended = false;      // the last line is whole but for its newline
};

}  // namespace tools
