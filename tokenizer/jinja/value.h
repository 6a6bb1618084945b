// The values of a template, with Python's semantics. All are immutable except namespaces.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "partita/result.hpp"
#include "tokenizer/jinja/text.h"

namespace partita::internal::jinja {

class Runtime;
class Value;
class Dict;
class Object;
class Callable;
struct Sequence;

/// A name, attribute or item that does not exist. Prints as "" and iterates as empty; every other use fails
/// with the message `why`.
struct Undefined {
  std::shared_ptr<const std::string> why;
};
struct None {};

using TextPtr = std::shared_ptr<const Text>;
using SequencePtr = std::shared_ptr<const Sequence>;
using DictPtr = std::shared_ptr<const Dict>;
using ObjectPtr = std::shared_ptr<Object>;

class Value {
 public:
  /// std::uint64_t holds only integers past int64, which can be printed and compared but not computed with.
  using Data = std::variant<Undefined, None, bool, std::int64_t, std::uint64_t, double, TextPtr, SequencePtr,
                            DictPtr, ObjectPtr>;

  Value() = default;
  Value(None none) : data_(none) {}                      // NOLINT: implicit by design, as are the next
  Value(bool value) : data_(value) {}                    // NOLINT
  Value(std::int64_t value) : data_(value) {}            // NOLINT
  Value(double value) : data_(value) {}                  // NOLINT
  Value(TextPtr value) : data_(std::move(value)) {}      // NOLINT
  Value(SequencePtr value) : data_(std::move(value)) {}  // NOLINT
  Value(DictPtr value) : data_(std::move(value)) {}      // NOLINT
  Value(ObjectPtr value) : data_(std::move(value)) {}    // NOLINT
  Value(Undefined value) : data_(std::move(value)) {}    // NOLINT
  Value(const void*) = delete;                           // a pointer is not a bool
  static Value big(std::uint64_t value);

  const Data& data() const { return data_; }
  template <class T>
  const T* get() const {
    return std::get_if<T>(&data_);
  }

  bool is_undefined() const { return get<Undefined>() != nullptr; }
  bool is_none() const { return get<None>() != nullptr; }
  /// The string, list or dict itself, or null.
  const Text* text() const { return get<TextPtr>() ? get<TextPtr>()->get() : nullptr; }
  const Sequence* sequence() const { return get<SequencePtr>() ? get<SequencePtr>()->get() : nullptr; }
  const Dict* dict() const { return get<DictPtr>() ? get<DictPtr>()->get() : nullptr; }
  Object* object() const { return get<ObjectPtr>() ? get<ObjectPtr>()->get() : nullptr; }
  /// Integers and booleans, as Python counts them.
  std::optional<std::int64_t> integer() const;
  /// Integers, booleans and floats.
  std::optional<double> number() const;

 private:
  Data data_;
};

enum class SequenceKind : std::uint8_t {
  kList,
  kTuple,
  kRange,
  kGenerator,  // the result of map, select and similar: iterates once, always true, no length, no index
  kKeys,       // views of a dict: a length but no index
  kValues,
  kItems,
};

/// What a range was made of.
struct RangeBounds {
  std::int64_t start = 0, stop = 0, step = 1;
};

struct Sequence {
  SequenceKind kind = SequenceKind::kList;
  std::vector<Value> items;
  RangeBounds bounds = {};                    // of a kRange
  bool is_group = false;                      // a tuple of groupby, with the attributes grouper and list
  int depth = 1;                              // 1 + the deepest item
  mutable std::size_t taken = 0;              // how many items of a generator are consumed
  std::shared_ptr<const Error> failure = {};  // of a generator: what reading past its items raises

  bool is_list_or_tuple() const { return kind <= SequenceKind::kTuple; }
  bool indexable() const { return kind <= SequenceKind::kRange; }
  bool counted() const { return kind != SequenceKind::kGenerator; }
};

/// An insertion-ordered dict. Keys are hashable values; equal keys (1, 1.0, True) are one.
class Dict {
 public:
  using Item = std::pair<Value, Value>;

  const Value* find(const Value& key) const;
  const Value* find(std::string_view key) const;
  /// Setting an existing key replaces its value and keeps its position.
  void set(Value key, Value value);

  const std::vector<Item>& items() const { return items_; }
  std::size_t size() const { return items_.size(); }
  int depth() const { return depth_; }

 private:
  std::optional<std::size_t> position(const Value& key, std::size_t hash) const;

  std::vector<Item> items_;
  std::multimap<std::size_t, std::size_t> index_;  // hash of a key to its index in items_
  int depth_ = 1;
};

/// Arguments of a call, a filter or a test.
struct Arguments {
  std::vector<Value> positional;
  std::vector<std::pair<std::string, Value>> named;
};

/// Functions, bound methods, macros, namespaces and `loop`.
class Object {
 public:
  virtual ~Object() = default;
  virtual const char* type_name() const = 0;
  virtual std::optional<Value> attribute(Runtime& runtime, std::string_view name);
  /// str() of the object; empty if it cannot be printed, such as those that Python prints with their address.
  virtual std::string printed() { return {}; }
  /// The object as one that can be called; null if it cannot be.
  virtual Callable* callable() { return nullptr; }
};

/// Functions, bound methods and macros.
class Callable : public Object {
 public:
  Callable* callable() final { return this; }
  virtual Value call(Runtime& runtime, const Arguments& arguments) = 0;
};

/// The result of namespace(): the only mutable value.
class Namespace final : public Object {
 public:
  const char* type_name() const override { return "Namespace"; }
  std::optional<Value> attribute(Runtime& runtime, std::string_view name) override;
  void set(const std::string& name, Value value);
  void clear();
  /// In the order in which they were set first.
  const std::vector<std::pair<std::string, Value>>& attributes() const { return attributes_; }

 private:
  std::vector<std::pair<std::string, Value>> attributes_;
  std::unordered_map<std::string, std::size_t> index_;  // of a name in attributes_
};

/// Python's name of the value's type: "str", "int", "NoneType".
std::string_view type_name(const Value& value);
bool truthy(const Value& value);
/// 0 for scalars, 1 + the deepest member for lists and dicts.
int depth_of(const Value& value);
/// Whether the value can be a key: not a list, a dict, or a tuple that contains one.
bool hashable(const Value& value);
/// Equal values have equal hashes. Precondition: hashable.
std::size_t hash_of(const Value& value);
/// Python's == without counting work, for keys: their depth is bounded when they are created.
bool keys_equal(const Value& a, const Value& b);

}  // namespace partita::internal::jinja
