// What of a request can be checked without a model.
#include "partita/request.hpp"

#include <cmath>
#include <string>

#include "api/serving/stop_filter.h"
#include "sampling/chain/numbers.h"
#include "weights/catch_all.h"
#include "weights/sentence.h"
#include "weights/try.h"

namespace partita {
using namespace internal;
namespace {

Result<void> check(const AbstainRule& rule) {
  if (!(rule.min_probability >= 0 && rule.min_probability <= 1)) {
    return bad_option("min_probability", to_text(rule.min_probability), "at least 0 (off) and at most 1");
  }
  if (!(rule.min_margin >= 0 && rule.min_margin <= 1)) {
    return bad_option("min_margin", to_text(rule.min_margin), "at least 0 (off) and at most 1");
  }
  if (!(rule.max_entropy >= 0))
    return bad_option("max_entropy", to_text(rule.max_entropy), "0 or more (inf: off)");
  return {};
}

Result<void> check_guidance(const Request& request) {
  const float scale = request.guidance_scale;
  if (!(scale >= 0) || std::isinf(scale)) {
    return bad_option("guidance_scale", to_text(scale), "a number of 0 or more (1: off)");
  }
  if (!request.negative_prompt.empty() && !request.negative_ids.empty()) {
    return invalid("a request has both negative_prompt and negative_ids; give one");
  }
  return {};
}

}  // namespace

Result<void> check(const Request& request) {
  return catch_all([&]() -> Result<void> {
    TRY(check(request.abstain));
    if (request.explain < 0) {
      return bad_option("explain", std::to_string(request.explain), "0 (off) or more");
    }
    TRY(check_guidance(request));
    return StopFilter::check(request.stop);
  });
}

}  // namespace partita
