// Opening a model file: options, tokenizer, chat template, information. Sessions (session.hpp) and batches
// (batch.hpp) are made from a Model.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "partita/cancel.hpp"
#include "partita/export.hpp"
#include "partita/request.hpp"
#include "partita/result.hpp"
#include "partita/token.hpp"

namespace partita {
namespace internal {
struct ModelOpener;
}

class Session;
class Batch;
struct BatchOptions;
class Ensemble;

/// The library's version, "0.1.0".
PARTITA_API std::string_view version() noexcept;

/// Types in the KV cache. kF16: keys and values in f16. kI8: keys in f16 and values in 8 bits, three quarters
/// of the memory. With OpenOptions::exact both are floats.
enum class CacheType : std::uint8_t { kF16, kI8 };

/// Which LM head computes the logits: the full one reads every weight of the output matrix; the screened one
/// reads a screen that prepare() made and few rows of the matrix, with the same bits (docs/heads.md).
enum class HeadKind : std::uint8_t {
  kAuto,  // screened if a screen of this model lies beside it, else full
  kFull,
  kScreened  // an error without a screen; exact arithmetic has none and uses the full head
};

/// How to open a model. Errors of Model::open(): kInvalidArgument naming the option, its value and its
/// limits.
struct OpenOptions {
  /// For the directory of a checkpoint: a GGUF file whose tokenizer is taken instead of the directory's own.
  std::string vocabulary;
  /// The chat template to use: the name of a built-in one (llama3, chatml, gemma, phi, zephyr, mistral,
  /// alpaca) or of one of the file's (tool_use ...), or a Jinja source; empty: the file's own, or, where it
  /// has none, the built-in one whose control tokens the vocabulary has.
  std::string chat_template;
  int threads = 0;     // at most; 0: all that the machine and its container grant; never more than those
  bool exact = false;  // reference arithmetic: float activations and the scalar kernels; slow
  /// Loads the tokenizer and the chat template alone, without weights, for models of any family and types.
  /// Where the tokenizer's kind is not supported, calls that need it fail, and templates can be rendered.
  bool text_only = false;
  CacheType cache = CacheType::kF16;
  std::size_t cache_bytes = 0;  // budget of all KV caches of one session or batch; 0: no limit
  /// Sliding-window attention with attention sinks (StreamingLLM, Xiao et al. 2023): a token attends to the
  /// first attention_sinks tokens and the last attention_window, itself included, in every layer that would
  /// attend farther, so that cost and memory do not grow with the text. Positions do not change. A session
  /// can roll back 512 tokens; beyond that it reads the text again (docs/long_context.md). In tokens; 0: the
  /// model's own attention.
  std::size_t attention_window = 0;  // at most 16777216
  std::size_t attention_sinks = 64;  // a multiple of 64, at most 16777216; ignored without a window
  HeadKind head = HeadKind::kAuto;
  /// > 0: the head computes this many logits of every row, those that the screen estimates as the largest;
  /// the others are its estimates. Answers may then differ: Session::score_against() and bench() measure the
  /// loss.
  std::size_t head_budget = 0;
  /// Where logits are NaN, the error of the token names the layer and the operation in which that began:
  /// "layer 3, attention scores". The text is then read once more, slowly; until then it costs nothing.
  bool trace_nan = false;
  /// Called while loading with the fraction done, 0 to 1; returning false cancels.
  std::function<bool(float fraction)> progress;
};

/// Sizes of an open model, and what it runs on.
struct ModelInfo {
  std::string path, name, family, isa;
  int threads = 0;
  int threads_refused = 0;  // threads that the system failed to create; normally 0
  std::size_t layers = 0, hidden_size = 0, vocab_size = 0, context_length = 0;
  std::size_t file_bytes = 0, bytes_per_token = 0, cache_bytes_per_token = 0;
  bool has_chat_template = false;
  std::string chat_template;  // "own", "given" (by OpenOptions), or the name of a built-in one; empty: none
  bool exact = false;
  /// What may be wrong with the file, one sentence each; to be shown once.
  std::vector<std::string> warnings;
  std::string head;  // "full", "budgeted", "screened", "adaptive", "tree" or "mixture"
  std::string
      head_refused;  // why the screen beside the model is not used; empty if it is, or if there is none
  /// Kernels for this processor that failed their self-test, and the operation with wrong results: "vnni
  /// (matmul of Q4_1)". `isa` names those used instead. Empty: none.
  std::string isa_refused;
};

/// The path of the small model inside the library, wherever a model's path is given; a file of this name is
/// "./bundled". weights/bundled/ has its model card.
inline constexpr std::string_view kBundledModel = "bundled";

/// An open model. Immutable, cheap to copy (reference-counted), usable from many threads at once.
class PARTITA_API Model {
 public:
  /// path: of a GGUF file, or kBundledModel. Errors: kInvalidArgument (options), kNotFound, kIo, kBadFile,
  /// kUnsupported listing everything that is not supported, kOutOfMemory, kCancelled.
  static Result<Model> open(const std::string& path, const OpenOptions& options = {});

