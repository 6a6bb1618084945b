#include "weights/json_reader.h"

#include <cstdint>
#include <string>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

#include "weights/sentence.h"

namespace partita {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

/// Counts what the parser, which does not recurse, finds in a text. Every event answers whether to go on.
class Counter {
 public:
  Counter(const JsonLimits& limits, std::size_t bytes) : limits_(limits), bytes_(bytes) {}

  bool parse_error(std::size_t position, const std::string& token,
                   const nlohmann::detail::exception& exception) {
    constexpr int kNumberOutOfRange = 406;
    if (exception.id == kNumberOutOfRange) {
      return fail(sentence("has the number ", partita::quoted(token), ", which ends at byte ", position,
                           " and is out of range: numbers are below 1.8e308"));
    }
    if (position > bytes_) return fail(sentence("is not valid JSON: it ends too early, at byte ", bytes_));
    return fail(sentence("is not valid JSON: unexpected input at byte ", position));
  }

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
  std::size_t bytes_;
  std::string problem_;
  std::size_t values_ = 0, depth_ = 0;
};

class Checker : public Counter {
 public:
  using Counter::Counter;

  bool null() { return count(); }
  bool boolean(bool) { return count(); }
  bool number_integer(std::int64_t) { return count(); }
  bool number_unsigned(std::uint64_t) { return count(); }
  bool number_float(double, const std::string&) { return count(); }
  bool string(std::string&) { return count(); }
  bool binary(json::binary_t&) { return false; }  // which JSON does not have
  bool start_object(std::size_t) { return enter(); }
  bool start_array(std::size_t) { return enter(); }
  bool end_object() { return leave(); }
  bool end_array() { return leave(); }
  bool key(std::string&) { return true; }
};

/// Builds values from the inside out: each is moved into the one around it when it is complete, never copied.
template <class Json>
class Builder : public Counter {
 public:
  using Counter::Counter;

  bool null() { return count() && put(nullptr); }
  bool boolean(bool value) { return count() && put(value); }
  bool number_integer(std::int64_t value) { return count() && put(value); }
  bool number_unsigned(std::uint64_t value) { return count() && put(value); }
  bool number_float(double value, const std::string&) { return count() && put(value); }
  bool string(std::string& value) { return count() && put(std::move(value)); }
  bool binary(typename Json::binary_t&) { return false; }  // which JSON does not have
  bool start_object(std::size_t) { return open(); }
  bool start_array(std::size_t) { return open(); }

  bool key(std::string& name) {
    Open& object = open_.back();
    const auto [found, is_new] = object.places.emplace(name, object.values.size());
    if (!is_new && kRefusesTwice) {
      return fail(sentence("has the key ", partita::quoted(name), " twice in one object"));
    }
    object.place = found->second;
    if (is_new) object.keys.push_back(std::move(name));
    return true;
  }

  bool end_array() {
    typename Json::array_t array = std::move(open_.back().values);
    open_.pop_back();
    return leave() && put(std::move(array));
  }

  bool end_object() {
    Open object = std::move(open_.back());
    open_.pop_back();
    typename Json::object_t out;
    if constexpr (!kRefusesTwice) out.reserve(object.keys.size());
    for (std::size_t i = 0; i < object.keys.size(); ++i) append(out, object.keys[i], object.values[i]);
    return leave() && put(std::move(out));
  }

  Json take() { return std::move(root_); }

 private:
  static constexpr bool kRefusesTwice = std::is_same_v<Json, json>;

  /// An object or array whose end has not come yet.
  struct Open {
    typename Json::array_t values;
    std::vector<std::string> keys;  // of an object's values
    std::unordered_map<std::string, std::size_t> places;
    std::size_t place = 0;  // in an object, where the next value goes
  };

  static void append(json::object_t& to, std::string& key, json& value) {
    to.emplace(std::move(key), std::move(value));
  }
  static void append(ordered_json::object_t& to, std::string& key, ordered_json& value) {
    to.emplace_back(std::move(key), std::move(value));  // emplace() would compare with every key before
  }

  bool open() {
    if (!enter()) return false;
    open_.emplace_back();
    return true;
  }

  template <class Value>
  bool put(Value&& value) {
    if (open_.empty()) {
      root_ = Json(std::forward<Value>(value));
      return true;
    }
    Open& around = open_.back();
    const bool again = around.place < around.values.size() && !around.keys.empty();
    if (again) {
      around.values[around.place] = Json(std::forward<Value>(value));
    } else {
      around.values.emplace_back(std::forward<Value>(value));
    }
    return true;
  }

  Json root_;
  std::vector<Open> open_;  // outermost first
};

/// Lets `events` see the text; the error, if it says stop.
template <class Events>
Result<void> scan(std::string_view text, std::string_view where, const JsonLimits& limits, Events& events) {
  if (text.size() > limits.bytes) {
    return Error{ErrorCode::kBadFile,
                 sentence(where, " has ", text.size(), " bytes, and ", limits.bytes, " are allowed")};
  }
  if (json::sax_parse(text.begin(), text.end(), &events)) return {};
  return Error{ErrorCode::kBadFile, sentence(where, " ", events.problem())};
}

template <class Json>
Result<Json> build(std::string_view text, std::string_view where, const JsonLimits& limits) {
  Builder<Json> builder(limits, text.size());
  if (auto read = scan(text, where, limits, builder); !read) return read.error();
  return builder.take();
}

}  // namespace

Result<json> read_json(std::string_view text, std::string_view where, const JsonLimits& limits) {
  return build<json>(text, where, limits);
}

Result<ordered_json> read_ordered_json(std::string_view text, std::string_view where,
                                       const JsonLimits& limits) {
  return build<ordered_json>(text, where, limits);
}

Result<void> check_json(std::string_view text, std::string_view where, const JsonLimits& limits) {
  Checker checker(limits, text.size());
  return scan(text, where, limits, checker);
}

}  // namespace partita
