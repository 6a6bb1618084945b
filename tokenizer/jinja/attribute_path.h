// What filters look at in the items of a sequence: an attribute of each, and keys to sort by.
#pragma once

#include <string>
#include <vector>

#include "tokenizer/jinja/runtime.h"

namespace partita::internal::jinja {

/// A path of attributes such as "function.name" or "0.role"; None: the item itself.
class AttributePath {
 public:
  AttributePath(Runtime& runtime, const Value& path);

  /// The value at the path; an undefined one becomes `otherwise` if that is given and not None.
  Value of(Value item, const Value* otherwise = nullptr) const;

 private:
  Value part(const std::string& name) const;

  Runtime& runtime_;
  std::vector<Value> parts_;
};

/// The sort key of sort, unique, min, max and groupby: an attribute, case-insensitive by default.
class KeyOf {
 public:
  /// `several`: the attribute may be a list of paths, "age,name".
  KeyOf(Runtime& runtime, const Value* attribute, bool case_sensitive, bool several = false);

  Value one(const Value& item, const Value* otherwise = nullptr) const {
    return fold(paths_.front().of(item, otherwise));
  }
  std::vector<Value> all(const Value& item) const;

 private:
  Value fold(Value key) const;

  Runtime& runtime_;
  bool case_sensitive_;
  std::vector<AttributePath> paths_;
};

/// The items in the order of their keys; keys[i] belongs to items[i]. Stable in both directions.
std::vector<Value> sorted_by(Runtime& runtime, const std::vector<Value>& items,
                             const std::vector<Value>& keys, bool reversed);
/// The same with several keys each, which are compared as lists: equal ones need no order.
std::vector<Value> sorted_by(Runtime& runtime, const std::vector<Value>& items,
                             const std::vector<std::vector<Value>>& keys, bool reversed);

}  // namespace partita::internal::jinja
