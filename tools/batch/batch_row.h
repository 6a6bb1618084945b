// Rows of a batch: JSON to requests, and answers to JSON.
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

/// Defaults of the rows: the options of the command line.
struct RowDefaults {
  partita::Request request;  // without a prompt
  bool chat = false;         // a "prompt" goes through the chat template
  std::string system;
};

/// Most alternatives of a token: more would fill the memory, and make lines too long to resume from.
inline constexpr int kMaxLogprobs = 100;

/// The format of a row, which decides the format of its answer.
enum class RowForm : std::uint8_t { kPlain, kChat, kCompletion };  // the last two: OpenAI's batch lines

/// Identifies a row in the output. The id is the line's number (from 1) if the line has none.
struct RowId {
  Json id;
  RowForm form = RowForm::kPlain;
  std::size_t line = 0;
  bool duplicate = false;  // another row owns the id, or it cannot be read (batch_ledger.h)
};

struct Row {
  RowId id;
  partita::Request request;
};

/// A row that cannot run, and why.
struct BadRow {
  RowId id;
  partita::Error error;
};
/// A line whose id cannot be read.
BadRow row_without_id(std::size_t line_number, const std::string& why);

/// Reads rows, and collects unknown keys so that each is reported once.
class RowReader {
 public:
  /// ignore_unknown: unknown keys that look like options are ignored; else they make the row an error.
  RowReader(RowDefaults defaults, bool ignore_unknown);

  std::variant<Row, BadRow> read(const std::string& line, std::size_t line_number);

  /// Unknown keys since the last call that were not reported before.
  std::vector<std::string> take_unknown_keys();

 private:
  std::variant<Row, BadRow> read_plain(const Json& row, RowId id);
  std::variant<Row, BadRow> read_openai(const Json& row, std::size_t line_number);

  const std::optional<std::string>& refusal_of(const std::string& key);

  RowDefaults defaults_;
  bool ignore_unknown_;
  RowKeys keys_;
  std::map<std::string, std::optional<std::string>> refusals_;  // cached, by key
  std::set<std::string> reported_;
  std::vector<std::string> new_unknowns_;
};

struct RowAnswer {
  std::string text;
  std::vector<partita::TokenId> ids;
  Json logprobs, confidence;  // arrays if they were asked for, else null
  partita::Finish finish = partita::Finish::kNone;
  std::size_t prompt_tokens = 0;
  int max_tokens = -1;  // of the request
};
/// {"id","text","ids","finish","error":null[,"context_full":true][,"logprobs"][,"confidence"]}, or
/// openai_answer()
Json answer_row(const RowId& id, const RowAnswer& answer, const partita::Model& model);
/// {"id","error"[,"line" of a duplicate row]}, or openai_error()
Json error_row(const RowId& id, const partita::Error& error);

// For output rows of either format.
Json id_of_written(const Json& row);
bool is_error_row(const Json& row);

}  // namespace tools
