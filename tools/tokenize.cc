// partita tokenize and detokenize: text to token ids and back, byte for byte.
#include <unistd.h>
#include <cstdlib>
#include <string_view>

#include "tools/commands.h"
#include "tools/tokenize/compare.h"
#include "tools/tokenize/spans.h"

namespace tools {
namespace {

struct Options {
  std::string text;
  Option text_option;
  std::vector<std::string> files, more_files;  // of -f, and without an option
  std::string other;                           // the tokenizer to compare with
  bool no_bos = false;
  bool count = false;
};

Json pieces_json(const partita::Model& model, const std::vector<partita::TokenId>& ids) {
  Json pieces = Json::array();
  for (const partita::TokenId id : ids) pieces.push_back(model.piece(id));
  return pieces;
}

/// {"ids","pieces","offsets":[[begin,end]]}; an offset that is not known is null.
Json tokens_json(const partita::Model& model, const Tokens& tokens) {
  Json offsets = Json::array();
  for (const auto& span : tokens.spans) {
    offsets.push_back(span ? Json({span->begin, span->end}) : Json(nullptr));
  }
  return {{"ids", tokens.ids}, {"pieces", pieces_json(model, tokens.ids)}, {"offsets", std::move(offsets)}};
}

std::string ids_line(const std::vector<partita::TokenId>& ids) {
  std::string line;
  for (const partita::TokenId id : ids) line += (line.empty() ? "" : " ") + std::to_string(id);
  return line + "\n";
}

/// Whether stdout is a terminal that shows colours, and the user wants them (no-color.org).
bool shows_colours() {
  const char* const refused = std::getenv("NO_COLOR");
  const char* const terminal = std::getenv("TERM");
  if (isatty(STDOUT_FILENO) == 0 || (refused != nullptr && *refused != '\0')) return false;
  return terminal != nullptr && *terminal != '\0' && std::string_view(terminal) != "dumb";
}

/// A line for each token: its bytes' offset, its id, and its text in one of two colours.
partita::Result<std::string> coloured(const partita::Model& model, const Tokens& tokens) {
  constexpr const char* kColours[] = {"\x1b[30;46m", "\x1b[30;43m"};
  std::string out;
  for (std::size_t i = 0; i < tokens.ids.size(); ++i) {
    auto bytes = bytes_of(model, tokens.ids[i]);
    if (!bytes) return bytes.error();
    const std::string offset = tokens.spans[i] ? std::to_string(tokens.spans[i]->begin) : "?";
    char line[64];
    std::snprintf(line, sizeof line, "%8s %8d  ", offset.c_str(), tokens.ids[i]);
    out += line + std::string(kColours[i % 2]) + partita::printable(*bytes) + "\x1b[0m\n";
  }
  return out + std::to_string(tokens.ids.size()) + " tokens, " + std::to_string(tokens.text.size()) +
         " bytes\n";
}

/// What the command does with each text.
class TokenizeRun {
 public:
  TokenizeRun(const Common& common, const Options& options, const partita::Model& model,
              std::optional<partita::Model> other)
      : common_(&common), options_(&options), model_(&model), other_(std::move(other)) {}

  /// path: of a file; "-": stdin; empty: a text of the command line.
  partita::Result<void> add(const std::string& path, std::string text) {
    auto tokens = tokens_of(*model_, std::move(text), !common_->no_special, !options_->no_bos);
    if (!tokens) return tokens.error();
    warn_unencodable_bytes(*common_, *model_, tokens->text);
    total_ += tokens->ids.size();
    if (other_) return compare(path, *tokens);
    if (common_->json) {
      list_.push_back(options_->count ? Json{{"count", tokens->ids.size()}} : tokens_json(*model_, *tokens));
      list_.back()["path"] = path;
      return {};
    }
    if (options_->count) return write_out(std::to_string(tokens->ids.size()) + name_after(path) + "\n");
    if (!shows_colours()) return write_out(ids_line(tokens->ids));
    auto text_of_tokens = coloured(*model_, *tokens);
    return text_of_tokens ? write_out(title(path) + *text_of_tokens) : text_of_tokens.error();
  }

  /// Writes what concerns all texts; returns the exit code.
  partita::Result<int> end() {
    partita::Result<void> written;
    if (common_->json) {
      if (several()) {
        Json out = {{"files", std::move(list_)}};
        if (options_->count) out["count"] = total_;
        written = write_json(out);
      } else {
        list_.back().erase("path");
        written = write_json(list_.back());
      }
    } else if (options_->count && several()) {
      written = write_out(std::to_string(total_) + " total\n");
    }
    if (!written) return written.error();
    return differs_ ? kFailed : kDone;
  }

 private:
  bool several() const { return options_->files.size() + options_->more_files.size() > 1; }
  std::string name_after(const std::string& path) const {
    return several() ? " " + partita::printable(path) : "";
  }
  std::string title(const std::string& path) const {
    return several() ? partita::printable(path) + "\n" : "";
  }

