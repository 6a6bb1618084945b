#include "sampling/stages/history.h"

#include "sampling/chain/options.h"
#include "weights/sentence.h"

namespace partita::internal {

Result<std::size_t> last_n(const SamplingOptions& options, std::string_view option) {
  const std::int64_t n = options.whole(option);
  if (n < 0) return bad_option(option, std::to_string(n), "0 (all ids) or more");
  return static_cast<std::size_t>(n);
}

std::string within_last(std::size_t n) {
  return n == 0 ? std::string() : " of the last " + std::to_string(n) + (n == 1 ? " id" : " ids");
}

Result<void> check_size(std::string_view option, const std::vector<std::string>& texts) {
  std::size_t bytes = 0;
  for (const std::string& text : texts) bytes += text.size();
  if (bytes <= kMaxOptionBytes) return {};
  return bad_option(option, std::to_string(bytes) + " bytes long in all",
                    "at most " + std::to_string(kMaxOptionBytes));
}

}  // namespace partita::internal
