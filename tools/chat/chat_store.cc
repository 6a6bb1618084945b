#include "tools/chat/chat_store.h"

#include "tools/chat/chat_cache.h"

namespace tools {

namespace {

constexpr std::size_t kShown = 60;  // bytes of a question in a remark

std::string shown(std::string text) {
  if (text.size() > kShown) {
    text.resize(kShown);
    while (!text.empty() && (static_cast<unsigned char>(text.back()) & 0xC0U) == 0x80U) text.pop_back();
    if (!text.empty() && static_cast<unsigned char>(text.back()) >= 0xC0U) text.pop_back();
    text += "...";
  }
  return json_text(text);  // in quotes, without control characters
}

}  // namespace

ChatStore::ChatStore(ChatModel model, partita::Session session, std::string system,
                     std::vector<partita::AppliedAdapter> adapters)
    : model_(std::move(model)),
      session_(std::move(session)),
      system_(std::move(system)),
      adapters_(std::move(adapters)),
      record_(model_) {
  session_.set_cancel(&interrupted());
}

std::vector<Message> ChatStore::with_question(const std::string& question) const {
  std::vector<Message> messages = record_.messages();
  const std::string& system = system_.empty() ? begun_as_ : system_;
  if (messages.empty() && !system.empty()) messages.push_back({"system", system});
  messages.push_back({"user", question});
  return messages;
}

void ChatStore::ask(const std::string& question) {
  record_.use(model_);
  const std::vector<Message> messages = with_question(question);
  if (record_.head() == 0 && messages.size() > 1) record_.say(messages.front());
  record_.say(messages.back());
  cache_is_current_ = false;
  if (file_) static_cast<void>(file_->write(record_, false));  // sync() reports the error
}

void ChatStore::drop_question() {
  record_.drop_question();
  trim_session();
}

bool ChatStore::reset() {
  const std::vector<Message> messages = record_.messages();
  if (!messages.empty() && messages.front().role == "system") begun_as_ = messages.front().content;
  return forget(&ChatRecord::reset);
}

bool ChatStore::forget(bool (ChatRecord::*change)()) {
  if (file_) remove_cache(file_->path());  // first: a kill after this costs another prefill at most
  cache_is_current_ = false;
  if (!(record_.*change)()) return false;
  trim_session();
  return true;
}

/// Truncates the session to the messages of the present chat.
void ChatStore::trim_session() {
  partita::Request request;
  request.messages = record_.messages();
  request.adapters = adapters_;
  // generate() drops the part of the cache that the prompt does not begin with, and does no prefill yet. It
  // must not see an earlier Ctrl-C.
  session_.set_cancel(nullptr);
  if (request.messages.empty() || !session_.generate(request)) session_.reset();
  session_.set_cancel(&interrupted());
}

Result<void> ChatStore::sync() {
  if (!file_) return {};
  return file_->write(record_, true);
}

Result<void> ChatStore::write_cache() {
  if (!file_ || file_->is_session() || cache_is_current_ || session_.length() == 0) return {};
  if (auto saved = save_cache(session_, record_.messages(), file_->path()); !saved) return saved;
  cache_is_current_ = true;
  return {};
}

Result<std::vector<std::string>> ChatStore::open(const std::string& path, bool create) {
  auto opened = ChatFile::open(path, create, model_);
  if (!opened) return opened.error();
  return take(std::move(*opened));
}

std::vector<std::string> ChatStore::take(ChatFile::Opened opened) {
  std::vector<std::string> remarks = std::move(opened.remarks);
  record_ = std::move(opened.record);
  file_ = std::move(opened.file);
  if (const auto messages = record_.messages(); record_.drop_question()) {
    remarks.push_back("the last question was not answered before the chat ended, and is no part of it: " +
                      shown(messages.back().content));
  }
  const std::vector<Message> messages = record_.messages();
  begun_as_ = !messages.empty() && messages.front().role == "system" ? messages.front().content : "";
  if (!messages.empty() && !system_.empty() && system_ != begun_as_) {
    remarks.push_back("--system is not used: the chat in \"" + path() + "\" goes on " +
                      (begun_as_.empty() ? "without a system message, as it began"
                                         : "under the system message that it began with"));
  }
  read_cache(remarks);
  return remarks;
}

/// Loads the cache of the chat, if there is one; adds a remark if it cannot be used.
void ChatStore::read_cache(std::vector<std::string>& remarks) {
  remove_torn_caches(file_->path());
  std::optional<Error> refused;
  if (file_->is_session()) {
    if (auto loaded = session_.load(file_->path(), adapters_); !loaded) refused = loaded.error();
    if (refused) session_.reset();
    trim_session();
    cache_is_current_ = false;
  } else {
    auto loaded = load_cache(session_, adapters_, record_.messages(), file_->path());
    if (!loaded) refused = loaded.error();
    cache_is_current_ = loaded && *loaded;
  }
  const ChatModel& before = record_.model();
  if (!record_.empty() && before.fingerprint != model_.fingerprint) {
    remarks.push_back("the chat was had with the model \"" + before.path + "\"" +
                      (before.path == model_.path ? " as it was before it was changed" : "") +
                      "; this one reads it anew");
  } else if (refused) {
    remarks.push_back("the chat is read anew: " + refused->message);
  }
}

Result<std::vector<std::string>> ChatStore::keep_in(const std::string& path) {
  auto created = ChatFile::create(path, record_);
  if (!created) return created.error();
  std::vector<std::string> remarks;
  if (!created->aside.empty()) {
    remarks.push_back("the chat that was in \"" + path + "\" is in \"" + created->aside + "\" now");
  }
  file_ = std::move(created->file);
  cache_is_current_ = false;
  remove_cache(path);  // of a chat that was removed without it
  return remarks;
}

}  // namespace tools
