// Reduces tests over thousands of rows under sanitizers, where everything takes ten times as long: a few rows
// show the same faults as many.
#pragma once

namespace partita::internal::test {

#if defined(__has_feature)  // clang; g++ defines macros
#define PARTITA_HAS_FEATURE(feature) __has_feature(feature)
#else
#define PARTITA_HAS_FEATURE(feature) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || \
    PARTITA_HAS_FEATURE(address_sanitizer) || PARTITA_HAS_FEATURE(thread_sanitizer)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif
#undef PARTITA_HAS_FEATURE

/// `all` in a release build, `few` under sanitizers.
template <class T>
constexpr T all_or(T all, T few) {
  return kSanitized ? few : all;
}

}  // namespace partita::internal::test
