// A file that is diagnosed: any bytes, or a changed tiny model with a chat template. The first byte chooses;
// the rest is the file, or changes.
#include "tests/api/tiny_chat.h"
#include "tests/fuzz/support.h"

namespace partita::internal::fuzz {

void run_doctor(Bytes bytes) {
  static const std::string tiny = contents_of(testing::ChatModelFile().path());
  Input input(bytes);
  const bool any = input.byte() % 2 == 0;
  const MemoryFile file(any ? std::string(input.rest()) : with_changes(tiny, input));
  const auto findings = diagnose(file.path(), {.threads = 1, .progress = {}});
  if (!findings) return require_message(findings.error());
  for (const Finding& finding : *findings) {
    require(!finding.code.empty() && !finding.message.empty() && !finding.remedy.empty());
    require(printable(finding.message) == finding.message && printable(finding.remedy) == finding.remedy);
  }
}

}  // namespace partita::internal::fuzz
