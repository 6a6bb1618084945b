// A changed session file of a tiny model, with a valid checksum: it is refused, or loaded and continued.
#include "tests/fuzz/session_cases.h"

#include "tests/api/tiny_chat.h"
#include "tests/fuzz/support.h"

namespace partita::internal::fuzz {
namespace {

const std::string& saved_path() {
  static const std::string path = scratch_directory() + "/session";
  return path;
}

void go_on(Session& session, const std::string& note) {
  Request request;
  request.prompt = "hello you";
  request.max_tokens = 2;
  auto stream = session.generate(request);
  require(stream.ok());
  while (auto token = stream->next()) {  // NaN in the KV cache ends it with an error
    if (!*token) break;
  }
  require(session.save(saved_path(), note).ok());
}

}  // namespace

std::string session_case() {
  Session session = testing::must(tiny_model().session());
  Request request;
  request.prompt = "hello";
  request.max_tokens = 3;
  testing::pull_all(testing::must(session.generate(request)));
  require(session.save(saved_path(), "note").ok());
  return contents_of(saved_path());
}

void run_session_case(std::string bytes) {
  renew_checksum(bytes);
  const MemoryFile file(bytes);
  static Session session = testing::must(tiny_model().session());
  session.reset();
  const auto note = session.load(file.path());
  if (note) return go_on(session, *note);
  require_message(note.error());
  require(session.length() == 0);
}

void run_session(Bytes bytes) {
  static const std::string right = session_case();
  Input changes(bytes);
  run_session_case(with_changes(right, changes));
}

}  // namespace partita::internal::fuzz
