#include "api/serving/stop_filter.h"

#include "weights/sentence.h"
#include "weights/try.h"

#include <algorithm>
#include <utility>

namespace partita::internal {
namespace {

/// Length of the longest suffix of `text` that is a proper prefix of `stop`.
std::size_t possible_start(std::string_view text, std::string_view stop) {
  for (std::size_t n = std::min(text.size(), stop.size() - 1); n > 0; --n) {
    if (text.substr(text.size() - n) == stop.substr(0, n)) return n;
  }
  return 0;
}

}  // namespace

Result<void> StopFilter::check(const std::vector<std::string>& stops) {
  if (std::find(stops.begin(), stops.end(), std::string()) != stops.end()) {
    return invalid("a stop string is empty: it would end every answer before its first word");
  }
  return {};
}

Result<StopFilter> StopFilter::create(const Tokenizer& tokenizer, std::vector<std::string> stops) {
  TRY(check(stops));
  return StopFilter(tokenizer, std::move(stops));
}

void StopFilter::prime(std::span<const TokenId> prompt) {
  for (const TokenId id : prompt) detokenizer_.push(id);
}

bool StopFilter::cut_at_stop() {
  std::size_t cut = std::string::npos;
  for (const std::string& stop : stops_) cut = std::min(cut, held_.find(stop));
  if (cut == std::string::npos) return false;
  held_.resize(cut);
  stopped_ = true;
  return true;
}

std::string StopFilter::push(TokenId id) {
  if (stopped_) return {};
  if (tokenizer_->contains(id)) held_ += detokenizer_.push(id);
  if (cut_at_stop()) return std::exchange(held_, {});
  std::size_t keep = 0;
  for (const std::string& stop : stops_) keep = std::max(keep, possible_start(held_, stop));
  std::string out = held_.substr(0, held_.size() - keep);
  held_.erase(0, out.size());
  return out;
}

std::string StopFilter::finish() {
  if (stopped_) return {};
  held_ += detokenizer_.finish();
  cut_at_stop();
  return std::exchange(held_, {});
}

}  // namespace partita::internal
