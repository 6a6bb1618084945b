// Partita: text generation on CPUs. The public C++ interface.
//
//   partita::Result<void> tell() {
//     auto model = partita::Model::open("SmolLM2-135M-Instruct.Q4_1.gguf");
//     if (!model) return model.error();
//     auto session = model->session();
//     if (!session) return session.error();
//     auto stream = session->generate({.prompt = "Once upon a time", .max_tokens = 40});
//     if (!stream) return stream.error();
//     while (true) {
//       auto token = stream->next();
//       if (!token) return token.error();
//       if (!*token) return {};
//       std::cout << (*token)->text;
//     }
//   }
//
// Errors are values (result.hpp), each one sentence for people; no exception crosses this interface; the
// library neither prints nor exits.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "partita/constraint.hpp"
#include "partita/explain.hpp"
#include "partita/export.hpp"
#include "partita/result.hpp"
#include "partita/samplers.hpp"
#include "partita/text.hpp"

namespace partita {

using TokenId = std::int32_t;

/// "0.1.0"
PARTITA_API std::string_view version() noexcept;

/// What keys and values are kept as: both in f16; or keys in f16 and values in 8 bits, three quarters of the
/// memory. With `exact` they are floats.
enum class CacheType : std::uint8_t { kF16, kI8 };

/// How logits of the whole vocabulary are come by: from every weight of the last matrix, or, the same to the
/// bit, from a screen of it that prepare() made (docs/heads.md).
enum class HeadKind : std::uint8_t {
  kAuto,  // by the screen that lies beside the model, if one does and fits it
  kFull,
  kScreened  // or it is an error; exact arithmetic has no screen and takes every weight even so
};

struct OpenOptions {
  int threads = 0;     // at most; 0: what the machine and its container really grant, and never more
  bool exact = false;  // float activations and the scalar kernels: slow, the definition
  /// Vocabulary and chat template alone, no weights: opens in no time, whatever the model's family and types
  /// are. Where the vocabulary is of an unknown kind, what needs it fails, and templates can be rendered.
  bool text_only = false;
  CacheType cache = CacheType::kF16;
  std::size_t cache_bytes = 0;  // budget of all KV caches of one session or batch; 0: no limit
  /// Attention at a cost that does not grow with the text (Xiao et al. 2023): a token sees the first
  /// attention_sinks tokens and the last attention_window, itself included, in every layer that would see
  /// farther. Positions stay the tokens' own. A session goes back 512 tokens, or reads the text again.
  /// docs/long_context.md. 0: the model's own attention.
  std::size_t attention_window = 0;  // at most 16777216
  std::size_t attention_sinks = 64;  // a multiple of 64, at most 16777216; not looked at without a window
  HeadKind head = HeadKind::kAuto;
  /// > 0: of every row of logits only so many are computed, those that the screen takes for the largest; the
  /// rest are its estimates. Nothing certifies the answers: Session::score_against() and bench() measure the
  /// loss.
  std::size_t head_budget = 0;
  /// Called while loading with the fraction done; returning false cancels.
  std::function<bool(float fraction)> progress;
};

/// What `inspect` and `bench` show of an open model.
struct ModelInfo {
  std::string path, name, family, isa;
  int threads = 0;
  int threads_refused = 0;  // how many more were wanted than the system would make; normally 0
  std::size_t layers = 0, hidden_size = 0, vocab_size = 0, context_length = 0;
  std::size_t file_bytes = 0, bytes_per_token = 0, cache_bytes_per_token = 0;
  bool has_chat_template = false;
  bool exact = false;
  /// What may be wrong with the file, one sentence each, worth showing once.
  std::vector<std::string> warnings;
  std::string head;          // "full", "budgeted", "screened", "adaptive", "tree" or "mixture"
  std::string head_refused;  // why the screen beside the model is not used; empty if it is, or none is there
  /// Kernels that this processor seems to have, but that failed their test, with what they compute otherwise
  /// than they should: "vnni (matmul of Q4_1)". `isa` are those that are used instead. Empty: none.
  std::string isa_refused;
};

struct Message {
  std::string role;  // "system", "developer", "user", "assistant", "tool", or another that the template names
  std::string content;
};

/// How a token is chosen. Defaults are Hugging Face's; the order of `samplers` is the order of application.
struct PARTITA_API Sampling {
  float temperature = 1.0F;
  int top_k = 0;
  float top_p = 1.0F;
  float min_p = 0.0F;
  float repeat_penalty = 1.0F;
  /// The other options of known_samplers(), by name; a value here wins over the field of that name.
  std::map<std::string, SamplingValue> options;
  std::vector<std::string> samplers;  // empty: all, in the order of known_samplers(), Hugging Face's
  std::uint64_t seed = 0;
  std::uint64_t sequence = 0;  // draws are keyed by (seed, sequence, position)

