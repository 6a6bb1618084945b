// Stream: pulling the tokens of one answer.
#include "api/guard.h"
#include "api/session_impl.h"

namespace partita {
namespace {

/// Steps until the sequence has its next token.
Result<Token> next_token(Stream::Impl& stream) {
  Session::Impl& session = *stream.session;
  Sequence* const sequence = stream.sequence.get();
  std::vector<Scheduler::Outcome> outcomes;
  while (outcomes.empty()) {
    const std::size_t before = sequence->cache().length();
    auto done = session.scheduler.step({&sequence, 1}, session.cancelled(), stream.timing, outcomes);
    if (!done) return done.error();
    if (session.progress && before < sequence->prompt().size()) {
      session.progress(sequence->cache().length(), sequence->prompt().size());
    }
  }
  return std::move(outcomes.front().token);
}

}  // namespace

Stream::Stream(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Stream::Stream(Stream&&) noexcept = default;
Stream& Stream::operator=(Stream&&) noexcept = default;
Stream::~Stream() = default;

Result<std::optional<Token>> Stream::next() {
  return guarded([&]() -> Result<std::optional<Token>> {
    if (impl_->failed) return *impl_->failed;
    if (!impl_->is_current() || finish() != Finish::kNone) return std::optional<Token>();
    auto token = next_token(*impl_);
    if (!token) {
      if (token.error().code != ErrorCode::kCancelled) impl_->failed = token.error();
      return token.error();
    }
    impl_->generated.push_back(token->id);
    return std::optional<Token>(std::move(*token));
  });
}

void Stream::stop() {
  if (finish() == Finish::kNone) impl_->sequence->end(Finish::kStop);
}

Finish Stream::finish() const { return impl_->sequence->finish(); }

const std::vector<TokenId>& Stream::prompt_ids() const { return impl_->prompt; }

const std::vector<TokenId>& Stream::ids() const { return impl_->generated; }

const Timing& Stream::timing() const { return impl_->timing; }

}  // namespace partita
