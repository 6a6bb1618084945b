#include "tools/generation/sampling.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "tools/cli/nearest.h"
#include "tools/common.h"

namespace tools {
namespace {

using partita::Error;
using partita::ErrorCode;
using partita::OptionKind;
using partita::Result;
using partita::SamplingOption;
using partita::SamplingValue;

using Biases = std::vector<std::pair<partita::TokenId, float>>;

/// repeat_penalty to --repeat-penalty.
std::string flag_of(std::string_view name) {
  std::string flag = "--" + std::string(name);
  std::replace(flag.begin(), flag.end(), '_', '-');
  return flag;
}

std::optional<partita::TokenId> read_id(std::string_view text) {
  const auto ids = parse_ids(text);
  return ids && ids->size() == 1 ? std::optional(ids->front()) : std::nullopt;
}

std::optional<float> read_bias(double bias) {
  if (std::isfinite(bias) && std::abs(bias) > double{std::numeric_limits<float>::max()}) return std::nullopt;
  return static_cast<float>(bias);
}

/// ID:BIAS of each text.
Biases read_biases(const std::vector<std::string>& texts, const std::string& flag) {
  Biases biases;
  for (const std::string& text : texts) {
    const std::size_t colon = std::min(text.find(':'), text.size());
    const auto id = read_id(std::string_view(text).substr(0, colon));
    const auto number = colon < text.size() ? read_number(text.substr(colon + 1)) : std::nullopt;
    const auto bias = number ? read_bias(*number) : std::nullopt;
    if (!id || !bias) refuse_value(flag, "\"" + text + "\" is not ID:NUMBER");
    biases.emplace_back(*id, *bias);
  }
  return biases;
}

Option add_option(Command command, SamplingFlags& flags, const SamplingOption& option) {
  const std::string flag = flag_of(option.name), help(option.help);
  const auto give = [&flags, name = std::string(option.name)](SamplingValue value) {
    flags.given.emplace_back(name, std::move(value));
  };
  switch (option.kind) {
    case OptionKind::kNumber:
      return command.add_option_function<double>(
          flag, [give](const double& x) { give(x); }, help);
    case OptionKind::kWholeNumber:
      return command.add_option_function<int>(
          flag, [give](const int& x) { give(double(x)); }, help);
    case OptionKind::kTexts:
      return command
          .add_option_function<std::vector<std::string>>(
              flag, [give](const std::vector<std::string>& texts) { give(texts); }, help + "; repeatable")
          .repeatable();
    case OptionKind::kBiases:
      break;
  }
  return command
      .add_option_function<std::vector<std::string>>(
          flag, [give, flag](const std::vector<std::string>& texts) { give(read_biases(texts, flag)); }, help)
      .delimiter(',')
      .value_name("ID:NUMBER,...");
}

/// {"id": bias} or [[id, bias]].
std::optional<Biases> biases_of(const Json& value) {
  if (!value.is_object() && !value.is_array()) return std::nullopt;
  Biases biases;
  for (const auto& [key, entry] : value.items()) {
    if (value.is_array() && (!entry.is_array() || entry.size() != 2)) return std::nullopt;
    const auto id = read_id(value.is_array() ? json_text(entry[0]) : key);
    const Json& bias = value.is_array() ? entry[1] : entry;
    const bool never = bias == "-inf";  // which JSON has no number for
    const auto number = never              ? std::optional(-std::numeric_limits<float>::infinity())
                        : bias.is_number() ? read_bias(bias.get<double>())
                                           : std::nullopt;
    if (!id || !number) return std::nullopt;
    biases.emplace_back(*id, *number);
  }
  return biases;
}

/// "there is no X; there are ...", with the suggestion inserted behind X.
std::string with_suggestion(std::string sentence, const std::string& suggestion) {
  return sentence.insert(std::min(sentence.find(';'), sentence.size()), suggestion);
}

Error must_be(std::string what) { return {ErrorCode::kInvalidArgument, std::move(what)}; }

void add_abstain(Command command, AbstainFlags& flags) {
  command.heading(Heading::kOutput);
  command.add_option("--abstain-probability", flags.probability,
                     "end the answer where the likeliest token has less than X; 0: off");
  command.add_option("--abstain-margin", flags.margin,
                     "end it where the likeliest leads the second by less than X; 0: off");
  command.add_option("--abstain-entropy", flags.entropy, "end it where the entropy is above X nats");
  command.add_flag("--mark-unsure", flags.mark, "mark such tokens as unsure instead of ending the answer");
}

}  // namespace

void add_sampling(Command command, SamplingFlags& flags) {
  command.heading(Heading::kSampling);
  for_each_option([&](const SamplingOption& option) {
    const Option added = add_option(command, flags, option);
    if (option.name == "temperature") {
      added.show_default(flags.sampling.temperature);
      command.add_flag("--greedy", flags.greedy, "the same as --temperature 0").excludes(added);
    } else if (option.kind == OptionKind::kNumber || option.kind == OptionKind::kWholeNumber) {
      added.show_default(option.neutral);
    }
  });
  command
      .add_option("--samplers", flags.sampling.samplers,
                  "samplers in their order (docs/sampling.md), separated by commas")
      .value_name("A,B,...")
      .delimiter(',');
  command.add_option("--preset", flags.preset, "defaults and order of another program")
      .value_name("llama.cpp|huggingface");
  const Option guidance = command
                              .add_option("--guidance-scale", flags.guidance_scale,
                                          "classifier-free guidance; 1: off, else half the speed")
                              .show_default();
  command
      .add_option("--negative-prompt", flags.negative_prompt,
                  "guidance leads away from this raw text; else the prompt's last token")
      .needs(guidance);
  command.heading(Heading::kOutput);
  command.add_option("--stop", flags.stop, "text that ends the answer and is not part of it; repeatable")
      .repeatable();
  add_abstain(command, flags.abstain);
}

Result<partita::Sampling> SamplingFlags::resolved(std::uint64_t seed) const {
  partita::Sampling result = sampling;
  if (!preset.empty()) {
    auto named = named_preset(preset);
    if (!named) return named.error();
    result = std::move(*named);
    if (!sampling.samplers.empty()) result.samplers = sampling.samplers;
  }
  for (const auto& [name, value] : given) {
    if (auto set = result.set(name, value); !set) return set.error();
  }
  if (greedy) result.temperature = 0;
  result.seed = seed;
  if (auto known = check_names(result); !known) return known.error();
  if (std::find(stop.begin(), stop.end(), std::string()) != stop.end())
    return must_be("--stop is empty: it would end every answer before its first word");
  return result;
}

Result<partita::Sampling> named_preset(const std::string& name) {
  auto named = partita::preset(name);
  if (named) return named;
  return must_be(with_suggestion(named.error().message, did_you_mean(name, {"huggingface", "llama.cpp"})));
}

Result<void> check_names(const partita::Sampling& sampling) {
  std::vector<std::string> known;
  for (const partita::Sampler& sampler : partita::known_samplers()) known.emplace_back(sampler.name);
  for (const std::string& name : sampling.samplers) {
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    const auto described = describe(sampling);
    const std::string why = described ? "there is no sampler '" + name + "'" : described.error().message;
    return must_be(with_suggestion(why, did_you_mean(name, known)));
  }
  return {};
}

Result<SamplingValue> sampling_value(OptionKind kind, const Json& value) {
  switch (kind) {
    case OptionKind::kNumber:
      if (value.is_number()) return SamplingValue(value.get<double>());
      return must_be("a number");
    case OptionKind::kWholeNumber:
      if (value.is_number_integer()) return SamplingValue(value.get<double>());
      return must_be("an integer");
    case OptionKind::kTexts:
      if (auto texts = texts_of(value)) return SamplingValue(std::move(*texts));
      return must_be("a string or an array of strings");
    case OptionKind::kBiases:
      break;
  }
  if (auto biases = biases_of(value)) return SamplingValue(std::move(*biases));
  return must_be("an object {\"token id\": number or \"-inf\"} or an array of [token id, number]");
}

}  // namespace tools
