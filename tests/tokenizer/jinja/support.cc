#include "support.h"

#include <fstream>
#include <iterator>

#include "tests/catch.h"

namespace partita::internal::test {

std::string read_data(const std::string& name) {
  std::ifstream file(std::string(PARTITA_TEST_DATA) + "/template/" + name, std::ios::binary);
  REQUIRE(file.is_open());
  return {std::istreambuf_iterator<char>(file), {}};
}

Json read_record(const std::string& name) { return Json::parse(read_data(name)); }

Result<std::string> render(const std::string& source, const Json& context) {
  const auto parsed = ChatTemplate::parse(source);
  if (!parsed) return parsed.error();
  return parsed->render(context);
}

Result<std::vector<ChatTemplate::Piece>> render_pieces(const std::string& source, const Json& context) {
  const auto parsed = ChatTemplate::parse(source);
  if (!parsed) return parsed.error();
  return parsed->render_pieces(context);
}

Json user_message(const Json& content) {
  Json message = {{"role", "user"}, {"content", content}};
  return {{"messages", Json::array({std::move(message)})}};
}

}  // namespace partita::internal::test
