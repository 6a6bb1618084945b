// The KV cache of a chat, in a session file beside the chat's file. If it is missing or stale, the model
// reads the chat again (prefill).
#pragma once

#include <partita/partita.hpp>
#include <span>
#include <string>

#include "tools/common.h"

namespace tools {

/// True if a file begins like a session file.
bool is_session_file(const std::string& path);

std::string cache_path(const std::string& chat);

/// True if this is the note of a chat's cache.
bool is_cache_note(const Json& note);

/// Writes the session to the cache file. Precondition: it holds tokens of these messages only. Error: kIo.
partita::Result<void> save_cache(const partita::Session& session, std::span<const partita::Message> messages,
                                 const std::string& chat);

/// Loads the cache into the session if it holds a prefix of these messages; else the session is empty.
/// Returns true if it was loaded. Errors: why an existing cache cannot be loaded.
partita::Result<bool> load_cache(partita::Session& session, std::span<const partita::AppliedAdapter> adapters,
                                 std::span<const partita::Message> messages, const std::string& chat);

/// Removes the cache, and unfinished caches of programs that were killed while they wrote one.
void remove_cache(const std::string& chat);
void remove_torn_caches(const std::string& chat);

}  // namespace tools
