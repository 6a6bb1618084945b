// The file of a chat: its record, one process at a time, on the disk line by line.
#pragma once

#include <partita/partita.hpp>
#include <string>
#include <vector>

#include "tools/chat/chat_record.h"
#include "tools/locked_file.h"

namespace tools {

class ChatFile {
 public:
  /// Opens the chat at `path` and locks it against other programs. create: begins one of this model where
  /// there is none, in directories that are made where they are missing; both are their owner's alone.
  /// Errors: kNotFound without `create`; kIo where it could not be written later on; kInvalidArgument where
  /// another program has the chat open, or the file is none; kBadFile.
  struct Opened;
  static partita::Result<Opened> open(const std::string& path, bool create, const ChatModel& model);

  /// Keeps a record at a new path, on the disk when it returns. A chat that is there is kept aside, at
  /// path.1 or the next number that is free.
  struct Created;
  static partita::Result<Created> create(const std::string& path, const ChatRecord& record);

  const std::string& path() const { return path_; }
  /// Whether `path` leads to this file.
  bool is(const std::string& path) const { return is_at(fd_.get(), path); }
  /// Whether a session of an older program stands here, which the first write() replaces.
  bool is_session() const { return is_session_; }

  /// Appends the record's lines that are not there yet. synced: they are on the disk when it returns. After
  /// an error the file is as it was, and the next call tries again.
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
  std::size_t written_ = 0;  // lines of the record that are there
  bool synced_ = true;       // all of them are on the disk
  bool torn_ = false;        // there may be something behind the whole lines
  bool unended_ = false;     // the last line has no newline yet
  bool is_session_ = false;
};

struct ChatFile::Opened {
  ChatFile file;
  ChatRecord record;
  std::vector<std::string> remarks;  // what of the file could not be read
};

struct ChatFile::Created {
  ChatFile file;
  std::string aside;  // where what was there is now; empty: nothing was there
};

/// Whether a file begins like a session file.
bool is_session_file(const std::string& path);

}  // namespace tools
