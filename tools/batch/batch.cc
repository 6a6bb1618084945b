// partita batch: JSONL in, JSONL out, with continuous batching; an error of a row fails that row alone.
#include <csignal>
#include <limits>
#include <string>

#include "tools/batch/batch_job.h"
#include "tools/commands.h"
#include "tools/generation/request.h"

namespace tools {
namespace {

using partita::Result;

struct Options {
  RequestFlags request;
  std::string in = "-", out = "-";
  std::string order = "input";
  bool retry_errors = false;
  bool ignore_unknown = false;
  bool strict = false;
  double progress_every = 60;
  int sequences = 16;
  std::uint64_t prefix_bytes = partita::BatchOptions().prefix_bytes;
};

/// Rows in flight, for each of --sequences. In input order a finished answer waits for the rows before it;
/// reading pauses at this number, which bounds the memory of a job of any length.
constexpr std::size_t kRowsPerSequence = 16;

/// A batch needs throughput, not latency: there is no limit on the delay that prefill causes.
Result<partita::BatchOptions> options_of(const Options& options, const Common& common) {
  partita::BatchOptions batch;
  batch.max_sequences = static_cast<std::size_t>(options.sequences);
  batch.most_delay = std::numeric_limits<double>::infinity();
  batch.prefix_bytes = options.prefix_bytes;
  auto draft = options.request.speculation.open_draft(common);
  if (!draft) return draft.error();
  batch.draft = std::move(*draft);
  return batch;
}

Result<void> report(const Common& common, const partita::ModelInfo& info, const BatchJob& job, double load_s,
                    double seconds) {
  const BatchCounts& counts = job.counts();
  const partita::Timing& timing = job.timing();
  const double rate = seconds > 0 ? static_cast<double>(counts.tokens) / seconds : 0;
  if (common.shows_statistics()) {
    std::fprintf(stderr, "%zu rows, %zu errors, %zu skipped as done before", counts.rows, counts.errors,
                 counts.skipped);
    if (counts.abstained > 0) std::fprintf(stderr, ", %zu too unsure to be completed", counts.abstained);
    std::fprintf(stderr, "\n%zu tokens generated in %.1f s%s", counts.tokens, seconds,
                 rate_text(counts.tokens, seconds).c_str());
    std::fprintf(stderr, "; prefill %zu tokens, decode %zu tokens; %.1f MB of weights\n",
                 timing.prefill_tokens, timing.decode_tokens,
                 static_cast<double>(info.bytes_per_token) * 1e-6);
  }
  if (!common.json) return {};
  return write_json({{"rows", counts.rows},
                     {"errors", counts.errors},
                     {"skipped", counts.skipped},
                     {"abstained", counts.abstained},
                     {"tokens", counts.tokens},
                     {"seconds", seconds},
                     {"tokens_per_s", rate},
                     {"timing", timing_json(load_s, timing)}});
}

/// The exit code of --strict.
int strict_code(std::size_t errors, std::size_t before) {
  if (errors + before == 0) return kDone;
  std::fprintf(stderr, "partita: --strict: %zu rows are errors, %zu of them from earlier runs\n",
               errors + before, before);
  return kFailed;
}

int run(const Common& common, const Options& options) {
  if (common.json && options.out == "-")
    return usage_error("batch --json needs -o FILE: stdout is for its summary");
  if (options.retry_errors && options.out == "-")
    return usage_error("batch --retry-errors needs -o FILE, from which it takes the rows of errors");
  auto request = options.request.request(common);
  if (!request) return usage_error(request.error());
  auto samplers = describe(request->sampling);
  if (!samplers) return usage_error(samplers.error());
  auto input = BatchInput::open(options.in, options.out);
  if (!input) return fail(input.error());
  auto opened = open_model(common);
  if (!opened) return fail(opened.error());
  auto adapters = options.request.adapters.open(opened->model);
  if (!adapters) return fail(adapters.error());
  request->adapters = std::move(*adapters);
  report_template(common, opened->model, request->chat);
  if (common.verbose) std::fprintf(stderr, "samplers: %s\n", samplers->c_str());
  std::signal(SIGPIPE, SIG_IGN);  // writing then fails with an errno
  BatchLedger ledger;
  auto output = BatchOutput::open(options.out, options.retry_errors, ledger);
  if (!output) return fail(output.error());
  const auto sequences = static_cast<std::size_t>(options.sequences);
  auto batch_options = options_of(options, common);
  if (!batch_options) return fail(batch_options.error());
  auto batch = opened->model.batch(*batch_options);
  if (!batch) return fail(batch.error());

  const std::size_t errors_before = output->errors_found();

  RowDefaults defaults = {std::move(*request), options.request.chat, options.request.system};
  BatchProgress progress(common.quiet, options.progress_every);
  BatchJob job({.model = &opened->model,
                .reader = RowReader(std::move(defaults), options.ignore_unknown),
                .input = std::move(*input),
                .ledger = std::move(ledger),
                .output = std::move(*output),
                .batch = std::move(*batch)},
               options.order == "input" ? RowOrder::kInput : RowOrder::kFinished,
               kRowsPerSequence * sequences, common.quiet, progress);
  auto done = job.run();
  auto reported = report(common, opened->model.info(), job, opened->load_s, progress.seconds());
  if (!done) return fail(done.error());
  if (!reported) return fail(reported.error());
  return options.strict ? strict_code(job.counts().errors, errors_before) : kDone;
}

}  // namespace

void add_batch(Command program, Common& common, Action& action) {
  auto options = std::make_shared<Options>();
  const Command command = add_command(
      program, common, "batch", kJson | kSpecials | kEngine | kSeed,
      "Answer the prompts of a JSONL file; a second run continues where it stopped",
      "echo '{\"id\":1,\"prompt\":\"The capital of France is\",\"n\":8,\"greedy\":true}' | " +
          common.program + " batch -i - -o -",
      {"--model", "--threads", "--input", "--output", "--sequences", "--retry-errors", "--chat", "--system",
       "--temperature", "--top-k", "--top-p", "--seed", "--max-tokens", "--stop", "--json"});
  add_adapters(command, options->request.adapters);
  command.heading(Heading::kBatch);
  command.add_option("-i,--input", options->in, "JSONL (docs/batch.md), or gzip or zstd of it; -: stdin")
      .value_name("FILE")
      .show_default();
  command.add_option("-o,--output", options->out, "JSONL to write; -: stdout")
      .value_name("FILE")
      .show_default();
  command.add_option("--order", options->order, "order of the rows in the output")
      .one_of({"input", "finished"})
      .show_default();
  command.add_option("--sequences", options->sequences, "rows that run together in each step")
      .range(1, 512)
      .show_default();
  command
      .add_option("--prefix-bytes", options->prefix_bytes,
                  "memory of the prefix cache that rows share; 0: none")
      .byte_size()
      .show_default("512MB");
  command.add_flag("--retry-errors", options->retry_errors,
                   "remove error rows from the output file and run them again");
  command.add_flag("--ignore-unknown", options->ignore_unknown,
                   "ignore unknown keys that look like options; else an error");
  command.add_flag("--strict", options->strict, "exit code 1 if the output has an error row; else it is 0");
  command
      .add_option("--progress-every", options->progress_every,
                  "seconds between progress lines if stderr is no terminal")
      .range(0.01, 1e6)
      .show_default();
  command.heading(Heading::kPrompt);
  const Option chat =
      command.add_flag("--chat", options->request.chat, "apply the model's chat template to \"prompt\"");
  command.add_option("--system", options->request.system, "the system message, with --chat").needs(chat);
  add_template_options(command, common, options->request.chat_template);
  command.heading(Heading::kOutput);
  command
      .add_option("-n,--max-tokens", options->request.max_tokens,
                  "maximum tokens; -1: until the context is full")
      .range(-1, 1 << 30)
      .show_default();
  command
      .add_option("--logprobs", options->request.logprobs,
                  "log-probabilities, with N alternatives of each token")
      .range(0, kMaxLogprobs);
  command.add_flag("--confidence", options->request.confidence,
                   "probability, lead and entropy of the likeliest tokens");
  add_sampling(command, options->request.sampling);
  add_speculation(command, options->request.speculation);
  command.callback(
      [&common, &action, options] { action = [&common, options] { return run(common, *options); }; });
}

}  // namespace tools
