#include "tools/chat/chat_record.h"

#include <algorithm>
#include <optional>

namespace tools {

namespace {

constexpr const char* kHeader = "partita_chat";  // the first key of a chat's first line
constexpr std::uint64_t kVersion = 1;
constexpr std::uint64_t kMaxIds = std::uint64_t{1} << 48;

std::string hexadecimal(std::uint64_t number) {
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(number));
  return text;
}

std::optional<std::uint64_t> number_at(const Json& line, const char* key) {
  if (!line.contains(key) || !line[key].is_number_unsigned()) return std::nullopt;
  const auto value = line[key].get<std::uint64_t>();
  return value < kMaxIds ? std::optional(value) : std::nullopt;
}

std::optional<std::string> text_at(const Json& line, const char* key) {
  if (!line.contains(key) || !line[key].is_string()) return std::nullopt;
  return line[key].get<std::string>();
}

}  // namespace

partita::Result<ChatModel> ChatModel::of(const partita::Model& model) {
  const auto fingerprint = model.fingerprint();
  if (!fingerprint) return fingerprint.error();
  return ChatModel(model.info().path, hexadecimal(*fingerprint));
}

ChatRecord::ChatRecord(const ChatModel& model) : model_(model) {
  lines_.push_back(
      json_text({{kHeader, kVersion}, {"model", model.path}, {"fingerprint", model.fingerprint}}));
}

const ChatRecord::Node* ChatRecord::find(Id id) const {
  const auto at = std::lower_bound(messages_.begin(), messages_.end(), id,
                                   [](const Node& node, Id wanted) { return node.id < wanted; });
  return at != messages_.end() && at->id == id ? &*at : nullptr;
}

std::string_view ChatRecord::role(Id id) const {
  const Node* node = find(id);
  return node != nullptr ? std::string_view(node->message.role) : std::string_view();
}

ChatRecord::Id ChatRecord::parent(Id id) const {
  const Node* node = find(id);
  return node != nullptr ? node->parent : 0;
}

/// Both parents and jumps are always smaller.
bool ChatRecord::leads_to(Id before, Id after) const {
  while (after > before) {
    const Node* node = find(after);
    if (node == nullptr) return false;
    after = node->jump >= before ? node->jump : node->parent;
  }
  return after == before;
}

/// The jump pointers are those of skew-binary lists (Myers 1983): any ancestor in logarithmic time.
void ChatRecord::add(Id id, Id parent, Message message) {
  const Node none;
  const auto node = [&](Id of) -> const Node& {
    const Node* found = find(of);
    return found != nullptr ? *found : none;
  };
  const Node &before = node(parent), &jumped = node(before.jump);
  const std::uint64_t depth = before.depth + 1;
  const bool equal = before.depth - jumped.depth == jumped.depth - node(jumped.jump).depth;
  const Id jump = equal ? jumped.jump : parent;
  messages_.push_back({id, parent, std::move(message), depth, jump});
  head_ = id;
}

void ChatRecord::leave(Id id, bool first_to_go_back_to) {
  const Left left = {id, ++times_left_};
  if (first_to_go_back_to) {
    left_.push_back(left);
  } else {
    left_.push_front(left);
  }
  left_now_[id] = left.when;
}

std::vector<Message> ChatRecord::messages() const {
  std::vector<Message> path;
  for (const Node* node = find(head_); node != nullptr; node = find(node->parent))
    path.push_back(node->message);
  std::reverse(path.begin(), path.end());
  return path;
}

bool ChatRecord::read_header(const Json& line) {
  return line.is_object() && number_at(line, kHeader) == kVersion && apply_model(line);
}

bool ChatRecord::apply_model(const Json& line) {
  auto path = text_at(line, "model"), fingerprint = text_at(line, "fingerprint");
  if (!path || !fingerprint) return false;
  model_ = ChatModel(std::move(*path), std::move(*fingerprint));
  return true;
}

