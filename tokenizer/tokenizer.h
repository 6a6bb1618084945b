// Text to token ids and back, byte-exact. Immutable after opening, so threads share one.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "partita/result.hpp"
#include "weights/gguf/gguf.h"

namespace partita {

using TokenId = std::int32_t;

enum class TokenKind : std::uint8_t { kNormal, kUnknown, kControl, kUserDefined, kUnused, kByte };

/// What to do with text that looks like a special token, such as "<|im_end|>".
enum class Specials : std::uint8_t {
  kParse,   // it becomes the special token
  kAsText,  // it stays text
};

/// BOS and EOS, as the model's metadata says.
struct SpecialIds {
  std::optional<TokenId> bos, eos, unknown, pad;
  std::vector<TokenId> end_of_generation;  // EOS, EOT and the like: any of them ends an answer; sorted
  bool add_bos = false;                    // the model wants BOS at the start of a prompt
  bool add_eos = false;
};

class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  /// From the vocabulary in a GGUF file: tokenizer.ggml.model "gpt2" (byte-level BPE; pre-tokenizers smollm,
  /// llama-bpe, qwen2, gpt-2, default) or "llama" (score-based SentencePiece).
  static Result<std::unique_ptr<Tokenizer>> from_gguf(const Gguf& file);

  /// From a SentencePiece .model file, through the SentencePiece library. For models in directories of
  /// safetensors; `partita convert` takes their words from a GGUF file, so that tests alone call this.
  static Result<std::unique_ptr<Tokenizer>> from_sentencepiece(const std::string& path);

  /// Appends the ids of `text` (any bytes; not necessarily valid UTF-8). Adds neither BOS nor EOS.
  virtual Result<void> encode(std::string_view text, Specials specials, std::vector<TokenId>& out) const = 0;

  /// How many bytes of `text` encode() leaves out because the vocabulary has no token for them, which is what
  /// the reference implementations do. 0 for nearly every model; SmolLM2 lacks 21 of the 256 bytes, in valid
  /// text those of U+0004, U+0006, U+0013, U+0014, U+0016, U+001D and of U+40000 to U+BFFFF.
  virtual std::size_t left_out(std::string_view text) const;

  /// encode() with BOS/EOS as the metadata says; never a second BOS when the text brings its own.
  Result<std::vector<TokenId>> encode_prompt(std::string_view text,
                                             Specials specials = Specials::kParse) const;

  /// The exact bytes a token stands for; empty for control tokens unless `show_control`.
  virtual std::string piece(TokenId id, bool show_control = false) const = 0;

  /// The text of a sequence, exactly: decode(encode(s)) == s wherever left_out(s) is 0. Where the model puts
  /// a space before a text, it is taken off again, at the start and after each control token.
  virtual std::string decode(std::span<const TokenId> ids, bool show_control = false) const = 0;

  virtual std::size_t size() const = 0;  // vocabulary
  virtual TokenKind kind(TokenId id) const = 0;
  virtual const SpecialIds& specials() const = 0;

  /// The vocabulary entry's own spelling ("Ġthe", "▁the", "<0x0A>"), for people.
  virtual std::string_view spelling(TokenId id) const = 0;

  bool contains(TokenId id) const { return id >= 0 && static_cast<std::size_t>(id) < size(); }
  bool ends_generation(TokenId id) const;
};

/// Turns a stream of tokens into text, holding bytes back until a character is whole. Bytes that can never
/// become valid UTF-8 come out as U+FFFD.
class Detokenizer {
 public:
  explicit Detokenizer(const Tokenizer& tokenizer, bool show_control = false);
  /// The characters that `id` completes (may be empty).
  std::string push(TokenId id);
  /// What is left at the end: incomplete bytes as U+FFFD.
  std::string finish();

 private:
  const Tokenizer* tokenizer_;
  bool show_control_;
  bool first_ = true;  // the next token begins a text
  std::string held_;
};

}  // namespace partita
