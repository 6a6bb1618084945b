// The file of a chat: appends the lines of its record; locked, so that one process at a time writes it.
#pragma once

#include <partita/partita.hpp>
#include <string>
#include <vector>

#include "tools/chat/chat_record.h"
#include "tools/locked_file.h"

namespace tools {

class ChatFile {
 public:
  /// Opens the chat at `path` and locks it against other programs. create: begins a chat with this model if
  /// there is none, and makes missing directories; only their owner can read both. Errors: kNotFound without
  /// `create`; kIo if the file cannot be written; kInvalidArgument if another program has the chat open, or
  /// the path is no regular file; kBadFile.
  struct Opened;
  static partita::Result<Opened> open(const std::string& path, bool create, const ChatModel& model);

  /// Writes and syncs a record to a new path. An existing chat there is renamed to path.1 or the next free
  /// number.
  struct Created;
  static partita::Result<Created> create(const std::string& path, const ChatRecord& record);

  const std::string& path() const { return path_; }
  /// True if `path` is this file.
  bool is(const std::string& path) const { return is_at(fd_.get(), path); }
  /// True if the file is a session of an older version, which the first write() replaces.
  bool is_session() const { return is_session_; }

  /// Appends the record's lines that the file lacks. synced: also syncs them to the disk. After an error the
  /// file is unchanged, and the next call tries again.
  partita::Result<void> write(const ChatRecord& record, bool synced);

 private:
  ChatFile(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}
  static partita::Result<ChatFile> open_file(const std::string& path, bool create);
  partita::Result<Opened> read(const ChatModel& model);
  partita::Result<Opened> read_session(const ChatModel& model);
  partita::Result<void> cut_back();
  partita::Result<void> replace(const ChatRecord& record);

  std::string path_;
  Descriptor fd_;
  std::size_t bytes_ = 0;    // of whole lines
  std::size_t written_ = 0;  // lines of the record that the file has
  bool synced_ = true;       // all of them are on the disk
  bool torn_ = false;        // there may be a torn line after the whole lines
  bool unended_ = false;     // the last line has no newline yet
  bool is_session_ = false;
};

struct ChatFile::Opened {
  ChatFile file;
  ChatRecord record;
  std::vector<std::string> remarks;  // parts of the file that could not be read
};

struct ChatFile::Created {
  ChatFile file;
  std::string aside;  // new path of the chat that was at this path; empty: there was none
};

}  // namespace tools
