// partita batch: JSONL in, JSONL out, several sequences per step, and a row's error stays in its row.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <deque>
#include <unordered_map>
#include <unordered_set>

#include "tools/batch_output.h"
#include "tools/batch_row.h"
#include "tools/common.h"
#include "tools/lines.h"
#include "tools/sampling.h"

namespace tools {
namespace {

using partita::Error;
using partita::ErrorCode;
using partita::Result;

struct Options {
  SamplingFlags sampling;
  std::string in = "-", out = "-";
  int sequences = 16;
  int max_tokens = 256;
  int logprobs = -1;
  bool chat = false;
  std::string system;
};

/// Answers are written in the order of the rows, so a finished one may wait for those before it. Reading
/// pauses when --sequences times so many rows wait: this bounds the memory of a job of any length.
constexpr std::size_t kWaitingRows = 16;

struct Summary {
  std::size_t rows = 0, errors = 0, skipped = 0, tokens = 0;
};

class Job {
 public:
  Job(const Common& common, const Options& options, RowReader reader, BatchOutput output,
      partita::Batch batch, int in)
      : common_(&common),
        options_(&options),
        reader_(std::move(reader)),
        output_(std::move(output)),
        batch_(std::move(batch)),
        lines_(in) {
    batch_.set_cancel(&interrupted());
  }

  Result<void> run();
  const Summary& summary() const { return summary_; }
  const partita::Timing& timing() const { return batch_.timing(); }

 private:
  /// A row between reading and writing, in the order of the input.
  struct Slot {
    Json id;
    RowAnswer answer;
    std::optional<Json> line;  // what to write, once it is known
  };

  Result<void> fill();
  void take(std::variant<Row, BadRow> row);
  void refuse(const Json& id, const std::string& why);
  void start(Row row);
  void finish(Slot& slot, Json line, bool failed);
  void handle(const partita::Batch::Event& event);
  Result<void> write_finished(bool out_of_order);
  void warn_about_keys();
  void show_progress();
  bool window_full() const {
    return slots_.size() >= kWaitingRows * static_cast<std::size_t>(options_->sequences);
  }

