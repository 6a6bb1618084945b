// Owning pointers to the objects of PCRE2.
#pragma once

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <memory>

namespace partita::internal {

template <auto kFree>
struct FreedByPcre2 {
  template <class T>
  void operator()(T* thing) const {
    kFree(thing);
  }
};
using Pcre2Code = std::unique_ptr<pcre2_code, FreedByPcre2<pcre2_code_free>>;
using CompileContext = std::unique_ptr<pcre2_compile_context, FreedByPcre2<pcre2_compile_context_free>>;
using MatchData = std::unique_ptr<pcre2_match_data, FreedByPcre2<pcre2_match_data_free>>;
using MatchContext = std::unique_ptr<pcre2_match_context, FreedByPcre2<pcre2_match_context_free>>;

}  // namespace partita::internal
