#include "tools/generation/adapters.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <filesystem>

namespace tools {

using partita::Error;
using partita::ErrorCode;
using partita::Result;

void add_adapters(Command command, AdapterFlags& flags) {
  command.heading(Heading::kModel);
  command.add_option("--lora", flags.given, "LoRA adapter, a GGUF file or a PEFT directory; repeatable")
      .value_name("FILE[=SCALE]")
      .repeatable();
}

Result<AdapterArgument> parse_adapter(const std::string& argument) {
  const std::size_t equals = argument.rfind('=');
  if (equals == std::string::npos) return AdapterArgument{argument};
  const std::string path = argument.substr(0, equals);
  float scale = 1;
  const char* const end = argument.data() + argument.size();
  const auto [stopped, problem] = std::from_chars(argument.data() + equals + 1, end, scale);
  if (problem == std::errc() && stopped == end && std::isfinite(scale)) return AdapterArgument{path, scale};
  std::error_code none;
  if (std::filesystem::exists(argument, none) || !std::filesystem::exists(path, none))
    return AdapterArgument{argument};  // a file with "=" in its name
  return Error{ErrorCode::kInvalidArgument,
               "the scale in --lora " + json_text(Json(argument)) +
                   " is not a number from -1000 to 1000: write one behind \"=\", as in FILE=0.5"};
}

Result<std::vector<partita::AppliedAdapter>> AdapterFlags::open(const partita::Model& model) const {
  std::vector<partita::AppliedAdapter> adapters;
  for (const std::string& argument : given) {
    const auto asked = parse_adapter(argument);
    if (!asked) return asked.error();
    auto adapter = partita::Adapter::open(asked->path, model);
    if (!adapter) return adapter.error();
    const std::string name = adapter->info().name;
    const auto same = [&](const auto& other) { return other.adapter.info().name == name; };
    if (std::any_of(adapters.begin(), adapters.end(), same))
      return Error{ErrorCode::kInvalidArgument, "two adapters of --lora have the name \"" + name +
                                                    "\", the last part of their paths: rename one of them"};
    adapters.push_back({std::move(*adapter), asked->scale});
  }
  return adapters;
}

namespace {

/// By the texts alone: a row's path is never looked up.
bool same_path(const std::string& one, const std::string& other) {
  const auto normal = [](const std::string& path) {
    const std::filesystem::path whole = std::filesystem::path(path).lexically_normal();
    return whole.has_filename() ? whole : whole.parent_path();
  };
  return normal(one) == normal(other);
}

}  // namespace

Result<partita::AppliedAdapter> chosen_adapter(const Json& choice,
                                               std::span<const partita::AppliedAdapter> loaded) {
  const auto wrong = [](const std::string& what) { return Error{ErrorCode::kInvalidArgument, what}; };
  if (!choice.is_object()) return wrong("");
  for (const auto& [key, value] : choice.items()) {
    const bool text = key == "name" || key == "path";
    if (!text && key != "scale") return wrong(", and has no " + json_text(Json(key.substr(0, 40))));
    if (text ? !value.is_string() : !value.is_number())
      return wrong(text ? ", with texts for the first two" : ", with a number for the last");
  }
  const bool by_name = choice.contains("name");
  if (by_name == choice.contains("path")) return wrong(", each with one of \"name\" and \"path\"");
  const std::string asked = choice[by_name ? "name" : "path"].get<std::string>();
  const auto found = std::find_if(loaded.begin(), loaded.end(), [&](const partita::AppliedAdapter& one) {
    const partita::AdapterInfo info = one.adapter.info();
    return by_name ? asked == info.name : same_path(asked, info.path);
  });
  if (found == loaded.end())
    return wrong(" that --lora loaded, and " + json_text(Json(asked.substr(0, 60))) + " is none of them");
  partita::AppliedAdapter chosen = *found;
  if (choice.contains("scale")) chosen.scale = choice["scale"].get<float>();
  return chosen;
}

Json applied_json(const partita::AdapterInfo& info, float scale) {
  char digest[17];
  std::snprintf(digest, sizeof digest, "%016llx", static_cast<unsigned long long>(info.digest));
  return {{"name", info.name}, {"digest", digest}, {"scale", number(static_cast<double>(scale))}};
}

Json applied_json(std::span<const partita::AppliedAdapter> adapters) {
  Json list = Json::array();
  for (const auto& [adapter, scale] : adapters) {
    if (scale != 0) list.push_back(applied_json(adapter.info(), scale));
  }
  return list.empty() ? Json() : Json({{"lora", std::move(list)}});
}

}  // namespace tools
