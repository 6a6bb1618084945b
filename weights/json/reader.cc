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
#include "weights/try.h"

namespace partita::internal {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

/// Counts values and depth against the limits. Every event returns whether to continue.
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

  /// Opens an object or array.
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

/// Builds values, innermost first: a complete value is moved into the one that contains it, never copied.
/// Every complete value is always owned by something that dismantles it, also when an allocation fails.
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
    const auto [found, is_new] = object.index_of_key.emplace(name, object.values.size());
    if (!is_new && kRefusesDuplicateKeys) {
      return fail(sentence("has the key ", internal::quoted(name), " twice in one object"));
    }
    object.next = found->second;
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
    if constexpr (!kRefusesDuplicateKeys) members.reserve(parts.keys.size());
    for (std::size_t i = 0; i < parts.keys.size(); ++i) append(members, parts.keys[i], parts.values[i]);
    open_.pop_back();
    return leave() && put(std::move(object));
  }

  BasicJsonDocument<Json> take() { return std::move(root_); }

 private:
  static constexpr bool kRefusesDuplicateKeys = std::is_same_v<Json, json>;

  using Array = typename Json::array_t;
  using Document = BasicJsonDocument<Json>;

  /// An object or array that is not closed yet.
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
    std::unordered_map<std::string, std::size_t> index_of_key;
    std::size_t next = 0;  // the index of the next value in an object
  };

  static void append(json::object_t& to, std::string& key, json& value) {
    to.emplace(std::move(key), nullptr).first->second.swap(value);
  }
  static void append(ordered_json::object_t& to, std::string& key, ordered_json& value) {
    // emplace() would compare with every earlier key.
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
    const bool again = around.next < around.values.size() && !around.keys.empty();
    if (!again) around.values.emplace_back(nullptr);
    Json& to = again ? around.values[around.next] : around.values.back();
    to.swap(static_cast<Json&>(value));
    return true;
  }

  Document root_;
  std::vector<Open> open_;  // outermost first
};

/// The rest of the error message, after the name of the text.
std::string problem_of(JsonProblem problem, std::size_t position, std::string_view number) {
  if (problem == JsonProblem::kRange) {
    return sentence("has the number ", quoted(number), ", which ends at byte ", position,
                    " and is out of range: numbers are below 1.8e308");
  }
  if (problem == JsonProblem::kEnded)
    return sentence("is not valid JSON: it ends too early, at byte ", position);
  return sentence("is not valid JSON: unexpected input at byte ", position + 1);
}

/// Scans the text with `events`; returns the error if the text is invalid or an event stops the scan.
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
                              : problem_of(problem, scanner.position(), scanner.number());
  return Error{ErrorCode::kBadFile, sentence(where, " ", why)};
}

template <class Json>
Result<BasicJsonDocument<Json>> build(std::string_view text, std::string_view where,
                                      const JsonLimits& limits) {
  return catch_all([&]() -> Result<BasicJsonDocument<Json>> {
    Builder<Json> builder(limits);
    TRY(scan(text, where, limits, builder));
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

}  // namespace partita::internal

namespace partita {
using namespace internal;

Result<void> check_json(std::string_view text, std::string_view where, const JsonLimits& limits) {
  return catch_all([&] {
    Checker checker(limits);
    return scan(text, where, limits, checker);
  });
}

}  // namespace partita
