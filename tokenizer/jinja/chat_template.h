// Chat templates: an interpreter for the Jinja that model files carry. Templates are untrusted: no file,
// attribute or call reaches outside the values given, and steps, depth and output are bounded.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "partita/result.hpp"

namespace partita {

/// A parsed template; immutable, shared by threads.
class ChatTemplate {
 public:
  /// Errors: kBadFile with line and column; kUnsupported naming the construct and its line.
  static Result<ChatTemplate> parse(std::string_view source);

  ChatTemplate(ChatTemplate&&) noexcept;
  ChatTemplate& operator=(ChatTemplate&&) noexcept;
  ~ChatTemplate();

  /// Renders as Hugging Face does (trim_blocks, lstrip_blocks, no autoescape).
  /// context: an object: messages, tools, add_generation_prompt, bos_token, eos_token and whatever else. An
  /// integer under strftime_now is the time that strftime_now() shows, in seconds since the epoch and as UTC,
  /// so that a rendering can be repeated; without it the function shows the local time of the clock.
  ///
  /// Errors: kInvalidArgument carrying what raise_exception() said, and nothing else; kBadFile for a type
  /// error with its line; kUnsupported for a construct that is not known; kOutOfMemory past the bound on
  /// steps (10 million), output (16 MiB), live values (64 MiB) or depth.
  /// `cancel`, once it is set, ends the rendering with kCancelled within milliseconds.
  Result<std::string> render(const nlohmann::ordered_json& context,
                             const std::atomic<bool>* cancel = nullptr) const;

  /// The part of a rendered prompt that came from a message's content, so that the caller can tokenize it as
  /// text: what a user typed is never a control token. Pieces alternate in order and concatenate to render().
  ///
  /// from_message is every string of the context, tools and documents included, on its way through the
  /// template's operations; not so the variables named "..._token" and the roles of messages that are bare
  /// words (^[a-z_]{1,32}$). A text made as a whole from such strings (tojson, a printed list) is
  /// from_message as a whole.
  ///
  /// Special tokens may be looked for in trusted pieces only, and never across the edge of one. Between two
  /// special tokens, join the pieces before splitting and merging them: a tokenizer that starts anew at each
  /// piece gives other ids than one that reads "user\nHello" at once.
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

}  // namespace partita
