// partita generate: the answer to one prompt, by sampling, speculative decoding, an ensemble or a search.
#include <unistd.h>
#include <algorithm>

#include "tools/commands.h"
#include "tools/generation/ensemble.h"
#include "tools/generation/explain.h"
#include "tools/generation/request.h"
#include "tools/generation/search.h"
#include "tools/generation/token_text.h"

namespace tools {
namespace {

struct Options {
  Input input;
  RequestFlags request;
  EnsembleFlags ensemble;
  SearchFlags search;
  std::string prefill;
  bool ids = false;
  bool explain = false;
  int explain_top = 5;
};

struct Answer {
  std::string text;
  std::vector<partita::Token> tokens;
  bool cut_short = false;  // by Ctrl-C
};

partita::Result<partita::Request> make_request(const Common& common, const Options& options,
                                               std::string text) {
  auto request = options.request.request(common);
  if (!request) return request;
  request->explain = options.explain ? options.explain_top : 0;
  options.search.settle(request->sampling);
  if (options.ids) {
    auto ids = parse_ids(text);
    if (!ids) return ids.error();
    request->ids = std::move(*ids);
  } else if (options.request.chat) {
    set_chat(*request, options.request.system, std::move(text));
    if (!options.prefill.empty()) {
      request->messages.push_back({"assistant", options.prefill});
      request->chat.continue_final_message = true;
    }
  } else {
    request->prompt = std::move(text);
  }
  return request;
}

/// What generates the answer: a model, or an ensemble of several.
struct Answering {
  const partita::Model& model;  // the first one of an ensemble
  partita::ModelInfo info;      // of the first model, with the bytes that all models read for a token
  double load_s = 0;
  Json ensemble;        // [{"model","weight"}]; null for a model alone
  std::string prefill;  // what the answer begins with; it is part of the prompt
};

/// Generates the answer; without --json streams its text, or the explanation of each token, to stdout.
partita::Result<Answer> pull(const Common& common, const Answering& answering,
                             const partita::Request& request, partita::Stream& stream) {
  Answer answer;
  if (!common.json && request.explain == 0) {
    if (auto written = write_out(answering.prefill); !written) return written.error();
  }
  while (true) {
    auto token = stream.next();
    if (!token && token.error().code == partita::ErrorCode::kCancelled) {
      answer.cut_short = true;
      return answer;
    }
    if (!token) return token.error();
    if (!*token) return answer;
    answer.text += (*token)->text;
    if (!common.json) {
      const auto& shown = (*token)->explanation
                              ? explanation_text(answering.model, **token, answer.tokens.size() + 1)
                              : (*token)->text;
      if (auto written = write_out(shown); !written) return written.error();
    }
    answer.tokens.push_back(std::move(**token));
  }
}

TokenColumns columns_of(const partita::Request& request) {
  const bool marks = request.abstain.asks() && !request.abstain.stops;
  return {.logprobs = request.logprobs >= 0,
          .confidence = request.confidence || marks,
          .unsure_only = marks && !request.confidence && request.logprobs < 0};
}

/// The text after the answer: a table of its tokens if one was asked for.
std::string text_after(const Answering& answering, const partita::Request& request, const Answer& answer) {
  std::string text = request.explain > 0 ? "\n" + answering.prefill + answer.text + "\n" : "\n";
  const TokenColumns columns = columns_of(request);
  const auto shown = [&](const partita::Token& token) { return !columns.unsure_only || token.unsure; };
  if (!columns.any()) return text;
  const bool some = std::any_of(answer.tokens.begin(), answer.tokens.end(), shown);
  return text + "\n" +
         (some ? token_table(answering.model, answer.tokens, columns) : "no token was unsure\n");
}

/// Says on stderr why an answer ended that neither the model nor the user ended.
void print_ending(const Common& common, const partita::Request& request, const partita::Stream& stream,
                  const Answer& answer) {
  const std::string why = ending_text({.finish = stream.finish(),
                                       .context_full = stream.context_full(),
                                       .tokens = stream.prompt_ids().size() + stream.ids().size(),
                                       .last = answer.tokens.empty() ? nullptr : &answer.tokens.back(),
                                       .abstain = request.abstain},
                                      kShorterPrompt);
  if (!why.empty() && !common.quiet) std::fprintf(stderr, "partita: %s\n", why.c_str());
}

Json answer_json(const Answering& answering, const partita::Request& request, const partita::Stream& stream,
                 const Answer& answer) {
  Json out = {{"model", answering.info.path}};
  if (!answering.ensemble.is_null()) out["ensemble"] = answering.ensemble;
  if (Json applied = applied_json(request.adapters); !applied.is_null()) out["applied"] = std::move(applied);
  out["prompt_ids"] = stream.prompt_ids();
  out["ids"] = stream.ids();
  if (!answering.prefill.empty()) out["prefill"] = answering.prefill;
  out["text"] = answer.text;
  out["finish"] = answer.cut_short ? "interrupted" : std::string(name(stream.finish()));
  if (stream.context_full()) out["context_full"] = true;
  if (request.logprobs >= 0) {
    out["logprobs"] = Json::array();
    for (const partita::Token& token : answer.tokens) out["logprobs"].push_back(logprob_json(token));
  }
  const auto list = [&](const char* key, bool wanted, const auto& json_of) {
    if (!wanted) return;
    out[key] = Json::array();
    for (const partita::Token& token : answer.tokens) out[key].push_back(json_of(token));
  };
  list("confidence", request.confidence || request.abstain.asks(), confidence_json);
  list("explain", request.explain > 0,
       [&](const partita::Token& token) { return explanation_json(answering.model, token); });
  out["timing"] = timing_json(answering.load_s, stream.timing());
  return out;
}

/// Generates with a partita::Session or partita::Ensemble.
template <class Source>
int run_on(const Common& common, const partita::Request& request, Source& source,
           const Answering& answering) {
  Progress progress("reading the prompt", common.shows_progress());
  watch(source, progress);
  auto stream = source.generate(request);
  if (!stream) return fail(stream.error());
  auto answer = pull(common, answering, request, *stream);
  progress.clear();
  if (!answer) return fail(answer.error());

  auto written = common.json ? write_json(answer_json(answering, request, *stream, *answer))
                             : write_out(text_after(answering, request, *answer));
  if (!written) return fail(written.error());
  print_ending(common, request, *stream, *answer);
  print_statistics(common, answering.info, stream->timing());
  return answer->cut_short ? kInterrupted : kDone;
}

std::string text_of(const std::vector<partita::Message>& messages) {
  std::string text;
  for (const partita::Message& message : messages) text += message.content;
  return text;
}

/// One line with what partita doctor finds at once and answers may suffer from.
void warn_of_errors(const Common& common, const partita::Model& model) {
  if (common.quiet) return;
  const auto findings = partita::diagnose(model);
  if (!findings) return;
  std::string line;
  for (const partita::Finding& finding : *findings) {
    if (finding.severity == partita::Severity::kError) line += (line.empty() ? "" : "; ") + finding.message;
  }
  if (!line.empty()) std::fprintf(stderr, "partita: %s (partita doctor says more)\n", line.c_str());
}

int run(const Common& common, const Options& options) {
  auto text = read_input(options.input);
  if (!text) return fail(text.error());
  auto request = make_request(common, options, std::move(*text));
  if (!request) return usage_error(request.error());
  auto samplers = describe(request->sampling);
  if (!samplers) return usage_error(samplers.error());
  if (const std::string misused = options.search.misused(); !misused.empty()) return usage_error(misused);
  if (auto possible = check(*request); !possible) return usage_error(possible.error());
  if (options.search.asked()) {
    auto possible = check(*request, options.search.resolved());
    if (!possible) return usage_error(possible.error());
  }
  auto added_models = options.ensemble.added_models();
  if (!added_models) return usage_error(added_models.error());
  if (!options.prefill.empty() && options.search.asked())
    return usage_error("--prefill cannot be combined with a search (--beams, --best-of, --penalty-alpha)");
  if (!added_models->empty() && options.search.asked()) {
    return usage_error("--with cannot be combined with a search (--beams, --best-of, --penalty-alpha)");
  }
  if (!added_models->empty() && !options.request.adapters.given.empty())
    return usage_error("--with cannot be combined with --lora");
  if (!added_models->empty() && request->guidance_scale != 1)
    return usage_error("--with cannot be combined with --guidance-scale");

  auto opened = open_model(common);
  if (!opened) return fail(opened.error());
  auto adapters = options.request.adapters.open(opened->model);
  if (!adapters) return fail(adapters.error());
  request->adapters = std::move(*adapters);
  const std::string written = options.request.chat ? text_of(request->messages) : request->prompt;
  if (options.request.chat) {
    // An error of the template is said here, and not by the warnings too.
    auto ids = opened->model.tokenize_chat(request->messages, request->chat, &interrupted());
    if (!ids) return fail(ids.error());
    report_template(common, opened->model, request->chat);
    request->ids = std::move(*ids);
    request->messages.clear();
  }
  warn_of_errors(common, opened->model);
  if (options.request.sampling.abstain.mark && !request->abstain.asks() && !common.quiet) {
    std::fprintf(stderr,
                 "partita: --mark-unsure marks nothing without --abstain-probability, --abstain-margin or "
                 "--abstain-entropy\n");
  }
  if (common.verbose)
    std::fprintf(stderr, "samplers: %s; seed %llu\n", samplers->c_str(),
                 static_cast<unsigned long long>(common.seed));
  warn_unencodable_bytes(common, opened->model, written);
  if (!added_models->empty()) {
    auto joined = open_ensemble(common, options.ensemble, *added_models, *opened);
    if (!joined) return fail(joined.error());
    return run_on(common, *request, joined->ensemble,
                  {opened->model, joined->info, joined->load_s, joined->members, options.prefill});
  }
  auto session = opened->model.session();
  if (!session) return fail(session.error());
  if (auto drafted = options.request.speculation.draft_for(*session, common); !drafted)
    return fail(drafted.error());
  if (options.search.asked()) return run_search(common, *opened, *session, *request, options.search);
  return run_on(common, *request, *session,
                {opened->model, opened->model.info(), opened->load_s, nullptr, options.prefill});
}

}  // namespace

void add_generate(Command program, Common& common, Action& action) {
  auto options = std::make_shared<Options>();
  const Command command = add_command(
      program, common, "generate", kJson | kSpecials | kEngine | kSeed,
      "Continue a prompt, or answer it with --chat",
      common.program + " generate -p 'The capital of France is' -n 16 --greedy\n  " + common.program +
          " generate -p 'The capital of France is' -n 16 --with SmolLM2=0.5\n  " + common.program +
          " generate -p 'The capital of France is' -n 16 --beams 4 --n-best 2",
      {"--model", "--threads", "--prompt", "--file", "--chat", "--system", "--temperature", "--greedy",
       "--top-k", "--top-p", "--seed", "--beams", "--max-tokens", "--stop", "--json"});
  add_adapters(command, options->request.adapters);
  add_input(command, options->input, "the prompt");
  const Option chat =
      command.add_flag("--chat", options->request.chat, "apply the model's chat template to the prompt");
  command.add_option("--system", options->request.system, "the system message, with --chat").needs(chat);
  add_template_options(command, common, options->request.chat_template, chat);
  command.add_option("--prefill", options->prefill, "the beginning of the answer, which the model continues")
      .check([](const std::string& text) { return text.empty() ? "it is empty" : ""; })
      .value_name("TEXT")
      .needs(chat);
  command.add_flag("--ids", options->ids, "the prompt is token ids, separated by commas or spaces")
      .excludes(chat);
  command.heading(Heading::kOutput);
  command
      .add_option("-n,--max-tokens", options->request.max_tokens,
                  "maximum tokens; -1: until the context is full")
      .range(-1, 1 << 30)
      .show_default();
  command
      .add_option("--logprobs", options->request.logprobs,
                  "show log-probabilities, with N alternatives of each token")
      .range(0, 1 << 30);
  command.add_flag("--confidence", options->request.confidence,
                   "show probability, lead and entropy of the likeliest tokens");
  const Option explain = command.add_flag("--explain", options->explain,
                                          "show the candidates of each token after every sampler");
  command.add_option("--explain-top", options->explain_top, "candidates shown, with --explain")
      .needs(explain)
      .range(1, 1000)
      .show_default();
  add_sampling(command, options->request.sampling);
  add_speculation(command, options->request.speculation);
  add_search(command, options->search);
  add_ensemble(command, options->ensemble);
  command.callback(
      [&common, &action, options] { action = [&common, options] { return run(common, *options); }; });
}

}  // namespace tools
