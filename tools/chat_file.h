// A chat on disk: a session file whose note is the messages.
#pragma once

#include <partita/partita.hpp>
#include <string>
#include <vector>

namespace tools {

partita::Result<void> save_chat(const partita::Session& session,
                                const std::vector<partita::Message>& messages, const std::string& path);

/// The messages; the session holds what was saved. Errors: those of Session::load(), and kBadFile where the
/// note is not that of a chat; the session may then hold what the file does.
partita::Result<std::vector<partita::Message>> load_chat(partita::Session& session, const std::string& path);

}  // namespace tools
