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

Result<Stream> Session::generate(const Request& request) {
  return guarded([&]() -> Result<Stream> {
    auto sequence = Sequence::create(*impl_->model, request, impl_->cache, &impl_->negative_cache);
    if (!sequence) return sequence.error();

    // What the caches hold of the last request serves this one as far as the ids agree; at least the last id
    // of a prompt is read again, because its hidden state is what the answer starts from.
    const Sequence* last = impl_->current.get();
    for (std::size_t t = 0; t < 2; ++t) {
      std::size_t common = 0;
      if (last != nullptr && t < last->tracks() && t < sequence->tracks()) {
        const auto known = last->track(t).ids.first(last->track(t).cache->length());
        const auto fresh = sequence->track(t).ids.first(sequence->track(t).prompt_size - 1);
        common = static_cast<std::size_t>(
            std::mismatch(known.begin(), known.end(), fresh.begin(), fresh.end()).first - known.begin());
      }
      (t == 0 ? impl_->cache : impl_->negative_cache).truncate(common);
    }
    impl_->current = std::make_shared<Sequence>(std::move(*sequence));

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
  impl_->negative_cache.truncate(0);
  impl_->current.reset();
}

}  // namespace partita
