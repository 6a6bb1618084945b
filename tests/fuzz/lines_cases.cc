// Any bytes as the input of a batch: packed or plain, in lines. However the bytes come, in large pieces or
// small ones, the lines are the same.
#include "tools/batch/lines.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <vector>

#include "tests/fuzz/support.h"
#include "tools/batch/decompress.h"

namespace partita::fuzz {
namespace {

constexpr std::size_t kLongestLine = 1000, kMostUnpacked = std::size_t{1} << 20;

/// Gives `bytes` in pieces of up to `piece`; each comes only when it is asked for the second time, unless the
/// reader waits.
class Pieces : public tools::ByteSource {
 public:
  Pieces(std::string_view bytes, std::size_t piece) : bytes_(bytes), piece_(piece) {}

  Result<Got> read(char* to, std::size_t size, bool wait) override {
    if (!wait && (late_ = !late_)) return Got{};
    const std::size_t count = std::min({bytes_.size() - at_, piece_, size});
    if (count > 0) std::memcpy(to, bytes_.data() + at_, count);
    at_ += count;
    return Got{count, count == 0};
  }
  std::size_t position() const override { return at_; }

 private:
  std::string_view bytes_;
  std::size_t piece_, at_ = 0;
  bool late_ = false;
};

/// Ends after a megabyte: a few bytes can be packed for many.
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
  std::size_t left_ = kMostUnpacked;
};

struct Read {
  std::vector<std::pair<tools::LineEnd, std::string>> lines;
  std::string error;
  std::size_t consumed = 0;
  bool operator==(const Read&) const = default;
};

Read read_lines(std::string_view bytes, std::size_t piece, bool wait) {
  tools::LineReader reader(std::make_unique<Limited>(std::make_unique<tools::UnpackedBytes>(
                               std::make_unique<Pieces>(bytes, piece))),
                           kLongestLine);
  Read read;
  std::string line;
  while (true) {
    const tools::LineEnd end = reader.next(line, wait);
    if (end == tools::LineEnd::kNotYet) continue;
    require(end != tools::LineEnd::kInterrupted && line.size() <= kLongestLine);
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
  const std::size_t piece = std::size_t{1} + input.byte();
  const Read whole = read_lines(input.rest(), input.rest().size() + 1, true);
  require(read_lines(input.rest(), piece, true) == whole);
  require(read_lines(input.rest(), piece, false) == whole);
}

}  // namespace partita::fuzz
