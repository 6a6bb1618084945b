#include "weights/json_reader.h"

#include <cstdint>
#include <utility>
#include <vector>

#include "weights/sentence.h"

namespace partita {
namespace {

using Json = nlohmann::json;

/// Builds the value while the library's parser, which does not recurse, reads it. Every event answers whether
/// to go on.
class Builder {
 public:
  explicit Builder(const JsonLimits& limits) : limits_(limits) {}

  bool null() { return put(nullptr) != nullptr; }
  bool boolean(bool value) { return put(value) != nullptr; }
  bool number_integer(std::int64_t value) { return put(value) != nullptr; }
  bool number_unsigned(std::uint64_t value) { return put(value) != nullptr; }
  bool number_float(double value, const std::string&) { return put(value) != nullptr; }
  bool string(std::string& value) { return put(std::move(value)) != nullptr; }
  bool binary(Json::binary_t&) { return false; }  // which JSON does not have
  bool start_object(std::size_t) { return open(Json::object()); }
  bool start_array(std::size_t) { return open(Json::array()); }
  bool end_object() { return close(); }
  bool end_array() { return close(); }
  bool key(std::string& name) {
    key_ = std::move(name);
    return true;
  }
  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception&) {
    return fail(sentence("is no JSON: it stops making sense at byte ", position));
  }

  Json take() { return std::move(root_); }
  const std::string& problem() const { return problem_; }

 private:
  bool fail(std::string problem) {
    problem_ = std::move(problem);
    return false;
  }

  /// The value at its place, or null. Places stay where they are while they are open: an array grows only
  /// after the value before is closed.
  Json* put(Json value) {
    if (++values_ > limits_.values) {
      fail(sentence("has more values than the ", limits_.values, " allowed"));
      return nullptr;
    }
    if (open_.empty()) {
      root_ = std::move(value);
      return &root_;
    }
    if (auto* array = open_.back()->get_ptr<Json::array_t*>()) return &array->emplace_back(std::move(value));
    auto& object = open_.back()->get_ref<Json::object_t&>();
    const auto [place, is_new] = object.emplace(key_, std::move(value));
    if (!is_new) {
      fail(sentence("has the key ", partita::quoted(key_), " twice in one object"));
      return nullptr;
    }
    return &place->second;
  }

  bool open(Json value) {
    if (open_.size() == limits_.depth) {
      return fail(sentence("has objects and arrays within each other ", limits_.depth + 1, " deep, and ",
                           limits_.depth, " are allowed"));
    }
    Json* place = put(std::move(value));
    if (place == nullptr) return false;
    open_.push_back(place);
    return true;
  }

  bool close() {
    open_.pop_back();
    return true;
  }

  const JsonLimits& limits_;
  Json root_;
  std::vector<Json*> open_;  // objects and arrays, outermost first
  std::string key_;          // of the value that comes next in an object
  std::string problem_;
  std::size_t values_ = 0;
};

}  // namespace

Result<Json> read_json(std::string_view text, std::string_view where, const JsonLimits& limits) {
  if (text.size() > limits.bytes) {
    return Error{ErrorCode::kBadFile,
                 sentence(where, " has ", text.size(), " bytes, and ", limits.bytes, " are allowed")};
  }
  Builder builder(limits);
  if (Json::sax_parse(text.begin(), text.end(), &builder)) return builder.take();
  return Error{ErrorCode::kBadFile, sentence(where, " ", builder.problem())};
}

}  // namespace partita
