#include "api/serving/token_source.h"

#include <algorithm>

namespace partita::internal {

TokenSource::Held TokenSource::held(const KvSequence& cache, std::size_t track) const {
  if (current != nullptr && track < current->tracks()) {
    const Sequence::Track read = current->track(track);
    return {read.ids.first(cache.length()), std::min(read.prompt_size, cache.length())};
  }
  if (current == nullptr && track == 0) {
    return {std::span(loaded).first(cache.length()), std::min(loaded_prompt, cache.length())};
  }
  return {};
}

void TokenSource::keep_common(KvSequence& cache, const Sequence& fresh, std::size_t track,
                              bool roles_differ) const {
  std::size_t common = 0;
  if (track < fresh.tracks()) {
    const Held known = held(cache, track);
    const auto ids = roles_differ ? known.ids.first(known.prompt_size) : known.ids;
    const auto asked = fresh.track(track).ids.first(fresh.track(track).prompt_size - 1);
    common = static_cast<std::size_t>(
        std::mismatch(ids.begin(), ids.end(), asked.begin(), asked.end()).first - ids.begin());
  }
  cache.truncate(common);
}

}  // namespace partita::internal
