#include "tools/chat/chat_cache.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string_view>

#include "tools/chat/chat_record.h"

namespace tools {

namespace fs = std::filesystem;

namespace {

constexpr const char* kMark = "chat_cache";
constexpr std::string_view kSessionStart = "PARTITAS";

/// 64-bit FNV-1a: distinguishes chats, but does not resist deliberate collisions.
std::uint64_t digest_of(std::span<const Message> messages) {
  std::uint64_t digest = 0xCBF29CE484222325U;
  const auto add = [&](const std::string& text) {
    for (const char c : text) digest = (digest ^ static_cast<unsigned char>(c)) * 0x100000001B3U;
    digest = (digest ^ 0xFFU) * 0x100000001B3U;  // a byte that UTF-8 never has ends a text
  };
  for (const Message& message : messages) {
    add(message.role);
    add(message.content);
  }
  return digest;
}

/// True if the cache was made from a prefix of the messages.
bool begins_with(std::span<const Message> messages, const Json& note) {
  if (!is_cache_note(note)) return false;
  const auto count = note[kMark].get<std::uint64_t>();
  return count <= messages.size() && note.contains("digest") &&
         note["digest"] == digest_of(messages.first(static_cast<std::size_t>(count)));
}

}  // namespace

bool is_session_file(const std::string& path) {
  char start[kSessionStart.size()] = {};
  std::ifstream file(path, std::ios::binary);
  return file.read(start, sizeof start) && std::string_view(start, sizeof start) == kSessionStart;
}

std::string cache_path(const std::string& chat) { return chat + ".cache"; }

bool is_cache_note(const Json& note) {
  return note.is_object() && note.contains(kMark) && note[kMark].is_number_unsigned();
}

Result<void> save_cache(const partita::Session& session, std::span<const Message> messages,
                        const std::string& chat) {
  const std::string path = cache_path(chat);
  std::error_code none;
  if (fs::exists(path, none) && !is_session_file(path)) {
    return Error{ErrorCode::kIo, "\"" + path + "\" exists and is no cache of a chat"};
  }
  return session.save(path, json_text({{kMark, messages.size()}, {"digest", digest_of(messages)}}));
}

Result<bool> load_cache(partita::Session& session, std::span<const partita::AppliedAdapter> adapters,
                        std::span<const Message> messages, const std::string& chat) {
  session.reset();
  const std::string path = cache_path(chat);
  std::error_code none;
  if (!fs::exists(path, none)) return false;
  const auto note = session.load(path, adapters);
  if (!note) return note.error();
  if (begins_with(messages, parse_json(*note))) return true;
  session.reset();
  return false;
}

void remove_cache(const std::string& chat) {
  const std::string path = cache_path(chat);
  if (is_session_file(path)) ::unlink(path.c_str());
  remove_torn_caches(chat);
}

void remove_torn_caches(const std::string& chat) {
  const fs::path path = cache_path(chat);
  const std::string start = path.filename().string() + ".part";
  const fs::path directory = path.has_parent_path() ? path.parent_path() : ".";
  std::error_code none;
  for (fs::directory_iterator at(directory, none), end; !none && at != end; at.increment(none)) {
    const std::string name = at->path().filename().string();
    if (name.compare(0, start.size(), start) == 0) ::unlink(at->path().c_str());
  }
}

}  // namespace tools
