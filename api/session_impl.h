// What a Session has behind it.
#pragma once

#include "api/lane.h"
#include "api/token_source.h"

namespace partita {

struct Session::Impl final : Lane, TokenSource {
  using Lane::Lane;

  Result<Token> next(Sequence& sequence, Timing& timing) override;
};

}  // namespace partita
