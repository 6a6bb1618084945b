// Limits, errors and memory of one rendering. Inside the interpreter errors are exceptions, because every
// operation of the language can fail; ChatTemplate turns them into Results.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "partita/json.hpp"
#include "partita/result.hpp"
#include "tokenizer/jinja/place.h"
#include "tokenizer/jinja/value.h"

namespace partita::internal::jinja {

/// Thrown by the code in tokenizer/jinja/; caught in ChatTemplate.
struct JinjaError {
  Error error;
};

inline constexpr std::size_t kMaxSourceBytes = std::size_t{1} << 20;
inline constexpr std::size_t kMaxNesting = 200;       // nested brackets and blocks
inline constexpr int kMaxExpressionHeight = 400;      // height of operators, as in a + b + c + ...
inline constexpr std::size_t kMaxSteps = 10'000'000;  // of about 100 ns each: Runtime::step()
inline constexpr std::size_t kMaxCallDepth = 1'200;   // nested nodes under evaluation, nested macro calls
inline constexpr std::size_t kMaxTextBytes = std::size_t{16} << 20;  // the output, and any one string
inline constexpr std::size_t kMaxLiveBytes = std::size_t{64} << 20;  // all strings and lists alive at once
inline constexpr std::int64_t kMaxRange = 100'000;                   // the limit of jinja2's sandbox
inline constexpr int kMaxValueDepth = int{kMaxJsonDepth};            // nested lists and dicts

class Runtime {
 public:
  /// `now`: see now(). `cancel`: null, or a flag that ends the rendering with kCancelled when it is set.
  explicit Runtime(std::optional<std::int64_t> now, const std::atomic<bool>* cancel = nullptr)
      : now_(now), cancel_(cancel) {}
  ~Runtime();
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  /// The place in error messages.
  void set_place(Place place) { place_ = place; }
  Place place() const { return place_; }

  [[noreturn]] void fail(ErrorCode code, const std::string& message) const;
  /// A type error: the operation is not defined for its values.
  [[noreturn]] void type_error(const std::string& message) const { fail(ErrorCode::kBadFile, message); }
  /// The template is valid, but this interpreter does not support `construct`.
  [[noreturn]] void unsupported(const std::string& construct) const;
  /// Fails if the value is undefined.
  void refuse_undefined(const Value& value) const;

  /// Counts work: evaluated nodes, visited items, created values. Fails past kMaxSteps or if the rendering is
  /// cancelled.
  void step(std::size_t count = 1) {
    steps_ += count;
    if (steps_ >= next_check_) check();
  }
  /// Counts the work of copying or comparing `bytes`.
  void touch(std::size_t bytes) { step(bytes / 256); }
  /// Counts the work of searching in `bytes`.
  void search(std::size_t bytes) { step(bytes / 64); }
  /// Counts the work of decoding `bytes` into characters.
  void walk(std::size_t bytes) { step(bytes / 4); }
  /// Counts the work of hashing a key and comparing it with another.
  void look_up(const Value& key);
  /// touch(), if the value is a string.
  void touch_text(const Value& value) {
    if (const Text* text = value.text()) touch(text->footprint());
  }
  std::size_t steps() const { return steps_; }
  /// Fails if a string of `bytes` would exceed kMaxTextBytes. Call it before building one.
  void check_text_size(std::size_t bytes) const;

  /// Counts `bytes` against kMaxLiveBytes until release().
  void reserve(std::size_t bytes);
  void release(std::size_t bytes) { live_ -= bytes; }

  Value text(Text text);
  Value text(std::string_view bytes, bool from_message) { return text(Text(bytes, from_message)); }
  Value sequence(SequenceKind kind, std::vector<Value> items);
  Value list(std::vector<Value> items) { return sequence(SequenceKind::kList, std::move(items)); }
  /// A generator of the items that `fill` appends to a vector. It is filled at once; an error of the template
  /// on the way is raised where the items before it are used up, as by Python's generators. Limits fail here.
  template <class Fill>
  Value generator(const Fill& fill);
  /// The values of range(): the items, and what they were made of.
  Value range(std::vector<Value> items, RangeBounds bounds);
  /// A group of groupby.
  Value group(Value grouper, Value list);
  Value dict(Dict dict);
  /// A namespace lives until the end of the rendering, because it may refer to itself.
  std::shared_ptr<Namespace> make_namespace();
  /// An undefined value; `why` is "'x' is undefined" and the like, and is truncated if it is long.
  Value undefined(std::string why);

  /// The items of an iteration: characters, keys or elements. Exhausts a generator.
  SequencePtr elements(const Value& value);
  /// Calls use(item) for each of them; what a generator raises after its items is raised after that.
  template <class Use>
  void each(const Value& value, const Use& use);
  /// The time of strftime_now(): seconds since the epoch, formatted as UTC; if absent, the current local
  /// time.
  std::optional<std::int64_t> now() const { return now_; }

 private:
  void check();
  static void raise_failure(const Value& value);
  SequencePtr available(const Value& value);
  Value keep_sequence(Sequence sequence);

  std::optional<std::int64_t> now_;
  const std::atomic<bool>* cancel_;
  Place place_;
  std::size_t steps_ = 0, next_check_ = 0;
  std::size_t live_ = 0;
  std::vector<std::shared_ptr<Namespace>> namespaces_;
};

template <class Use>
void Runtime::each(const Value& value, const Use& use) {
  const SequencePtr items = available(value);
  for (const Value& item : items->items) use(item);
  raise_failure(value);
}

template <class Fill>
Value Runtime::generator(const Fill& fill) {
  Sequence made;
  made.kind = SequenceKind::kGenerator;
  try {
    fill(made.items);
  } catch (const JinjaError& raised) {
    const ErrorCode code = raised.error.code;
    if (code != ErrorCode::kBadFile && code != ErrorCode::kUnsupported) throw;
    constexpr std::size_t kStepsOfException = 100;
    step(kStepsOfException);
    reserve(sizeof(Error) + raised.error.message.size());  // never released
    made.failure = std::make_shared<const Error>(raised.error);
  }
  return keep_sequence(std::move(made));
}

/// Binds a call's arguments to parameter names, as Python does; counts string arguments as touched.
class Parameters {
 public:
  /// Fails if one of the first `required` arguments is missing, or if one is unknown or given twice.
  Parameters(Runtime& runtime, std::string_view callee, const Arguments& arguments,
             std::initializer_list<std::string_view> names, std::size_t required = 0);

  bool has(std::size_t i) const { return values_[i] != nullptr; }
  /// Precondition: has(i).
  const Value& operator[](std::size_t i) const { return *values_[i]; }

  bool flag(std::size_t i, bool otherwise) const { return has(i) ? truthy(*values_[i]) : otherwise; }
  std::int64_t integer(std::size_t i, std::int64_t otherwise) const;
  const Text& text(std::size_t i) const;  // precondition: has(i)
  /// Whether the argument is given and not None.
  bool given(std::size_t i) const { return has(i) && !values_[i]->is_none(); }

 private:
  Runtime& runtime_;
  std::string_view callee_;
  std::vector<std::string_view> names_;
  std::vector<const Value*> values_;
};

}  // namespace partita::internal::jinja
