#include "tools/generation/search.h"

#include "tools/generation/adapters.h"
#include "tools/generation/token_text.h"

namespace tools {
namespace {

std::string check_early(const std::string& value) {
  if (value == "true" || value == "false" || value == "never") return {};
  return "it is true, false or never, not \"" + value + "\"";
}

Json answer_json(const partita::Hypothesis& answer) {
  return {{"ids", answer.ids},
          {"text", answer.text},
          {"score", number(answer.score)},
          {"finish", std::string(name(answer.finish))}};
}

std::vector<partita::Token> tokens_of(const partita::Hypothesis& answer) {
  std::vector<partita::Token> tokens(answer.ids.size());
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    tokens[i].id = answer.ids[i];
    tokens[i].logprob = answer.logprobs[i];
  }
  return tokens;
}

bool is_full(const partita::Request& request, const partita::Hypothesis& answer) {
  return ended_with_context(answer.finish, answer.ids.size(), request.max_tokens);
}

Json result_json(const Opened& opened, const partita::Request& request, const partita::SearchResult& result) {
  const partita::Hypothesis& best = result.answers.front();
  Json out = {{"model", opened.model.info().path},
              {"prompt_ids", result.prompt_ids},
              {"ids", best.ids},
              {"text", best.text},
              {"finish", std::string(name(best.finish))}};
  if (is_full(request, best)) out["context_full"] = true;
  if (Json applied = applied_json(request.adapters); !applied.is_null()) out["applied"] = std::move(applied);
  if (request.logprobs >= 0) {
    out["logprobs"] = Json::array();
    for (const partita::Token& token : tokens_of(best)) out["logprobs"].push_back(logprob_json(token));
  }
  out["answers"] = Json::array();
  for (const partita::Hypothesis& answer : result.answers) out["answers"].push_back(answer_json(answer));
  out["timing"] = timing_json(opened.load_s, result.timing);
  return out;
}

/// The best answer, or all --n-best answers, each under its score. With --logprobs a table of the tokens
/// follows each answer.
std::string result_text(const partita::Model& model, const partita::Request& request,
                        const partita::SearchResult& result) {
  std::string text;
  for (const partita::Hypothesis& answer : result.answers) {
    char head[64];
    std::snprintf(head, sizeof head, "[score %.4f]\n", answer.score);
    text += (result.answers.size() > 1 ? head : "") + answer.text + "\n";
    if (request.logprobs >= 0) text += "\n" + token_table(model, tokens_of(answer), {.logprobs = true});
  }
  return text;
}

}  // namespace

void add_search(Command command, SearchFlags& flags) {
  partita::Search& s = flags.search;
  flags.temperature = command.option("--temperature");
  command.heading(Heading::kSearch);
  command.add_option("--beams", s.beams, "beams of a beam search, ranked by joint log-probability")
      .range(1, 512)
      .show_default();
  flags.length_penalty = command
                             .add_option("--length-penalty", s.length_penalty,
                                         "rank by log-probability / length^X; > 0 favours long")
                             .show_default();
  flags.of_beams = {command
                        .add_option("--early-stopping", flags.early_stopping,
                                    "end at --beams complete answers; docs/search.md")
                        .check(check_early, "true|false|never")
                        .show_default(),
                    command.add_option("--beam-groups", s.groups, "groups of beams that are kept diverse")
                        .range(1, 512)
                        .show_default(),
                    command
                        .add_option("--diversity-penalty", s.diversity_penalty,
                                    "for each beam of earlier groups with the same token")
                        .show_default()};
  flags.n_best = command.add_option("--n-best", s.n_best, "answers shown, best first").show_default();
  command.add_option("--best-of", s.best_of, "number of draws, of which the likeliest is taken; 0: off")
      .range(0, 512)
      .show_default();
  command.add_option("--penalty-alpha", s.penalty_alpha, "contrastive search: degeneration penalty; 0: off")
      .range(0.0, 1.0)
      .show_default();
}

std::string SearchFlags::misused() const {
  const auto given = [](const Option& option) { return option.count() > 0; };
  if (search.beams == 1) {
    for (const Option& option : of_beams) {
      if (given(option)) return option.name() + " is for beam search: give --beams, 2 or more";
    }
  }
  if (asked()) return {};
  for (const Option& option : {n_best, length_penalty}) {
    if (given(option)) return option.name() + " is for searches: give --beams, 2 or more, or --best-of";
  }
  return {};
}

partita::Search SearchFlags::resolved() const {
  partita::Search result = search;
  result.early_stopping = early_stopping == "true"    ? partita::EarlyStopping::kTrue
                          : early_stopping == "never" ? partita::EarlyStopping::kNever
                                                      : partita::EarlyStopping::kFalse;
  return result;
}

void SearchFlags::settle(partita::Sampling& sampling) const {
  if (asked() && search.best_of == 0 && temperature.count() == 0) sampling.temperature = 1;
}

int run_search(const Common& common, const Opened& opened, partita::Session& session,
               const partita::Request& request, const SearchFlags& flags) {
  Progress progress("reading the prompt", common.shows_progress());
  watch(session, progress);
  auto result = session.search(request, flags.resolved());
  progress.clear();
  if (!result) return fail(result.error());
  auto written = common.json ? write_json(result_json(opened, request, *result))
                             : write_out(result_text(opened.model, request, *result));
  if (!written) return fail(written.error());
  const partita::Hypothesis& best = result->answers.front();
  const std::string why = ending_text({.finish = best.finish,
                                       .context_full = is_full(request, best),
                                       .tokens = result->prompt_ids.size() + best.ids.size()},
                                      kShorterPrompt);
  if (!why.empty() && !common.quiet) std::fprintf(stderr, "partita: %s\n", why.c_str());
  print_statistics(common, opened.model.info(), result->timing);
  return kDone;
}

}  // namespace tools
