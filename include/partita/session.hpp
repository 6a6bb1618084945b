// One conversation with a model: a KV cache that is kept between requests, and a token stream. Also scores,
// searches and session files.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "partita/cancel.hpp"
#include "partita/export.hpp"
#include "partita/model.hpp"
#include "partita/request.hpp"
#include "partita/result.hpp"
#include "partita/score.hpp"
#include "partita/search.hpp"
#include "partita/token.hpp"

namespace partita {

class Ensemble;

/// A running answer of a Session or an Ensemble; the next generate() ends it. Used on the thread of its
/// Session or Ensemble.
class PARTITA_API Stream {
 public:
  /// The next token, or nothing at the end: the answer is complete (finish() says why), or a later generate()
  /// or reset() has ended the stream (finish() is kNone). After kCancelled the call can be repeated and
  /// continues; any other error is final.
  Result<std::optional<Token>> next();
  /// Ends the answer here, with Finish::kStop. The session keeps what was generated.
  void stop() noexcept;
  Finish finish() const noexcept;
  /// After Finish::kLength: true if the context is full, false if Request::max_tokens was reached.
  bool context_full() const noexcept;
  const std::vector<TokenId>& prompt_ids() const noexcept;
  const std::vector<TokenId>& ids() const noexcept;  // generated so far
  const Timing& timing() const noexcept;

  struct Impl;
  Stream(Stream&&) noexcept;
  Stream& operator=(Stream&&) noexcept;
  ~Stream();

 private:
  friend class Session;
  friend class Ensemble;
  explicit Stream(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// One conversation. Its KV cache is kept, so that a prompt that continues the last one is not read again.
/// One thread at a time.
class PARTITA_API Session {
 public:
  /// Answers a request; the first next() reads the prompt. Ends the stream before it. Errors:
  /// kInvalidArgument naming the field, its value and its limits.
  Result<Stream> generate(const Request& request);

  /// Searches for the best answers (search.hpp) instead of drawing one. Ends the stream before it; the prompt
  /// stays in the cache. Errors: kInvalidArgument naming the option, its value and its limits, or options
  /// that exclude each other (such as sampling with beams); kCancelled; kOutOfMemory naming the budget of the
  /// caches, which all running answers share.
  Result<SearchResult> search(const Request& request, const Search& search);

  /// Log-probabilities of every id of a text, computed as generate() does. Errors: kInvalidArgument (no ids,
  /// an id outside the vocabulary, more ids than the context), kCancelled.
  Result<Score> score(std::span<const TokenId> ids, std::span<const AppliedAdapter> adapters = {});
  /// The same, with the divergence from `reference` (same vocabulary size), which has adapters of its own,
  /// over all positions.
  Result<std::pair<Score, Divergence>> score_against(std::span<const TokenId> ids, Session& reference,
                                                     std::span<const AppliedAdapter> adapters = {},
                                                     std::span<const AppliedAdapter> of_reference = {});

  /// Every logit of the last `outputs` positions of ids: [outputs][vocab].
  Result<std::vector<float>> logits(std::span<const TokenId> ids, std::size_t outputs,
                                    std::span<const AppliedAdapter> adapters = {});

  /// Saves the cache and a note of the caller (at most 64 MiB), such as the messages of a chat. The file is
  /// written as a whole or not at all; only its owner can read a new one (mode 0600). Errors: kIo,
  /// kInvalidArgument.
  Result<void> save(const std::string& path, std::string_view note = {}) const;
  /// Replaces this session's cache by a saved one, and returns its note. A prompt that continues it is not
  /// read again, and answers have the same bits; the negative prompt of a request with guidance is read
  /// again. Errors, which leave this session unchanged: kNotFound, kIo, kBadFile (damaged), kInvalidArgument
  /// (no session file, or one of another version, model, arithmetic, cache or set of adapters), kOutOfMemory.
  /// adapters: those of the requests that continue it.
  Result<std::string> load(const std::string& path, std::span<const AppliedAdapter> adapters = {});
  /// A session with a copy of this cache, for any thread.
  Result<Session> fork() const;

  /// Sets the draft model of speculative decoding for later answers (Request::speculation); without one,
  /// prompt lookup. Error: kInvalidArgument where the vocabularies differ.
  Result<void> draft_with(const Model& smaller);

  void set_cancel(const CancelFlag* flag) noexcept;  // must outlive the session, or null
  /// Called during prefill with (tokens read, prompt tokens).
  void set_progress(std::function<void(std::size_t, std::size_t)> progress) noexcept;
  std::size_t length() const noexcept;  // tokens in the cache
  const Counts& counts() const noexcept;
  void reset() noexcept;  // empties the cache

  struct Impl;
  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;
  ~Session();

 private:
  friend class Model;
  explicit Session(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;  // shared with its Stream alone
};

/// The note of a session file, of any model. Errors: those of Session::load() about the file.
PARTITA_API Result<std::string> session_note(const std::string& path);

}  // namespace partita