bool ChatRecord::apply_message(const Json& line) {
  const auto id = number_at(line, "id"), parent = number_at(line, "parent");
  auto role = text_at(line, "role"), content = text_at(line, "content");
  if (!id || !parent || !role || !content) return false;
  const Id last = messages_.empty() ? 0 : messages_.back().id;
  if (*id <= last) return false;
  // If the line of its parent is damaged, it follows the last message that was read.
  const bool known = *parent == 0 || find(*parent) != nullptr;
  add(*id, known ? *parent : last, {std::move(*role), std::move(*content)});
  return true;
}

bool ChatRecord::apply_head(const Json& line) {
  const auto id = number_at(line, "head");
  if (!id || (*id != 0 && find(*id) == nullptr)) return false;
  come_back_to(*id);
  if (*id != head_ && role(head_) == "assistant") {
    if (leads_to(*id, head_)) {
      leave(head_, true);
    } else if (!leads_to(head_, *id)) {
      leave(head_, false);
    }
  }
  head_ = *id;
  return true;
}

bool ChatRecord::apply(const Json& line) {
  if (!line.is_object()) return false;
  if (line.contains("role")) return apply_message(line);
  if (line.contains("head")) return apply_head(line);
  if (line.contains("model")) return apply_model(line);
  return true;  // from a later version; it stays in the record
}

void ChatRecord::append(const Json& line) {
  lines_.push_back(json_text(line));
  apply(line);
}

Result<ChatRecord::Read> ChatRecord::read(std::string_view text, const std::string& path) {
  Read found{ChatRecord()};
  ChatRecord& record = found.record;
  while (found.bytes < text.size()) {
    const std::size_t newline = text.find('\n', found.bytes);
    const bool ended = newline != std::string_view::npos;
    const std::string line(text.substr(found.bytes, ended ? newline - found.bytes : newline));
    const Json json = parse_json(line, kOwnLimits);
    if (record.lines_.empty()) {
      if (!record.read_header(json)) {
        const bool later = json.is_object() && json.contains(kHeader);
        return Error{ErrorCode::kInvalidArgument,
                     "\"" + path + "\" is " +
                         (later ? "a chat of another version than " + std::to_string(kVersion) +
                                      ", which this program reads"
                                : "not a chat that partita wrote; give another path")};
      }
    } else if (!record.apply(json)) {
      if (!ended) {
        found.torn = true;
        return found;
      }
      ++found.damaged;
      found.bytes = newline + 1;
      continue;
    }
    record.lines_.push_back(line);
    found.unended = !ended;
    found.bytes = ended ? newline + 1 : text.size();
  }
  return found;
}

void ChatRecord::say(const Message& message, std::string_view finish) {
  const Id id = messages_.empty() ? 1 : messages_.back().id + 1;
  Json line = {{"id", id}, {"parent", head_}, {"role", message.role}, {"content", message.content}};
  if (!finish.empty()) line["finish"] = finish;
  lines_.push_back(json_text(line));
  add(id, head_, message);  // the raw bytes; the line has U+FFFD for invalid UTF-8
}

void ChatRecord::use(const ChatModel& model) {
  if (model.fingerprint == model_.fingerprint) return;
  append({{"model", model.path}, {"fingerprint", model.fingerprint}});
}

void ChatRecord::go_to(Id id) { append({{"head", id}}); }

bool ChatRecord::undo() {
  Id id = head_;
  while (role(id) == "assistant") id = parent(id);
  if (role(id) == "user") id = parent(id);
  if (id == head_) return false;
  go_to(id);
  return true;
}

bool ChatRecord::reset() {
  if (head_ == 0) return false;
  go_to(0);
  return true;
}

bool ChatRecord::redo() {
  const auto is_left = [&](const Left& left) {
    const auto now = left_now_.find(left.id);
    return now != left_now_.end() && now->second == left.when;
  };
  while (!left_.empty() && !is_left(left_.back())) left_.pop_back();
  if (left_.empty()) return false;
  go_to(left_.back().id);
  return true;
}

bool ChatRecord::drop_question() {
  if (role(head_) != "user") return false;
  go_to(parent(head_));
  return true;
}

}  // namespace tools