  /// Sets an option by its name, be it a field or in `options`. Errors: kInvalidArgument if there is no such
  /// option, with those that there are, or if the value is of another kind; limits are describe()'s to check.
  Result<void> set(std::string_view name, SamplingValue value);
};

/// The stages that do something with these settings, in order: "temperature 0.8, top_p 0.95".
/// Error: kInvalidArgument naming the option, its value and its limits.
PARTITA_API Result<std::string> describe(const Sampling& sampling);

/// The defaults of another program, with the order of its samplers; those that it lacks are off.
/// "huggingface": Sampling's own. "llama.cpp". Error: kInvalidArgument with the known names.
PARTITA_API Result<Sampling> preset(std::string_view name);

/// The samplers in their default order, with what can be set. Static data.
PARTITA_API std::span<const Sampler> known_samplers() noexcept;

/// Whether guesses at what comes next, from what the text said before or by a smaller model, are tried
/// several in a step. They change no answer. Never made with guidance, Mirostat or a constraint.
enum class Speculation : std::uint8_t { kNever, kWherePays, kAlways };

struct Request {
  // One of the three; an empty prompt is what the model makes of it (its BOS alone).
  std::string prompt;             // taken raw
  std::vector<Message> messages;  // through the model's chat template
  std::vector<TokenId> ids;

  int max_tokens = 256;  // < 0: until the context is full
  Sampling sampling;
  std::vector<std::string> stop;  // texts that end the answer and are not part of it
  /// What the answer may consist of; null: anything. Only forks of it are used, as its header says.
  std::shared_ptr<const Constraint> constraint;
  int logprobs = -1;        // >= 0: log-probability of each token and of that many alternatives
  bool confidence = false;  // how sure the model was of each token
  AbstainRule abstain;      // when it is too unsure to go on
  int explain = 0;          // > 0: what every sampler did, with that many candidates
  Speculation speculation = Speculation::kWherePays;
  /// In a batch: who goes first, in taking memory, in being read and in running at all. Among equals the
  /// oldest.
  int priority = 0;
  bool parse_specials = true;  // false: "<|im_end|>" in the prompts is text (in messages it always is)

  /// Classifier-free guidance: tokens are chosen by log-probabilities b + guidance_scale (a - b), a those
  /// after the prompt and b those after the negative prompt, both with the answer so far. 1: off; else it
  /// takes twice the time and a second cache. Token::logprob stays that of the prompt alone.
  float guidance_scale = 1.0F;        // finite, at least 0
  std::string negative_prompt;        // taken raw
  std::vector<TokenId> negative_ids;  // or this; without either, the last id of the prompt
};

/// What of a request can never work, whatever the model. Errors: those of Session::generate() that are
/// kInvalidArgument for it.
PARTITA_API Result<void> check(const Request& request);

/// Why an answer ended. kStop: a stop string, or Stream::stop(); kAbstain: Request::abstain; kNone: it has
/// not.
enum class Finish : std::uint8_t { kNone, kEos, kStop, kLength, kAbstain };
PARTITA_API std::string_view name(Finish finish) noexcept;

struct Token {
  TokenId id =
      -1;  // what ends an answer (EOS, a choice too unsure) is its last token, with no text of its own
  std::string text;       // whole characters only; may be empty, may belong to earlier tokens
  float probability = 0;  // under what the samplers left, with logprobs or explain; 1 for an argmax
  float logprob = 0;      // natural, of the model's own distribution; if asked for
  std::vector<std::pair<TokenId, float>> top;
  std::optional<Confidence> confidence;    // of the model's own distribution; if asked for or needed
  bool unsure = false;                     // by Request::abstain
  std::optional<Explanation> explanation;  // if asked for
  std::size_t head_bytes = 0;              // read for it, of the last matrix and its screen; 0 from ensembles
};

/// What has happened so far, for whoever watches an engine.
struct Counts {
  std::uint64_t tokens = 0;     // chosen
  std::uint64_t unsure = 0;     // of them, by their request's AbstainRule
  std::uint64_t abstained = 0;  // answers that ended so
  std::uint64_t bad_rows = 0;   // rows of logits that held NaN or infinities, or lost their last candidate
};

struct Timing {
  std::size_t prefill_tokens = 0;  // read from prompts, without those the cache already held
  std::size_t shared_tokens = 0;   // of prompts in a batch, that others had read
  std::size_t decode_tokens = 0;   // generated tokens that went through the model (the last one need not)
  double prefill_s = 0, decode_s = 0;
  std::size_t guessed = 0, guessed_right = 0;  // tokens, by Request::speculation
};

/// Set from any thread or a signal handler: running calls end with kCancelled within a layer's time.
class PARTITA_API CancelFlag {
 public:
  void set() { flag_.store(true, std::memory_order_relaxed); }
  void clear() { flag_.store(false, std::memory_order_relaxed); }
  bool is_set() const { return flag_.load(std::memory_order_relaxed); }
  const std::atomic<bool>& flag() const { return flag_; }

