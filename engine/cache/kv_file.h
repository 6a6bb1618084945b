// The pages of a sequence as bytes of a file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "engine/cache/kv_cache.h"

namespace partita {

/// What the bytes of pages mean; pages go from one pool to another only where it is the same. As a file has
/// it: little-endian words.
std::vector<std::uint64_t> kv_layout(const KvPool& pool);

/// The first page that a sequence holds of each class, sinks apart: what tells its pages together with its
/// length. [classes]
std::vector<std::uint64_t> first_pages(const KvSequence& sequence);

/// Whether a sequence of so many tokens can have these: none but such as no token after it sees are missing.
bool are_first_pages(const KvPool& pool, std::size_t length, std::span<const std::uint64_t> first);

/// Bytes that its pages take in a file. Precondition: are_first_pages().
std::uint64_t kv_bytes(const KvPool& pool, std::size_t length, std::span<const std::uint64_t> first);

/// Hands out all pages in order of classes; slots beyond the length are zeros, so that the same sequence
/// gives the same bytes. Stops when `write` says false; returns what it said last.
bool write_pages(const KvSequence& sequence, const std::function<bool(std::span<const std::byte>)>& write);

/// Another sequence's pages in place of the own ones. `read` fills each of them, kv_bytes() together, and
/// says whether it could. Errors: kOutOfMemory; kIo where `read` could not. The sequence is then empty.
Result<void> read_pages(const std::function<bool(std::span<std::byte>)>& read, std::size_t length,
                        std::span<const std::uint64_t> first, KvSequence& sequence);

}  // namespace partita
