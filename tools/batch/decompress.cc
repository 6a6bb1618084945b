#include "tools/batch/decompress.h"

#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace tools {
namespace {

using partita::Error;
using partita::ErrorCode;
using partita::Result;

constexpr std::size_t kBufferBytes = std::size_t{1} << 16;
constexpr std::size_t kMagicBytes = 4;

Error damaged(const std::string& what) { return {ErrorCode::kBadFile, what}; }
Error no_memory() { return {ErrorCode::kOutOfMemory, "there is no memory to decompress it"}; }

class Plain : public Codec {
 public:
  Result<Step> step(const char* in, std::size_t in_size, char* out, std::size_t out_size) override {
    const std::size_t n = std::min(in_size, out_size);
    if (n > 0) std::memcpy(out, in, n);
    return Step{n, n};
  }
  const char* in_the_middle_of() const override { return nullptr; }
};

uInt zlib_size(std::size_t size) {
  return static_cast<uInt>(std::min<std::size_t>(size, std::numeric_limits<uInt>::max()));
}

/// A sequence of members; zeros may follow the last one, as tapes and some programs write them.
class Gzip : public Codec {
 public:
  Gzip() { ready_ = inflateInit2(&stream_, 15 + 16) == Z_OK; }  // the largest window; gzip's header alone
  ~Gzip() override { inflateEnd(&stream_); }
  Gzip(const Gzip&) = delete;
  Gzip& operator=(const Gzip&) = delete;

  Result<Step> step(const char* in, std::size_t in_size, char* out, std::size_t out_size) override {
    if (!ready_) return no_memory();
    if (damage_) return *damage_;
    std::size_t skipped = 0;
    if (between_members_) {
      while (skipped < in_size && in[skipped] == 0) ++skipped;
      padded_ = padded_ || skipped > 0;
      if (skipped == in_size) return Step{skipped, 0};
      if (padded_) return damaged("something else follows its gzip data");
      inflateReset(&stream_);
      between_members_ = false;
    }
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(in + skipped));  // zlib does not write to it
    stream_.avail_in = zlib_size(in_size - skipped);
    stream_.next_out = reinterpret_cast<Bytef*>(out);
    stream_.avail_out = zlib_size(out_size);
    const uInt in_before = stream_.avail_in, out_before = stream_.avail_out;
    const int code = inflate(&stream_, Z_NO_FLUSH);
    if (code == Z_MEM_ERROR) return no_memory();
    if (code != Z_OK && code != Z_STREAM_END && code != Z_BUF_ERROR) {
      damage_ = damaged("its gzip data is damaged: " + std::string(stream_.msg ? stream_.msg : zError(code)));
      if (stream_.avail_out == out_before) return *damage_;  // else in the next step: this one has output
    }
    between_members_ = code == Z_STREAM_END;
    return Step{skipped + in_before - stream_.avail_in, out_before - stream_.avail_out};
  }
  const char* in_the_middle_of() const override { return between_members_ ? nullptr : "gzip data"; }

 private:
  z_stream stream_ = {};
  bool ready_ = false;
  bool between_members_ = false;
  bool padded_ = false;
  std::optional<Error> damage_;
};

class Zstandard : public Codec {
 public:
  Zstandard() : stream_(ZSTD_createDStream()) {}
  ~Zstandard() override { ZSTD_freeDStream(stream_); }
  Zstandard(const Zstandard&) = delete;
  Zstandard& operator=(const Zstandard&) = delete;

  Result<Step> step(const char* in, std::size_t in_size, char* out, std::size_t out_size) override {
    if (stream_ == nullptr) return no_memory();
    if (in_size == 0 && between_frames_) return Step{};
    // Output that did not fit before comes first, alone: it is valid even if what follows is damaged.
    ZSTD_inBuffer from = {in, std::exchange(was_full_, false) ? 0 : std::min(in_size, input_limit_), 0};
    ZSTD_outBuffer to = {out, out_size, 0};
    std::size_t left = ZSTD_decompressStream(stream_, &to, &from);
    if (ZSTD_isError(left) == 0 && to.pos == 0 && from.size == 0 && in_size > 0) {
      from.size = std::min(in_size, input_limit_);
      left = ZSTD_decompressStream(stream_, &to, &from);
    }
    if (ZSTD_isError(left) != 0) return refusal(left);
    between_frames_ = left == 0;
    input_limit_ = input_limit(left);
    was_full_ = to.pos == out_size;
    return Step{from.pos, to.pos};
  }
  const char* in_the_middle_of() const override { return between_frames_ ? nullptr : "Zstandard data"; }

