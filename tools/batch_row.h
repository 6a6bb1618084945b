// One line of a batch: from JSON to a request, and from an answer back to JSON.
#pragma once

#include <partita/partita.hpp>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "tools/common.h"

namespace tools {

/// What a row that says nothing gets: the options of the command line.
struct RowDefaults {
  partita::Sampling sampling;
  std::vector<std::string> stop;
  float guidance_scale = 1;
  std::string negative_prompt;
  int max_tokens = 256;
  int logprobs = -1;
  bool chat = false;
  bool parse_specials = true;
  std::string system;
};

/// A row as read. The id is the line's number (from 1) where the line gives none.
struct Row {
  Json id;
  partita::Request request;
};

/// A row that cannot run: its id as far as it could be read, and one sentence.
struct BadRow {
  Json id;
  std::string error;
};

/// Reads rows and notes keys that it does not know, so that they can be reported once.
class RowReader {
 public:
  explicit RowReader(RowDefaults defaults);

  std::variant<Row, BadRow> read(const std::string& line, std::size_t line_number);

  /// Keys met since the last call that mean nothing here and were not named before.
  std::vector<std::string> take_unknown_keys();

 private:
  RowDefaults defaults_;
  std::set<std::string> known_;
  std::set<std::string> known_unknowns_;
  std::vector<std::string> fresh_unknowns_;
};

/// {"id","text","ids","finish","error":null[,"logprobs"]}
struct RowAnswer {
  std::string text;
  std::vector<partita::TokenId> ids;
  Json logprobs;  // an array where they were asked for
  partita::Finish finish = partita::Finish::kNone;
};
Json answer_row(const Json& id, const RowAnswer& answer);
/// {"id","error"}
Json error_row(const Json& id, const std::string& error);

}  // namespace tools
