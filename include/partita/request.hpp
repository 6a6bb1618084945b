// A generation request (prompt, limits, samplers, stop strings, constraint, guidance), and the counters and
// times of what ran. Session, Batch, Ensemble and searches take the same Request.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "partita/adapter.hpp"
#include "partita/constraint.hpp"
#include "partita/explain.hpp"
#include "partita/export.hpp"
#include "partita/result.hpp"
#include "partita/sampling.hpp"
#include "partita/token.hpp"

namespace partita {

/// One message of a chat.
struct Message {
  std::string role;  // "system", "developer", "user", "assistant", "tool", or another that the template names
  std::string content;
  /// Its other fields for the template, a JSON object: {"tool_calls":[...]}, {"name":"weather"}; empty: none.
  /// A "content" here replaces the text: null for none, or a list of parts.
  std::string fields = {};
};

/// How messages go through the chat template.
struct ChatOptions {
  /// The template's variables beside the messages, a JSON object: {"tools":[...],"documents":[...],
  /// "enable_thinking":false}; empty: none. Names of special tokens ("bos_token" ...) are the vocabulary's.
  std::string variables = {};
  bool add_generation_prompt = true;  // what begins an answer follows the messages
  /// The last message is the beginning of the answer: the prompt ends with its text, so that the answer
  /// continues it. Nothing follows the messages.
  bool continue_final_message = false;
};

/// Speculative decoding: whether several draft tokens, from prompt lookup or a draft model, are verified in
/// one step. It changes no answer. kAuto: where it saves time. Guidance, Mirostat and constraints turn it
/// off.
enum class Speculation : std::uint8_t { kNever, kAuto, kAlways };

/// What to generate. check() lists the errors that no model can avoid.
struct Request {
  // One of the three. An empty prompt is the model's BOS alone, or an error where it has none.
  std::string prompt;             // raw text, without the chat template
  std::vector<Message> messages;  // through the model's chat template
  std::vector<TokenId> ids;
  ChatOptions chat;  // for the messages

  int max_tokens = 256;  // < 0: until the context is full
  Sampling sampling;
  std::vector<std::string> stop;  // texts that end the answer and are not part of it
  /// Limits which tokens the answer may have; null: none. Only forks of it are used (constraint.hpp).
  std::shared_ptr<const Constraint> constraint;
  int logprobs = -1;        // >= 0: log-probability of each token and of that many alternatives
  bool confidence = false;  // fills Token::confidence
  AbstainRule abstain;      // which tokens are too unsure, and whether the answer ends at one
  int explain = 0;          // > 0: what every sampler did, with that many candidates
  Speculation speculation = Speculation::kAuto;
  /// In a batch: requests of higher priority are first to run, to get memory and to have their prompts read;
  /// among equals the oldest.
  int priority = 0;
  /// LoRA adapters, opened for the same model, applied together.
  std::vector<AppliedAdapter> adapters;
  bool parse_specials = true;  // false: "<|im_end|>" in the prompts is text (in messages it always is)

  /// Classifier-free guidance: tokens are chosen by log-probabilities b + guidance_scale (a - b). a: after
  /// the prompt; b: after the negative prompt; both with the answer so far. 1: off. Otherwise it takes twice
  /// the time and a second KV cache. Token::logprob is of the prompt alone.
  float guidance_scale = 1.0F;        // finite, at least 0
  std::string negative_prompt;        // raw text
  std::vector<TokenId> negative_ids;  // or this; without either, the last id of the prompt
};

/// Checks what needs no model. Errors: kInvalidArgument, as Session::generate() gives it.
PARTITA_API Result<void> check(const Request& request);

/// Counters of a session or a batch since it was made, for monitoring.
struct Counts {
  std::uint64_t tokens = 0;     // chosen
  std::uint64_t unsure = 0;     // of them: unsure by their request's AbstainRule
  std::uint64_t abstained = 0;  // answers that the rule ended
  std::uint64_t bad_rows = 0;   // rows of logits that held NaN or infinities, or lost their last candidate
};

/// Tokens and wall time, in seconds, of prefill and decode.
struct Timing {
  std::size_t prefill_tokens = 0;  // of prompts, without those that a cache held
  std::size_t shared_tokens = 0;   // of prompts in a batch, found in the prefix cache
  std::size_t decode_tokens = 0;   // generated tokens that went through the model (the last one need not)
  double prefill_s = 0, decode_s = 0;
  std::size_t draft_tokens = 0, accepted_tokens = 0;  // of speculative decoding
};

}  // namespace partita
