// partita prepare: makes the screen of a model's LM head once, so that each token reads fewer bytes.

#include "tools/commands.h"

namespace tools {
namespace {

Json report_json(const partita::PrepareResult& result) {
  return {{"path", result.path},
          {"states", result.states},
          {"screen_bytes", result.screen_bytes},
          {"head_bytes", result.head_bytes},
          {"full_s", number(result.full_s)},
          {"screened_s", number(result.screened_s)}};
}

std::string report_text(const partita::PrepareResult& result) {
  char line[256];
  std::snprintf(line, sizeof line,
                ": a screen of %.1f MB of a head of %.1f MB, from %zu hidden states\n"
                "a greedy token's logits take %.2f ms with it, %.2f ms in full: x %.2f\n",
                static_cast<double>(result.screen_bytes) * 1e-6,
                static_cast<double>(result.head_bytes) * 1e-6, result.states, result.screened_s * 1e3,
                result.full_s * 1e3, result.full_s / result.screened_s);
  const bool gains = result.screened_s < result.full_s;
  return result.path + line +
         (gains ? "" : "The screen is not faster on this machine: delete it, or use --head full\n");
}

int run(const Common& common, partita::PrepareOptions options) {
  auto path = model_path(common);
  if (!path) return fail(path.error());
  catch_interrupts();
  Progress progress("preparing", common.shows_progress());
  options.threads = common.threads;
  options.vocabulary = common.vocabulary;
  options.seed = common.seed;
  options.progress = [&](float fraction) {
    progress.update(fraction);
    return !interrupted().is_set();
  };
  auto result = partita::prepare(*path, options);
  if (!result) return fail(result.error());
  progress.clear();
  auto written = common.json ? write_json(report_json(*result)) : write_out(report_text(*result));
  return written ? kDone : fail(written.error());
}

}  // namespace

void add_prepare(Command program, Common& common, Action& action) {
  auto options = std::make_shared<partita::PrepareOptions>();
  const Command command =
      add_command(program, common, "prepare", kJson | kThreads | kSeed,
                  "Make a screen of the LM head once: the same tokens from fewer bytes",
                  common.program + " prepare --states 600 -o \"$(mktemp -d)/try.screen\"");
  command.heading(Heading::kOutput);
  command.add_option("-o,--output", options->path, "file to write; else beside the model, where it is found")
      .value_name("FILE");
  command.heading(Heading::kModel);
  command.add_option("--states", options->states, "hidden states to fit it to; 0: 8 a dimension")
      .range(std::size_t{0}, std::size_t{1} << 24)
      .show_default();
  command.callback(
      [&common, &action, options] { action = [&common, options] { return run(common, *options); }; });
}

}  // namespace tools
