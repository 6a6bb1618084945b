// A chat: its record, its file, and the session that holds its KV cache.
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
  /// system: the system message of new chats; may be empty. adapters: of all answers.
  ChatStore(ChatModel model, partita::Session session, std::string system,
            std::vector<partita::AppliedAdapter> adapters);

  partita::Session& session() { return session_; }
  std::vector<partita::Message> messages() const { return record_.messages(); }
  /// The chat's file; empty: none.
  std::string path() const { return file_ ? file_->path() : std::string(); }
  bool is_in(const std::string& path) const { return file_ && file_->is(path); }
  /// True if the chat has messages and no file.
  bool is_unsaved() const { return !file_ && !record_.empty(); }

  /// The messages of the chat with this question.
  std::vector<partita::Message> with_question(const std::string& question) const;
  /// Records a question. It is written to the file, but not yet synced.
  void ask(const std::string& question);
  /// Records the answer, and why it ended.
  void answer(const std::string& text, std::string_view finish) { record_.say({"assistant", text}, finish); }
  /// Removes the question, which was not answered.
  void drop_question();

  // Like ChatRecord's. Undone messages are also removed from the cache, in memory and on the disk.
  bool undo() { return forget(&ChatRecord::undo); }
  bool reset();
  bool redo() { return forget(&ChatRecord::redo); }

  /// Syncs the record to the disk, if the chat has a file.
  partita::Result<void> sync();
  /// Writes the cache beside the file, unless it is up to date.
  partita::Result<void> write_cache();

  /// Opens the chat of another file. Precondition: the present one is synced. create: begins a chat if there
  /// is no file. Returns remarks for the user. Errors: those of ChatFile::open(); the present chat then stays
  /// open.
  partita::Result<std::vector<std::string>> open(const std::string& path, bool create);
  /// Writes the record to another file, which is the chat's file from now on. Returns remarks for the user.
  /// Errors: those of ChatFile::create(); the chat then keeps its file.
  partita::Result<std::vector<std::string>> keep_in(const std::string& path);

 private:
  bool forget(bool (ChatRecord::*change)());
  void trim_session();
  std::vector<std::string> take(ChatFile::Opened opened);
  void read_cache(std::vector<std::string>& remarks);

  ChatModel model_;
  partita::Session session_;
  std::string system_;  // of --system
  std::vector<partita::AppliedAdapter> adapters_;
  std::string begun_as_;  // the system message of the open chat
  ChatRecord record_;
  std::optional<ChatFile> file_;
  bool cache_is_current_ = false;  // the cache file is that of the record
};

}  // namespace tools
