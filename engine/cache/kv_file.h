// KV cache pages as bytes of a session file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "engine/cache/kv_cache.h"

namespace partita::internal {

/// The layout of the bytes of pages: what options change of it. Pages can move to another pool only if its
/// layout is equal and it is of the same model. In a file: little-endian words (docs/session_files.md).
std::vector<std::uint64_t> kv_layout(const KvPool& pool);

/// For each class, the first page that the sequence holds, sinks not counted; 0 for a fixed class, of which
/// the current state alone is kept. Together with the length it determines which pages are held. [classes]
std::vector<std::uint64_t> first_pages(const KvSequence& sequence);

/// Whether `first` can be the first pages of a sequence of `length` tokens: true if every page that later
/// tokens can attend to is present.
bool are_valid_first_pages(const KvPool& pool, std::size_t length, std::span<const std::uint64_t> first);

/// Bytes that the pages take in a file. Precondition: are_valid_first_pages().
std::uint64_t kv_bytes(const KvPool& pool, std::size_t length, std::span<const std::uint64_t> first);

/// Passes all pages to `write` in order of classes. Slots beyond the length are zeros, so that the same
/// sequence gives the same bytes. Stops when `write` returns false; returns the last result of `write`.
bool write_pages(const KvSequence& sequence, const std::function<bool(std::span<const std::byte>)>& write);

/// Replaces the contents of `sequence` by pages from a file. `read` fills each page, kv_bytes() in total, and
/// returns whether it succeeded. Errors: kOutOfMemory; kIo if `read` failed. After an error the sequence is
/// empty.
Result<void> read_pages(const std::function<bool(std::span<std::byte>)>& read, std::size_t length,
                        std::span<const std::uint64_t> first, KvSequence& sequence);

}  // namespace partita::internal
