#include "api/serving/stream.h"

#include "weights/catch_all.h"

namespace partita {
using namespace internal;

Stream::Stream(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Stream::Stream(Stream&&) noexcept = default;
Stream& Stream::operator=(Stream&&) noexcept = default;
Stream::~Stream() = default;

Result<std::optional<Token>> Stream::next() {
  return catch_all([&]() -> Result<std::optional<Token>> {
    if (impl_->failed) return *impl_->failed;
    if (!impl_->is_current() || finish() != Finish::kNone) return std::optional<Token>();
    if (impl_->ready.empty()) {
      auto made =
          catch_all([&] { return impl_->source->next(*impl_->sequence, impl_->timing, impl_->ready); });
      if (!made) {
        if (made.error().code != ErrorCode::kCancelled) impl_->failed = made.error();
        return made.error();
      }
    }
    impl_->generated.push_back(impl_->ready.front().id);  // may throw, so before anything changes
    std::optional<Token> token = std::move(impl_->ready.front());
    impl_->ready.pop_front();
    return token;
  });
}

void Stream::stop() noexcept {
  if (finish() != Finish::kNone) return;
  impl_->ready.clear();
  impl_->sequence->end(Finish::kStop);
}

Finish Stream::finish() const noexcept { return impl_->finish(); }

bool Stream::context_full() const noexcept { return impl_->ready.empty() && impl_->sequence->context_full(); }

const std::vector<TokenId>& Stream::prompt_ids() const noexcept { return impl_->prompt; }

const std::vector<TokenId>& Stream::ids() const noexcept { return impl_->generated; }

const Timing& Stream::timing() const noexcept { return impl_->timing; }

}  // namespace partita
