// Any bytes as rows of a batch, plain and OpenAI format: each becomes a request that a tiny model answers, or
// an error; the output row must name its input row.
#include <algorithm>
#include <utility>

#include "tests/fuzz/support.h"
#include "tools/batch/batch_ledger.h"
#include "tools/batch/batch_row.h"
#include "tools/batch/output_row.h"
#include "tools/generation/token_text.h"

namespace partita::internal::fuzz {
namespace {

using tools::BadRow;
using tools::Json;
using tools::Row;
using tools::RowAnswer;
using tools::RowId;

constexpr std::size_t kLongestPrompt = 200;

bool is_short(const Request& request) {
  std::size_t bytes = request.prompt.size() + request.negative_prompt.size() + request.ids.size();
  for (const Message& message : request.messages) bytes += message.role.size() + message.content.size() + 20;
  return bytes < kLongestPrompt;
}

Result<RowAnswer> answer(Request request) {
  static Session session = [] {
    auto made = tiny_model().session();
    require(made.ok());
    return std::move(*made);
  }();
  session.reset();
  request.max_tokens = request.max_tokens < 0 ? 2 : std::min(request.max_tokens, 2);
  auto stream = session.generate(request);
  if (!stream) return stream.error();
  RowAnswer answer;
  if (request.logprobs >= 0) answer.logprobs = Json::array();
  while (true) {
    auto token = stream->next();
    if (!token) return token.error();
    if (!*token) break;
    answer.text += (*token)->text;
    answer.ids.push_back((*token)->id);
    if (answer.logprobs.is_array()) answer.logprobs.push_back(tools::logprob_json(**token));
  }
  answer.finish = stream->finish();
  return answer;
}

/// An output row can be parsed, and names its owner.
void check_written(const Json& row, const RowId& id, bool failed) {
  const Json again = tools::parse_json(tools::json_text(row));
  require(again.is_object() && again.contains("id") && again.contains("error"));
  require(tools::is_error_row(again) == failed);
  tools::BatchLedger ledger;
  ledger.written(again);
  if (id.duplicate) return require(again.contains("line"));
  require(tools::json_text(tools::id_of_written(again)) == tools::json_text(id.id));
  require(ledger.has_owner(id.id) && ledger.claim(id.id) && !ledger.claim(id.id));
}

void check_row(const std::variant<Row, BadRow>& read) {
  if (const auto* bad = std::get_if<BadRow>(&read)) {
    require_message(bad->error);
    return check_written(tools::error_row(bad->id, bad->error), bad->id, true);
  }
  const Row& row = std::get<Row>(read);
  const auto answered = is_short(row.request) ? answer(row.request) : RowAnswer();
  if (!answered) {
    require_message(answered.error());
    return check_written(tools::error_row(row.id, answered.error()), row.id, true);
  }
  check_written(tools::answer_row(row.id, *answered, tiny_model()), row.id, false);
}

}  // namespace

void run_rows(Bytes bytes) {
  tools::RowReader strict(tools::RowDefaults{}, false), lenient(tools::RowDefaults{}, true);
  std::string_view text = text_of(bytes);
  for (std::size_t number = 1; !text.empty() && number <= 8; ++number) {
    const std::string_view line = text.substr(0, text.find('\n'));
    check_row((number % 2 == 1 ? strict : lenient).read(std::string(line), number));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
  }
  lenient.take_unknown_keys();
}

}  // namespace partita::internal::fuzz
