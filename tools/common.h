// What the commands share: options that every one has, opening a model, reading input, reporting.
#pragma once

#include <cstdio>
#include <functional>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <optional>
#include <partita/json.hpp>
#include <partita/partita.hpp>
#include <string>
#include <vector>

#include "tools/options.h"

namespace tools {

using Json = nlohmann::ordered_json;

/// Exit codes of the program (README.md).
enum Exit : int { kDone = 0, kFailed = 1, kUsage = 2, kInterrupted = 130 };

/// What main() runs after the command line was understood.
using Action = std::function<int()>;

struct Common {
  std::string program;  // argv[0], so that examples in --help work as printed
  std::string model;
  int threads = 0;
  bool json = false;
  bool exact = false;
  bool no_special = false;
  bool quiet = false;
  bool verbose = false;
  std::uint64_t seed = 0;
  std::string cache = "f16";
  std::uint64_t cache_bytes = 0;     // 0: no limit
  std::size_t attention_window = 0;  // 0: none
  std::size_t attention_sinks = partita::OpenOptions().attention_sinks;
  std::string head = "auto";
  std::size_t head_budget = 0;  // 0: none

  bool shows_statistics() const { return !quiet; }
  bool shows_progress() const;  // stderr is a terminal and nobody asked for quiet
};

/// The common options that a command heeds, besides --model and --quiet.
enum Heeds : unsigned {
  kJson = 1,
  kSpecials = 2,  // --no-special
  kEngine = 4,    // --threads, --exact, --cache.., --attention-..., --head, --verbose
  kSeed = 8,
  kThreads = 16  // --threads alone
};

/// A command with the common options and an example that works as printed. Every command takes all of them,
/// so that scripts may give the same to each; --help shows those that it heeds.
Command add_command(Command program, Common& common, const std::string& name, unsigned heeds,
                    const std::string& about, const std::string& example);

/// -p TEXT, -f FILE or stdin.
struct Input {
  std::string text;
  std::string file;
  Option text_option;
};
void add_input(Command command, Input& input, const std::string& what);

/// The input, exactly as given.
partita::Result<std::string> read_input(const Input& input);
partita::Result<std::string> read_file(const std::string& path);

/// Ids separated by commas or spaces. Error names the first thing that is not one.
partita::Result<std::vector<partita::TokenId>> parse_ids(std::string_view text);

/// A check of options that count something: what is wrong with the value, or nothing.
std::string check_count(const std::string& text);

/// A string, or an array of strings; nothing if it is something else.
std::optional<std::vector<std::string>> texts_of(const Json& value);

/// An open model and how long that took.
struct Opened {
  partita::Model model;
  double load_s = 0;
};
/// Whether --model or $PARTITA_MODEL names a model.
bool names_model(const Common& common);

/// The path of the model that the options name. Where they name none and the small one inside the program
/// stands for it, that is said on stderr, with what to do.
partita::Result<std::string> model_path(const Common& common);

/// Says on stderr how many bytes of a text the vocabulary has no token for, where there are any.
void tell_left_out(const Common& common, const partita::Model& model, std::string_view text);

/// Finds and opens the model that the options name; from here on Ctrl-C sets interrupted().
partita::Result<Opened> open_model(const Common& common, bool text_only = false);
/// The same for another model, or the same one in exact arithmetic.
partita::Result<Opened> open_model_at(const std::string& path, const Common& common, bool text_only,
                                      bool exact);

/// A read that waits ends by them.
void catch_signals(std::initializer_list<int> signals, void (*handler)(int));
/// Set by Ctrl-C once catch_interrupts() was called.
partita::CancelFlag& interrupted();
void catch_interrupts();

/// One sentence on stderr; the exit code that belongs to it.
int fail(const partita::Error& error);
int usage_error(const std::string& message);
/// Of a value that cannot be used; fail() where there was no memory to look at it.
int usage_error(const partita::Error& error);

/// Text to stdout, at once. Error: kIo where it cannot be written.
partita::Result<void> write_out(std::string_view text);
/// One JSON value and a newline; invalid UTF-8 becomes U+FFFD, NaN becomes null.
partita::Result<void> write_json(const Json& value);
std::string json_text(const Json& value, int indent = -1);
/// What this program writes may be long: rows with the log-probabilities of many tokens.
inline constexpr partita::JsonLimits kOwnLimits = {.bytes = std::size_t{1} << 30,
                                                   .values = std::size_t{1} << 24};

/// Text as JSON, its keys in alphabetical order; discarded where partita::check_json() refuses it.
Json parse_json(const std::string& text, const partita::JsonLimits& limits = {});

/// A float as a JSON number; NaN and infinities as null.
Json number(double value);

/// {"id","logprob","top":[[id,logprob]]}
Json logprob_json(const partita::Token& token);

Json timing_json(double load_s, const partita::Timing& timing);
/// ", 830.0 tokens/s"; nothing where nothing was done.
std::string rate_text(std::size_t tokens, double seconds);
/// "prefill 12 tokens, 830 tokens/s; decode 39 tokens, 240 tokens/s, 23.2 GB/s" on stderr.
void print_statistics(const Common& common, const partita::ModelInfo& info, const partita::Timing& timing);

/// A bar on stderr that is redrawn in place and wiped at the end; draws nothing where !enabled.
class Progress {
 public:
  Progress(std::string label, bool enabled) : label_(std::move(label)), enabled_(enabled) {}
  ~Progress() { clear(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  void update(double fraction);
  void clear();

 private:
  std::string label_;
  bool enabled_;
  int percent_ = -1;
};

/// Lets Ctrl-C cancel a partita::Session or Ensemble, and shows how far it has read the prompt. Both outlive
/// it.
template <class Source>
void watch(Source& source, Progress& progress) {
  source.set_cancel(&interrupted());
  source.set_progress([&progress](std::size_t done, std::size_t all) {
    done < all ? progress.update(static_cast<double>(done) / static_cast<double>(all)) : progress.clear();
  });
}

std::size_t peak_rss_bytes();

// The commands, one file each. Each adds itself to the program and sets `action` when it is chosen.
void add_generate(Command program, Common& common, Action& action);
void add_chat(Command program, Common& common, Action& action);
void add_batch(Command program, Common& common, Action& action);
void add_score(Command program, Common& common, Action& action);
void add_tokenize(Command program, Common& common, Action& action);
void add_detokenize(Command program, Common& common, Action& action);
void add_template(Command program, Common& common, Action& action);
void add_inspect(Command program, Common& common, Action& action);
void add_convert(Command program, Common& common, Action& action);
void add_prepare(Command program, Common& common, Action& action);
void add_bench(Command program, Common& common, Action& action);

}  // namespace tools
