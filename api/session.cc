// Session: one conversation whose cache remembers.
#include <algorithm>

#include "api/guard.h"
#include "api/session_impl.h"

namespace partita {

Result<Session> Model::session() const {
  return guarded([&]() -> Result<Session> {
    if (impl_->transformer == nullptr) {
      return Error{ErrorCode::kInvalidArgument,
                   "\"" + impl_->info.path + "\" was opened for its text side only"};
    }
    return Session(std::make_shared<Session::Impl>(impl_));
  });
}

Session::Session(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;
Session::~Session() = default;

/// What the cache holds of the last request serves this one as far as the ids agree; at least the last id of
/// the prompt is read again, because its hidden state is what the answer starts from.
void Session::Impl::begin(Sequence sequence) {
  std::size_t common = 0;
  if (current != nullptr) {
    const auto known = current->ids().first(cache.length());
    const auto fresh = sequence.prompt().first(sequence.prompt().size() - 1);
    common = static_cast<std::size_t>(
        std::mismatch(known.begin(), known.end(), fresh.begin(), fresh.end()).first - known.begin());
  }
  cache.truncate(common);
  current = std::make_shared<Sequence>(std::move(sequence));
}

Result<Stream> Session::generate(const Request& request) {
  return guarded([&]() -> Result<Stream> {
    auto sequence = Sequence::create(*impl_->model, request, impl_->cache);
    if (!sequence) return sequence.error();
    impl_->begin(std::move(*sequence));

    auto stream = std::make_unique<Stream::Impl>();
    stream->session = impl_;
    stream->sequence = impl_->current;
    stream->prompt.assign(impl_->current->prompt().begin(), impl_->current->prompt().end());
    return Stream(std::move(stream));
  });
}

void Session::set_cancel(const CancelFlag* flag) { impl_->cancel = flag; }

void Session::set_progress(std::function<void(std::size_t, std::size_t)> progress) {
  impl_->progress = std::move(progress);
}

std::size_t Session::length() const { return impl_->cache.length(); }

void Session::reset() {
  impl_->cache.truncate(0);
  impl_->current.reset();
}

}  // namespace partita