  const ModelInfo& info() const noexcept;
  /// A checksum of the model, which differs for other models and changed versions; session files are bound to
  /// it. It is computed from the file. Error: kIo.
  Result<std::uint64_t> fingerprint() const;

  /// The ids of a text (any bytes). parse_specials: spellings of control tokens become those tokens. add_bos:
  /// with BOS and EOS where the model wants them, never twice.
  Result<std::vector<TokenId>> tokenize(std::string_view text, bool parse_specials = true,
                                        bool add_bos = true) const;
  /// How many bytes of a text tokenize() drops because the vocabulary has no token for them; usually 0.
  std::size_t left_out(std::string_view text) const noexcept;
  /// The inverse of tokenize(), byte for byte: control tokens as they are spelled, without the BOS and EOS
  /// that tokenize() adds.
  Result<std::string> detokenize(std::span<const TokenId> ids) const;
  /// The vocabulary's own spelling; empty for ids that it lacks. Valid as long as the model.
  std::string_view piece(TokenId id) const noexcept;
  /// The bytes that a token adds to a text, perhaps parts of characters; none for control tokens and ids that
  /// the vocabulary lacks. Valid as long as the model. Error: kOutOfMemory, from the first call alone, which
  /// builds a table of all texts.
  Result<std::string_view> text(TokenId id) const;
  /// The ids that end an answer, in ascending order.
  std::span<const TokenId> end_ids() const noexcept;

  /// Renders the chat template of the file, or `template_source` (Jinja).
  /// context_json: {"messages":[...],"tools":[...],"add_generation_prompt":true,...}
  /// Errors: kInvalidArgument (context), kNotFound without a template, kUnsupported or kBadFile (template),
  /// kCancelled once `cancel` is set.
  Result<std::string> render(std::string_view context_json, const CancelFlag* cancel = nullptr) const;
  static Result<std::string> render(std::string_view template_source, std::string_view context_json,
                                    const CancelFlag* cancel = nullptr);
  /// The ids of a conversation. Text of the messages never becomes a control token, so a user cannot inject
  /// one.
  Result<std::vector<TokenId>> tokenize_chat(std::span<const Message> messages, bool add_generation_prompt,
                                             const CancelFlag* cancel = nullptr) const;
  /// The same with variables of the template. Errors: kInvalidArgument too for variables or fields of
  /// messages that are no JSON objects.
  Result<std::vector<TokenId>> tokenize_chat(std::span<const Message> messages, const ChatOptions& options,
                                             const CancelFlag* cancel = nullptr) const;

  /// Error of all three: kInvalidArgument for a model without weights (text_only) or for the options.
  Result<Session> session() const;
  Result<Batch> batch(const BatchOptions& options) const;
  Result<Batch> batch(std::size_t max_sequences) const;

  struct Impl;
  const Impl& impl() const { return *impl_; }

 private:
  friend class Ensemble;
  friend class Session;
  friend struct internal::ModelOpener;
  explicit Model(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<const Impl> impl_;
};

/// Summary, metadata and tensors of a model file, without loading it, as JSON:
/// {"path","version","bytes","summary":{"family","supported","parameters","types":[{"type","tensors","share"}],
/// "context_length","vocabulary","chat_template":{"kind","tools"},"adapter":{"matrices","rank"},"memory":[{"context","weights_bytes",
/// "cache_bytes"}],"sampling":{}},"metadata":{},"tensors":[{"name","type","shape","bytes"}]}; long arrays are
/// cut to `array_limit` values, with their length. Errors: as of opening the file.
PARTITA_API Result<std::string> inspect_json(const std::string& path, std::size_t array_limit = 8,
                                             const std::string& vocabulary = {});

/// The path of a model named on a command line: an existing path or kBundledModel, else the known model or
/// file of that name in a directory of models. An empty name is $PARTITA_MODEL, else SmolLM2 where it was
/// fetched, else kBundledModel. The directories, in this order: $PARTITA_MODELS, ./models, models/ of the
/// checkout that the program was built in, and share/partita/models beside the bin/ that it is installed in.
/// Error: kNotFound saying how to get one.
PARTITA_API Result<std::string> find_model(const std::string& name);

}  // namespace partita
