// Any bytes as the input of a batch, compressed or plain. The lines are the same however the bytes are split
// into reads.
#include "tools/batch/lines.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <vector>

#include "tests/fuzz/support.h"
#include "tools/batch/decompress.h"

namespace partita::internal::fuzz {
namespace {

constexpr std::size_t kMaxLineBytes = 1000, kMaxDecompressed = std::size_t{1} << 20;

/// Returns `bytes` in chunks of up to `chunk` bytes; without `wait` each chunk only at the second call.
class Chunks : public tools::ByteSource {
 public:
  Chunks(std::string_view bytes, std::size_t chunk) : bytes_(bytes), chunk_(chunk) {}

  Result<Got> read(char* to, std::size_t size, bool wait) override {
    if (!wait && (late_ = !late_)) return Got{};
    const std::size_t count = std::min({bytes_.size() - at_, chunk_, size});
    if (count > 0) std::memcpy(to, bytes_.data() + at_, count);
    at_ += count;
    return Got{count, count == 0};
  }
  std::size_t position() const override { return at_; }

 private:
  std::string_view bytes_;
  std::size_t chunk_, at_ = 0;
  bool late_ = false;
};

/// Ends after a megabyte: a few compressed bytes can expand to many.
class Limited : public tools::ByteSource {
 public:
  explicit Limited(std::unique_ptr<tools::ByteSource> source) : source_(std::move(source)) {}

  Result<Got> read(char* to, std::size_t size, bool wait) override {
    if (left_ == 0) return Got{0, true};
    auto got = source_->read(to, std::min(size, left_), wait);
    if (got) left_ -= got->bytes;
    return got;
  }
  std::size_t position() const override { return source_->position(); }

 private:
  std::unique_ptr<tools::ByteSource> source_;
  std::size_t left_ = kMaxDecompressed;
};

struct Read {
  std::vector<std::pair<tools::LineEnd, std::string>> lines;
  std::string error;
  std::size_t consumed = 0;
  bool operator==(const Read&) const = default;
};

Read read_lines(std::string_view bytes, std::size_t chunk, bool wait) {
  tools::LineReader reader(std::make_unique<Limited>(std::make_unique<tools::DecompressedBytes>(
                               std::make_unique<Chunks>(bytes, chunk))),
                           kMaxLineBytes);
  Read read;
  std::string line;
  while (true) {
    const tools::LineEnd end = reader.next(line, wait);
    if (end == tools::LineEnd::kNotYet) continue;
    require(end != tools::LineEnd::kInterrupted && line.size() <= kMaxLineBytes);
    read.lines.emplace_back(end, line);
    if (end == tools::LineEnd::kLine || end == tools::LineEnd::kTooLong) continue;
    if (end == tools::LineEnd::kError) read.error = reader.error().message;
    require((end == tools::LineEnd::kError) == !read.error.empty());
    read.consumed = reader.consumed();
    require(read.consumed <= reader.received());
    return read;
  }
}

}  // namespace

void run_lines(Bytes bytes) {
  Input input(bytes);
  const std::size_t chunk = std::size_t{1} + input.byte();
  const Read whole = read_lines(input.rest(), input.rest().size() + 1, true);
  require(read_lines(input.rest(), chunk, true) == whole);
  require(read_lines(input.rest(), chunk, false) == whole);
}

}  // namespace partita::internal::fuzz
