// What the model has read of a chat, beside the chat's file: a session file that may be missing or stale, and
// then costs reading the chat again.
#pragma once

#include <partita/partita.hpp>
#include <span>
#include <string>

#include "tools/common.h"

namespace tools {

std::string cache_path(const std::string& chat);

/// Whether this is the note of a chat's cache.
bool is_cache_note(const Json& note);

/// Writes what the session holds. Precondition: it has read nothing but these messages. Error: kIo.
partita::Result<void> save_cache(const partita::Session& session, std::span<const partita::Message> messages,
                                 const std::string& chat);

/// Takes the cache into the session if what was read is how these messages begin; else the session is empty.
/// true: it was taken. Errors: why there is one that cannot be taken.
partita::Result<bool> load_cache(partita::Session& session, std::span<const partita::Message> messages,
                                 const std::string& chat);

/// Removes the cache, and what programs that were killed while they wrote one have left of it.
void remove_cache(const std::string& chat);
void remove_torn_caches(const std::string& chat);

}  // namespace tools
