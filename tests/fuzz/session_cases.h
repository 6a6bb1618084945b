// Any bytes as a session file of a tiny model: it is refused, or loaded and continued. Shared by the fuzz
// target and a test that changes single words.
#pragma once

#include <string>

namespace partita::internal::fuzz {

/// A session file of the tiny model.
std::string session_case();

/// Loads bytes, whose last eight are replaced by the checksum of those before them; if they load,
/// generates and saves.
void run_session_case(std::string bytes);

}  // namespace partita::internal::fuzz
