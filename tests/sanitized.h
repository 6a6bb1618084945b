// Sanitizers look for faults that a few rows show as well as many: under them, where everything takes ten
// times as long, tests of numbers over thousands of rows take a part.
#pragma once

namespace partita::test {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif

/// `all` in a release build, `few` under sanitizers.
template <class T>
constexpr T all_or(T all, T few) {
  return kSanitized ? few : all;
}

}  // namespace partita::test
