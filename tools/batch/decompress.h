// Decompression of gzip and Zstandard input, detected by its first bytes.
#pragma once

#include <memory>
#include <vector>

#include "tools/batch/byte_source.h"

namespace tools {

/// A streaming decompressor.
class Codec {
 public:
  struct Step {
    std::size_t consumed = 0, produced = 0;
  };

  virtual ~Codec() = default;
  /// Consumes `in` and fills `out` until one of them is used up. Errors: kBadFile, kOutOfMemory.
  virtual partita::Result<Step> step(const char* in, std::size_t in_size, char* out,
                                     std::size_t out_size) = 0;
  /// Null if the input may end here, else the name of the unfinished data.
  virtual const char* in_the_middle_of() const = 0;
};

/// Decompresses another source if it is compressed: gzip with several members, Zstandard with several frames.
/// Memory is bounded by the formats' windows (32 KiB; 128 MiB, more is refused), whatever the decompressed
/// size.
class DecompressedBytes : public ByteSource {
 public:
  explicit DecompressedBytes(std::unique_ptr<ByteSource> source);
  partita::Result<Got> read(char* to, std::size_t size, bool wait) override;
  std::size_t position() const override { return source_->position() - (end_ - begin_); }

 private:
  partita::Result<bool> fill(bool wait);

  std::unique_ptr<ByteSource> source_;
  std::unique_ptr<Codec> codec_;  // null: the first bytes are not read yet
  std::vector<char> buffer_;
  std::size_t begin_ = 0, end_ = 0;  // of the buffer: bytes to decompress
  bool source_ended_ = false;
  bool has_output_ = false;  // the codec may hold output that did not fit
};

}  // namespace tools
