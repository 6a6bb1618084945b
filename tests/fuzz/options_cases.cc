// Any bytes as command-line arguments, one a line: flags of the samplers, and lists of token ids.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <vector>

#include "tests/fuzz/support.h"
#include "tools/common.h"
#include "tools/generation/sampling.h"

namespace partita::internal::fuzz {
namespace {

std::vector<std::string> arguments_of(std::string_view text) {
  std::vector<std::string> arguments;
  while (!text.empty() && arguments.size() < 32) {
    const std::string_view line = text.substr(0, text.find('\n'));
    arguments.emplace_back(line);
    text.remove_prefix(std::min(line.size() + 1, text.size()));
  }
  return arguments;
}

void generate(const Sampling& sampling, const tools::SamplingFlags& flags) {
  static Session session = [] {
    auto made = tiny_model().session();
    require(made.ok());
    return std::move(*made);
  }();
  session.reset();
  Request request;
  request.prompt = "hello you";
  request.max_tokens = 2;
  request.sampling = sampling;
  request.stop = flags.stop;
  request.abstain = flags.abstain.rule();
  request.guidance_scale = flags.guidance_scale;
  request.negative_prompt = flags.negative_prompt;
  auto stream = session.generate(request);
  if (!stream) return require_message(stream.error());
  while (true) {
    const auto token = stream->next();
    if (!token) return require_message(token.error());
    if (!*token) return;
  }
}

}  // namespace

void run_options(Bytes bytes) {
  auto arguments = arguments_of(text_of(bytes));
  for (const std::string& argument : arguments) {
    const auto ids = tools::parse_ids(argument);
    if (!ids) require_message(ids.error());
  }
  CLI::App program;
  tools::SamplingFlags flags;
  tools::add_sampling(tools::Command(program), flags);
  std::reverse(arguments.begin(), arguments.end());  // CLI11 parses them from the back
  try {
    program.parse(arguments);
  } catch (const CLI::ParseError&) {
    return;
  }
  const auto sampling = flags.resolved(1);
  if (!sampling) return require_message(sampling.error());
  generate(*sampling, flags);
}

}  // namespace partita::internal::fuzz
