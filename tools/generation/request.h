// The request that the options of generate, chat and batch describe.
#pragma once

#include <partita/partita.hpp>
#include <string>
#include <vector>

#include "tools/common.h"
#include "tools/generation/adapters.h"
#include "tools/generation/messages.h"
#include "tools/generation/sampling.h"
#include "tools/generation/speculation.h"

namespace tools {

/// Options that become a request. A command adds those of them that it has.
struct RequestFlags {
  SamplingFlags sampling = {};
  SpeculationFlags speculation = {};
  TemplateFlags chat_template = {};
  AdapterFlags adapters = {};  // opened when the model is
  int max_tokens = 256;
  int logprobs = -1;
  bool confidence = false;
  bool chat = false;  // the prompt goes through the chat template
  std::string system = {};

  /// The request without its prompt. Error: a value that the library refuses.
  partita::Result<partita::Request> request(const Common& common) const;
};

/// Sets the messages of the request: the system message, unless it is empty, and the question.
void set_chat(partita::Request& request, const std::string& system, std::string question);

}  // namespace tools
