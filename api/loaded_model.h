// The implementation of partita::Model: model file, tokenizer, chat template, weights, LM head.
#pragma once

#include <atomic>
#include <limits>
#include <memory>
#include <optional>
#include <string>

#include "api/chat_templates.h"
#include "api/chat_tokens.h"
#include "api/model_vocabulary.h"
#include "engine/adapter.h"
#include "engine/cache/kv_cache.h"
#include "engine/model.h"
#include "partita/partita.hpp"
#include "sampling/heads/head.h"
#include "sampling/heads/screen.h"
#include "tokenizer/tokenizer.h"
#include "weights/gguf/gguf.h"

namespace partita::internal {

inline constexpr std::size_t kNoLimit = std::numeric_limits<std::size_t>::max();

/// What a Model holds. Immutable once it is loaded, and shared by sessions and batches.
struct LoadedModel {
  explicit LoadedModel(Gguf opened) : file(std::move(opened)) {}

  Gguf file;                             // kept open: the tokenizer may refer to its bytes
  std::unique_ptr<Tokenizer> tokenizer;  // may be null with OpenOptions::text_only, as may `vocabulary`
  Error tokenizer_error;                 // why it is null
  std::unique_ptr<const ModelVocabulary> vocabulary;
  ControlTokens controls;
  ChatTemplates chat;
  std::shared_ptr<const Transformer> transformer;  // null with OpenOptions::text_only
  std::optional<const Screen> screen;              // of a screened or budgeted head
  std::unique_ptr<OutputHead> head;                // null with OpenOptions::text_only
  OpenOptions options;                             // threads resolved
  ModelInfo info;

  /// The ids of a request's prompt, in any of its three forms. Errors: none or several of them are given, an
  /// id outside the vocabulary, an empty prompt, or one that fills the context, which is the model's or
  /// `context` if that is less (both lengths named); kCancelled once `cancel` is set, while a template
  /// renders.
  Result<std::vector<TokenId>> prompt_ids(const Request& request, std::size_t context = kNoLimit,
                                          const std::atomic<bool>* cancel = nullptr) const;

  /// Error: kInvalidArgument for a model opened with OpenOptions::text_only, which has no weights.
  Result<void> check_weights() const;

  /// Errors: kInvalidArgument naming the first id outside the vocabulary, its index and the limit.
  Result<void> check_ids(std::span<const TokenId> ids) const;

  /// Checks that `other` has weights and the same vocabulary, so that ids of one can be given to the other.
  /// Errors: kInvalidArgument naming the first difference.
  Result<void> check_compatible(const LoadedModel& other) const;

  Result<std::vector<TokenId>> chat_ids(std::span<const Message> messages, const ChatOptions& options,
                                        const std::atomic<bool>* cancel = nullptr) const;

  /// The adapters of a cache if they change the output, else null (Question::adapters).
  const AdapterSet* head_adapters(const KvSequence& cache) const { return head_adapters(cache.adapters()); }
  const AdapterSet* head_adapters(const AdapterSet* set) const {
    return set != nullptr && set->changes(transformer->output().root.index) ? set : nullptr;
  }

  /// Buffers of the head for up to `rows` questions at a time. Throws std::bad_alloc.
  std::unique_ptr<HeadScratch> head_scratch(std::size_t rows) const;
};

}  // namespace partita::internal

namespace partita {

struct Model::Impl final : internal::LoadedModel {
  using LoadedModel::LoadedModel;
};

}  // namespace partita
