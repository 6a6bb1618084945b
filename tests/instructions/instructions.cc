// The work whose instructions instructions_test.py counts: a prompt or its continuation, one thread, with a
// small model of each kind of scales. Everything is made from seeds, so that every run does the same.
#include "engine/cache/kv_cache.h"
#include "engine/step.h"
#include "sampling/heads/heads.h"
#include "tests/catch.h"
#include "tests/engine/tiny_models.h"

namespace partita::internal::testing {
namespace {

constexpr std::size_t kPrompt = 128, kGenerated = 32;

/// A model wide enough for the kernels to be most of the work, and everything that runs it.
class Work {
 public:
  explicit Work(Dtype dtype)
      : file_(spec(dtype)),
        model_(load(file_.gguf(), {})),
        engine_(model_, 1, kPrompt),
        pool_(model_->states(), model_->kv_type(), 0),
        sequence_(pool_),
        head_(make_dense_head(model_->output().root.weight, model_->kernels())),
        scratch_(head_->make_scratch(1, 1)),
        ids_(random_tokens(kPrompt, model_->config().vocab_size, 1)),
        hidden_(model_->config().hidden_size),
        chain_(*Chain::create({{"temperature", 0.8}, {"top_k", 40}, {"top_p", 0.95}})) {
    ids_.reserve(kPrompt + kGenerated + 1);
  }

  /// The prompt in one chunk, and the token after it.
  void prefill() { step(kPrompt, Role::kPrompt); }

  void decode() {
    for (std::size_t t = 0; t < kGenerated; ++t) step(1, Role::kGenerated);
  }

  std::size_t length() const { return ids_.size(); }

 private:
  static TinySpec spec(Dtype dtype) {
    TinySpec spec;
    spec.dtype = dtype;
    spec.hidden = 256;
    spec.ffn = 768;
    spec.heads = 4;
    spec.kv_heads = 2;
    spec.head_dim = 64;
    spec.vocab = 1024;
    return spec;
  }

  /// Runs the last n ids, and appends the one drawn after them.
  void step(std::size_t n, Role role) {
    const Chunk chunk{&sequence_, std::span<const std::int32_t>(ids_).last(n), role, 1};
    REQUIRE(engine_.step({&chunk, 1}, hidden_.data()).ok());
    Question question;
    question.hidden = hidden_.data();
    question.chain = &chain_;
    question.key = {1, 1, ids_.size()};
    Result<Answer> answer = Answer{};
    head_->answer({&question, 1}, *scratch_, {&answer, 1});
    REQUIRE(answer.ok());
    ids_.push_back(answer->choice.id);
  }

  TinyFile file_;
  std::shared_ptr<const Transformer> model_;
  Engine engine_;
  KvPool pool_;
  KvSequence sequence_;
  std::unique_ptr<OutputHead> head_;
  std::unique_ptr<HeadScratch> scratch_;
  std::vector<std::int32_t> ids_;
  std::vector<float> hidden_;
  Chain chain_;
};

// Callgrind counts from the entry of these to their return; C names are names it can be told.
extern "C" [[gnu::noinline]] void partita_counted_prefill(Work& work) { work.prefill(); }
extern "C" [[gnu::noinline]] void partita_counted_decode(Work& work) { work.decode(); }

constexpr Dtype kTypes[] = {Dtype::kQ4_1, Dtype::kQ8_0, Dtype::kQ4_K, Dtype::kQ6_K};

TEST_CASE("prefill") {
  for (const Dtype dtype : kTypes) {
    DYNAMIC_SECTION(name(dtype)) {
      Work work(dtype);
      partita_counted_prefill(work);
      CHECK(work.length() == kPrompt + 1);
    }
  }
}

TEST_CASE("decode") {
  for (const Dtype dtype : kTypes) {
    DYNAMIC_SECTION(name(dtype)) {
      Work work(dtype);
      work.prefill();
      partita_counted_decode(work);
      CHECK(work.length() == kPrompt + 1 + kGenerated);
    }
  }
}

}  // namespace
}  // namespace partita::internal::testing
