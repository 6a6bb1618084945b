#include "tools/chat_file.h"

#include "tools/common.h"

namespace tools {

using partita::Error;
using partita::ErrorCode;
using partita::Message;
using partita::Result;

Result<void> save_chat(const partita::Session& session, const std::vector<Message>& messages,
                       const std::string& path) {
  Json list = Json::array();
  for (const Message& message : messages)
    list.push_back({{"role", message.role}, {"content", message.content}});
  return session.save(path, json_text({{"messages", std::move(list)}}));
}

Result<std::vector<Message>> load_chat(partita::Session& session, const std::string& path) {
  auto note = session.load(path);
  if (!note) return note.error();
  const auto not_a_chat = [&] {
    session.reset();  // it holds what is not this chat's
    return Error{ErrorCode::kBadFile, "\"" + path + "\" is a session, but not one of a chat"};
  };
  const Json chat = parse_json(*note);
  if (!chat.is_object() || !chat.contains("messages") || !chat["messages"].is_array()) return not_a_chat();
  std::vector<Message> messages;
  for (const Json& message : chat["messages"]) {
    const auto is_text = [&](const char* key) { return message.contains(key) && message[key].is_string(); };
    if (!message.is_object() || !is_text("role") || !is_text("content")) return not_a_chat();
    messages.push_back({message["role"].get<std::string>(), message["content"].get<std::string>()});
  }
  return messages;
}

}  // namespace tools
