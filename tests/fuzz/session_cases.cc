#include "tests/fuzz/session_cases.h"

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>

#include "tests/api/tiny_chat.h"
#include "weights/hash.h"

namespace partita::testing {
namespace {

const Model& tiny_model() {
  static const ChatModelFile file;
  static const Model model = must(Model::open(file.path()));
  return model;
}

const std::string& file_path() {
  static const std::string path =
      (std::filesystem::temp_directory_path() / ("session_case" + std::to_string(std::random_device()())))
          .string();
  return path;
}

}  // namespace

std::string session_case() {
  Session session = must(tiny_model().session());
  Request request;
  request.prompt = "hello";
  request.max_tokens = 3;
  pull_all(must(session.generate(request)));
  if (!session.save(file_path(), "note")) std::abort();
  std::ifstream file(file_path(), std::ios::binary);
  std::string bytes{std::istreambuf_iterator<char>(file), {}};
  std::filesystem::remove(file_path());
  return bytes;
}

void run_session_case(std::string bytes) {
  if (bytes.size() >= sizeof(std::uint64_t)) {
    Hash64 hash;
    hash.add(std::as_bytes(std::span(bytes)).first(bytes.size() - sizeof(std::uint64_t)));
    const std::uint64_t sum = hash.sum();
    std::memcpy(bytes.data() + bytes.size() - sizeof sum, &sum, sizeof sum);
  }
  std::ofstream(file_path(), std::ios::binary | std::ios::trunc) << bytes;
  Session session = must(tiny_model().session());
  if (auto note = session.load(file_path())) {
    Request request;
    request.prompt = "hello you";
    request.max_tokens = 2;
    auto stream = session.generate(request);
    if (!stream) std::abort();
    while (auto token = stream->next()) {  // pages that are no numbers end it with an error
      if (!*token) break;
    }
    if (!session.save(file_path(), *note)) std::abort();
  } else if (session.length() != 0) {
    std::abort();
  }
  std::filesystem::remove(file_path());
}

}  // namespace partita::testing
