// Any bytes as a session file of a tiny model: refused, or loaded and continued. The fuzz target shares it
// with a test that changes single words.
#pragma once

#include <string>

namespace partita::fuzz {

/// A session file of the tiny model.
std::string session_case();

/// Loads bytes, whose last eight are replaced by the checksum of those before them; where they load,
/// generates and saves.
void run_session_case(std::string bytes);

}  // namespace partita::fuzz
