// The record of a chat: its heads agree with a plain implementation, and reading takes linear time.
#include "tools/chat/chat_record.h"

#include <algorithm>
#include <map>
#include <random>

#include "tests/catch.h"
#include "tests/must.h"

namespace tools {
namespace {

using Id = ChatRecord::Id;

const std::string kHeader = R"({"partita_chat":1,"model":"m","fingerprint":"f"})"
                            "\n";

/// The plain implementation, by docs/session_files.md.
class PlainRecord {
 public:
  Id head() const { return head_; }

  void say(Id id, const std::string& role) {
    nodes_[id] = {head_, role};
    head_ = id;
  }

  void go_to(Id id) {
    std::erase(left_, id);
    if (id != head_ && role(head_) == "assistant") {
      if (leads_to(id, head_)) {
        left_.push_back(head_);
      } else if (!leads_to(head_, id)) {
        left_.insert(left_.begin(), head_);
      }
    }
    head_ = id;
  }

  bool undo() {
    Id id = head_;
    while (role(id) == "assistant") id = nodes_.at(id).parent;
    if (role(id) == "user") id = nodes_.at(id).parent;
    if (id == head_) return false;
    go_to(id);
    return true;
  }

  bool redo() {
    if (left_.empty()) return false;
    go_to(left_.back());
    return true;
  }

  bool reset() {
    if (head_ == 0) return false;
    go_to(0);
    return true;
  }

  std::vector<Id> path() const {
    std::vector<Id> ids;
    for (Id id = head_; id != 0; id = nodes_.at(id).parent) ids.push_back(id);
    std::reverse(ids.begin(), ids.end());
    return ids;
  }

 private:
  struct Node {
    Id parent;
    std::string role;
  };
  std::string role(Id id) const { return id == 0 ? "" : nodes_.at(id).role; }
  bool leads_to(Id before, Id after) const {
    while (after != before && after != 0) after = nodes_.at(after).parent;
    return after == before;
  }

  std::map<Id, Node> nodes_;
  std::vector<Id> left_;
  Id head_ = 0;
};

std::string text_of(const ChatRecord& record) {
  std::string text;
  for (const std::string& line : record.lines()) text += line + "\n";
  return text;
}

void check_same(const ChatRecord& record, const PlainRecord& plain) {
  REQUIRE(record.head() == plain.head());
  std::vector<Id> ids;
  for (const Message& message : record.messages()) ids.push_back(std::stoull(message.content));
  REQUIRE(ids == plain.path());
}

TEST_CASE("Heads, steps back and steps forward lead where the plain definition says") {
  for (unsigned seed = 0; seed < 300; ++seed) {
    CAPTURE(seed);
    std::mt19937 random(seed);
    ChatRecord record(ChatModel("m", "f"));
    PlainRecord plain;
    Id last = 0;
    for (int step = 0; step < 120; ++step) {
      CAPTURE(step);
      const unsigned what = random() % 12;
      if (what < 6) {
        const std::string role = what < 2 ? "user" : "assistant";
        record.say({role, std::to_string(++last)});
        plain.say(last, role);
      } else if (what < 8) {
        REQUIRE(record.undo() == plain.undo());
      } else if (what < 10) {
        REQUIRE(record.redo() == plain.redo());
      } else if (what == 10 && random() % 4 == 0) {
        REQUIRE(record.reset() == plain.reset());
      } else {  // any head, as a file may have it
        const Id id = random() % (last + 1);
        auto read = partita::internal::testing::must(
            ChatRecord::read(text_of(record) + "{\"head\":" + std::to_string(id) + "}\n", "chat"));
        REQUIRE(read.damaged == 0);
        record = std::move(read.record);
        plain.go_to(id);
      }
      check_same(record, plain);
    }
    while (plain.redo()) {  // everything that was left, in its order; going on from each takes it out
      REQUIRE(record.redo());
      check_same(record, plain);
      if (random() % 3 == 0) break;
    }
  }
}

TEST_CASE("A chat of very many heads is read in time that grows with it") {
  // A walk from each head to the other end, or a search of all that were left, would take ten minutes: the
  // test's time limit ends those.
  constexpr Id kMessages = 300'000, kHeads = 30'000;
  std::string text = kHeader;
  for (Id id = 1; id <= kMessages; ++id) {
    text += "{\"id\":" + std::to_string(id) + ",\"parent\":" + std::to_string(id - 1) + ",\"role\":\"" +
            (id % 2 == 1 ? "user" : "assistant") + "\",\"content\":\"" + std::to_string(id) + "\"}\n";
  }
  for (Id i = 0; i < kHeads; ++i) {
    const Id id = i % 2 == 0 ? 2 + i : kMessages - i + 1;  // answers, near the beginning and near the end
    text += "{\"head\":" + std::to_string(id) + "}\n";
  }
  auto read = partita::internal::testing::must(ChatRecord::read(text, "chat"));
  CHECK(read.damaged == 0);
  CHECK(read.record.lines().size() == 1 + kMessages + kHeads);
  const Id head = kMessages - kHeads + 2;
  CHECK(read.record.head() == head);
  CHECK(read.record.messages().size() == head);
  CHECK(read.record.messages().back().content == std::to_string(head));
  std::size_t steps = 0;
  for (Id at = head; steps < 3 && read.record.redo(); ++steps, at = read.record.head())
    CHECK(read.record.head() != at);
  CHECK(steps == 3);
}

}  // namespace
}  // namespace tools