 private:
  std::atomic<bool> flag_{false};
};

class Session;
class Batch;
struct BatchOptions;
class Ensemble;

/// The path of the small model that is part of the library, wherever a model's path is asked for; a file of
/// this name is "./bundled". It runs at once and knows little: weights/bundled/ has its card.
inline constexpr std::string_view kBundledModel = "bundled";

/// An open model. Cheap to copy (shared), immutable, usable from many threads at once.
class PARTITA_API Model {
 public:
  /// path: of a GGUF file, or kBundledModel.
  static Result<Model> open(const std::string& path, const OpenOptions& options = {});

  const ModelInfo& info() const noexcept;
  /// A checksum that tells the model from other models and from changed versions of it: what session files
  /// are bound to. It is read from the file. Error: kIo.
  Result<std::uint64_t> fingerprint() const;

  /// The ids of a text (any bytes). add_bos: with BOS and EOS where the model wants them, never twice.
  Result<std::vector<TokenId>> tokenize(std::string_view text, bool parse_specials = true,
                                        bool add_bos = true) const;
  /// How many bytes of a text tokenize() leaves out, the vocabulary having no token for them. Rarely not 0.
  std::size_t left_out(std::string_view text) const noexcept;
  /// The inverse of tokenize(), byte for byte: control tokens as they are spelled, without the BOS and EOS
  /// that tokenize() adds.
  Result<std::string> detokenize(std::span<const TokenId> ids) const;
  /// The vocabulary's own spelling; empty for ids that it lacks. As long-lived as the model.
  std::string_view piece(TokenId id) const noexcept;
  /// The bytes that a token adds to a text, perhaps parts of characters; none for control tokens and ids that
  /// the vocabulary lacks. As long-lived as the model. Error: kOutOfMemory, from the first call alone, which
  /// puts all texts together.
  Result<std::string_view> text(TokenId id) const;
  /// The ids that end an answer, in ascending order.
  std::span<const TokenId> end_ids() const noexcept;

  // The chat template in the file, or another.
  /// context_json: {"messages":[...],"tools":[...],"add_generation_prompt":true,...}
  /// `cancel`, once it is set, ends the rendering with kCancelled.
  Result<std::string> render(std::string_view context_json, const CancelFlag* cancel = nullptr) const;
  static Result<std::string> render(std::string_view template_source, std::string_view context_json,
                                    const CancelFlag* cancel = nullptr);
  /// The ids of a conversation; what the messages say is never read as a control token.
  Result<std::vector<TokenId>> tokenize_chat(std::span<const Message> messages, bool add_generation_prompt,
                                             const CancelFlag* cancel = nullptr) const;

  Result<Session> session() const;
  Result<Batch> batch(const BatchOptions& options) const;
  Result<Batch> batch(std::size_t max_sequences) const;

  struct Impl;
  const Impl& impl() const { return *impl_; }

