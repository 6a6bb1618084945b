// Any bytes as the file of a chat.
#include "tests/fuzz/support.h"
#include "tools/chat/chat_record.h"

namespace partita::internal::fuzz {
namespace {

std::string text_of(const tools::ChatRecord& record) {
  std::string text;
  for (const std::string& line : record.lines()) text += line + "\n";
  return text;
}

/// The visible chat: the messages up to its head.
std::string shown(const tools::ChatRecord& record) {
  std::string text;
  for (const Message& message : record.messages()) text += message.role + "\n" + message.content + "\n";
  return text;
}

/// A record that is read again is the same, without damaged lines.
void require_same(const tools::ChatRecord& record) {
  const auto again = tools::ChatRecord::read(text_of(record), "again");
  require(again.ok() && !again->torn && again->damaged == 0);
  require(again->record.head() == record.head() && shown(again->record) == shown(record));
}

}  // namespace

void run_chat(Bytes bytes) {
  const std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  auto read = tools::ChatRecord::read(text, "chat");
  if (!read) {
    require_message(read.error());
    return;
  }
  if (text.empty()) return;
  tools::ChatRecord& record = read->record;
  require(read->bytes <= text.size() && (read->torn || read->bytes == text.size()));
  require_same(record);
  const auto head = record.head();
  if (record.undo()) {
    require_same(record);
    require(record.head() < head);
  }
  record.say({"user", "and now"});
  record.say({"assistant", "this"}, "eos");
  require_same(record);
  if (record.reset()) require(record.messages().empty());
  require_same(record);
}

}  // namespace partita::internal::fuzz
