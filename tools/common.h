// Shared by the commands: common options, opening a model, reading input, JSON, progress and errors.
#pragma once

#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>
#include <partita/json.hpp>
#include <partita/partita.hpp>
#include <string>
#include <vector>

#include "tools/cli/exit_code.h"
#include "tools/cli/interrupt.h"
#include "tools/cli/options.h"

namespace tools {

using Json = nlohmann::ordered_json;

struct Common {
  std::string program;  // argv[0], so that examples in --help work as printed
  std::string model, vocabulary;
  std::string chat_template;  // a file, or the name of a built-in one or of the model's; empty: its usual one
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
  bool trace_nan = false;

  bool shows_statistics() const { return !quiet; }
  bool shows_progress() const;  // stderr is a terminal, and --quiet is not given
};

/// Groups of common options. A command uses --model, --quiet and the groups that it names.
enum OptionGroup : unsigned {
  kJson = 1,
  kSpecials = 2,  // --no-special
  kEngine = 4,    // --threads, --exact, --cache.., --attention-..., --head, --verbose
  kSeed = 8,
  kThreads = 16  // --threads alone
};

/// Adds a command with the common options. Every command accepts all of them, so that scripts can pass the
/// same to each; its help shows the `groups` that it uses. about: one line. example: works as printed.
/// most_used: the options that --help shows; none: all.
Command add_command(Command program, Common& common, const std::string& name, unsigned groups,
                    const std::string& about, const std::string& example,
                    const std::vector<std::string>& most_used = {});

/// Text input: -p TEXT, -f FILE or stdin.
struct Input {
  std::string text;
  std::string file;
  Option text_option;
};
void add_input(Command command, Input& input, const std::string& what);

/// The input, exactly as given.
partita::Result<std::string> read_input(const Input& input);
partita::Result<std::string> read_file(const std::string& path);

/// Parses ids separated by commas or spaces. The error names the first word that is no id.
partita::Result<std::vector<partita::TokenId>> parse_ids(std::string_view text);

/// Checks the value of an option that counts something: returns what is wrong with it, or nothing.
std::string check_count(const std::string& text);

/// A string, or an array of strings; nothing if it is something else.
std::optional<std::vector<std::string>> texts_of(const Json& value);

/// An open model, and how long opening it took.
struct Opened {
  partita::Model model;
  double load_s = 0;
};
/// Whether --model or $PARTITA_MODEL names a model.
bool names_model(const Common& common);

/// The path of the model that the options name. If they name none and the bundled model is used instead, a
/// message on stderr says so, and what to do.
/// given: the model as an argument; empty: that of the options.
partita::Result<std::string> model_path(const Common& common, const std::string& given = {});

/// Warns on stderr if the vocabulary has no token for some bytes of a text: how many bytes.
void warn_unencodable_bytes(const Common& common, const partita::Model& model, std::string_view text);

/// Finds and opens the model that the options name; from here on Ctrl-C sets interrupted().
partita::Result<Opened> open_model(const Common& common, bool text_only = false);
/// Opens another model, or the same model in exact arithmetic.
partita::Result<Opened> open_model_at(const std::string& path, const Common& common, bool text_only,
                                      bool exact);

/// Prints one sentence on stderr; returns the exit code that belongs to it.
int fail(const partita::Error& error);
int usage_error(const std::string& message);
/// For a value that cannot be used; fail() if memory ran out while it was checked.
int usage_error(const partita::Error& error);

/// Writes text to stdout, unbuffered. Error: kIo if it cannot be written.
partita::Result<void> write_out(std::string_view text);
/// Writes one JSON value and a newline; invalid UTF-8 becomes U+FFFD, NaN becomes null.
partita::Result<void> write_json(const Json& value);
std::string json_text(const Json& value, int indent = -1);
/// Limits for JSON that this program wrote itself: rows with log-probabilities of many tokens are long.
inline constexpr partita::JsonLimits kOwnLimits = {.bytes = std::size_t{1} << 30,
                                                   .values = std::size_t{1} << 24};

/// Parses JSON, keys in alphabetical order; the value is discarded() if partita::check_json() refuses it.
Json parse_json(const std::string& text, const partita::JsonLimits& limits = {});

/// The same with keys in the order of the text, which templates show; alphabetical too where an object has
/// more than a thousand keys.
Json parse_ordered_json(const std::string& text, const partita::JsonLimits& limits = {});

/// A float as a JSON number; NaN and infinities as null.
Json number(double value);

/// {"id","logprob","top":[[id,logprob]]}
Json logprob_json(const partita::Token& token);

Json timing_json(double load_s, const partita::Timing& timing);
/// ", 830.0 tokens/s"; empty if there were no tokens.
std::string rate_text(std::size_t tokens, double seconds);
/// "prefill 12 tokens, 830 tokens/s; decode 39 tokens, 240 tokens/s, 23.2 GB/s" on stderr.
void print_statistics(const Common& common, const partita::ModelInfo& info, const partita::Timing& timing);

/// A progress bar on stderr, redrawn in place and erased at the end; draws nothing unless enabled.
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

/// Lets Ctrl-C cancel a partita::Session or Ensemble, and shows the progress of its prefill. `progress` must
/// outlive the source.
template <class Source>
void watch(Source& source, Progress& progress) {
  source.set_cancel(&interrupted());
  source.set_progress([&progress](std::size_t done, std::size_t all) {
    done < all ? progress.update(static_cast<double>(done) / static_cast<double>(all)) : progress.clear();
  });
}

std::size_t peak_rss_bytes();

}  // namespace tools
