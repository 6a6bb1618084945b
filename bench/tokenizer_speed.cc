// Encodes files with the tokenizer of a GGUF file: tokenizer_speed MODEL.gguf, then on each line of stdin the
// path of a text. Answers each with seconds of processor time, ids and a checksum of them. One thread.
// bench/tokenizer_speed.py runs it beside others.
#include <cstdint>
#include <ctime>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <vector>

#include "tokenizer/open.h"
#include "weights/gguf/gguf.h"

namespace {

using namespace partita::internal;

/// Processor time of this process, which other programs on the machine change less than the time of day.
double seconds_used() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

int fail(const std::string& message) {
  std::cerr << message << "\n";
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return fail("usage: tokenizer_speed MODEL.gguf");
  const double start = seconds_used();
  const auto file = Gguf::open(argv[1]);
  if (!file) return fail(file.error().message);
  const auto tokenizer = open_tokenizer(*file);
  if (!tokenizer) return fail(tokenizer.error().message);
  std::cout << seconds_used() - start << std::endl;
  for (std::string path; std::getline(std::cin, path);) {
    std::ifstream stream(path, std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
    std::vector<TokenId> ids;
    const double from = seconds_used();
    const auto done = (*tokenizer)->encode(text, Specials::kAsText, ids);
    const double seconds = seconds_used() - from;
    if (!done) return fail(done.error().message);
    std::uint32_t sum = 0;
    for (const TokenId id : ids) sum = sum * 31 + static_cast<std::uint32_t>(id);
    std::cout << seconds << " " << ids.size() << " " << sum << std::endl;
  }
  return 0;
}
