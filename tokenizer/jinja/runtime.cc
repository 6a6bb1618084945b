#include "tokenizer/jinja/runtime.h"

#include <algorithm>
#include <utility>

namespace partita::internal::jinja {
namespace {

// Makes a shared value whose bytes count as live until its last reference is released.
template <class T>
std::shared_ptr<const T> keep(Runtime& runtime, T value, std::size_t bytes) {
  runtime.reserve(bytes);
  auto owned = std::make_unique<T>(std::move(value));
  return std::shared_ptr<const T>(owned.release(), [&runtime, bytes](const T* p) {
    runtime.release(bytes);
    delete p;
  });
}

}  // namespace

Runtime::~Runtime() {
  for (const auto& space : namespaces_) space->clear();
}

void Runtime::fail(ErrorCode code, const std::string& message) const {
  throw JinjaError{{code, message_begin(place_) + message}};
}

void Runtime::unsupported(const std::string& construct) const {
  fail(ErrorCode::kUnsupported, construct + " is not supported");
}

void Runtime::refuse_undefined(const Value& value) const {
  const auto* undefined = value.get<Undefined>();
  if (undefined == nullptr) return;
  type_error(undefined->why ? *undefined->why : std::string("the value is undefined"));
}

void Runtime::check() {
  constexpr std::size_t kBetween = 4096;  // steps between checks: less than a millisecond
  if (steps_ > kMaxSteps) {
    fail(ErrorCode::kOutOfMemory, "rendering takes more than " + std::to_string(kMaxSteps) + " steps");
  }
  if (cancel_ != nullptr && cancel_->load(std::memory_order_relaxed)) {
    fail(ErrorCode::kCancelled, "the rendering was cancelled");
  }
  next_check_ = std::min(steps_ + kBetween, kMaxSteps + 1);
}

void Runtime::look_up(const Value& key) {
  step();
  touch_text(key);
  if (const Sequence* tuple = key.sequence()) {
    step(tuple->items.size());
    for (const Value& item : tuple->items) touch_text(item);
  }
}

void Runtime::check_text_size(std::size_t bytes) const {
  if (bytes <= kMaxTextBytes) return;
  fail(ErrorCode::kOutOfMemory, "a text of " + std::to_string(bytes) + " bytes is longer than the limit of " +
                                    std::to_string(kMaxTextBytes));
}

void Runtime::reserve(std::size_t bytes) {
  if (bytes > kMaxLiveBytes - live_) {
    fail(ErrorCode::kOutOfMemory,
         "the template's values need more than " + std::to_string(kMaxLiveBytes) + " bytes of memory");
  }
  step();
  touch(bytes);
  live_ += bytes;
}

Value Runtime::text(Text text) {
  check_text_size(text.size());
  const std::size_t bytes = text.footprint();
  return Value(keep(*this, std::move(text), bytes));
}

Value Runtime::sequence(SequenceKind kind, std::vector<Value> items) {
  return keep_sequence({.kind = kind, .items = std::move(items)});
}

Value Runtime::range(std::vector<Value> items, RangeBounds bounds) {
  return keep_sequence({.kind = SequenceKind::kRange, .items = std::move(items), .bounds = bounds});
}

Value Runtime::group(Value grouper, Value list) {
  std::vector<Value> items;
  items.push_back(std::move(grouper));
  items.push_back(std::move(list));
  return keep_sequence({.kind = SequenceKind::kTuple, .items = std::move(items), .is_group = true});
}

Value Runtime::keep_sequence(Sequence sequence) {
  for (const Value& item : sequence.items) sequence.depth = std::max(sequence.depth, 1 + depth_of(item));
  if (sequence.depth > kMaxValueDepth) {
    fail(ErrorCode::kOutOfMemory, "lists nest deeper than " + std::to_string(kMaxValueDepth));
  }
  step(sequence.items.size());
  const std::size_t bytes = sizeof(Sequence) + sequence.items.size() * sizeof(Value);
  return Value(keep(*this, std::move(sequence), bytes));
}

Value Runtime::dict(Dict dict) {
  if (dict.depth() > kMaxValueDepth) {
    fail(ErrorCode::kOutOfMemory, "dicts nest deeper than " + std::to_string(kMaxValueDepth));
  }
  step(dict.size());
  const std::size_t bytes = sizeof(Dict) + dict.size() * (2 * sizeof(Value) + 48);  // 48: a node of the index
  return Value(keep(*this, std::move(dict), bytes));
}

std::shared_ptr<Namespace> Runtime::make_namespace() {
  reserve(256);  // never released: see the header
  namespaces_.push_back(std::make_shared<Namespace>());
  return namespaces_.back();
}

Value Runtime::undefined(std::string why) {
  constexpr std::size_t kMaxReasonBytes = 200;
  if (why.size() > kMaxReasonBytes) {
    std::size_t end = kMaxReasonBytes;
    while (end > 0 && (static_cast<unsigned char>(why[end]) & 0xC0) == 0x80) --end;
    why = why.substr(0, end) + "...";
  }
  const std::size_t bytes = sizeof(std::string) + why.size();
  return Value(Undefined{keep(*this, std::move(why), bytes)});
}

void Runtime::raise_failure(const Value& value) {
  const Sequence* const sequence = value.sequence();
  if (sequence != nullptr && sequence->failure != nullptr) throw JinjaError{*sequence->failure};
}

SequencePtr Runtime::elements(const Value& value) {
  raise_failure(value);
  return available(value);
}

/// The items that there are, whether a generator raises something after them or not.
SequencePtr Runtime::available(const Value& value) {
  std::vector<Value> items;
  if (const SequencePtr* sequence = value.get<SequencePtr>()) {
    const Sequence& s = **sequence;
    step(s.items.size());
    if (s.taken == 0) {
      if (!s.counted()) s.taken = s.items.size();
      return *sequence;
    }
    items.assign(s.items.begin() + static_cast<std::ptrdiff_t>(s.taken), s.items.end());
    s.taken = s.items.size();
  } else if (const Text* text = value.text()) {
    for (std::size_t at = 0; at < text->size();) {
      const std::size_t length = character_at(text->bytes(), at).length;
      items.push_back(this->text(text->slice(at, at + length).set_safe(false)));
      at += length;
    }
  } else if (const Dict* dict = value.dict()) {
    for (const Dict::Item& item : dict->items()) items.push_back(item.first);
  } else if (!value.is_undefined()) {
    type_error("'" + std::string(type_name(value)) + "' object is not iterable");
  }
  return *list(std::move(items)).get<SequencePtr>();
}

Parameters::Parameters(Runtime& runtime, std::string_view callee, const Arguments& arguments,
                       std::initializer_list<std::string_view> names, std::size_t required)
    : runtime_(runtime), callee_(callee), names_(names), values_(names.size(), nullptr) {
  if (arguments.positional.size() > names_.size()) {
    runtime.type_error(std::string(callee) + " takes at most " + std::to_string(names_.size()) +
                       " arguments, but " + std::to_string(arguments.positional.size()) + " were given");
  }
  for (std::size_t i = 0; i < arguments.positional.size(); ++i) values_[i] = &arguments.positional[i];
  for (const Value& value : arguments.positional) runtime.touch_text(value);
  for (const auto& [name, value] : arguments.named) runtime.touch_text(value);
  for (const auto& [name, value] : arguments.named) {
    const auto it = std::find(names_.begin(), names_.end(), name);
    const auto i = static_cast<std::size_t>(it - names_.begin());
    if (it == names_.end()) runtime.type_error(std::string(callee) + " has no argument named '" + name + "'");
    if (values_[i] != nullptr) {
      runtime.type_error(std::string(callee) + " got argument '" + name + "' twice");
    }
    values_[i] = &value;
  }
  for (std::size_t i = 0; i < required; ++i) {
    if (values_[i] == nullptr) {
      runtime.type_error(std::string(callee) + " needs its argument '" + std::string(names_[i]) + "'");
    }
  }
}

std::int64_t Parameters::integer(std::size_t i, std::int64_t otherwise) const {
  if (!has(i)) return otherwise;
  if (const auto value = values_[i]->integer()) return *value;
  runtime_.type_error(std::string(callee_) + ": argument '" + std::string(names_[i]) +
                      "' must be an int, not " + std::string(type_name(*values_[i])));
}

const Text& Parameters::text(std::size_t i) const {
  if (const Text* text = values_[i]->text()) return *text;
  runtime_.type_error(std::string(callee_) + ": argument '" + std::string(names_[i]) +
                      "' must be a str, not " + std::string(type_name(*values_[i])));
}

}  // namespace partita::internal::jinja
