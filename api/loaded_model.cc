// Chats and prompts as ids, and checks of ids and models.
#include "api/loaded_model.h"

#include <algorithm>
#include <new>
#include <utility>

#include "api/chat_context.h"
#include "tokenizer/same_vocabulary.h"
#include "weights/sentence.h"
#include "weights/try.h"

namespace partita::internal {
namespace {

/// Allows the usual roles of chats, and those that the model's own template names.
Result<void> check_roles(const LoadedModel& model, std::span<const Message> messages) {
  constexpr std::string_view kRoles[] = {"system", "developer", "user", "assistant", "tool"};
  for (const Message& message : messages) {
    if (std::find(std::begin(kRoles), std::end(kRoles), message.role) != std::end(kRoles)) continue;
    const auto source = model.file.get_string("tokenizer.chat_template");
    const auto names = [&](const char* quote) {
      return source && source->find(quote + message.role + quote) != std::string::npos;
    };
    if (!message.role.empty() && (names("'") || names("\""))) continue;
    return invalid("the role of a message is \"", shortened(message.role),
                   "\"; it must be \"system\", \"developer\", \"user\", \"assistant\" or \"tool\"");
  }
  return {};
}

Error too_long(std::size_t prompt, std::size_t context) {
  return invalid("the prompt has ", prompt, " tokens, but the model's context holds ", context,
                 ", of which one must be left for the answer");
}

}  // namespace

Result<std::vector<TokenId>> LoadedModel::chat_ids(std::span<const Message> messages, const ChatOptions& how,
                                                   const std::atomic<bool>* cancel) const {
  if (!chat.plain) return chat.error;
  TRY(check_roles(*this, messages));
  if (tokenizer == nullptr) return tokenizer_error;
  auto context = context_of(messages, how);
  if (!context) return context.error();
  complete_context(file, tokenizer.get(), *context);
  auto pieces = chat.of(*context).render_pieces(*context, cancel);
  if (!pieces) return pieces.error();
  if (how.continue_final_message) TRY(end_in_message(*pieces));
  return tokenize_pieces(*tokenizer, controls, *pieces);
}

Result<void> LoadedModel::check_weights() const {
  if (transformer != nullptr) return {};
  return invalid("\"", printable(info.path),
                 "\" was opened without weights (text_only), for its tokenizer and chat template");
}

Result<void> LoadedModel::check_compatible(const LoadedModel& other) const {
  TRY(other.check_weights());
  if (&other == this) return {};
  std::optional<std::string> why;
  if (info.vocab_size != other.info.vocab_size) {
    why = sentence("one has ", info.vocab_size, " logits, the other ", other.info.vocab_size);
  } else {
    why = vocabulary_difference(*tokenizer, *other.tokenizer);
  }
  if (!why) return {};
  return invalid("\"", printable(info.path), "\" and \"", printable(other.info.path),
                 "\" cannot answer together, their vocabularies differ: ", *why);
}

Result<void> LoadedModel::check_ids(std::span<const TokenId> ids) const {
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (ids[i] < 0 || static_cast<std::size_t>(ids[i]) >= info.vocab_size) {
      return invalid("token ", i, " is ", ids[i], ", but the model's vocabulary has ids 0 to ",
                     info.vocab_size - 1);
    }
  }
  return {};
}

std::unique_ptr<HeadScratch> LoadedModel::head_scratch(std::size_t rows) const {
  auto scratch = head->make_scratch(rows, options.threads);
  if (scratch == nullptr) throw std::bad_alloc();
  return scratch;
}

Result<std::vector<TokenId>> LoadedModel::prompt_ids(const Request& request, std::size_t context,
                                                     const std::atomic<bool>* cancel) const {
  const int given = int{!request.prompt.empty()} + int{!request.messages.empty()} + int{!request.ids.empty()};
  if (given > 1) {
    return invalid("a request has ", given, " of prompt, messages and ids; give one");
  }
  auto ids = !request.messages.empty() ? chat_ids(request.messages, request.chat, cancel)
             : !request.ids.empty()
                 ? Result<std::vector<TokenId>>(request.ids)
                 : tokenizer->encode_prompt(request.prompt,
                                            request.parse_specials ? Specials::kParse : Specials::kAsText);
  if (!ids) return ids;
  if (ids->empty()) {
    return invalid("the prompt is empty, and this model adds no BOS token that an answer could start from");
  }
  TRY(check_ids(*ids));
  context = std::min(context, info.context_length);
  if (ids->size() >= context) return too_long(ids->size(), context);
  return ids;
}

}  // namespace partita::internal
