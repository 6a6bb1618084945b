// TRY: hands an error on to the caller. The only macro of this kind.
#pragma once

/// Evaluates an expression of type Result<T>. If it is an error, the function that contains TRY returns that
/// error.
#define TRY(...)                                                                 \
  do {                                                                           \
    if (auto try_result = (__VA_ARGS__); !try_result) return try_result.error(); \
  } while (false)
