// Rows of a batch: JSON to requests.
#pragma once

#include <map>
#include <optional>
#include <partita/partita.hpp>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "tools/batch/row_keys.h"
#include "tools/batch/row_types.h"
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

}  // namespace tools
