#include "tools/chat/chat_file.h"

#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "tools/chat/chat_cache.h"

namespace tools {

namespace fs = std::filesystem;

namespace {

constexpr mode_t kOwnerOnly = 0600, kDirectory = 0700;
constexpr std::string_view kChatStart = "{\"partita_chat\":";

/// Makes the directories that are missing.
Result<void> make_directories(const fs::path& directory) {
  std::error_code none;
  if (directory.empty() || fs::exists(directory, none)) return {};
  if (auto made = make_directories(directory.parent_path()); !made) return made;
  if (mkdir(directory.c_str(), kDirectory) != 0 && errno != EEXIST)
    return file_error("cannot make the directory", directory.string());
  return sync_directory_of(directory.string());
}

/// Only regular files hold chats.
Result<void> check_kind(const std::string& path) {
  struct stat status = {};
  if (stat(path.c_str(), &status) != 0 || S_ISREG(status.st_mode)) return {};
  return Error{ErrorCode::kInvalidArgument,
               "\"" + path + "\" is " +
                   (S_ISDIR(status.st_mode) ? "a directory" : "a device, pipe or socket") +
                   "; a chat is kept in a file: give the path of one, which need not be there yet"};
}

Result<std::string> read_all(int fd, const std::string& path) {
  std::string text;
  char buffer[1 << 16];
  for (off_t at = 0;;) {
    const ssize_t n = pread(fd, buffer, sizeof buffer, at);
    if (n < 0 && errno == EINTR && !interrupted().is_set()) continue;
    if (n < 0) return file_error("cannot read", path);
    if (n == 0) return text;
    text.append(buffer, static_cast<std::size_t>(n));
    at += n;
  }
}

/// True if no chat was begun in a file: it is empty, or has a part of a first line, or zeros, which a file
/// system may leave after a power failure.
bool has_no_chat(std::string_view text) {
  text = text.substr(0, text.find_last_not_of('\0') + 1);
  if (text.find('\n') != std::string_view::npos) return false;
  const std::size_t n = std::min(text.size(), kChatStart.size());
  return text.substr(0, n) == kChatStart.substr(0, n) && parse_json(std::string(text)).is_discarded();
}

/// The messages that older versions stored as the note of a session.
Result<std::vector<Message>> messages_of(const std::string& note, const std::string& path) {
  const Error not_a_chat = {ErrorCode::kBadFile, "\"" + path + "\" is a session, but not one of a chat"};
  const Json chat = parse_json(note);
  if (is_cache_note(chat)) {
    return Error{ErrorCode::kInvalidArgument,
                 "\"" + path + "\" is the cache of a chat; give the path of the chat itself"};
  }
  if (!chat.is_object() || !chat.contains("messages") || !chat["messages"].is_array()) return not_a_chat;
  std::vector<Message> messages;
  for (const Json& message : chat["messages"]) {
    const auto is_text = [&](const char* key) { return message.contains(key) && message[key].is_string(); };
    if (!message.is_object() || !is_text("role") || !is_text("content")) return not_a_chat;
    messages.push_back({message["role"].get<std::string>(), message["content"].get<std::string>()});
  }
  return messages;
}

void move_chat(const std::string& from, const std::string& to) {
  std::rename(cache_path(from).c_str(), cache_path(to).c_str());  // it may have none
  std::rename(from.c_str(), to.c_str());
}

/// Renames a chat and its cache to the first free name beside it.
Result<std::string> put_aside(const std::string& path) {
  for (int number = 1; number < 1000000; ++number) {
    const std::string aside = path + "." + std::to_string(number);
    const Descriptor reserved(::open(aside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, kOwnerOnly));
    if (reserved.get() < 0 && errno == EEXIST) continue;
    if (reserved.get() < 0) return file_error("cannot keep what is there aside, at", aside);
    move_chat(path, aside);
    return aside;
  }
  return Error{ErrorCode::kIo, "there is no free name beside \"" + path + "\"; give another path"};
}

}  // namespace

Result<ChatFile> ChatFile::open_file(const std::string& path, bool create) {
  if (auto checked = check_kind(path); !checked) return checked.error();
  if (create) {
    if (auto made = make_directories(fs::path(path).parent_path()); !made) return made.error();
  }
  auto fd = open_locked(path, create ? O_CREAT : 0, kOwnerOnly);
  if (fd) return ChatFile(path, *fd);
  switch (fd.error().code) {
    case ErrorCode::kInvalidArgument:
      return Error{ErrorCode::kInvalidArgument, "another program has the chat \"" + path +
                                                    "\" open; end it there first, or give another path"};
    case ErrorCode::kNotFound:
      return Error{ErrorCode::kNotFound,
                   "there is no chat \"" + path + "\"; check the path: /save and --session begin one"};
    default:
      return fd.error();
  }
}

Result<ChatFile::Opened> ChatFile::open(const std::string& path, bool create, const ChatModel& model) {
  auto file = open_file(path, create);
  if (!file) return file.error();
  return file->read(model);
}

Result<ChatFile::Opened> ChatFile::read(const ChatModel& model) {
  if (is_session_file(path_)) return read_session(model);
  auto text = read_all(fd_.get(), path_);
  if (!text) return text.error();
  if (has_no_chat(*text)) {
    torn_ = !text->empty();
    ChatRecord record(model);
    if (auto written = write(record, true); !written) return written.error();
    return Opened{std::move(*this), std::move(record), {}};
  }
  auto found = ChatRecord::read(*text, path_);
  if (!found) return found.error();
  bytes_ = found->bytes;
  written_ = found->record.lines().size();
  unended_ = found->unended;
  torn_ = found->torn;
  std::vector<std::string> remarks;
  if (found->torn) remarks.push_back("the last line of \"" + path_ + "\" is torn and was dropped");
  if (found->damaged > 0) {
    remarks.push_back(std::to_string(found->damaged) + " damaged lines of \"" + path_ + "\" were skipped");
  }
  if (auto cut = cut_back(); !cut) return cut.error();
  return Opened{std::move(*this), std::move(found->record), std::move(remarks)};
}

Result<ChatFile::Opened> ChatFile::read_session(const ChatModel& model) {
  auto note = partita::session_note(path_);
  if (!note) return note.error();
  auto messages = messages_of(*note, path_);
  if (!messages) return messages.error();
  is_session_ = true;
  ChatRecord record(model);
  for (const Message& message : *messages) record.say(message);
  written_ = record.lines().size();  // replace() writes them all, once there are more
  return Opened{std::move(*this), std::move(record), {}};
}

Result<ChatFile::Created> ChatFile::create(const std::string& path, const ChatRecord& record) {
  std::string aside;
  auto file = open_file(path, true);
  struct stat status = {};
  if (file && fstat(file->fd_.get(), &status) == 0 && status.st_size > 0) {
    auto there = file->read(record.model());  // files that are no chats are not renamed
    if (!there) return there.error();
    auto moved = put_aside(path);
    if (!moved) return moved.error();
    aside = *moved;
    file = open_file(path, true);
  }
  auto written = file ? file->write(record, true) : file.error();
  if (!written) {
    if (file) ::unlink(path.c_str());
    if (!aside.empty()) move_chat(aside, path);
    return written.error();
  }
  return Created{std::move(*file), std::move(aside)};
}

/// Truncates the file to its whole lines.
Result<void> ChatFile::cut_back() {
  if (!torn_) return {};
  if (ftruncate(fd_.get(), static_cast<off_t>(bytes_)) != 0) return file_error("cannot write", path_);
  torn_ = false;
  return {};
}

Result<void> ChatFile::write(const ChatRecord& record, bool synced) {
  const std::vector<std::string>& lines = record.lines();
  if (written_ == lines.size() && (synced_ || !synced)) return {};
  if (!is(path_)) {
    return Error{ErrorCode::kIo,
                 "\"" + path_ + "\" was removed or replaced; /save keeps the chat in another file"};
  }
  if (is_session_) return replace(record);
  if (auto cut = cut_back(); !cut) return cut;
  std::string text = unended_ ? "\n" : "";
  for (std::size_t i = written_; i < lines.size(); ++i) text += lines[i] + "\n";
  torn_ = true;
  auto done = write_all(fd_.get(), text, path_);
  if (done && synced && fdatasync(fd_.get()) != 0) done = file_error("cannot write", path_);
  if (!done) {
    static_cast<void>(cut_back());  // else the next time
    return done;
  }
  torn_ = unended_ = false;
  bytes_ += text.size();
  written_ = lines.size();
  synced_ = synced;
  return {};
}

/// Atomically replaces an older version's session by the record.
Result<void> ChatFile::replace(const ChatRecord& record) {
  std::error_code problem;
  const std::string target = fs::canonical(path_, problem).string();  // the file itself, not a link to it
  if (problem) return Error{ErrorCode::kIo, "cannot replace \"" + path_ + "\": " + problem.message()};
  const std::string fresh = target + ".partita-new";
  ::unlink(fresh.c_str());  // of a program that was killed here
  ChatFile file(fresh, ::open(fresh.c_str(), O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, kOwnerOnly));
  if (file.fd_.get() < 0) return file_error("cannot open", fresh);
  // Locked before it gets the name under which other programs open it.
  auto done = flock(file.fd_.get(), LOCK_EX | LOCK_NB) == 0 ? file.write(record, true)
                                                            : file_error("cannot lock", fresh);
  if (done && std::rename(fresh.c_str(), target.c_str()) != 0) done = file_error("cannot replace", target);
  if (!done) {
    ::unlink(fresh.c_str());
    return done;
  }
  file.path_ = path_;
  *this = std::move(file);
  return sync_directory_of(path_);
}

}  // namespace tools