  const Common* common_;
  const Options* options_;
  RowReader reader_;
  BatchOutput output_;
  partita::Batch batch_;
  LineReader lines_;
  bool input_ended_ = false;
  std::size_t line_number_ = 0;
  std::deque<std::shared_ptr<Slot>> slots_;
  std::unordered_map<partita::Batch::Ticket, std::shared_ptr<Slot>> running_;
  std::unordered_set<std::string> seen_;
  Summary summary_;
  std::chrono::steady_clock::time_point shown_ = std::chrono::steady_clock::now();
  bool progress_drawn_ = false;
};

void Job::finish(Slot& slot, Json line, bool failed) {
  slot.line = std::move(line);
  ++summary_.rows;
  if (failed) ++summary_.errors;
}

void Job::start(Row row) {
  auto slot = std::make_shared<Slot>();
  slot->id = std::move(row.id);
  if (row.request.logprobs >= 0) slot->answer.logprobs = Json::array();
  slots_.push_back(slot);
  auto ticket = batch_.add(row.request);
  if (ticket) {
    running_.emplace(*ticket, std::move(slot));
  } else {
    finish(*slot, error_row(slot->id, ticket.error().message), true);
  }
}

void Job::take(std::variant<Row, BadRow> row) {
  const Json id = std::visit([](const auto& r) { return r.id; }, row);
  const bool first_of_its_id = seen_.insert(json_text(id)).second;
  if (output_.take_finished(id)) {
    ++summary_.skipped;
  } else if (const auto* bad = std::get_if<BadRow>(&row)) {
    refuse(id, bad->error);
  } else if (!first_of_its_id) {
    refuse(id, "line " + std::to_string(line_number_) + " repeats an earlier row's id");
  } else {
    start(std::move(std::get<Row>(row)));
  }
}

void Job::refuse(const Json& id, const std::string& why) {
  slots_.push_back(std::make_shared<Slot>());
  finish(*slots_.back(), error_row(id, why), true);
}

/// Reads rows as long as there is room for them.
Result<void> Job::fill() {
  std::string line;
  while (!input_ended_ && !batch_.full() && !window_full()) {
    const LineEnd end = lines_.next(line);
    if (end == LineEnd::kInterrupted) return Error{ErrorCode::kCancelled, "interrupted"};
    if (end == LineEnd::kError) {
      return Error{ErrorCode::kIo, "cannot read \"" + options_->in + "\": " + std::strerror(errno)};
    }
    if (end == LineEnd::kEof) {
      input_ended_ = true;
      break;
    }
    ++line_number_;
    if (end == LineEnd::kTooLong) {
      take(BadRow{line_number_, "line " + std::to_string(line_number_) + " is longer than 16 MiB"});
      continue;
    }
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    take(reader_.read(line, line_number_));
    warn_about_keys();
  }
  return {};
}

void Job::handle(const partita::Batch::Event& event) {
  const auto found = running_.find(event.ticket);
  if (found == running_.end()) return;
  Slot& slot = *found->second;
  if (event.token) {
    ++summary_.tokens;
    slot.answer.text += event.token->text;
    slot.answer.ids.push_back(event.token->id);
    if (slot.answer.logprobs.is_array()) slot.answer.logprobs.push_back(logprob_json(*event.token));
  }
  slot.answer.finish = event.finish;
  if (event.error) {
    finish(slot, error_row(slot.id, event.error->message), true);
  } else if (event.finish != partita::Finish::kNone) {
    finish(slot, answer_row(slot.id, slot.answer), false);
  } else {
    return;
  }
  running_.erase(found);
}

/// Writes what may be written: rows whose predecessors are all written, or every finished one.
Result<void> Job::write_finished(bool out_of_order) {
  while (!slots_.empty() && (slots_.front()->line || out_of_order)) {
    if (slots_.front()->line) {
      if (auto written = output_.write(*slots_.front()->line); !written) return written;
    }
    slots_.pop_front();
  }
  return {};
}

void Job::warn_about_keys() {
  for (const std::string& key : reader_.take_unknown_keys()) {
    if (!common_->quiet) {
      std::fprintf(stderr, "partita: line %zu: \"%s\" is not an option of a row; it is ignored in all rows\n",
                   line_number_, key.c_str());
    }
  }
}

void Job::show_progress() {
  const auto now = std::chrono::steady_clock::now();
  if (!common_->shows_progress() || now - shown_ < std::chrono::milliseconds(200)) return;
  shown_ = now;
  progress_drawn_ = true;
  std::fprintf(stderr, "\r%zu rows done, %zu errors, %zu tokens", summary_.rows, summary_.errors,
               summary_.tokens);
  std::fflush(stderr);
}

Result<void> Job::run() {
  std::vector<partita::Batch::Event> events;
  Result<void> outcome;
  while (outcome) {
    outcome = fill();
    if (outcome) outcome = write_finished(false);
    if (!outcome || (input_ended_ && batch_.running() == 0)) break;
    events.clear();
    if (interrupted().is_set()) outcome = Error{ErrorCode::kCancelled, "interrupted"};
    if (outcome) outcome = batch_.advance(events);
    for (const partita::Batch::Event& event : events) handle(event);
    show_progress();
  }
  if (progress_drawn_) std::fputs("\n", stderr);
  // Also after an interrupt: what is finished is kept.
  auto written = write_finished(true);
  return outcome ? written : outcome;
}

Result<int> open_input(const std::string& in, const std::string& out) {
  if (in == "-") return STDIN_FILENO;
  const int fd = ::open(in.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return Error{ErrorCode::kIo, "cannot open \"" + in + "\": " + std::strerror(errno)};
  struct stat read = {}, written = {};
  if (fstat(fd, &read) == 0 && S_ISDIR(read.st_mode)) {
    ::close(fd);
    return Error{ErrorCode::kIo, "cannot read \"" + in + "\": it is a directory"};
  }
  if (out != "-" && stat(out.c_str(), &written) == 0 && read.st_dev == written.st_dev &&
      read.st_ino == written.st_ino) {
    ::close(fd);
    return Error{ErrorCode::kInvalidArgument,
                 "\"" + out + "\" is the input; the output must be another file"};
  }
  return fd;
}

Result<RowDefaults> defaults_of(const Common& common, const Options& options) {
  RowDefaults defaults;
  auto sampling = options.sampling.resolved(common.seed);
  if (!sampling) return sampling.error();
  defaults.sampling = std::move(*sampling);
  defaults.stop = options.sampling.stop;
  defaults.guidance_scale = options.sampling.guidance_scale;
  defaults.negative_prompt = options.sampling.negative_prompt;
  defaults.max_tokens = options.max_tokens;
  defaults.logprobs = options.logprobs;
  defaults.chat = options.chat;
  defaults.parse_specials = !common.no_special;
  defaults.system = options.system;
  return defaults;
}

Result<void> report(const Common& common, const partita::ModelInfo& info, const Job& job, double load_s) {
  const Summary& s = job.summary();
  if (common.shows_statistics()) {
    std::fprintf(stderr, "%zu rows, %zu errors, %zu skipped as done before\n", s.rows, s.errors, s.skipped);
    const partita::Timing& timing = job.timing();
    const double seconds = timing.prefill_s + timing.decode_s;
    std::fprintf(
        stderr, "prefill %zu tokens, decode %zu tokens, %.1f tokens/s together; %.1f MB of weights\n",
        timing.prefill_tokens, timing.decode_tokens,
        seconds > 0 ? static_cast<double>(timing.prefill_tokens + timing.decode_tokens) / seconds : 0.0,
        static_cast<double>(info.bytes_per_token) * 1e-6);
  }
  if (!common.json) return {};
  return write_json({{"rows", s.rows},
                     {"errors", s.errors},
                     {"skipped", s.skipped},
                     {"tokens", s.tokens},
                     {"timing", timing_json(load_s, job.timing())}});
}

int run(const Common& common, const Options& options) {
  if (common.json && options.out == "-")
    return usage_error("batch --json needs -o FILE: stdout is for its summary");
  auto defaults = defaults_of(common, options);
  if (!defaults) return usage_error(defaults.error().message);
  auto samplers = describe(defaults->sampling);
  if (!samplers) return usage_error(samplers.error().message);
  auto in = open_input(options.in, options.out);
  if (!in) return fail(in.error());
  auto opened = open_model(common);
  if (!opened) return fail(opened.error());
  if (common.verbose) std::fprintf(stderr, "samplers: %s\n", samplers->c_str());
  auto output = BatchOutput::open(options.out);
  if (!output) return fail(output.error());
  auto batch = opened->model.batch(static_cast<std::size_t>(options.sequences));
  if (!batch) return fail(batch.error());

  Job job(common, options, RowReader(std::move(*defaults)), std::move(*output), std::move(*batch), *in);
  auto done = job.run();
  auto reported = report(common, opened->model.info(), job, opened->load_s);
  if (*in != STDIN_FILENO) ::close(*in);
  if (!done) return fail(done.error());
  return reported ? kDone : fail(reported.error());
}

}  // namespace

void add_batch(CLI::App& program, Common& common, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      add_command(program, common, "batch", kJson | kSpecials | kEngine | kSeed,
                  "Many prompts from a JSONL file: one object a line, {\"id\", \"prompt\" or \"messages\" or "
                  "\"ids\", and generate's "
                  "options in snake_case}. Run again with the same output file, it goes on where it stopped",
                  "echo '{\"id\":1,\"prompt\":\"The capital of France is\",\"n\":8,\"greedy\":true}' | " +
                      common.program + " batch -i - -o -");
  command->add_option("-i,--input", options->in, "JSONL to read; -: stdin")->capture_default_str();
  command->add_option("-o,--output", options->out, "JSONL to write, in the order of the rows; -: stdout")
      ->capture_default_str();
  command->add_option("--sequences", options->sequences, "rows that advance together")
      ->check(CLI::Range(1, 512))
      ->capture_default_str();
  command
      ->add_option("-n,--max-tokens", options->max_tokens,
                   "at most this many tokens; -1: until the context is full")
      ->check(CLI::Range(-1, 1 << 30))
      ->capture_default_str();
  command->add_option("--logprobs", options->logprobs, "log-probabilities, and of so many alternatives")
      ->check(CLI::Range(0, 1 << 30));
  auto* chat = command->add_flag("--chat", options->chat, "apply the model's chat template to \"prompt\"");
  command->add_option("--system", options->system, "the system message, with --chat")->needs(chat);
  add_sampling(*command, options->sampling);
  command->callback(
      [&common, &action, options] { action = [&common, options] { return run(common, *options); }; });
}

}  // namespace tools
