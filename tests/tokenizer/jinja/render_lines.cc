// Renders the templates that it reads, for programs that compare with jinja2
// (tests/oracles/fuzz_templates.py): a line of JSON in, {"source","context"}, a line out: {"text"} or
// {"error","code"}, with "pieces" [[text, from message]] where the line asks for them with "pieces": true.
#include <iostream>
#include <string>

#include <nlohmann/json.hpp>

#include "tokenizer/jinja/chat_template.h"

namespace partita::internal::test {
namespace {

using Json = nlohmann::ordered_json;

const char* name(ErrorCode code) {
  return code == ErrorCode::kUnsupported       ? "unsupported"
         : code == ErrorCode::kInvalidArgument ? "invalid argument"
         : code == ErrorCode::kOutOfMemory     ? "out of memory"
                                               : "bad file";
}

Json error_line(const Error& error) { return {{"error", error.message}, {"code", name(error.code)}}; }

Json answer(const Json& line) {
  const auto parsed = ChatTemplate::parse(line["source"].get<std::string>());
  if (!parsed) return error_line(parsed.error());
  const auto pieces = parsed->render_pieces(line["context"]);
  if (!pieces) return error_line(pieces.error());
  std::string text;
  Json list = Json::array();
  for (const ChatTemplate::Piece& piece : *pieces) {
    text += piece.text;
    list.push_back({piece.text, piece.from_message});
  }
  Json out = {{"text", std::move(text)}};
  if (line.value("pieces", false)) out["pieces"] = std::move(list);
  return out;
}

}  // namespace
}  // namespace partita::internal::test

int main() {
  using partita::internal::test::answer;
  for (std::string line; std::getline(std::cin, line);) {
    const auto json = nlohmann::ordered_json::parse(line);
    std::cout << answer(json).dump(-1, ' ', true, nlohmann::ordered_json::error_handler_t::replace)
              << std::endl;
  }
}
