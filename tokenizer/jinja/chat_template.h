// Chat templates: an interpreter for the Jinja templates in model files. Templates are untrusted: they can
// access only the values of the context (no files, no attributes or calls outside it), and steps, depth and
// output are bounded.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "partita/result.hpp"

namespace partita::internal {

/// A parsed template. Immutable, so threads can share it.
class ChatTemplate {
 public:
  /// Errors: kBadFile with line and column; kUnsupported with the construct and its line.
  static Result<ChatTemplate> parse(std::string_view source);

  ChatTemplate(ChatTemplate&&) noexcept;
  ChatTemplate& operator=(ChatTemplate&&) noexcept;
  ~ChatTemplate();

  /// Renders as Hugging Face does (trim_blocks, lstrip_blocks, no autoescape). context: an object with
  /// messages, tools, add_generation_prompt, bos_token, eos_token and any other variables. An integer under
  /// strftime_now is the time that strftime_now() formats, in seconds since the epoch and as UTC, so that a
  /// rendering is reproducible; without it the function formats the current local time.
  ///
  /// Errors: kInvalidArgument with exactly the message of raise_exception(); kBadFile for a type error with
  /// its line; kUnsupported for an unsupported construct; kOutOfMemory past the limit on steps (10 million),
  /// output (16 MiB), live values (64 MiB) or depth. Setting `cancel` ends the rendering with kCancelled
  /// within milliseconds.
  Result<std::string> render(const nlohmann::ordered_json& context,
                             const std::atomic<bool>* cancel = nullptr) const;

  /// A part of a rendered prompt with its provenance: from a message's content or from the template. The
  /// caller tokenizes message content as plain text, so that user input never becomes a control token (prompt
  /// injection). The pieces alternate and concatenate to render().
  ///
  /// from_message marks every string of the context, tools and documents included, and follows it through the
  /// template's operations. Exceptions: variables named "..._token", and roles of messages that are
  /// identifiers (^[a-z_]{1,32}$). A string made as a whole from marked strings (tojson, a printed list) is
  /// marked as a whole.
  ///
  /// Parse special tokens only in trusted pieces, and never across the border of a piece. Between two special
  /// tokens, join the pieces before tokenizing: a tokenizer that restarts at each piece gives other ids than
  /// one that reads "user\nHello" at once.
  struct Piece {
    std::string text;
    bool from_message = false;
  };
  Result<std::vector<Piece>> render_pieces(const nlohmann::ordered_json& context,
                                           const std::atomic<bool>* cancel = nullptr) const;

 private:
  struct Impl;
  explicit ChatTemplate(std::shared_ptr<const Impl> impl);
  std::shared_ptr<const Impl> impl_;
};

}  // namespace partita::internal