 private:
  friend class Ensemble;
  friend class Session;
  explicit Model(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<const Impl> impl_;
};

/// A running answer of a Session or an Ensemble; the next generate() ends it. Belongs to the thread of what
/// it came from.
class PARTITA_API Stream {
 public:
  /// The next token, or nothing when there is none to come: the answer is complete (finish() says why) or a
  /// later generate() or reset() has ended the stream (finish() is kNone). After kCancelled the call can be
  /// repeated and goes on where it was; any other error is final.
  Result<std::optional<Token>> next();
  /// Ends the answer here; what was generated stays in the session.
  void stop() noexcept;
  Finish finish() const noexcept;
  /// After Finish::kLength: the context is full, and Request::max_tokens would have let the answer go on.
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

struct Score {
  std::vector<TokenId> ids;
  std::vector<float> logprobs;      // of ids[i] given what is before it, natural; [0] is NaN
  std::vector<TokenId> top1;        // likeliest id at each position given what is before it; [0] is -1
  std::vector<std::int32_t> ranks;  // of ids[i] in that distribution, 1 the likeliest; [0] is 0
  double nll = 0;                   // mean, natural logarithm; NaN for a single id
  double perplexity = 0;
};

/// How far one model's distributions are from another's over the same ids.
struct Divergence {
  double kl_mean = 0, kl_max = 0;  // KL(reference || this), natural
  double same_top = 0;             // fraction of positions with the same likeliest id
  double reference_nll = 0;        // of the ids, as Score has it
  double reference_perplexity = 0;
};

/// When a beam search ends: transformers' `early_stopping`. All three wait for as many complete answers as
/// beams (of a group). Then kFalse ends when the best beam, at the length it has, is no better than the worst
/// of them; kTrue at once; kNever when no beam could become better at any length up to the limit.
enum class EarlyStopping : std::uint8_t { kFalse, kTrue, kNever };

/// How answers are searched for. One of: beams (the others neutral), best_of, penalty_alpha. docs/search.md
/// has the formulas.
struct Search {
  int beams = 1;                // 1 .. 512
  float length_penalty = 1.0F;  // score = joint log-probability / length^length_penalty; -10 .. 10
  EarlyStopping early_stopping = EarlyStopping::kFalse;
  int groups = 1;                  // of beams, all of one size (Vijayakumar et al. 2016)
  float diversity_penalty = 0.0F;  // for each beam of earlier groups that takes the same token; 0 .. 1e6
  int n_best = 1;                  // answers wanted, at most as many as are searched for
  int best_of = 0;                 // > 0: so many answers are drawn, as Sampling says, and ranked; 1 .. 512
  float penalty_alpha = 0.0F;  // > 0, at most 1: contrastive search (Su et al. 2022) among top_k, 2 .. 512
};

/// What of a request and a search can never go together, whatever the model. Errors: those of
/// Session::search() that are kInvalidArgument for it.
PARTITA_API Result<void> check(const Request& request, const Search& search);

/// One answer that a search found.
struct Hypothesis {
  std::vector<TokenId> ids;     // with the token that ended it
  std::string text;             // up to the stop string, if one ended it
  std::vector<float> logprobs;  // of ids[i], natural, of the model's own distribution
  double sum_logprob = 0;       // the joint log-probability: their sum
  /// What answers are ranked by: sum_logprob / length^length_penalty; of a beam search with diversity
  /// penalties or samplers, what these leave of sum_logprob.
  double score = 0;
  Finish finish = Finish::kNone;
};

struct SearchResult {
  std::vector<TokenId> prompt_ids;
  std::vector<Hypothesis> answers;  // best first; at least one
  Timing timing;
};

/// One conversation: a KV cache that remembers, so that a prompt which continues the last one is not read
/// again. One thread at a time.
class PARTITA_API Session {
 public:
  /// Reads the prompt (lazily, at the first next()) and answers. A new generate() ends the stream before it.
  Result<Stream> generate(const Request& request);

  /// Searches for the best answers instead of drawing one; ends the stream before it, keeps the prompt in the
  /// cache. Errors: kInvalidArgument naming the option, its value and its limits, or options that do not go
  /// together (sampling with beams, for one); kCancelled; kOutOfMemory naming the budget of the caches, which
  /// the answers on their way share.
  Result<SearchResult> search(const Request& request, const Search& search);

  /// Log-probabilities of every id of a text; one path with generate()'s.
  Result<Score> score(std::span<const TokenId> ids);
  /// The same, with the divergence from `reference` (same vocabulary) at every position.
  Result<std::pair<Score, Divergence>> score_against(std::span<const TokenId> ids, Session& reference);

  /// Every logit of the last `outputs` positions of ids: [outputs][vocab].
  Result<std::vector<float>> logits(std::span<const TokenId> ids, std::size_t outputs);

