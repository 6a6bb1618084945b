#include "tools/common.h"

#include <partita/json.hpp>

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <utility>

#include "tools/batch/byte_source.h"
#include "tools/cli/exhaustion.h"

namespace tools {

using partita::Error;
using partita::ErrorCode;
using partita::Result;

namespace {

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

Result<std::string> read_all(int fd, const std::string& what) {
  constexpr std::size_t kMaxBytes = std::size_t{1} << 30;
  FileBytes bytes(fd);
  std::string text;
  char buffer[1 << 16];
  while (true) {
    const auto got = bytes.read(buffer, sizeof buffer, true);
    if (!got && got.error().code == ErrorCode::kIo)
      return Error{ErrorCode::kIo, "cannot read " + what + ": " + got.error().message};
    if (!got) return got.error();
    if (got->ended) return text;
    if (text.size() + got->bytes > kMaxBytes)
      return Error{ErrorCode::kInvalidArgument, what + " is longer than 1 GiB, the most that is read"};
    text.append(buffer, got->bytes);
  }
}

std::string check_cache(const std::string& cache) {
  if (cache == "f16" || cache == "i8") return {};
  return "it is f16 or i8, not \"" + cache + "\"";
}

/// Checks for usage errors only; the library checks limits.
std::string check_sinks(const std::string& sinks) {
  std::size_t value = 0;
  const auto [stopped, problem] = std::from_chars(sinks.data(), sinks.data() + sinks.size(), value);
  if (problem == std::errc() && stopped == sinks.data() + sinks.size() && value % 64 == 0) return {};
  return "it is a multiple of 64, not \"" + sinks + "\"";
}

/// --attention-window and --attention-sinks.
void add_attention(Command command, Common& common, bool shown) {
  const Option window = command
                            .add_option("--attention-window", common.attention_window,
                                        "attend to the last N tokens and the sinks; 0: to all")
                            .range(0, 1 << 24)
                            .show_default()
                            .hide_unless(shown);
  command
      .add_option("--attention-sinks", common.attention_sinks,
                  "with a window, attend to the first N too; multiple of 64")
      .check(check_sinks, "N")
      .needs(window)
      .show_default()
      .hide_unless(shown);
}

}  // namespace

std::string check_count(const std::string& text) {
  std::uint64_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [stopped, problem] = std::from_chars(text.data(), end, value);
  if (problem == std::errc() && stopped == end) return {};
  return "it is an integer from 0 to 18446744073709551615, not \"" + text + "\"";
}

bool Common::shows_progress() const { return !quiet && isatty(STDERR_FILENO) != 0; }

Command add_command(Command program, Common& common, const std::string& name, unsigned groups,
                    const std::string& about, const std::string& example,
                    const std::vector<std::string>& most_used) {
  const Command command = program.add_command(name, about);
  const auto uses = [&](unsigned group) { return (groups & group) != 0; };
  command.heading(Heading::kModel);
  command
      .add_option("-m,--model", common.model,
                  "GGUF, checkpoint, known model; else $PARTITA_MODEL, SmolLM2, bundled")
      .value_name("PATH");
  command
      .add_option("--vocabulary", common.vocabulary,
                  "GGUF file with the tokenizer of a checkpoint, instead of its own")
      .value_name("FILE");
  command.add_option("-t,--threads", common.threads, "number of threads; 0: all of the machine or container")
      .range(0, 1024)
      .show_default()
      .hide_unless(uses(kEngine | kThreads));
  command.add_flag("--exact", common.exact, "scalar float kernels: slow, the reference for the fast ones")
      .hide_unless(uses(kEngine));
  command.add_option("--cache", common.cache, "KV cache type; i8: values in 8 bits, 3/4 of the memory")
      .check(check_cache, "f16|i8")
      .show_default()
      .hide_unless(uses(kEngine));
  command
      .add_option("--cache-bytes", common.cache_bytes, "memory limit of the KV cache, such as 2GB; 0: none")
      .byte_size()
      .show_default()
      .hide_unless(uses(kEngine));
  add_attention(command, common, uses(kEngine));
  command.add_option("--head", common.head, "LM head; auto: screened if prepare made a screen")
      .one_of({"auto", "full", "screened"})
      .show_default()
      .hide_unless(uses(kEngine));
  command
      .add_option("--head-budget", common.head_budget,
                  "compute N logits a token, estimate the others; needs a screen")
      .positive()
      .hide_unless(uses(kEngine));
  command
      .add_flag("--trace-nan", common.trace_nan,
                "where logits are NaN, name the layer and operation where they began")
      .hide_unless(uses(kEngine));

  command.heading(Heading::kPrompt);
  command.add_flag("--no-special", common.no_special, "text that looks like a special token stays text")
      .hide_unless(uses(kSpecials));

  command.heading(Heading::kSampling);
  command.add_option("--seed", common.seed, "seed of the random draws")
      .check(check_count)
      .show_default()
      .hide_unless(uses(kSeed));

  command.heading(Heading::kOutput);
  command.add_flag("--json", common.json, "write one JSON value to stdout, and nothing else")
      .hide_unless(uses(kJson));
  command.add_flag("-q,--quiet", common.quiet, "no progress, no statistics");
  command.add_flag("-v,--verbose", common.verbose, "show model, threads, kernels and samplers on stderr")
      .hide_unless(uses(kEngine));
  command.help(example, most_used);
  return command;
}

void add_input(Command command, Input& input, const std::string& what) {
  command.heading(Heading::kPrompt);
  input.text_option = command.add_option("-p,--prompt", input.text, what);
  command.add_option("-f,--file", input.file, "file with " + what + "; without -p and -f: stdin")
      .value_name("FILE")
      .excludes(input.text_option);
}

Result<std::string> read_file(const std::string& path) {
  if (path == "-") {
    if (isatty(STDIN_FILENO) != 0 && isatty(STDERR_FILENO) != 0) {
      std::fputs("partita: reading from the terminal; Ctrl-D at the beginning of a line ends the text\n",
                 stderr);
    }
    return read_all(STDIN_FILENO, "stdin");
  }
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return Error{ErrorCode::kIo, "cannot open \"" + path + "\": " + std::strerror(errno)};
  auto text = read_all(fd, "\"" + path + "\"");
  ::close(fd);
  return text;
}

Result<std::string> read_input(const Input& input) {
  if (input.text_option.count() > 0) return input.text;
  return read_file(input.file.empty() ? "-" : input.file);
}

Result<std::vector<partita::TokenId>> parse_ids(std::string_view text) {
  constexpr std::string_view kSeparators = ", \t\r\n";
  std::vector<partita::TokenId> ids;
  for (std::size_t at = text.find_first_not_of(kSeparators); at != std::string_view::npos;
       at = text.find_first_not_of(kSeparators, at)) {
    const std::size_t end = std::min(text.find_first_of(kSeparators, at), text.size());
    const std::string_view word = text.substr(at, end - at);
    partita::TokenId id = 0;
    const auto [stopped, problem] = std::from_chars(word.data(), word.data() + word.size(), id);
    if (problem != std::errc() || stopped != word.data() + word.size()) {
      return Error{ErrorCode::kInvalidArgument,
                   "\"" + std::string(word.substr(0, 40)) + "\" is not a token id"};
    }
    ids.push_back(id);
    at = end;
  }
  return ids;
}

std::optional<std::vector<std::string>> texts_of(const Json& value) {
  const Json list = value.is_string() ? Json::array({value}) : value;
  if (!list.is_array() ||
      !std::all_of(list.begin(), list.end(), [](const Json& v) { return v.is_string(); })) {
    return std::nullopt;
  }
  return list.get<std::vector<std::string>>();
}

bool names_model(const Common& common) {
  const char* const chosen = std::getenv("PARTITA_MODEL");
  return !common.model.empty() || (chosen != nullptr && *chosen != '\0');
}

Result<std::string> model_path(const Common& common, const std::string& given) {
  auto path = partita::find_model(given.empty() ? common.model : given);
  if (path && *path == partita::kBundledModel && given.empty() && !names_model(common)) {
    std::fprintf(stderr,
                 "partita: there is no model file here, so this is the small model inside the program, which "
                 "knows little; -m PATH takes any GGUF file of a supported family\n");
  }
  return path;
}

Result<Opened> open_model(const Common& common, bool text_only) {
  auto path = model_path(common);
  if (!path) return path.error();
  return open_model_at(*path, common, text_only, common.exact);
}

namespace {

/// "ulimit -u 100, ulimit -v 500000": the limits of this process that can prevent new threads.
std::string limits_on_threads() {
  std::string limits;
  const auto add = [&](auto resource, const char* option, rlim_t unit) {
    rlimit limit{};
    if (getrlimit(resource, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return;
    limits += (limits.empty() ? "" : ", ") + (option + std::to_string(limit.rlim_cur / unit));
  };
  add(RLIMIT_NPROC, "ulimit -u ", 1);
  add(RLIMIT_AS, "ulimit -v ", 1024);
  return limits.empty() ? "of the system or its container" : limits;
}

/// Warns once: several models may ask for the same threads.
void warn_refused_threads(const Common& common, const partita::ModelInfo& info) {
  static bool warned = false;
  if (info.threads_refused == 0 || common.quiet || std::exchange(warned, true)) return;
  std::fprintf(
      stderr,
      "partita: asked for %d threads, %d could be made (limit: %s); answers are the same but slower: "
      "raise the limit, or ask for fewer with --threads\n",
      info.threads + info.threads_refused, info.threads, limits_on_threads().c_str());
}

/// What --chat-template names: the source in a file, whose path has a slash or a dot, else the name itself.
Result<std::string> chat_template_of(const std::string& given) {
  const bool source = given.find("{{") != std::string::npos || given.find("{%") != std::string::npos;
  if (source || given.find_first_of("/.") == std::string::npos) return given;
  auto text = read_file(given);
  if (text && text->find_first_not_of(" \t\r\n") == std::string::npos)
    return Error{ErrorCode::kInvalidArgument, "the chat template \"" + given + "\" is empty"};
  return text;
}

}  // namespace

Result<Opened> open_model_at(const std::string& path, const Common& common, bool text_only, bool exact) {
  catch_interrupts();
  const auto start = std::chrono::steady_clock::now();
  Progress progress("loading", common.shows_progress());
  partita::OpenOptions options;
  options.vocabulary = common.vocabulary;
  auto chat_template = chat_template_of(common.chat_template);
  if (!chat_template) return chat_template.error();
  options.chat_template = std::move(*chat_template);
  options.threads = common.threads;
  options.exact = exact;
  options.cache = common.cache == "i8" ? partita::CacheType::kI8 : partita::CacheType::kF16;
  options.cache_bytes = static_cast<std::size_t>(common.cache_bytes);
  options.attention_window = common.attention_window;
  options.attention_sinks = common.attention_sinks;
  options.head = common.head == "full"       ? partita::HeadKind::kFull
                 : common.head == "screened" ? partita::HeadKind::kScreened
                                             : partita::HeadKind::kAuto;
  options.head_budget = common.head_budget;
  options.trace_nan = common.trace_nan;
  options.text_only = text_only;
  options.progress = [&](float fraction) {
    progress.update(fraction);
    return !interrupted().is_set();
  };
  auto model = partita::Model::open(path, options);
  if (!model) return model.error();
  progress.clear();
  Opened opened{std::move(*model), seconds_since(start)};
  for (const std::string& warning : opened.model.info().warnings) {
    if (!common.quiet) std::fprintf(stderr, "partita: %s\n", warning.c_str());
  }
  warn_refused_threads(common, opened.model.info());
  if (const std::string& refused = opened.model.info().head_refused; !refused.empty() && !common.quiet)
    std::fprintf(stderr, "partita: %s; the full head is used\n", refused.c_str());
  if (common.verbose && !text_only) {
    const partita::ModelInfo& info = opened.model.info();
    std::fprintf(stderr,
                 "model %s: %s, %zu layers, %zu wide, vocabulary %zu, context %zu, %.1f MB read a token\n",
                 partita::printable(info.path).c_str(), info.family.c_str(), info.layers, info.hidden_size,
                 info.vocab_size, info.context_length, static_cast<double>(info.bytes_per_token) * 1e-6);
    std::fprintf(stderr, "%d threads, %s kernels, the %s head, loaded in %.2f s\n", info.threads,
                 info.isa.c_str(), info.head.c_str(), opened.load_s);
    if (!info.isa_refused.empty()) {
      std::fprintf(stderr, "kernels that failed their test and are not used: %s\n", info.isa_refused.c_str());
    }
    if (common.attention_window > 0) {
      std::fprintf(stderr, "attention to the first %zu tokens and the last %zu\n", common.attention_sinks,
                   common.attention_window);
    }
  }
  return opened;
}

void warn_unencodable_bytes(const Common& common, const partita::Model& model, std::string_view text) {
  const std::size_t bytes = common.quiet ? 0 : model.left_out(text);
  if (bytes == 0) return;
  std::fprintf(stderr, "partita: %zu bytes of the text have no token in this vocabulary and are skipped\n",
               bytes);
}

int fail(const Error& error) {
  if (error.code == ErrorCode::kCancelled) {
    std::fprintf(stderr, "partita: interrupted\n");
    return kInterrupted;
  }
  if (error.code == ErrorCode::kOutOfMemory) exhaustion_is_shown();
  std::fprintf(stderr, "partita: %s\n", partita::printable(error.message).c_str());
  return kFailed;
}

int usage_error(const std::string& message) {
  std::fprintf(stderr, "partita: %s\n", message.c_str());
  return kUsage;
}

int usage_error(const Error& error) {
  return error.code == ErrorCode::kOutOfMemory ? fail(error) : usage_error(error.message);
}

Result<void> write_out(std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::write(STDOUT_FILENO, text.data(), text.size());
    if (n < 0 && errno == EINTR) {
      if (interrupted().is_set()) return Error{ErrorCode::kCancelled, "interrupted"};
      continue;
    }
    if (n < 0) return Error{ErrorCode::kIo, std::string("cannot write to stdout: ") + std::strerror(errno)};
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

std::string json_text(const Json& value, int indent) {
  return value.dump(indent, ' ', false, Json::error_handler_t::replace);
}

Json parse_json(const std::string& text, const partita::JsonLimits& limits) {
  const auto checked = partita::check_json(text, "it", limits);
  if (!checked && checked.error().code == ErrorCode::kOutOfMemory) throw std::bad_alloc();
  if (!checked) return Json(Json::value_t::discarded);
  // Not into ordered objects: inserting a key there compares it with all others.
  return Json(nlohmann::json::parse(text, nullptr, false));
}

Json parse_ordered_json(const std::string& text, const partita::JsonLimits& limits) {
  constexpr std::size_t kMaxOrdered = 1000;
  Json sorted = parse_json(text, limits);
  if (sorted.is_discarded()) return sorted;
  std::vector<std::size_t> keys;  // of the objects around the current value
  bool fits = true;
  Json ordered = Json::parse(
      text,
      [&](int, Json::parse_event_t event, Json&) {
        if (event == Json::parse_event_t::object_start) keys.push_back(0);
        if (event == Json::parse_event_t::object_end) keys.pop_back();
        if (event == Json::parse_event_t::key && ++keys.back() > kMaxOrdered) fits = false;
        return fits;
      },
      false);
  return fits ? std::move(ordered) : std::move(sorted);
}

Result<void> write_json(const Json& value) { return write_out(json_text(value) + "\n"); }

Json number(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

Json logprob_json(const partita::Token& token) {
  Json top = Json::array();
  for (const auto& [id, logprob] : token.top) top.push_back({id, number(logprob)});
  return {{"id", token.id}, {"logprob", number(token.logprob)}, {"top", std::move(top)}};
}

Json timing_json(double load_s, const partita::Timing& timing) {
  return {{"load_s", load_s},
          {"prefill_tokens", timing.prefill_tokens},
          {"prefill_s", timing.prefill_s},
          {"decode_tokens", timing.decode_tokens},
          {"decode_s", timing.decode_s},
          {"shared_tokens", timing.shared_tokens},
          {"draft_tokens", timing.draft_tokens},
          {"accepted_tokens", timing.accepted_tokens}};
}

std::string rate_text(std::size_t tokens, double seconds) {
  if (tokens == 0 || !(seconds > 0)) return {};
  char text[48];
  std::snprintf(text, sizeof text, ", %.1f tokens/s", static_cast<double>(tokens) / seconds);
  return text;
}

void print_statistics(const Common& common, const partita::ModelInfo& info, const partita::Timing& timing) {
  if (!common.shows_statistics()) return;
  std::fprintf(stderr, "prefill %zu tokens%s; decode %zu tokens%s", timing.prefill_tokens,
               rate_text(timing.prefill_tokens, timing.prefill_s).c_str(), timing.decode_tokens,
               rate_text(timing.decode_tokens, timing.decode_s).c_str());
  if (timing.decode_tokens > 0 && timing.decode_s > 0) {
    const double rate = static_cast<double>(timing.decode_tokens) / timing.decode_s;
    std::fprintf(stderr, ", %.1f GB/s", rate * static_cast<double>(info.bytes_per_token) * 1e-9);
  }
  std::fputc('\n', stderr);
}

void Progress::update(double fraction) {
  constexpr int kWidth = 30;
  const int percent = static_cast<int>(std::clamp(fraction, 0.0, 1.0) * 100);
  if (!enabled_ || percent == percent_) return;
  percent_ = percent;
  const int filled = percent * kWidth / 100;
  std::fprintf(stderr, "\r%s [%s%s] %3d %%", label_.c_str(),
               std::string(static_cast<std::size_t>(filled), '#').c_str(),
               std::string(static_cast<std::size_t>(kWidth - filled), '.').c_str(), percent);
  std::fflush(stderr);
}

void Progress::clear() {
  if (percent_ < 0) return;
  std::fprintf(stderr, "\r%*s\r", static_cast<int>(label_.size()) + 45, "");
  std::fflush(stderr);
  percent_ = -1;
}

std::size_t peak_rss_bytes() {
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::size_t>(usage.ru_maxrss) * 1024;
}

}  // namespace tools
