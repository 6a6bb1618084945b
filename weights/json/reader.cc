#include "weights/json/reader.h"

#include <cstdint>
#include <string>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

#include "weights/catch_all.h"
#include "weights/json/scanner.h"
#include "weights/sentence.h"

namespace partita {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

/// Counts what a text holds. Every event answers whether to go on.
class Counter {
 public:
  explicit Counter(const JsonLimits& limits) : limits_(limits) {}

  const std::string& problem() const { return problem_; }

 protected:
  bool fail(std::string problem) {
    problem_ = std::move(problem);
    return false;
  }

  bool count() {
    return ++values_ <= limits_.values ||
           fail(sentence("has more values than the ", limits_.values, " allowed"));
  }

  /// One more object or array inside those that are open.
  bool enter() {
    if (depth_ == kMaxJsonDepth) {
      return fail(sentence("nests objects and arrays deeper than the ", kMaxJsonDepth, " levels allowed"));
    }
    ++depth_;
    return count();
  }

  bool leave() {
    --depth_;
    return true;
  }

 private:
  const JsonLimits& limits_;
  std::string problem_;
  std::size_t values_ = 0, depth_ = 0;
};

class Checker : public Counter {
 public:
  using Counter::Counter;

  bool null() { return count(); }
  bool boolean(bool) { return count(); }
  bool integer(std::int64_t) { return count(); }
  bool natural(std::uint64_t) { return count(); }
  bool real(double) { return count(); }
  bool string(const std::string&) { return count(); }
  bool key(const std::string&) { return true; }
  bool open_object() { return enter(); }
  bool open_array() { return enter(); }
  bool close_object() { return leave(); }
  bool close_array() { return leave(); }
};

/// Builds values from the inside out: each is moved into the one around it when it is complete, never copied.
/// At any time, also when an allocation fails, what is complete is where it will be dismantled.
template <class Json>
class Builder : public Counter {
 public:
  using Counter::Counter;

  bool null() { return count() && put(Json(nullptr)); }
  bool boolean(bool value) { return count() && put(Json(value)); }
  bool integer(std::int64_t value) { return count() && put(Json(value)); }
  bool natural(std::uint64_t value) { return count() && put(Json(value)); }
  bool real(double value) { return count() && put(Json(value)); }
  bool string(std::string value) { return count() && put(Json(std::move(value))); }
  bool open_object() { return open(); }
  bool open_array() { return open(); }

  bool key(std::string name) {
    Open& object = open_.back();
    const auto [found, is_new] = object.places.emplace(name, object.values.size());
    if (!is_new && kRefusesTwice) {
      return fail(sentence("has the key ", partita::quoted(name), " twice in one object"));
    }
    object.place = found->second;
    if (is_new) object.keys.push_back(std::move(name));
    return true;
  }

  bool close_array() {
    Document array(Json::array());
    array.template get_ref<Array&>().swap(open_.back().values);
    open_.pop_back();
    return leave() && put(std::move(array));
  }

  bool close_object() {
    Document object(Json::object());
    auto& members = object.template get_ref<typename Json::object_t&>();
    Open& parts = open_.back();
    if constexpr (!kRefusesTwice) members.reserve(parts.keys.size());
    for (std::size_t i = 0; i < parts.keys.size(); ++i) append(members, parts.keys[i], parts.values[i]);
    open_.pop_back();
    return leave() && put(std::move(object));
  }

  BasicJsonDocument<Json> take() { return std::move(root_); }

 private:
  static constexpr bool kRefusesTwice = std::is_same_v<Json, json>;

  using Array = typename Json::array_t;
  using Document = BasicJsonDocument<Json>;

  /// An object or array whose end has not come yet.
  struct Open {
    Open() = default;
    Open(Open&&) noexcept = default;
    Open(const Open&) = delete;
    Open& operator=(const Open&) = delete;
    Open& operator=(Open&&) = delete;
    ~Open() {
      for (Json& value : values) dismantle(value);
    }

    Array values;
    std::vector<std::string> keys;  // of an object's values
    std::unordered_map<std::string, std::size_t> places;
    std::size_t place = 0;  // in an object, where the next value goes
  };

  static void append(json::object_t& to, std::string& key, json& value) {
    to.emplace(std::move(key), nullptr).first->second.swap(value);
  }
  static void append(ordered_json::object_t& to, std::string& key, ordered_json& value) {
    // emplace() would compare with every key before.
    to.emplace_back(std::move(key), nullptr).second.swap(value);
  }

  bool open() {
    if (!enter()) return false;
    open_.emplace_back();
    return true;
  }

  bool put(Json&& scalar) { return put(Document(std::move(scalar))); }

  bool put(Document&& value) {
    if (open_.empty()) {
      root_ = std::move(value);
      return true;
    }
    Open& around = open_.back();
    const bool again = around.place < around.values.size() && !around.keys.empty();
    if (!again) around.values.emplace_back(nullptr);
    Json& to = again ? around.values[around.place] : around.values.back();
    to.swap(static_cast<Json&>(value));
    return true;
  }

  Document root_;
  std::vector<Open> open_;  // outermost first
};

/// What is wrong with a text, after its name.
std::string problem_of(JsonProblem problem, std::size_t place, std::string_view number) {
  if (problem == JsonProblem::kRange) {
    return sentence("has the number ", quoted(number), ", which ends at byte ", place,
                    " and is out of range: numbers are below 1.8e308");
  }
  if (problem == JsonProblem::kEnded)
    return sentence("is not valid JSON: it ends too early, at byte ", place);
  return sentence("is not valid JSON: unexpected input at byte ", place + 1);
}

/// Lets `events` see the text; the error, if it says stop.
template <class Events>
Result<void> scan(std::string_view text, std::string_view where, const JsonLimits& limits, Events& events) {
  if (text.size() > limits.bytes) {
    return Error{ErrorCode::kBadFile,
                 sentence(where, " has ", text.size(), " bytes, and ", limits.bytes, " are allowed")};
  }
  JsonScanner<Events> scanner(text, events);
  const JsonProblem problem = scanner.run();
  if (problem == JsonProblem::kNone) return {};
  const std::string why = problem == JsonProblem::kStopped
                              ? events.problem()
                              : problem_of(problem, scanner.place(), scanner.number());
  return Error{ErrorCode::kBadFile, sentence(where, " ", why)};
}

template <class Json>
Result<BasicJsonDocument<Json>> build(std::string_view text, std::string_view where,
                                      const JsonLimits& limits) {
  return guarded([&]() -> Result<BasicJsonDocument<Json>> {
    Builder<Json> builder(limits);
    if (auto read = scan(text, where, limits, builder); !read) return read.error();
    return builder.take();
  });
}

}  // namespace

Result<JsonDocument> read_json(std::string_view text, std::string_view where, const JsonLimits& limits) {
  return build<json>(text, where, limits);
}

Result<OrderedJsonDocument> read_ordered_json(std::string_view text, std::string_view where,
                                              const JsonLimits& limits) {
  return build<ordered_json>(text, where, limits);
}

Result<void> check_json(std::string_view text, std::string_view where, const JsonLimits& limits) {
  return guarded([&] {
    Checker checker(limits);
    return scan(text, where, limits, checker);
  });
}

}  // namespace partita
