// One line of a batch: from JSON to a request, and from an answer back to JSON.
#pragma once

#include <map>
#include <optional>
#include <partita/partita.hpp>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "tools/batch/row_keys.h"
#include "tools/common.h"

namespace tools {

/// What a row that says nothing gets: the options of the command line.
struct RowDefaults {
  partita::Sampling sampling;
  std::vector<std::string> stop;
  float guidance_scale = 1;
  std::string negative_prompt;
  int max_tokens = 256;
  partita::AbstainRule abstain;
  int logprobs = -1;
  bool confidence = false;
  bool chat = false;
  bool parse_specials = true;
  std::string system;
  partita::Speculation speculation = partita::Speculation::kWherePays;
};

/// Alternatives of a token: more would fill the memory, and make lines that no job reads again.
inline constexpr int kMostLogprobs = 100;

/// How a row is written, and so what its answer looks like.
enum class RowForm : std::uint8_t { kPlain, kChat, kCompletion };  // the last two: OpenAI's batch lines

/// What a row is called in the output. The id is the line's number (from 1) where the line gives none.
struct RowId {
  Json id;
  RowForm form = RowForm::kPlain;
  std::size_t line = 0;
  bool spare = false;  // another row owns the id, or it cannot be read (batch_ledger.h)
};

struct Row {
  RowId id;
  partita::Request request;
};

/// A row that cannot run, and one sentence.
struct BadRow {
  RowId id;
  partita::Error error;
};
/// A line of which not even the id can be read.
BadRow nameless(std::size_t line_number, const std::string& why);

/// Reads rows and notes keys that it does not know, so that they can be reported once.
class RowReader {
 public:
  /// ignore_unknown: also keys that look like options are ignored; else they make the row an error.
  RowReader(RowDefaults defaults, bool ignore_unknown);

  std::variant<Row, BadRow> read(const std::string& line, std::size_t line_number);

  /// Keys met since the last call that mean nothing here and were not named before.
  std::vector<std::string> take_unknown_keys();

 private:
  std::variant<Row, BadRow> read_plain(const Json& row, RowId id);
  std::variant<Row, BadRow> read_openai(const Json& row, std::size_t line_number);

  const std::optional<std::string>& complaint(const std::string& key);

  RowDefaults defaults_;
  bool ignore_unknown_;
  RowKeys keys_;
  std::map<std::string, std::optional<std::string>> complaints_;  // by key
  std::set<std::string> told_;
  std::vector<std::string> fresh_unknowns_;
};

struct RowAnswer {
  std::string text;
  std::vector<partita::TokenId> ids;
  Json logprobs, confidence;  // arrays where they were asked for
  partita::Finish finish = partita::Finish::kNone;
  std::size_t prompt_tokens = 0;
  int max_tokens = -1;  // of the request
};
/// {"id","text","ids","finish","error":null[,"context_full":true][,"logprobs"][,"confidence"]}, or
/// openai_answer()
Json answer_row(const RowId& id, const RowAnswer& answer, const partita::Model& model);
/// {"id","error"[,"line" of a spare row]}, or openai_error()
Json error_row(const RowId& id, const partita::Error& error);

// Of rows that were written, in either form.
Json id_of_written(const Json& row);
bool is_error_row(const Json& row);

}  // namespace tools
