// partita quantize: a model file with fewer bits.
#include <cinttypes>
#include <filesystem>
#include <optional>

#include "tools/commands.h"

namespace tools {
namespace {

struct Paths {
  std::string from, to, text;
};

Json report_json(const partita::QuantizeResult& result) {
  Json errors = Json::object();
  for (const auto& [type, error] : result.error) errors[type] = number(error);
  Json report = {{"path", result.path},
                 {"tensors", result.tensors},
                 {"bytes_in", result.bytes_in},
                 {"bytes_out", result.bytes_out},
                 {"types", result.types},
                 {"error", errors},
                 {"without_importance", result.without_importance},
                 {"fallbacks", result.fallbacks}};
  if (result.measured_tokens > 0) {
    report["kl"] = number(result.divergence);
    report["measured_tokens"] = result.measured_tokens;
  }
  return report;
}

/// "850.4 MB", "12.3 kB"
std::string size_text(std::uint64_t bytes) {
  char text[64];
  const bool large = bytes >= 1'000'000;
  std::snprintf(text, sizeof text, "%.1f %s", static_cast<double>(bytes) * (large ? 1e-6 : 1e-3),
                large ? "MB" : "kB");
  return text;
}

std::string report_text(const partita::QuantizeResult& result) {
  char line[256];
  const auto noun = [](std::size_t tensors) { return tensors == 1 ? "tensor" : "tensors"; };
  std::string text = partita::printable(result.path) + ": " + std::to_string(result.tensors) + " " +
                     noun(result.tensors) + ", " + size_text(result.bytes_out) + " of " +
                     size_text(result.bytes_in) + "\n";
  for (const auto& [type, tensors] : result.types) {
    const auto error = result.error.find(type);
    std::snprintf(line, sizeof line, "%-7s %6zu %s", type.c_str(), tensors, noun(tensors));
    text += line;
    if (error != result.error.end()) {
      std::snprintf(line, sizeof line, ", root mean square error %.3g", error->second);
      text += line;
    }
    text += '\n';
  }
  if (result.measured_tokens > 0) {
    std::snprintf(line, sizeof line, "KL divergence from the original: %.3g, measured on %zu tokens\n",
                  result.divergence, result.measured_tokens);
    text += line;
  }
  const auto count = [&](const std::vector<std::string>& tensors, const char* what) {
    if (tensors.empty()) return;
    text += std::to_string(tensors.size()) + " " + noun(tensors.size()) + what +
            partita::printable(tensors.front()) + (tensors.size() == 1 ? "" : " ...") + "\n";
  };
  count(result.fallbacks, " with a type of smaller blocks, because of the number of columns: ");
  count(result.without_importance, " that the importance file lacks: ");
  return text;
}

/// Checks the options of types that are measured, and reads their text.
std::optional<int> take_goal(const std::string& text_file, const std::string& to,
                             partita::QuantizeOptions& options) {
  const bool measures = !options.budget.empty() || options.max_divergence > 0;
  if (measures == text_file.empty()) {
    return usage_error(measures ? "--budget and --max-kl need -f FILE: a text to measure on"
                                : "-f FILE is for --budget and --max-kl: give one of them too");
  }
  if (!measures) return std::nullopt;
  if (std::error_code none; std::filesystem::equivalent(text_file, to, none))
    return usage_error("OUT is the text that -f reads: name another file");
  auto text = read_file(text_file);
  if (!text) return fail(text.error());
  options.text = *std::move(text);
  return std::nullopt;
}

int run(const Common& common, const Paths& paths, partita::QuantizeOptions options) {
  if (paths.from.empty()) return usage_error("IN is empty: name a GGUF file");
  if (const auto wrong = take_goal(paths.text, paths.to, options)) return *wrong;
  const auto from = partita::find_model(paths.from);
  if (!from) return fail(from.error());
  catch_interrupts();
  Progress progress("quantizing", common.shows_progress());
  options.threads = common.threads;
  options.progress = [&](float fraction) {
    progress.update(fraction);
    return !interrupted().is_set();
  };
  const auto result = partita::quantize(*from, paths.to, options);
  progress.clear();
  if (!result) return fail(result.error());
  const auto written = common.json ? write_json(report_json(*result)) : write_out(report_text(*result));
  return written ? kDone : fail(written.error());
}

/// Splits NAME=TYPE.
std::string take_tensor_types(const std::vector<std::string>& given, partita::QuantizeOptions& options) {
  for (const std::string& one : given) {
    const auto equals = one.rfind('=');
    if (equals == std::string::npos || equals == 0)
      return "'" + one + "' is not NAME=TYPE, such as attn_v=q6_k";
    options.tensor_types.emplace_back(one.substr(0, equals), one.substr(equals + 1));
  }
  return "";
}

}  // namespace

void add_quantize(Command program, Common& common, Action& action) {
  auto paths = std::make_shared<Paths>();
  auto options = std::make_shared<partita::QuantizeOptions>();
  const Command command = add_command(program, common, "quantize", kJson | kThreads,
                                      "Quantize a GGUF file: fewer bits per weight",
                                      common.program + " quantize model.gguf small.gguf --type Q4_K_M",
                                      {"IN", "OUT", "--type", "--budget", "--max-kl", "--file", "--imatrix",
                                       "--allow-requantize", "--threads"});
  for (const char* unused : {"--model", "--vocabulary"}) command.option(unused).hide_unless(false);
  command.heading(Heading::kConversion);
  command.add_option("IN", paths->from, "GGUF file or known model, in F16, BF16 or F32").required();
  command.add_option("OUT", paths->to, "GGUF file to write").required();
  const Option type =
      command.add_option("--type", options->type, "mix of types, as Q8_0; a wrong name lists them all")
          .value_name("TYPE")
          .show_default();
  const Option budget =
      command.add_option("--budget", options->budget, "size to keep instead of a mix: 4.5bpw, 900MB; with -f")
          .value_name("SIZE")
          .excludes(type);
  command.add_option("--max-kl", options->max_divergence, "KL divergence to keep instead of a mix; with -f")
      .value_name("NATS")
      .range(1e-6, 100.0)
      .excludes(type)
      .excludes(budget);
  command.add_option("-f,--file", paths->text, "text on which --budget and --max-kl measure")
      .value_name("FILE");
  command.add_option("--imatrix", options->importance, "importance of columns, from partita imatrix")
      .value_name("FILE");
  command
      .add_option_function<std::vector<std::string>>(
          "--tensor-type",
          [options](const std::vector<std::string>& given) {
            const std::string problem = take_tensor_types(given, *options);
            if (!problem.empty()) refuse_value("--tensor-type", problem);
          },
          "type of tensors whose names have NAME in them; repeatable")
      .value_name("NAME=TYPE")
      .repeatable();
  command.add_option("--embedding-type", options->embedding_type, "type of the token embeddings")
      .value_name("TYPE");
  command.add_option("--output-type", options->output_type, "type of the LM head").value_name("TYPE");
  command.add_flag("--allow-requantize", options->allow_requantize,
                   "also of tensors that are quantized already");
  command.callback([&common, &action, paths, options] {
    action = [&common, paths, options] { return run(common, *paths, *options); };
  });
}

}  // namespace tools
