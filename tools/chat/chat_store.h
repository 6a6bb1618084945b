// A chat: its record, the file that keeps it, and the session in which the model has read it.
#pragma once

#include <optional>
#include <partita/partita.hpp>
#include <string>
#include <vector>

#include "tools/chat/chat_file.h"
#include "tools/chat/chat_record.h"

namespace tools {

class ChatStore {
 public:
  /// system: what a chat that begins here begins with; may be empty.
  ChatStore(ChatModel model, partita::Session session, std::string system);

  partita::Session& session() { return session_; }
  std::vector<partita::Message> messages() const { return record_.messages(); }
  /// The file that keeps the chat; empty: none.
  std::string path() const { return file_ ? file_->path() : std::string(); }
  bool is_in(const std::string& path) const { return file_ && file_->is(path); }
  /// Whether anything was said that no file keeps.
  bool is_homeless() const { return !file_ && !record_.empty(); }

  /// What the model is to read when this is asked.
  std::vector<partita::Message> with_question(const std::string& question) const;
  /// A question was asked: it is in the file, though perhaps not on the disk.
  void ask(const std::string& question);
  /// It was answered, and why the answer ended.
  void answer(const std::string& text, std::string_view finish) { record_.say({"assistant", text}, finish); }
  /// It was not.
  void drop_question();

  // As ChatRecord's. What they take back is in no cache any more, neither in memory nor on the disk.
  bool undo() { return forget(&ChatRecord::undo); }
  bool reset();
  bool redo() { return forget(&ChatRecord::redo); }

  /// Brings all of the record to the disk, if a file keeps it.
  partita::Result<void> sync();
  /// Writes beside the file what the model has read, unless it is there already.
  partita::Result<void> write_cache();

  /// Goes on with the chat of another file; what is open here must be on the disk. create: a file that is not
  /// there begins a chat. Returns what there is to say about it. Errors: those of ChatFile::open(); the chat
  /// that was open stays open.
  partita::Result<std::vector<std::string>> open(const std::string& path, bool create);
  /// From here on the chat is kept in another file, beginning with all of its record. Returns what there is
  /// to say about it. Errors: those of ChatFile::create(); it is then kept where it was.
  partita::Result<std::vector<std::string>> keep_in(const std::string& path);

 private:
  bool forget(bool (ChatRecord::*change)());
  void trim_session();
  std::vector<std::string> take(ChatFile::Opened opened);
  void read_cache(std::vector<std::string>& remarks);

  ChatModel model_;
  partita::Session session_;
  std::string system_;    // of --system
  std::string begun_as_;  // the system message that the open chat began with
  ChatRecord record_;
  std::optional<ChatFile> file_;
  bool cache_is_there_ = false;  // the file's cache is that of the record
};

}  // namespace tools
