// The small model inside the library: it opens, answers, and computes what transformers and PyTorch do.
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/api/tiny_chat.h"
#include "tests/catch.h"

namespace partita::internal::testing {
namespace {

using Json = nlohmann::json;
using Ids = std::vector<TokenId>;

Model bundled(const OpenOptions& options = {}) {
  return must(Model::open(std::string(kBundledModel), options));
}

Json record() {
  std::ifstream file(std::string(PARTITA_TEST_DATA) + "/bundled.json");
  REQUIRE(file.good());
  return Json::parse(file);
}

/// The largest and the mean difference of a log-probability, and the share of likeliest words that are the
/// same.
struct Distance {
  double worst = 0, mean = 0, same_top = 0;
};

Distance from_record(const Model& model) {
  Session session = must(model.session());
  Distance out;
  double count = 0;
  const Json recorded = record();
  for (const Json& wanted : recorded.at("cases")) {
    const Score score = must(session.score(wanted["ids"].get<Ids>()));
    for (std::size_t i = 1; i < score.ids.size(); ++i) {
      const double off = std::abs(score.logprobs[i] - wanted["logprobs"][i - 1].get<double>());
      out.worst = std::max(out.worst, off);
      out.mean += off;
      out.same_top += score.top1[i] == wanted["top1"][i - 1].get<TokenId>() ? 1 : 0;
      count += 1;
    }
  }
  out.mean /= count;
  out.same_top /= count;
  return out;
}

TEST_CASE("The bundled model computes what transformers' layers and PyTorch's adaptive softmax do") {
  OpenOptions options;
  options.exact = true;
  const Distance exact = from_record(bundled(options));
  CAPTURE(exact.worst, exact.same_top);
  CHECK(exact.worst < 2e-5);
  CHECK(exact.same_top == 1);
  const Model model = bundled();  // 16-bit activations and an f16 cache
  const Distance fast = from_record(model);
  CAPTURE(fast.worst, fast.mean, fast.same_top);
  // Tiles round both factors of the products of what is scored to bf16: 0.0046.
  CHECK(fast.mean < (model.info().isa.starts_with("amx") ? 7e-3 : 2e-3));
  CHECK(fast.same_top > 0.98);
}

TEST_CASE("The bundled model says what it is and answers") {
  const Model model = bundled();
  CHECK(model.info().path == kBundledModel);
  CHECK(model.info().head == "adaptive");
  CHECK(model.info().vocab_size >= 32'000);
  CHECK(model.info().file_bytes <= 20'000'000);
  REQUIRE(model.info().has_chat_template);
  Request request;
  request.messages = {{"user", "What is the capital of France?"}};
  request.max_tokens = 48;
  request.sampling.temperature = 0;
  const auto answer = generate_alone(model, request);
  CHECK_FALSE(answer.text.empty());
  CHECK(generate_alone(model, request).ids == answer.ids);
  const Json about = Json::parse(must(inspect_json(std::string(kBundledModel))));
  CHECK(about["metadata"]["general.architecture"] == "llama");
  CHECK(must(find_model(std::string(kBundledModel))) == kBundledModel);
}

}  // namespace
}  // namespace partita::internal::testing
