// partita convert: converts a Hugging Face checkpoint, with any LM head, to a GGUF file.
#include <algorithm>
#include <cinttypes>

#include "tools/commands.h"
#include "tools/generation/adapters.h"

namespace tools {
namespace {

constexpr std::size_t kMaxNamed = 8;  // matrices that the report names (all of them with --json)

struct Paths {
  std::string checkpoint, output;
  AdapterFlags adapters;
};

Json report_json(const partita::ConvertResult& result, const partita::ConvertOptions& options) {
  Json out = {{"path", result.path},
              {"head", result.head},
              {"layers", result.layers},
              {"vocab_size", result.vocab_size},
              {"tensors", result.tensors},
              {"parameters", result.parameters},
              {"file_bytes", result.file_bytes},
              {"in_f16", result.in_f16},
              {"left_out", result.left_out}};
  Json applied = Json::array();
  for (std::size_t i = 0; i < result.adapters.size(); ++i)
    applied.push_back(applied_json(result.adapters[i], options.adapters[i].scale));
  if (!applied.empty()) out["applied"] = {{"lora", std::move(applied)}};
  return out;
}

std::string report_text(const partita::ConvertResult& result, const std::string& type) {
  char line[256];
  std::snprintf(line, sizeof line,
                ": %zu layers, %zu words, head %s; %" PRIu64 " parameters in %zu tensors, %.1f MB\n",
                result.layers, result.vocab_size, result.head.c_str(), result.parameters, result.tensors,
                static_cast<double>(result.file_bytes) * 1e-6);
  std::string text = result.path + line;
  const std::size_t named = std::min(result.in_f16.size(), kMaxNamed);
  for (std::size_t i = 0; i < named; ++i) text += (i == 0 ? "" : ", ") + result.in_f16[i];
  if (named < result.in_f16.size()) text += " and " + std::to_string(result.in_f16.size() - named) + " more";
  if (named > 0) {
    text += std::string(": stored as f16, because ") + (result.in_f16.size() == 1 ? "its" : "their") +
            " rows are no whole blocks of " + type + " or too few\n";
  }
  for (const auto& [part, tensors] : result.left_out)
    text +=
        part + ": " + std::to_string(tensors) + " tensors left out, which are no part of the text model\n";
  return text;
}

int run(const Common& common, const Paths& paths, partita::ConvertOptions options) {
  if (!common.vocabulary.empty()) {
    auto given = partita::find_model(common.vocabulary);
    if (!given) return fail(given.error());
    options.vocabulary = *given;
  } else if (auto other = partita::find_model(common.model); other) {
    if (*other != partita::kBundledModel || names_model(common)) options.other_vocabulary = *other;
  } else if (names_model(common)) {
    return fail(other.error());
  }
  for (const std::string& argument : paths.adapters.given) {
    const auto adapter = parse_adapter(argument);
    if (!adapter) return fail(adapter.error());
    options.adapters.push_back({adapter->path, adapter->scale});
  }
  catch_interrupts();
  Progress progress("converting", common.shows_progress());
  options.progress = [&](float fraction) {
    progress.update(fraction);
    return !interrupted().is_set();
  };
  auto result = partita::convert(paths.checkpoint, paths.output, options);
  progress.clear();
  if (!result) return fail(result.error());
  auto written =
      common.json ? write_json(report_json(*result, options)) : write_out(report_text(*result, options.type));
  return written ? kDone : fail(written.error());
}

}  // namespace

void add_convert(Command program, Common& common, Action& action) {
  auto paths = std::make_shared<Paths>();
  auto options = std::make_shared<partita::ConvertOptions>();
  const Command command = add_command(program, common, "convert", kJson,
                                      "Convert a checkpoint (config.json and safetensors) to a GGUF file",
                                      common.program + " convert checkpoint -o model.gguf --type q8_0");
  command.heading(Heading::kConversion);
  command.add_option("CHECKPOINT", paths->checkpoint, "directory with config.json and safetensors files")
      .required();
  command.add_option("-o,--output", paths->output, "GGUF file to write").value_name("FILE").required();
  add_adapters(command, paths->adapters);
  command.heading(Heading::kConversion);
  const auto types = partita::convert_types();
  command.add_option("--type", options->type, "type of matrices; else as they are stored")
      .one_of({types.begin(), types.end()});
  command.callback([&common, &action, paths, options] {
    action = [&common, paths, options] { return run(common, *paths, *options); };
  });
}

}  // namespace tools
