// What an open partita::Model holds: the text side, the weights, the head.
#pragma once

#include <atomic>
#include <limits>
#include <memory>
#include <optional>
#include <string>

#include "api/chat_tokens.h"
#include "api/model_vocabulary.h"
#include "engine/model.h"
#include "partita/partita.hpp"
#include "sampling/heads/head.h"
#include "tokenizer/jinja/chat_template.h"
#include "tokenizer/tokenizer.h"
#include "weights/gguf/gguf.h"

namespace partita {

inline constexpr std::size_t kNoLimit = std::numeric_limits<std::size_t>::max();

struct Model::Impl {
  explicit Impl(Gguf opened) : file(std::move(opened)) {}

  Gguf file;                             // kept: the vocabulary may look into it
  std::unique_ptr<Tokenizer> tokenizer;  // may be null with OpenOptions::text_only, as may `vocabulary`
  Error tokenizer_error;                 // why it is null
  std::unique_ptr<const ModelVocabulary> vocabulary;
  ControlTokens controls;
  std::optional<ChatTemplate> chat;
  Error chat_error;                                // why there is no `chat`
  std::shared_ptr<const Transformer> transformer;  // null with OpenOptions::text_only
  std::optional<const Screen> screen;              // of the head, if it is the screened one
  std::unique_ptr<OutputHead> head;                // null with OpenOptions::text_only
  OpenOptions options;                             // threads resolved
  ModelInfo info;

  /// The ids of a request's prompt, whichever of its three forms it has. Errors: none or several of them are
  /// given, an id outside the vocabulary, an empty prompt, one longer than the context, which is the model's
  /// or `context` if that is less (both lengths named); kCancelled once `cancel` is set, where a template
  /// renders it.
  Result<std::vector<TokenId>> prompt_ids(const Request& request, std::size_t context = kNoLimit,
                                          const std::atomic<bool>* cancel = nullptr) const;

  /// Errors: kInvalidArgument for a model that has no weights, having been opened with
  /// OpenOptions::text_only.
  Result<void> check_weights() const;

  /// Errors: kInvalidArgument naming the first id outside the vocabulary, its place and the limit.
  Result<void> check_ids(std::span<const TokenId> ids) const;

  /// Whether ids of this model mean the same to another, which has its weights. Errors: kInvalidArgument
  /// naming the first difference.
  Result<void> check_together(const Impl& other) const;

  Result<std::vector<TokenId>> chat_ids(std::span<const Message> messages, bool add_generation_prompt,
                                        const std::atomic<bool>* cancel = nullptr) const;

  /// The head's buffers for up to `rows` questions at a time. Throws std::bad_alloc.
  std::unique_ptr<HeadScratch> head_scratch(std::size_t rows) const;
};

}  // namespace partita
