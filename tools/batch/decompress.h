// Input that may be packed by gzip or Zstandard, told by its first bytes.
#pragma once

#include <memory>
#include <vector>

#include "tools/batch/byte_source.h"

namespace tools {

/// Turns packed bytes into what they stand for, piece by piece.
class Codec {
 public:
  struct Step {
    std::size_t taken = 0, given = 0;
  };

  virtual ~Codec() = default;
  /// Takes from `in` and gives to `out`, as far as either lasts. Error: kBadFile, kOutOfMemory.
  virtual partita::Result<Step> step(const char* in, std::size_t in_size, char* out,
                                     std::size_t out_size) = 0;
  /// Null where the input may end here, else what it ends in the middle of.
  virtual const char* in_the_middle_of() const = 0;
};

/// What another source holds, unpacked where it is packed: gzip of several members, Zstandard of several
/// frames. Memory is bounded by the formats' windows (32 KiB; 128 MiB, more is refused), whatever the input
/// grows to.
class UnpackedBytes : public ByteSource {
 public:
  explicit UnpackedBytes(std::unique_ptr<ByteSource> packed);
  partita::Result<Got> read(char* to, std::size_t size, bool wait) override;
  std::size_t position() const override { return packed_->position() - (end_ - begin_); }

 private:
  partita::Result<bool> fill(bool wait);

  std::unique_ptr<ByteSource> packed_;
  std::unique_ptr<Codec> codec_;  // null: the first bytes have not come
  std::vector<char> buffer_;
  std::size_t begin_ = 0, end_ = 0;  // of the buffer: what waits to be unpacked
  bool packed_ended_ = false;
  bool more_to_give_ = false;  // the codec may hold bytes back that there was no room for
};

}  // namespace tools
