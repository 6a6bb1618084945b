// partita tokenize and detokenize: text to token ids and back, byte for byte.

#include "tools/commands.h"

namespace tools {
namespace {

Json pieces_json(const partita::Model& model, const std::vector<partita::TokenId>& ids) {
  Json pieces = Json::array();
  for (const partita::TokenId id : ids) pieces.push_back(model.piece(id));
  return pieces;
}

int tokenize(const Common& common, const Input& input, bool no_bos) {
  auto text = read_input(input);
  if (!text) return fail(text.error());
  auto opened = open_model(common, true);
  if (!opened) return fail(opened.error());
  auto ids = opened->model.tokenize(*text, !common.no_special, !no_bos);
  if (!ids) return fail(ids.error());
  warn_unencodable_bytes(common, opened->model, *text);
  if (common.json) {
    auto written = write_json({{"ids", *ids}, {"pieces", pieces_json(opened->model, *ids)}});
    return written ? kDone : fail(written.error());
  }
  std::string line;
  for (const partita::TokenId id : *ids) line += (line.empty() ? "" : " ") + std::to_string(id);
  auto written = write_out(line + "\n");
  return written ? kDone : fail(written.error());
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
  command.add_option("--tokenizer", common.model, "tokenizer.json or tokenizer.model instead of a model")
      .value_name("FILE");
}

}  // namespace

void add_tokenize(Command program, Common& common, Action& action) {
  struct Options {
    Input input;
    bool no_bos = false;
  };
  auto options = std::make_shared<Options>();
  const Command command =
      add_command(program, common, "tokenize", kJson | kSpecials, "The token ids of a text, exactly as given",
                  "printf 'Hello, world' | " + common.program + " tokenize --json");
  add_input(command, options->input, "the text");
  add_tokenizer(command, common);
  command.add_flag("--no-bos", options->no_bos, "add neither BOS nor EOS, even if the model asks for them");
  command.callback([&common, &action, options] {
    action = [&common, options] { return tokenize(common, options->input, options->no_bos); };
  });
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
