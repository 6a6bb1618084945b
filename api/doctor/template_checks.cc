// Checks of the chat template, by rendering a short chat.
#include <algorithm>
#include <array>
#include <span>

#include "api/chat_context.h"
#include "api/chat_tokens.h"
#include "api/doctor/check.h"
#include "weights/sentence.h"

namespace partita::internal {
namespace {

constexpr std::string_view kQuestion = "What is in a fugue?", kAnswer = "A subject and its answers.";

Result<std::string> render(const Subject& subject, std::span<const Message> messages, bool prompt) {
  auto context = context_of(messages, {.add_generation_prompt = prompt});
  if (!context) return context.error();
  complete_context(subject.file, subject.tokenizer, *context);
  return subject.chat->render(*context);
}

Message question() { return {.role = "user", .content = std::string(kQuestion)}; }

std::string_view bos_of(const Subject& subject) {
  if (subject.tokenizer == nullptr) return {};
  const auto bos = subject.tokenizer->specials().bos;
  return bos ? subject.tokenizer->spelling(*bos) : std::string_view();
}

/// Whether the vocabulary has control tokens that chats are made with.
bool is_chat_vocabulary(const Tokenizer& tokenizer) {
  constexpr std::array kMarks = {"<|im_start|>", "<|start_header_id|>", "<start_of_turn>"};
  for (std::size_t i = 0; i < tokenizer.size(); ++i) {
    const auto id = static_cast<TokenId>(i);
    if (tokenizer.kind(id) != TokenKind::kControl) continue;
    for (const std::string_view mark : kMarks) {
      if (tokenizer.spelling(id) == mark) return true;
    }
  }
  return false;
}

void report_missing(const Subject& subject, Report& report) {
  if (subject.tokenizer == nullptr) return;
  constexpr std::string_view kNone = "the file has no chat template";
  if (is_chat_vocabulary(*subject.tokenizer)) {
    report.warning(std::string(kNone) + ", and its vocabulary has the control tokens of one",
                   "chats need it: download a newer file of the model, or put the template into it");
  } else {
    report.note(std::string(kNone), "give raw prompts: a model without one was not trained on chats");
  }
}

}  // namespace

Result<std::string> render_question(const Subject& subject) {
  const Message messages[] = {question()};
  return render(subject, messages, true);
}

void check_template(const Subject& subject, Report& report) {
  constexpr std::string_view kRemedy =
      "give raw prompts; a newer file of the model may have a template that works";
  if (subject.file.find("tokenizer.chat_template") == nullptr) return report_missing(subject, report);
  if (subject.chat == nullptr) return report.error(subject.chat_error, std::string(kRemedy));
  const Result<std::string>& text = *subject.asked;
  if (!text) {
    constexpr std::size_t kShown = 300;  // bytes: a template makes messages of any length
    report.error(sentence("the chat template does not render a user's message: ",
                          printable(text.error().message.substr(0, kShown))),
                 std::string(kRemedy));
  } else if (text->find(kQuestion) == std::string::npos) {
    report.error("what the chat template renders does not contain the user's message", std::string(kRemedy));
  }
}

void check_bos(const Subject& subject, Report& report) {
  const std::string_view bos = bos_of(subject);
  if (subject.chat == nullptr || bos.empty()) return;
  const Result<std::string>& text = *subject.asked;
  if (!text || !text->starts_with(bos)) return;
  if (std::string_view(*text).substr(bos.size()).starts_with(bos)) {
    report.warning(sentence("the chat template begins with two BOS tokens (", quoted(bos), ")"),
                   "models are trained with one, and answers may be worse: mend the template");
  } else if (subject.tokenizer->specials().add_bos) {
    report.note(
        sentence("both the chat template and tokenizer.ggml.add_bos_token add BOS (", quoted(bos), ")"),
        "nothing here, where a chat gets one; other programs may add two");
  }
}

/// Whether a key of the file names the token as an end.
bool is_named_end(const Gguf& file, TokenId id) {
  for (const std::string_view key :
       {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"}) {
    const auto named = file.get_uint(key);
    if (named && *named == static_cast<std::uint64_t>(id)) return true;
  }
  return false;
}

/// What the template writes after an answer, without the white space around it.
std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const std::size_t first = std::min(text.find_first_not_of(kSpace), text.size());
  return text.substr(first, text.find_last_not_of(kSpace) + 1 - first);
}

/// After its answer a template writes the token that ends it, which must be one that generation stops at.
void check_template_end(const Subject& subject, Report& report) {
  if (subject.chat == nullptr || subject.tokenizer == nullptr || !*subject.asked) return;
  const Message messages[] = {question(), {.role = "assistant", .content = std::string(kAnswer)}};
  const auto text = render(subject, messages, false);
  if (!text) return;
  const std::size_t answer = text->rfind(kAnswer);
  if (answer == std::string::npos) return;
  const std::string_view rest = std::string_view(*text).substr(answer + kAnswer.size());
  const auto found = ControlTokens(*subject.tokenizer).find(rest, {});
  const std::string_view mark = trimmed(rest);
  if (found.empty() && !mark.empty()) {
    constexpr std::size_t kShown = 60;  // bytes
    report.warning(sentence("the chat template ends an answer with ", quoted(mark.substr(0, kShown)),
                            ", which is text and no control token of the vocabulary"),
                   "answers may go on after their end: stop them with --stop, or use the vocabulary that the "
                   "template was made for");
  }
  if (found.empty() || is_named_end(subject.file, found.front().id)) return;
  const TokenId end = found.front().id;
  const std::string ends =
      sentence("the chat template ends an answer with ", quoted(subject.tokenizer->spelling(end)));
  const std::string remedy = sentence("set tokenizer.ggml.eot_token_id to ", end);
  if (subject.tokenizer->ends_generation(end)) {
    report.note(sentence(ends,
                         ", which no key of the file names as an end; answers end there because of its "
                         "spelling"),
                sentence("nothing here; other programs may go on: ", remedy));
  } else {
    report.warning(sentence(ends, ", and the file does not say that this token ends one"),
                   sentence("answers may go on after their end: ", remedy, ", or stop them with --stop"));
  }
}

}  // namespace partita::internal
