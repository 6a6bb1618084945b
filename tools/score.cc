// partita score: how likely a text is to the model, and how far the model is from another.
#include "tools/common.h"

namespace tools {
namespace {

struct Options {
  Input input;
  bool ids = false;
  std::string against;
};

partita::Result<std::vector<partita::TokenId>> ids_of(const Common& common, const Options& options,
                                                      const partita::Model& model, const std::string& text) {
  return options.ids ? parse_ids(text) : model.tokenize(text, !common.no_special);
}

/// The session of --against: another model, or this one in exact arithmetic.
partita::Result<partita::Session> open_reference(const Common& common, const Options& options,
                                                 const partita::Model& model) {
  const bool exact = options.against == "exact";
  auto path = exact ? partita::Result<std::string>(model.info().path) : partita::find_model(options.against);
  if (!path) return path.error();
  auto opened = open_model_at(*path, common, false, exact || common.exact);
  if (!opened) return opened.error();
  return opened->model.session();
}

Json score_json(const partita::Score& score, const partita::Divergence* apart) {
  Json logprobs = Json::array();
  for (const float logprob : score.logprobs) logprobs.push_back(number(logprob));
  Json out = {{"ids", score.ids},
              {"logprobs", std::move(logprobs)},
              {"top1", score.top1},
              {"nll", number(score.nll)},
              {"perplexity", number(score.perplexity)}};
  if (apart != nullptr) {
    out["kl_mean"] = number(apart->kl_mean);
    out["kl_max"] = number(apart->kl_max);
    out["same_top"] = number(apart->same_top);
  }
  return out;
}

std::string score_text(const partita::Score& score, const partita::Divergence* apart) {
  char line[256];
  std::snprintf(line, sizeof line, "tokens %zu  nll %.6f  perplexity %.4f\n", score.ids.size(), score.nll,
                score.perplexity);
  std::string out = line;
  if (apart != nullptr) {
    std::snprintf(line, sizeof line, "kl_mean %.3e  kl_max %.3e  same_top %.4f\n", apart->kl_mean,
                  apart->kl_max, apart->same_top);
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
  if (!ids) return options.ids ? usage_error(ids.error().message) : fail(ids.error());
  auto session = opened->model.session();
  if (!session) return fail(session.error());
  session->set_cancel(&interrupted());
  Progress progress("scoring", common.shows_progress());
  session->set_progress([&](std::size_t done, std::size_t all) {
    progress.update(static_cast<double>(done) / static_cast<double>(all));
  });

  partita::Score score;
  std::optional<partita::Divergence> apart;
  if (options.against.empty()) {
    auto scored = session->score(*ids);
    if (!scored) return fail(scored.error());
    score = std::move(*scored);
  } else {
    auto reference = open_reference(common, options, opened->model);
    if (!reference) return fail(reference.error());
    reference->set_cancel(&interrupted());
    auto scored = session->score_against(*ids, *reference);
    if (!scored) return fail(scored.error());
    score = std::move(scored->first);
    apart = scored->second;
  }
  progress.clear();
  const partita::Divergence* shown = apart ? &*apart : nullptr;
  auto written = common.json ? write_json(score_json(score, shown)) : write_out(score_text(score, shown));
  return written ? kDone : fail(written.error());
}

}  // namespace

void add_score(CLI::App& program, Common& common, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      add_command(program, common, "score", kJson | kSpecials | kEngine,
                  "Log-probability of every token of a text (natural logarithms)",
                  "echo 'The capital of France is Paris.' | " + common.program + " score --json");
  add_input(*command, options->input, "the text");
  command->add_flag("--ids", options->ids, "the text is token ids, separated by commas or spaces");
  command->add_option(
      "--against", options->against,
      "also the divergence from `exact` (this model in exact arithmetic) or from another MODEL of the "
      "same vocabulary");
  command->callback(
      [&common, &action, options] { action = [&common, options] { return run(common, *options); }; });
}

}  // namespace tools
