// partita inspect: summary, metadata and tensors of a model file.
#include <algorithm>
#include <cstdio>

#include "tools/commands.h"

namespace tools {
namespace {

constexpr std::size_t kMaxValueShown = 100;  // characters of a metadata value in a line of text output

std::string shape_text(const Json& shape) {
  std::string out;
  for (const Json& dimension : shape) out += (out.empty() ? "" : " x ") + json_text(dimension);
  return out;
}

/// "134.5 M", "1.2 GB"
std::string count_text(double count, const char* unit = "") {
  char text[48];
  const bool giga = count >= 1e9;
  std::snprintf(text, sizeof text, "%.1f %s%s", count * (giga ? 1e-9 : 1e-6), giga ? "G" : "M", unit);
  return text;
}

/// "1 matrix", "24 matrices"
std::string count_of(const Json& matrices) {
  return json_text(matrices) + (matrices == 1 ? " matrix" : " matrices");
}

/// What generation_config.json recommends: "temperature 0.6, top_p 0.95"; empty without such a file.
std::string sampling_text(const Json& sampling) {
  if (sampling.is_null()) return {};
  std::string out;
  for (const auto& [key, value] : sampling.items())
    out += (out.empty() ? "" : ", ") + key + " " + json_text(value);
  return out + " (generation_config.json recommends it; not applied: give options)";
}

std::string types_text(const Json& types) {
  std::string out;
  for (const Json& type : types) {
    char share[64];
    std::snprintf(share, sizeof share, "%s %.1f %%", type["type"].get<std::string>().c_str(),
                  type["share"].get<double>() * 100);
    out += (out.empty() ? "" : ", ") + std::string(share);
  }
  return out;
}

std::string memory_text(const Json& memory) {
  std::string out;
  for (const Json& row : memory) {
    const double bytes = row["weights_bytes"].get<double>() + row["cache_bytes"].get<double>();
    out +=
        (out.empty() ? "" : ", ") + count_text(bytes, "B") + " at " + json_text(row["context"]) + " tokens";
  }
  return out;
}

/// One line each of what is known.
std::string summary(const Json& file) {
  std::string out = "\nsummary\n";
  const auto line = [&](const char* name, const std::string& text) {
    if (!text.empty()) out += "  " + std::string(name) + text + "\n";
  };
  const auto number = [&](const char* key) { return file[key].is_null() ? "" : json_text(file[key]); };
  const bool known = !file["family"].is_null();
  line("family      ", (known ? partita::printable(file["family"].get<std::string>()) : "none") +
                           (file["supported"].get<bool>() || !file["adapter"].is_null()
                                ? ""
                                : " (not supported: partita doctor says why)"));
  if (const Json& adapter = file["adapter"]; !adapter.is_null())
    line("adapter     ", "LoRA, " + count_of(adapter["matrices"]) + ", rank " + json_text(adapter["rank"]) +
                             ": give it with --lora, beside a model");
  line("parameters  ", count_text(file["parameters"].get<double>()));
  line("types       ", types_text(file["types"]));
  line("context     ", number("context_length"));
  line("vocabulary  ", number("vocabulary"));
  const Json& chat = file["chat_template"];
  line("template    ",
       chat.is_null() ? "none"
                      : chat["kind"].get<std::string>() + (chat["tools"].get<bool>() ? ", with tools" : ""));
  line("sampling    ", sampling_text(file["sampling"]));
  line("memory      ", memory_text(file["memory"]));
  return out;
}

std::string table(const Json& file) {
  std::string out = partita::printable(json_text(file["path"])) + "  GGUF version " +
                    json_text(file["version"]) + ", " + json_text(file["bytes"]) + " bytes\n" +
                    summary(file["summary"]) + "\nmetadata\n";
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

struct InspectOptions {
  std::string model;  // given without --model
  std::size_t array_limit = 8;
};

int run(const Common& common, const InspectOptions& options) {
  if (!options.model.empty() && !common.model.empty()) return usage_error("give MODEL or --model, not both");
  auto path = model_path(common, options.model);
  if (!path) return fail(path.error());
  auto json = partita::inspect_json(*path, options.array_limit, common.vocabulary);
  if (!json) return fail(json.error());
  auto written = common.json ? write_out(*json + "\n") : write_out(table(Json::parse(*json)));
  return written ? kDone : fail(written.error());
}

}  // namespace

void add_inspect(Command program, Common& common, Action& action) {
  auto options = std::make_shared<InspectOptions>();
  const Command command =
      add_command(program, common, "inspect", kJson, "Summary, metadata and tensors of a model file",
                  common.program + " inspect bundled");
  command.add_option("MODEL", options->model, "the model, as with --model");
  command.add_option("--array-limit", options->array_limit, "show the first N values of longer arrays")
      .check(check_count)
      .show_default();
  command.callback(
      [&common, &action, options] { action = [&common, options] { return run(common, *options); }; });
}

}  // namespace tools
