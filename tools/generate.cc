// partita generate: one prompt, one answer.
#include <unistd.h>

#include "tools/common.h"
#include "tools/sampling.h"

namespace tools {
namespace {

struct Options {
  Input input;
  SamplingFlags sampling;
  int max_tokens = 256;
  int logprobs = -1;
  bool chat = false;
  bool ids = false;
  std::string system;
};

struct Answer {
  std::string text;
  std::vector<partita::Token> tokens;
  bool cut_short = false;  // by Ctrl-C
};

partita::Result<partita::Request> make_request(const Common& common, const Options& options,
                                               std::string text) {
  partita::Request request;
  request.max_tokens = options.max_tokens;
  request.logprobs = options.logprobs;
  request.stop = options.sampling.stop;
  request.guidance_scale = options.sampling.guidance_scale;
  request.negative_prompt = options.sampling.negative_prompt;
  auto sampling = options.sampling.resolved(common.seed);
  if (!sampling) return sampling.error();
  request.sampling = std::move(*sampling);
  request.parse_specials = !common.no_special;
  if (options.ids) {
    auto ids = parse_ids(text);
    if (!ids) return ids.error();
    request.ids = std::move(*ids);
  } else if (options.chat) {
    if (!options.system.empty()) request.messages.push_back({"system", options.system});
    request.messages.push_back({"user", std::move(text)});
  } else {
    request.prompt = std::move(text);
  }
  return request;
}

/// Pulls the answer; streams its text to stdout unless JSON is wanted.
partita::Result<Answer> pull(const Common& common, partita::Stream& stream) {
  Answer answer;
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
      if (auto written = write_out((*token)->text); !written) return written.error();
    }
    answer.tokens.push_back(std::move(**token));
  }
}

Json answer_json(const Opened& opened, const Options& options, const partita::Stream& stream,
                 const Answer& answer) {
  Json out = {{"model", opened.model.info().path},
              {"prompt_ids", stream.prompt_ids()},
              {"ids", stream.ids()},
              {"text", answer.text},
              {"finish", answer.cut_short ? "interrupted" : std::string(name(stream.finish()))}};
  if (options.logprobs >= 0) {
    out["logprobs"] = Json::array();
    for (const partita::Token& token : answer.tokens) out["logprobs"].push_back(logprob_json(token));
  }
  out["timing"] = timing_json(opened.load_s, stream.timing());
  return out;
}

int run(const Common& common, const Options& options) {
  auto text = read_input(options.input);
  if (!text) return fail(text.error());
  auto request = make_request(common, options, std::move(*text));
  if (!request) return usage_error(request.error().message);
  auto samplers = describe(request->sampling);
  if (!samplers) return usage_error(samplers.error().message);

  auto opened = open_model(common);
  if (!opened) return fail(opened.error());
  if (common.verbose)
    std::fprintf(stderr, "samplers: %s; seed %llu\n", samplers->c_str(),
                 static_cast<unsigned long long>(common.seed));
  auto session = opened->model.session();
  if (!session) return fail(session.error());
  session->set_cancel(&interrupted());
  Progress progress("reading the prompt", common.shows_progress());
  session->set_progress([&](std::size_t done, std::size_t all) {
    done < all ? progress.update(static_cast<double>(done) / static_cast<double>(all)) : progress.clear();
  });
  auto stream = session->generate(*request);
  if (!stream) return fail(stream.error());
  auto answer = pull(common, *stream);
  progress.clear();
  if (!answer) return fail(answer.error());

  auto written = common.json ? write_json(answer_json(*opened, options, *stream, *answer)) : write_out("\n");
  if (!written) return fail(written.error());
  print_statistics(common, opened->model.info(), stream->timing());
  return answer->cut_short ? kInterrupted : kDone;
}

}  // namespace

void add_generate(CLI::App& program, Common& common, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* command = add_command(program, common, "generate", kJson | kSpecials | kEngine | kSeed,
                                  "Continue a prompt, or answer it with --chat",
                                  common.program + " generate -p 'The capital of France is' -n 16 --greedy");
  add_input(*command, options->input, "the prompt, taken raw unless --chat");
  command
      ->add_option("-n,--max-tokens", options->max_tokens,
                   "at most this many tokens; -1: until the context is full")
      ->check(CLI::Range(-1, 1 << 30))
      ->capture_default_str();
  auto* chat = command->add_flag("--chat", options->chat, "apply the model's chat template to the prompt");
  command->add_option("--system", options->system, "the system message, with --chat")->needs(chat);
  command->add_flag("--ids", options->ids, "the prompt is token ids, separated by commas or spaces")
      ->excludes(chat);
  command
      ->add_option("--logprobs", options->logprobs,
                   "with --json: log-probabilities, and of so many alternatives")
      ->check(CLI::Range(0, 1 << 30));
  add_sampling(*command, options->sampling);
  command->callback(
      [&common, &action, options] { action = [&common, options] { return run(common, *options); }; });
}

}  // namespace tools
