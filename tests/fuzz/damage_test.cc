// Damaged files of every family: each is refused with a sentence, or loads and runs.
#include "tests/fuzz/damage.h"

#include <algorithm>
#include <chrono>
#include <filesystem>

#include "tests/allocations.h"
#include "tests/catch.h"
#include "tests/fuzz/support.h"
#include "tests/must.h"
#include "tests/sanitized.h"

namespace partita::internal::fuzz {
namespace {

namespace fs = std::filesystem;

// The largest file takes less than 1 MB, and a model of it some; a try takes milliseconds.
constexpr std::size_t kMostBytes = std::size_t{256} << 20;
constexpr double kMostSeconds = test::all_or(5, 60);

std::vector<fs::path> model_files() {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(fs::path(PARTITA_TEST_DATA) / "families")) {
    if (entry.path().extension() == ".gguf") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

/// Whether the model loads, reads a prompt across a page of the cache, and generates.
bool reads_and_generates(const std::string& path) {
  OpenOptions options;
  options.threads = 1;
  const auto model = Model::open(path, options);
  if (!model) return require_message(model.error()), false;
  auto session = model->session();
  if (!session) return require_message(session.error()), false;
  Request request;
  const std::size_t vocabulary = model->info().vocab_size;
  for (std::size_t i = 0; i < 70; ++i) request.ids.push_back(static_cast<TokenId>(i * 37 % vocabulary));
  request.max_tokens = 2;
  request.sampling.temperature = 0;
  auto stream = session->generate(request);
  if (!stream) return require_message(stream.error()), false;
  while (true) {
    const auto token = stream->next();
    if (!token) return require_message(token.error()), false;  // NaN weights
    if (!*token) return true;
  }
}

/// Every finding about the file is a sentence with a remedy.
void diagnosed(const std::string& path) {
  const auto findings = diagnose(path, {.threads = 1, .progress = {}});
  if (!findings) return require_message(findings.error());
  for (const Finding& finding : *findings) require(!finding.message.empty() && !finding.remedy.empty());
}

/// Damages every file `tries` times. The same seed gives the same damage.
void damage_all(std::size_t tries, std::uint64_t seed) {
  std::size_t ran = 0, all = 0;
  for (const fs::path& path : model_files()) {
    const std::string bytes = contents_of(path);
    const Gguf file = testing::must(Gguf::open_whole(path));
    for (std::size_t i = 0; i < tries; ++i) {
      std::mt19937_64 random(seed + i);
      const Damaged damaged = damage(bytes, file, random);
      INFO(path.stem().string() << ", seed " << seed + i << ": " << damaged.what);
      if (damaged.bytes.empty()) continue;  // the writer has no such file
      const MemoryFile copy(damaged.bytes);
      const test::AllocationWatch watch;
      const auto start = std::chrono::steady_clock::now();
      ran += reads_and_generates(copy.path());
      diagnosed(copy.path());
      const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
      CHECK(taken.count() < kMostSeconds);
      CHECK(watch.peak_bytes() < kMostBytes);
      ++all;
    }
  }
  WARN(ran << " of " << all << " damaged files ran, the others were refused");
}

TEST_CASE("Damaged files of every family are refused with a sentence, or run") {
  damage_all(test::all_or(4, 1), 1);
}

TEST_CASE("Damaged files of every family, 10,000 tries", "[.many]") {
  damage_all(10000 / model_files().size() + 1, 1000);
}

}  // namespace
}  // namespace partita::internal::fuzz
