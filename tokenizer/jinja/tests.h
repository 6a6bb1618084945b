// The tests of templates: `value is name`.
#pragma once

#include <span>
#include <string_view>

#include "tokenizer/jinja/runtime.h"

namespace partita::internal::jinja {

using Test = bool (*)(Runtime& runtime, const Value& input, const Arguments& arguments);

/// Null if there is none of that name.
Test find_test(std::string_view name);

/// Calls the test; first counts the bytes of `input` as touched if it is a string. A test that does more work
/// per character counts that itself.
bool run_test(Test test, Runtime& runtime, const Value& input, const Arguments& arguments);

struct NamedTest {
  std::string_view name;
  Test test;
};
/// The table of find_test().
std::span<const NamedTest> tests();

}  // namespace partita::internal::jinja
