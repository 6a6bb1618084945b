// partita score: log-probabilities and perplexity of a text, and the KL divergence from another model.

#include "tools/commands.h"
#include "tools/generation/adapters.h"
#include "tools/generation/token_text.h"

namespace tools {
namespace {

struct Options {
  Input input;
  bool ids = false;
  bool totals = false;
  std::string against;
  AdapterFlags adapters;
};

/// The score of a text, and comparisons with other models.
struct Scored {
  partita::Score score;
  std::optional<partita::Divergence> divergence;  // from --against, or else from the full model
  std::optional<std::pair<double, double>> full;  // nll and perplexity of the full model
};

partita::Result<std::vector<partita::TokenId>> ids_of(const Common& common, const Options& options,
                                                      const partita::Model& model, const std::string& text) {
  return options.ids ? parse_ids(text) : model.tokenize(text, !common.no_special);
}

/// Whether options approximate the model; the report then includes the loss.
bool approximates(const Common& common) { return common.attention_window > 0 || common.head_budget > 0; }

Common without_budget(const Common& common) {
  Common whole = common;
  whole.head_budget = 0;
  return whole;
}

/// A model to compare with: its session, and the adapters that it has.
struct Reference {
  partita::Session session;
  std::vector<partita::AppliedAdapter> adapters;
};

partita::Result<Reference> make_reference(partita::Result<Opened> opened, const AdapterFlags& adapters) {
  if (!opened) return opened.error();
  auto own = adapters.open(opened->model);
  if (!own) return own.error();
  auto session = opened->model.session();
  if (!session) return session.error();
  session->set_cancel(&interrupted());
  return Reference{std::move(*session), std::move(*own)};
}

/// Opens the model of --against: another model, as it is, or this one in exact arithmetic.
partita::Result<Reference> open_reference(const Common& common, const Options& options,
                                          const partita::Model& model) {
  const bool exact = options.against == "exact";
  auto path = exact ? partita::Result<std::string>(model.info().path) : partita::find_model(options.against);
  if (!path) return path.error();
  return make_reference(open_model_at(*path, without_budget(common), false, exact || common.exact),
                        exact ? options.adapters : AdapterFlags());
}

/// Opens this model without approximations.
partita::Result<Reference> open_full(const Common& common, const Options& options,
                                     const partita::Model& model) {
  Common full = without_budget(common);
  full.attention_window = 0;
  return make_reference(open_model_at(model.info().path, full, false, common.exact), options.adapters);
}

using Ids = std::span<const partita::TokenId>;

/// Scores the text with both models.
partita::Result<Scored> score_against(Reference& own, Ids ids, partita::Result<Reference> reference) {
  if (!reference) return reference.error();
  auto scored = own.session.score_against(ids, reference->session, own.adapters, reference->adapters);
  if (!scored) return scored.error();
  return Scored{std::move(scored->first), scored->second, std::nullopt};
}

partita::Result<Scored> score_alone(Reference& own, Ids ids) {
  auto score = own.session.score(ids, own.adapters);
  if (!score) return score.error();
  return Scored{std::move(*score), std::nullopt, std::nullopt};
}

partita::Result<Scored> score_text(const Common& common, const Options& options, const partita::Model& model,
                                   Reference& own, Ids ids) {
  if (options.against.empty()) {
    if (!approximates(common)) return score_alone(own, ids);
    auto scored = score_against(own, ids, open_full(common, options, model));
    if (scored) scored->full = {scored->divergence->reference_nll, scored->divergence->reference_perplexity};
    return scored;
  }
  auto scored = score_against(own, ids, open_reference(common, options, model));
  if (!scored || !approximates(common)) return scored;
  auto full = open_full(common, options, model);
  if (!full) return full.error();
  auto alone = score_alone(*full, ids);
  if (!alone) return alone.error();
  scored->full = {alone->score.nll, alone->score.perplexity};
  return scored;
}

Json score_json(const Scored& scored, std::span<const partita::AppliedAdapter> adapters) {
  const partita::Score& score = scored.score;
  Json logprobs = Json::array();
  for (const float logprob : score.logprobs) logprobs.push_back(number(logprob));
  Json out = {{"ids", score.ids},         {"logprobs", std::move(logprobs)},
              {"top1", score.top1},       {"ranks", score.ranks},
              {"nll", number(score.nll)}, {"perplexity", number(score.perplexity)}};
  if (Json applied = applied_json(adapters); !applied.is_null()) out["applied"] = std::move(applied);
  if (scored.full) {
    out["full"] = {{"nll", number(scored.full->first)}, {"perplexity", number(scored.full->second)}};
  }
  if (scored.divergence) {
    out["kl_mean"] = number(scored.divergence->kl_mean);
    out["kl_max"] = number(scored.divergence->kl_max);
    out["same_top"] = number(scored.divergence->same_top);
  }
  return out;
}

std::string totals(const Common& common, const Scored& scored) {
  const partita::Score& score = scored.score;
  if (score.ids.size() == 1)
    return "tokens 1: the first token has no score, since nothing stands before it\n";
  char line[256];
  std::snprintf(line, sizeof line, "tokens %zu  nll %.6f  perplexity %.4f\n", score.ids.size(), score.nll,
                score.perplexity);
  std::string out = line;
  if (scored.full) {
    std::snprintf(line, sizeof line, "%s: nll %.6f  perplexity %.4f\n",
                  common.head_budget == 0       ? "without the attention window"
                  : common.attention_window > 0 ? "with all of attention and of the head"
                                                : "with the full head",
                  scored.full->first, scored.full->second);
    out += line;
  }
  if (scored.divergence) {
    std::snprintf(line, sizeof line, "kl_mean %.3e  kl_max %.3e  same_top %.4f\n", scored.divergence->kl_mean,
                  scored.divergence->kl_max, scored.divergence->same_top);
    out += line;
  }
  return out;
}

int run(const Common& common, const Options& options) {
  auto text = read_input(options.input);
  if (!text) return fail(text.error());
  auto opened = open_model(common);
  if (!opened) return fail(opened.error());
  auto ids = ids_of(common, options, opened->model, *text);
  if (!ids) return options.ids ? usage_error(ids.error()) : fail(ids.error());
  if (!options.ids) warn_unencodable_bytes(common, opened->model, *text);
  auto own = make_reference(*opened, options.adapters);
  if (!own) return fail(own.error());
  Progress progress("scoring", common.shows_progress());
  own->session.set_progress([&](std::size_t done, std::size_t all) {
    progress.update(static_cast<double>(done) / static_cast<double>(all));
  });

  auto scored = score_text(common, options, opened->model, *own, *ids);
  if (!scored) return fail(scored.error());
  progress.clear();
  const auto report = [&] {
    const std::string table = options.totals ? "" : score_table(opened->model, scored->score) + "\n";
    return table + totals(common, *scored);
  };
  auto written = common.json ? write_json(score_json(*scored, own->adapters)) : write_out(report());
  return written ? kDone : fail(written.error());
}

}  // namespace

void add_score(Command program, Common& common, Action& action) {
  auto options = std::make_shared<Options>();
  const Command command = add_command(
      program, common, "score", kJson | kSpecials | kEngine,
      "Log-probability and rank of every token of a text, and perplexity",
      "echo 'The capital of France is Paris.' | " + common.program + " score --json",
      {"--model", "--threads", "--prompt", "--file", "--ids", "--against", "--totals", "--json", "--quiet"});
  add_adapters(command, options->adapters);
  add_input(command, options->input, "the text");
  command.add_flag("--ids", options->ids, "the text is token ids, separated by commas or spaces");
  command.heading(Heading::kOutput);
  command.add_option("--against", options->against, "KL divergence from MODEL, or from exact arithmetic")
      .value_name("MODEL|exact");
  command.add_flag("--totals", options->totals,
                   "only number of tokens, mean negative log-likelihood, perplexity");
  command.callback(
      [&common, &action, options] { action = [&common, options] { return run(common, *options); }; });
}

}  // namespace tools
