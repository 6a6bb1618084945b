// partita bench: tokens/s of prefill and decode, and the share of the memory bandwidth that decode reaches.
#include <algorithm>

#include "tools/commands.h"

namespace tools {
namespace {

Json report_json(const Opened& opened, const partita::BenchOptions& options,
                 const partita::BenchResult& result) {
  const partita::ModelInfo& info = opened.model.info();
  Json out = {{"isa", info.isa},
              {"threads", info.threads},
              {"model", info.path},
              {"bytes_per_token", info.bytes_per_token},
              {"head", info.head},
              {"head_bytes", number(result.head_bytes)},
              {"read_GBps", number(result.read_GBps)},
              {"depth", options.depth},
              {"sequences", options.sequences},
              {"prefill", {{"tokens", options.prefill}, {"tps", result.prefill_tps}}},
              {"decode",
               {{"tokens", options.decode},
                {"tps", result.decode_tps},
                {"GBps", number(result.decode_GBps)},
                {"bound_fraction", number(result.bound_fraction)}}},
              {"load_s", opened.load_s},
              {"peak_rss_bytes", peak_rss_bytes()}};
  if (result.head_kl) {
    out["head_kl"] = number(*result.head_kl);
    out["head_same_top"] = number(*result.head_same_top);
  }
  return out;
}

/// "  decode    64 tokens   239.1 tokens/s (236.4 .. 240.0)": the median and the extremes.
std::string rate_line(const char* label, std::size_t tokens, std::vector<double> tps) {
  if (tps.empty()) return {};
  std::sort(tps.begin(), tps.end());
  char line[160];
  std::snprintf(line, sizeof line, "%-8s %6zu tokens  %9.1f tokens/s  (%.1f .. %.1f)\n", label, tokens,
                tps[tps.size() / 2], tps.front(), tps.back());
  return line;
}

std::string report_text(const Opened& opened, const partita::BenchOptions& options,
                        const partita::BenchResult& result) {
  const partita::ModelInfo& info = opened.model.info();
  char line[512];
  std::snprintf(line, sizeof line, "%s\n%s kernels, %d threads, %zu sequences, depth %zu\n",
                info.path.c_str(), info.isa.c_str(), info.threads, options.sequences, options.depth);
  std::string out = line;
  out += rate_line("prefill", options.prefill, result.prefill_tps);
  out += rate_line("decode", options.decode, result.decode_tps);
  std::snprintf(line, sizeof line,
                "decode reads %.1f MB a step: %.1f GB/s, %.0f %% of the %.1f GB/s that this memory gives\n"
                "the %s head reads %.1f MB for a token\n"
                "load %.2f s, peak memory %.0f MB\n",
                static_cast<double>(info.bytes_per_token) * 1e-6, result.decode_GBps,
                result.bound_fraction * 100, result.read_GBps, info.head.c_str(), result.head_bytes * 1e-6,
                opened.load_s, static_cast<double>(peak_rss_bytes()) * 1e-6);
  out += line;
  if (!result.head_kl) return out;
  std::snprintf(
      line, sizeof line,
      "its distributions are %.2e nats (mean KL) from the full head's, the likeliest token is the same "
      "for %.1f %% of tokens\n",
      *result.head_kl, *result.head_same_top * 100);
  return out + line;
}

int run(const Common& common, const partita::BenchOptions& options) {
  if (options.prefill == 0 && options.decode == 0)
    return usage_error("--prefill and --decode are both 0: there is nothing to measure");
  auto opened = open_model(common);
  if (!opened) return fail(opened.error());
  auto result = bench(opened->model, options, &interrupted());
  if (!result) return fail(result.error());
  auto written = common.json ? write_json(report_json(*opened, options, *result))
                             : write_out(report_text(*opened, options, *result));
  return written ? kDone : fail(written.error());
}

}  // namespace

void add_bench(Command program, Common& common, Action& action) {
  auto options = std::make_shared<partita::BenchOptions>();
  const Command command = add_command(
      program, common, "bench", kJson | kEngine,
      "Measure prefill and decode, and compare with the memory bandwidth",
      common.program + " bench -p 128 -n 16 --repeat 1",
      {"--model", "--threads", "--prefill", "--decode", "--depth", "--sequences", "--repeat", "--json"});
  command.heading(Heading::kMeasurement);
  command.add_option("-p,--prefill", options->prefill, "tokens of the prompt; 0: not measured")
      .check(check_count)
      .show_default();
  command.add_option("-n,--decode", options->decode, "tokens generated; 0: not measured")
      .check(check_count)
      .show_default();
  command.add_option("--depth", options->depth, "tokens in the KV cache before prefill and decode")
      .check(check_count)
      .show_default();
  command.add_option("--sequences", options->sequences, "sequences in each batched step")
      .range(1, 512)
      .show_default();
  command.add_option("--repeat", options->repeat, "measurements of each; the median is reported")
      .range(1, 1000000)
      .show_default();
  command.callback(
      [&common, &action, options] { action = [&common, options] { return run(common, *options); }; });
}

}  // namespace tools