  /// Writes what the cache holds, with a note of the caller's own (at most 64 MiB), such as the messages of a
  /// chat. The file appears complete or not at all; a new one is its owner's alone (mode 0600). Errors: kIo.
  Result<void> save(const std::string& path, std::string_view note = {}) const;
  /// Takes a saved session's place, and gives its note: a prompt that continues it is not read again, and its
  /// answers are the same bits. Of a request with guidance the negative prompt is read again. Errors, after
  /// which this session is what it was: kNotFound, kIo, kBadFile (damaged), kInvalidArgument (no session
  /// file, of another version, model, arithmetic or cache), kOutOfMemory.
  Result<std::string> load(const std::string& path);
  /// Another session that holds the same, for any thread.
  Result<Session> fork() const;

  /// A smaller model of the same vocabulary guesses at what comes next in later answers
  /// (Request::speculation); without one, what the text said before. Error: kInvalidArgument where the
  /// vocabularies differ.
  Result<void> draft_with(const Model& smaller);

  void set_cancel(const CancelFlag* flag) noexcept;  // must outlive the session, or null
  /// Called during prefill with (tokens read, tokens in all).
  void set_progress(std::function<void(std::size_t, std::size_t)> progress) noexcept;
  std::size_t length() const noexcept;  // tokens in the cache
  const Counts& counts() const noexcept;
  void reset() noexcept;

  struct Impl;
  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;
  ~Session();

 private:
  friend class Model;
  explicit Session(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;  // shared with its Stream alone
};

/// The note of a session file of whatever model. Errors: those of Session::load() that are about the file.
PARTITA_API Result<std::string> session_note(const std::string& path);

/// Metadata and tensors of a model file, without loading it, as JSON:
/// {"version","metadata":{},"tensors":[{"name","type","shape","bytes"}]}; long arrays are cut to
/// `array_limit` values with their length beside.
PARTITA_API Result<std::string> inspect_json(const std::string& path, std::size_t array_limit = 8);

/// One measurement of the machine and a model, for `partita bench`. Rates in tokens per second.
struct BenchOptions {
  std::size_t prefill = 512, decode = 64, depth = 0, sequences = 1, repeat = 3;
};
struct BenchResult {
  double read_GBps = 0;  // what all threads read from memory, measured over a model-sized area
  std::vector<double> prefill_tps, decode_tps;
  double decode_GBps = 0, bound_fraction = 0;  // weights read per second; over read_GBps
  double head_bytes = 0;  // of the last matrix and its screen, read for one greedy token; the mean
  /// With OpenOptions::head_budget, over the tokens of one more decode: the mean divergence of its
  /// distributions from the full head's, and how often both have the same likeliest token.
  std::optional<double> head_kl, head_same_top;
};
PARTITA_API Result<BenchResult> bench(const Model& model, const BenchOptions& options,
                                      const CancelFlag* cancel = nullptr);

struct PrepareOptions {
  int threads = 0;                               // as in OpenOptions
  std::string path;                              // of the screen; empty: where Model::open() looks for it
  std::size_t states = 0;                        // hidden states to make it for; 0: enough
  std::uint64_t seed = 0;                        // of the text
  std::function<bool(float fraction)> progress;  // returning false stops it
};
struct PrepareResult {
  std::string path;
  std::size_t states = 0, screen_bytes = 0, head_bytes = 0;  // head_bytes: of the whole matrix
  double full_s = 0, screened_s = 0;  // what a greedy token's logits take, one sequence; medians
};
/// Makes the screen of a model's head from text that the model writes, and stores it beside the model; once
/// for each model, seconds to minutes. Errors: those of Model::open(); kUnsupported for a head that is no
/// larger than its screen would be or has no screen; kIo; kCancelled.
PARTITA_API Result<PrepareResult> prepare(const std::string& model_path, const PrepareOptions& options = {});

/// Where a model named on a command line lies: an existing path or kBundledModel, else the known model or
/// file of that name in a directory of models; an empty name is $PARTITA_MODEL, else SmolLM2 where it was
/// fetched, else kBundledModel, which is its own path. The directories, in this order: $PARTITA_MODELS,
/// ./models, models/ of the checkout that the program was built in, and share/partita/models beside the bin/
/// that it is installed in. Error: kNotFound saying how to fetch one.
PARTITA_API Result<std::string> find_model(const std::string& name);

}  // namespace partita

#include "partita/batch.hpp"
#include "partita/convert.hpp"
#include "partita/ensemble.hpp"