 private:
  static constexpr std::size_t kFrameStart = 5, kBlockHeader = 3;  // bytes

  static Error refusal(std::size_t code) {
    switch (ZSTD_getErrorCode(code)) {
      case ZSTD_error_memory_allocation:
        return no_memory();
      case ZSTD_error_frameParameter_windowTooLarge:
        return {ErrorCode::kBadFile,
                "its Zstandard data needs a window of more than 128 MiB; compress it with zstd --long=27 or "
                "less"};
      default:
        return damaged("its Zstandard data is damaged: " + std::string(ZSTD_getErrorName(code)));
    }
  }

  /// Most bytes to pass to the library in one call. When it finds damage it drops the output of the same
  /// call, so it gets one block at a time, without the next block's header. The last block has no header
  /// behind it, and the frame may be refused at its end: its last bytes are passed one by one. So the text
  /// before the damage is the same however the input is split.
  static std::size_t input_limit(std::size_t awaited) {
    if (awaited == 0) return kFrameStart;
    return awaited > kBlockHeader ? awaited - kBlockHeader : 1;
  }

  ZSTD_DStream* stream_;
  std::size_t input_limit_ = kFrameStart;
  bool between_frames_ = false;
  bool was_full_ = false;
};

/// The codec for these first bytes; null if more bytes could change it.
std::unique_ptr<Codec> codec_for(std::string_view start, bool all_there_is) {
  const auto may_be = [&](std::string_view magic) {
    const std::size_t n = std::min(start.size(), magic.size());
    return start.substr(0, n) == magic.substr(0, n) && (start.size() >= magic.size() || !all_there_is);
  };
  // A Zstandard file may begin with a frame to skip: 50 .. 5F, then the same three bytes.
  std::string skippable = "\x50\x2A\x4D\x18";
  if (!start.empty() && (start[0] & 0xF0) == 0x50) skippable[0] = start[0];
  const bool gzip = may_be("\x1F\x8B"), zstd = may_be("\x28\xB5\x2F\xFD") || may_be(skippable);
  if (!gzip && !zstd) return std::make_unique<Plain>();
  if (gzip) return start.size() >= 2 ? std::make_unique<Gzip>() : nullptr;
  return start.size() >= kMagicBytes ? std::make_unique<Zstandard>() : nullptr;
}

}  // namespace

DecompressedBytes::DecompressedBytes(std::unique_ptr<ByteSource> source)
    : source_(std::move(source)), buffer_(kBufferBytes) {}

/// Reads more bytes into the buffer; false if there was neither data nor the end.
Result<bool> DecompressedBytes::fill(bool wait) {
  if (begin_ > 0) std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
  end_ -= begin_;
  begin_ = 0;
  auto got = source_->read(buffer_.data() + end_, buffer_.size() - end_, wait);
  if (!got) return got.error();
  end_ += got->bytes;
  source_ended_ = got->ended;
  return got->bytes > 0 || got->ended;
}

Result<ByteSource::Got> DecompressedBytes::read(char* to, std::size_t size, bool wait) {
  while (true) {
    if (codec_ == nullptr) codec_ = codec_for({buffer_.data(), end_}, source_ended_);
    if (codec_ == nullptr || (begin_ == end_ && !source_ended_ && !has_output_)) {
      auto filled = fill(wait);
      if (!filled) return filled.error();
      if (!*filled) return Got{};
      continue;
    }
    auto step = codec_->step(buffer_.data() + begin_, end_ - begin_, to, size);
    if (!step) return step.error();
    begin_ += step->consumed;
    has_output_ = step->produced == size;
    if (step->produced > 0) return Got{step->produced, false};
    if (begin_ < end_ && step->consumed == 0) return damaged("its compressed data makes no progress");
    if (begin_ < end_ || !source_ended_) continue;
    if (const char* middle = codec_->in_the_middle_of()) {
      return damaged("it ends in the middle of its " + std::string(middle));
    }
    return Got{0, true};
  }
}

}  // namespace tools
