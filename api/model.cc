// Model: opening a file, tokenizing, rendering chat templates.
#include <algorithm>
#include <utility>

#include "api/chat_context.h"
#include "api/chat_templates.h"
#include "api/loaded_model.h"
#include "api/model_file.h"
#include "api/open_model.h"
#include "api/threads.h"
#include "engine/kernels/thread_pool.h"
#include "engine/models/config_reader.h"
#include "partita/partita.hpp"
#include "sampling/chain/chain.h"
#include "sampling/heads/heads.h"
#include "sampling/heads/screen_file.h"
#include "tokenizer/open.h"
#include "weights/catch_all.h"
#include "weights/fingerprint.h"
#include "weights/sentence.h"
#include "weights/try.h"

namespace partita {
using namespace internal;
namespace {

Result<void> check_attention(const OpenOptions& options) {
  constexpr std::size_t kMaxTokens = std::size_t{1} << 24;  // of any context
  if (options.attention_window > kMaxTokens) {
    return invalid("attention_window is ", options.attention_window, "; it must be at most ", kMaxTokens,
                   " tokens (0: no window)");
  }
  if (options.attention_window == 0) return {};
  if (options.attention_sinks > kMaxTokens || options.attention_sinks % kPageTokens != 0) {
    return invalid("attention_sinks is ", options.attention_sinks, "; it must be a multiple of ", kPageTokens,
                   ", at most ", kMaxTokens, " tokens");
  }
  return {};
}

void describe_config(const Config& config, ModelInfo& info) {
  info.family = config.family;
  info.name = config.model_name;
  info.layers = config.layers;
  info.hidden_size = config.hidden_size;
  info.vocab_size = config.vocab_size;
  info.context_length = config.context_length;
}

Result<void> load_head(LoadedModel& model) {
  const Transformer& transformer = *model.transformer;
  const OutputWeights& output = transformer.output();
  const bool dense = output.kind == OutputKind::kDense;
  const std::size_t budget = model.options.head_budget;
  const bool needs_screen = model.options.head == HeadKind::kScreened || budget > 0;
  if (budget > 0 && (transformer.exact() || model.options.head == HeadKind::kFull)) {
    return invalid("a budget of ", budget, " logits is for a screened head, not for ",
                   transformer.exact() ? "exact arithmetic" : "the full one");
  }
  const std::string refusal = output.screen_refusal();
  if (!refusal.empty() && needs_screen) {
    return Error{ErrorCode::kUnsupported, sentence("\"", printable(model.info.path), "\" has ", refusal)};
  }
  if (refusal.empty() && model.options.head != HeadKind::kFull && !transformer.exact()) {
    auto screen = read_screen(screen_path(model.info.path), output.root.weight);
    if (screen) {
      model.screen.emplace(std::move(*screen));
      const Kernels& kernels = transformer.kernels();
      model.head = budget > 0
                       ? make_budgeted_head(output.root.weight, *model.screen, budget, kernels)
                       : make_screened_head(output.root, *model.screen, Certificate::kDithered, kernels);
      model.info.head = budget > 0 ? "budgeted" : "screened";
      return {};
    }
    const bool missing = screen.error().code == ErrorCode::kNotFound;
    if (needs_screen) {
      return missing ? Error{ErrorCode::kNotFound, "there is no screen \"" +
                                                       printable(screen_path(model.info.path)) +
                                                       "\": make it with partita prepare"}
                     : screen.error();
    }
    if (!missing) model.info.head_refused = screen.error().message;
  }
  model.head = make_head(output, transformer.kernels());
  model.info.head = dense ? "full" : std::string(name(output.kind));
  return {};
}

Result<void> load_weights(LoadedModel& model) {
  LoadOptions options;
  options.threads = model.options.threads;
  options.exact = model.options.exact;
  options.cache = model.options.cache == CacheType::kI8 ? KvType::kF16I8 : KvType::kF16;
  options.attention_window = static_cast<std::uint32_t>(model.options.attention_window);
  options.attention_sinks = static_cast<std::uint32_t>(model.options.attention_sinks);
  options.progress = model.options.progress;
  auto loaded = Transformer::load(model.file, options);
  if (!loaded) return loaded.error();
  model.transformer = std::move(*loaded);
  const Transformer& transformer = *model.transformer;
  TRY(load_head(model));

  model.info.isa = transformer.exact() ? "exact" : std::string(name(transformer.isa()));
  model.info.isa_refused = transformer.refused_kernels();
  model.info.bytes_per_token =
      transformer.bytes_per_token() - transformer.output().bytes() + model.head->bytes_per_row();
  model.info.cache_bytes_per_token = bytes_per_token(transformer.states(), transformer.kv_type());
  return {};
}

const std::atomic<bool>* flag_of(const CancelFlag* cancel) {
  return cancel != nullptr ? &cancel->flag() : nullptr;
}

/// Checks that a file can generate; else one error lists everything in it that is not supported.
Result<void> check_usable(const Gguf& file, const Result<Config>& config,
                          const Result<std::unique_ptr<Tokenizer>>& tokenizer) {
  if (is_whole_model(file)) {
    std::string message;
    const auto add = [&](const Error& error) {
      if (error.code == ErrorCode::kUnsupported) message += (message.empty() ? "" : "; ") + error.message;
    };
    if (!config) add(config.error());
    if (!tokenizer) add(tokenizer.error());
    if (auto types = file.check_types(); !types) add(types.error());
    if (!message.empty()) return Error{ErrorCode::kUnsupported, std::move(message)};
  }
  if (!config) return config.error();
  return tokenizer ? Result<void>() : Result<void>(tokenizer.error());
}

std::vector<std::string> warnings_about(const Gguf& file) {
  const auto model = file.get_string("tokenizer.ggml.model");
  if (!model || *model != "gpt2" || file.find("tokenizer.ggml.pre") != nullptr) return {};
  return {"'" + file.path() +
          "' does not say how its tokenizer splits words (tokenizer.ggml.pre is missing), and a default is "
          "taken that many models do not use; where it is wrong, answers are worse: convert the model again "
          "with a current converter"};
}

}  // namespace

std::string_view version() noexcept { return PARTITA_VERSION; }

Result<Model> Model::open(const std::string& path, const OpenOptions& options) {
  return catch_all([&]() -> Result<Model> {
    TRY(check_attention(options));
    auto file = open_model_file(path, options.vocabulary);
    if (!file) return file.error();
    return internal::ModelOpener::open(std::move(*file), path, options);
  });
}

Result<Model> internal::ModelOpener::open(Gguf file, const std::string& path, const OpenOptions& options) {
  return catch_all([&]() -> Result<Model> {
    auto threads = resolve_threads(options.threads);
    if (!threads) return threads.error();
    auto impl = std::make_shared<Model::Impl>(std::move(file));
    impl->options = options;
    // Kept while tensors are packed, which takes a parallel region for each slice.
    const auto pool = *threads > 1 && !options.text_only ? ThreadPool::shared() : nullptr;
    impl->options.threads = pool == nullptr ? *threads : pool->grow(*threads);
    impl->info.threads = impl->options.threads;
    impl->info.threads_refused = *threads - impl->options.threads;
    impl->info.path = path;
    impl->info.exact = options.exact;
    impl->info.file_bytes = impl->file.file_bytes();

    const auto config = read_config(impl->file);
    if (config) describe_config(*config, impl->info);
    auto tokenizer = open_tokenizer(impl->file);
    auto chat =
        load_chat_templates(impl->file, tokenizer ? tokenizer->get() : nullptr, options.chat_template, path);
    if (!chat) return chat.error();
    impl->chat = std::move(*chat);
    impl->info.has_chat_template = impl->chat.plain.has_value();
    impl->info.chat_template = impl->chat.origin;
    // Of a file that holds a tokenizer alone, its error is the reason.
    if (options.text_only && !tokenizer && impl->file.tensors().empty() && !impl->chat.plain)
      return tokenizer.error();
    // With text_only a tokenizer or a template is enough.
    if (!options.text_only || !(tokenizer || impl->chat.plain)) {
      TRY(check_usable(impl->file, config, tokenizer));
    }
    impl->info.warnings = warnings_about(impl->file);
    if (!tokenizer && tokenizer.error().code == ErrorCode::kOutOfMemory) return tokenizer.error();
    if (!tokenizer) {
      impl->tokenizer_error = tokenizer.error();  // templates can be rendered
      return Model(std::shared_ptr<const Model::Impl>(std::move(impl)));
    }
    impl->tokenizer = std::move(*tokenizer);
    impl->controls = ControlTokens(*impl->tokenizer);
    if (!options.text_only) {
      TRY(load_weights(*impl));
    }
    const std::size_t rows = impl->head == nullptr ? 0 : impl->head->vocab_size();
    impl->vocabulary = std::make_unique<ModelVocabulary>(*impl->tokenizer, rows);
    return Model(std::shared_ptr<const Model::Impl>(std::move(impl)));
  });
}

Result<std::uint64_t> Model::fingerprint() const {
  return catch_all([&] { return partita::fingerprint(impl_->file); });
}

const ModelInfo& Model::info() const noexcept { return impl_->info; }

Result<std::vector<TokenId>> Model::tokenize(std::string_view text, bool parse_specials, bool add_bos) const {
  return catch_all([&]() -> Result<std::vector<TokenId>> {
    if (impl_->tokenizer == nullptr) return impl_->tokenizer_error;
    const Specials specials = parse_specials ? Specials::kParse : Specials::kAsText;
    if (add_bos) return impl_->tokenizer->encode_prompt(text, specials);
    std::vector<TokenId> ids;
    TRY(impl_->tokenizer->encode(text, specials, ids));
    return ids;
  });
}

std::size_t Model::left_out(std::string_view text) const noexcept {
  return impl_->tokenizer != nullptr ? impl_->tokenizer->dropped_bytes(text) : 0;
}

Result<std::string> Model::detokenize(std::span<const TokenId> ids) const {
  return catch_all([&]() -> Result<std::string> {
    if (impl_->tokenizer == nullptr) return impl_->tokenizer_error;
    for (const TokenId id : ids) {
      if (!impl_->tokenizer->contains(id)) {
        return invalid("token id ", id, " is not in the vocabulary of ", impl_->tokenizer->size());
      }
    }
    const SpecialIds& specials = impl_->tokenizer->specials();
    if (specials.add_bos && !ids.empty() && ids.front() == specials.bos) ids = ids.subspan(1);
    if (specials.add_eos && !ids.empty() && ids.back() == specials.eos) ids = ids.first(ids.size() - 1);
    return impl_->tokenizer->decode(ids, true);
  });
}

std::string_view Model::piece(TokenId id) const noexcept {
  const bool known = impl_->tokenizer != nullptr && impl_->tokenizer->contains(id);
  return known ? impl_->tokenizer->spelling(id) : std::string_view();
}

Result<std::string_view> Model::text(TokenId id) const {
  return catch_all([&]() -> Result<std::string_view> {
    const bool known =
        impl_->vocabulary != nullptr && id >= 0 && static_cast<std::size_t>(id) < impl_->vocabulary->size();
    return known ? impl_->vocabulary->text(id) : std::string_view();
  });
}

std::span<const TokenId> Model::end_ids() const noexcept {
  return impl_->vocabulary != nullptr ? impl_->vocabulary->ends() : std::span<const TokenId>();
}

Result<std::string> Model::render(std::string_view context_json, const CancelFlag* cancel) const {
  return catch_all([&]() -> Result<std::string> {
    if (!impl_->chat.plain) return impl_->chat.error;
    auto context = parse_context(context_json);
    if (!context) return context.error();
    complete_context(impl_->file, impl_->tokenizer.get(), *context);
    return impl_->chat.of(*context).render(*context, flag_of(cancel));
  });
}

Result<std::string> Model::render(std::string_view template_source, std::string_view context_json,
                                  const CancelFlag* cancel) {
  return catch_all([&]() -> Result<std::string> {
    auto parsed = ChatTemplate::parse(template_source);
    if (!parsed) return parsed.error();
    auto context = parse_context(context_json);
    if (!context) return context.error();
    return parsed->render(*context, flag_of(cancel));
  });
}

Result<std::vector<TokenId>> Model::tokenize_chat(std::span<const Message> messages,
                                                  bool add_generation_prompt,
                                                  const CancelFlag* cancel) const {
  return tokenize_chat(messages, ChatOptions{.add_generation_prompt = add_generation_prompt}, cancel);
}

Result<std::vector<TokenId>> Model::tokenize_chat(std::span<const Message> messages,
                                                  const ChatOptions& options,
                                                  const CancelFlag* cancel) const {
  return catch_all([&] { return impl_->chat_ids(messages, options, flag_of(cancel)); });
}

}  // namespace partita
