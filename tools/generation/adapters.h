// LoRA adapters of generate, chat, batch and score: the option --lora.
#pragma once

#include <partita/partita.hpp>
#include <span>
#include <string>
#include <vector>

#include "tools/cli/options.h"
#include "tools/common.h"

namespace tools {

struct AdapterFlags {
  std::vector<std::string> given;  // FILE or FILE=SCALE

  /// Opens them in order. Errors: those of partita::Adapter::open(); two of one name.
  partita::Result<std::vector<partita::AppliedAdapter>> open(const partita::Model& model) const;
};
void add_adapters(Command command, AdapterFlags& flags);

/// FILE, or FILE=SCALE with a number. Error: kInvalidArgument for another SCALE of a FILE that exists.
struct AdapterArgument {
  std::string path;
  float scale = 1;
};
partita::Result<AdapterArgument> parse_adapter(const std::string& argument);

/// The one of `loaded` that {"name" or "path", "scale"} chooses; without a scale with its own. Error: what is
/// wrong, after "an array of ...".
partita::Result<partita::AppliedAdapter> chosen_adapter(const Json& choice,
                                                        std::span<const partita::AppliedAdapter> loaded);

/// {"lora":[{"name","digest","scale"}]}; null if none is applied.
Json applied_json(std::span<const partita::AppliedAdapter> adapters);
/// An element of that list.
Json applied_json(const partita::AdapterInfo& info, float scale);

}  // namespace tools