  partita::Result<void> compare(const std::string& path, const Tokens& tokens) {
    auto others = tokens_of(*other_, tokens.text, !common_->no_special, !options_->no_bos);
    if (!others) return others.error();
    differs_ = differs_ || others->ids != tokens.ids;
    if (!common_->json)
      return write_out(title(path) + comparison_text(*model_, tokens, *other_, *others, options_->other));
    list_.push_back(comparison_json(*model_, tokens, *other_, *others));
    list_.back()["path"] = path;
    return {};
  }

  const Common* common_;
  const Options* options_;
  const partita::Model* model_;
  std::optional<partita::Model> other_;
  Json list_ = Json::array();
  std::size_t total_ = 0;
  bool differs_ = false;
};

int tokenize(const Common& common, const Options& options) {
  if (options.count && !options.other.empty())
    return usage_error("--count cannot be combined with --compare, which says how many tokens both have");
  const bool given = options.text_option.count() > 0;
  std::vector<std::string> paths = options.files;
  paths.insert(paths.end(), options.more_files.begin(), options.more_files.end());
  if (given && !paths.empty()) return usage_error("-p excludes files: give a text, or files");
  if (paths.empty()) paths.push_back(given ? "" : "-");

  auto opened = open_model(common, true);
  if (!opened) return fail(opened.error());
  std::optional<partita::Model> other;
  if (!options.other.empty()) {
    auto path = partita::find_model(options.other);
    auto second = path ? open_model_at(*path, common, true, false) : path.error();
    if (!second) return fail(second.error());
    other = std::move(second->model);
  }
  TokenizeRun run(common, options, opened->model, std::move(other));
  for (const std::string& path : paths) {
    auto text = given ? partita::Result<std::string>(options.text) : read_file(path);
    if (!text) return fail(text.error());
    if (auto added = run.add(path, std::move(*text)); !added) return fail(added.error());
  }
  auto code = run.end();
  return code ? *code : fail(code.error());
}

int detokenize(const Common& common, const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += word + " ";
  if (words.empty()) {
    auto from_stdin = read_file("-");
    if (!from_stdin) return fail(from_stdin.error());
    text = std::move(*from_stdin);
  }
  auto ids = parse_ids(text);
  if (!ids) return usage_error(ids.error());
  auto opened = open_model(common, true);
  if (!opened) return fail(opened.error());
  auto bytes = opened->model.detokenize(*ids);
  if (!bytes) return fail(bytes.error());
  auto written =
      common.json
          ? write_json({{"ids", *ids}, {"pieces", pieces_json(opened->model, *ids)}, {"text", *bytes}})
          : write_out(*bytes);
  return written ? kDone : fail(written.error());
}

void add_tokenizer(const Command& command, Common& common) {
  command.heading(Heading::kModel);
  command
      .add_option("--tokenizer", common.model,
                  "tokenizer.json, tekken.json, SentencePiece or tiktoken file, no model")
      .value_name("FILE");
}

}  // namespace

void add_tokenize(Command program, Common& common, Action& action) {
  auto options = std::make_shared<Options>();
  const Command command =
      add_command(program, common, "tokenize", kJson | kSpecials, "The token ids of a text, exactly as given",
                  "printf 'Hello, world' | " + common.program + " tokenize --json");
  add_tokenizer(command, common);
  command.add_option("--compare", options->other, "another model or tokenizer: say where its ids differ")
      .value_name("PATH");
  command.heading(Heading::kPrompt);
  options->text_option = command.add_option("-p,--prompt", options->text, "the text");
  command.add_option("-f,--file", options->files, "file with a text, repeatable; without -p and files: stdin")
      .value_name("FILE")
      .repeatable();
  command.add_option("FILE", options->more_files, "files with texts, as after -f");
  command.add_flag("--no-bos", options->no_bos, "add neither BOS nor EOS, even if the model asks for them");
  command.heading(Heading::kOutput);
  command.add_flag("--count", options->count, "how many tokens; of several files each, and the total");
  command.callback(
      [&common, &action, options] { action = [&common, options] { return tokenize(common, *options); }; });
}

void add_detokenize(Command program, Common& common, Action& action) {
  auto words = std::make_shared<std::vector<std::string>>();
  const Command command = add_command(
      program, common, "detokenize", kJson, "The text of token ids, byte for byte: the inverse of tokenize",
      "printf 'Hello, world' | " + common.program + " tokenize | " + common.program + " detokenize");
  add_tokenizer(command, common);
  command.heading(Heading::kPrompt);
  command.add_option("ids", *words, "token ids, separated by spaces or commas; without them: stdin");
  command.callback(
      [&common, &action, words] { action = [&common, words] { return detokenize(common, *words); }; });
}

}  // namespace tools
