// partita inspect: metadata and tensors of a model file.
#include <algorithm>

#include "tools/commands.h"

namespace tools {
namespace {

constexpr std::size_t kMaxValueShown = 100;  // characters of a metadata value in a line of text output

std::string shape_text(const Json& shape) {
  std::string out;
  for (const Json& dimension : shape) out += (out.empty() ? "" : " x ") + json_text(dimension);
  return out;
}

std::string table(const Json& file) {
  std::string out = partita::printable(json_text(file["path"])) + "  GGUF version " +
                    json_text(file["version"]) + ", " + json_text(file["bytes"]) + " bytes\n\nmetadata\n";
  for (const auto& [key, value] : file["metadata"].items()) {
    std::string shown = json_text(value);
    if (shown.size() > kMaxValueShown) shown = shown.substr(0, kMaxValueShown) + "...";
    out += "  " + partita::printable(key) + " = " + partita::printable(shown) + "\n";
  }
  out += "\ntensors\n";
  const auto padded = [](std::string text, std::size_t width) {
    text.resize(std::max(text.size(), width), ' ');
    return text;
  };
  for (const Json& tensor : file["tensors"]) {
    const std::string bytes = tensor["bytes"].is_null() ? "?" : json_text(tensor["bytes"]);
    out += "  " + padded(partita::printable(tensor["name"].get<std::string>()), 40) + " " +
           padded(tensor["type"].get<std::string>(), 6) + " " + padded(shape_text(tensor["shape"]), 20) +
           " " + std::string(12 - std::min<std::size_t>(bytes.size(), 12), ' ') + bytes + "\n";
  }
  return out;
}

int run(const Common& common, std::size_t array_limit) {
  auto path = model_path(common);
  if (!path) return fail(path.error());
  auto json = partita::inspect_json(*path, array_limit);
  if (!json) return fail(json.error());
  auto written = common.json ? write_out(*json + "\n") : write_out(table(Json::parse(*json)));
  return written ? kDone : fail(written.error());
}

}  // namespace

void add_inspect(Command program, Common& common, Action& action) {
  auto array_limit = std::make_shared<std::size_t>(8);
  const Command command =
      add_command(program, common, "inspect", kJson, "Metadata and tensors of a model file",
                  common.program + " inspect --json");
  command.add_option("--array-limit", *array_limit, "show the first N values of longer arrays")
      .check(check_count)
      .show_default();
  command.callback([&common, &action, array_limit] {
    action = [&common, array_limit] { return run(common, *array_limit); };
  });
}

}  // namespace tools
