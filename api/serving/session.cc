// Session: one conversation whose KV cache is kept between requests.
#include "api/serving/session.h"

#include <algorithm>

#include "api/serving/stream.h"
#include "engine/cache/kv_file.h"
#include "weights/catch_all.h"
#include "weights/try.h"

namespace partita {
using namespace internal;

Result<Session> Model::session() const {
  return catch_all([&]() -> Result<Session> {
    TRY(impl_->check_weights());
    return Session(std::make_shared<Session::Impl>(impl_));
  });
}

Session::Session(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;
Session::~Session() = default;

void Session::Impl::begin(Sequence sequence) {
  end_probe();
  const bool roles_differ = scheduler.engine().roles_differ();
  keep_common(cache, sequence, 0, roles_differ);
  keep_common(negative_cache, sequence, 1, roles_differ);
  // A chat that goes back one turn returns to here.
  cache.keep_snapshot();
  negative_cache.keep_snapshot();
  current = std::make_shared<Sequence>(std::move(sequence));
}

void Session::Impl::replace_cache(KvSequence other, std::vector<TokenId> ids, std::size_t prompt_size) {
  end_probe();
  current.reset();
  negative_cache.truncate(0);
  cache = std::move(other);
  loaded = std::move(ids);
  loaded_prompt = prompt_size;
}

void Session::Impl::begin_probe(std::span<const TokenId> ids, std::size_t most,
                                std::shared_ptr<const AdapterSet> adapters) {
  probe.set_rope_limit(model->transformer->config().rope_limit(most));
  probe.set_adapters(std::move(adapters));
  probe_ids.resize(probe.length());  // a change of either removes all
  const auto common = [&](std::span<const TokenId> held) {
    return static_cast<std::size_t>(std::mismatch(held.begin(), held.end(), ids.begin(), ids.end()).first -
                                    held.begin());
  };
  const Held known = held(cache);
  const bool roles_differ = scheduler.engine().roles_differ();
  const std::size_t mine = common(probe_ids);
  const std::size_t theirs = common(roles_differ ? known.ids.first(known.prompt_size) : known.ids);
  const bool forks = theirs > mine && cache.rope_limit() == probe.rope_limit() &&
                     cache.adapters_key() == probe.adapters_key();
  if (forks) probe = cache.fork();
  probe.truncate(forks ? theirs : mine);
  probe_ids.assign(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(probe.length()));
}

Result<Stream> Session::generate(const Request& request) {
  return catch_all([&]() -> Result<Stream> {
    auto sequence = Sequence::create(*impl_->model, request, impl_->cache, &impl_->negative_cache, kNoLimit,
                                     impl_->cancelled());
    if (!sequence) return sequence.error();
    if (impl_->draft != nullptr && sequence->drafter() != nullptr) {
      sequence->set_drafter(make_model_drafter(impl_->draft, *sequence));
    }
    impl_->begin(std::move(*sequence));
    return Stream(std::make_unique<Stream::Impl>(impl_));
  });
}

Result<void> Session::Impl::next(Sequence& sequence, Timing& timing, std::deque<Token>& tokens) {
  end_probe();
  Sequence* const alone = &sequence;
  outcomes.clear();
  while (outcomes.empty()) {
    const std::size_t before = cache.length();
    auto done = scheduler.step({&alone, 1}, cancelled(), timing, outcomes);
    if (!done) return done.error();
    release_unseen(*model, cache);
    release_unseen(*model, negative_cache);
    if (progress && before < sequence.prompt().size()) progress(cache.length(), sequence.prompt().size());
  }
  for (Outcome& outcome : outcomes) {
    // Tokens before an error are returned first; the next call meets the error again.
    if (!outcome.token) return tokens.empty() ? Result<void>(outcome.token.error()) : Result<void>();
    tokens.push_back(std::move(*outcome.token));
  }
  return {};
}

Result<void> Session::draft_with(const Model& smaller) {
  return catch_all([&]() -> Result<void> {
    TRY(impl_->model->check_compatible(smaller.impl()));
    impl_->draft = std::make_shared<DraftRuntime>(smaller.impl_);
    return {};
  });
}

Result<Session> Session::fork() const {
  return catch_all([&]() -> Result<Session> {
    auto other = std::make_shared<Session::Impl>(impl_->model);
    const TokenSource::Held held = impl_->held(impl_->cache);
    std::vector<std::byte> pages;
    write_pages(impl_->cache, [&](std::span<const std::byte> page) {
      pages.insert(pages.end(), page.begin(), page.end());
      return true;
    });
    KvSequence cache(other->pool);
    cache.set_rope_limit(impl_->cache.rope_limit());
    cache.set_adapters(impl_->cache.shared_adapters());
    std::span<const std::byte> rest = pages;
    const auto read_page = [&rest](std::span<std::byte> page) {
      std::copy_n(rest.begin(), page.size(), page.begin());
      rest = rest.subspan(page.size());
      return true;
    };
    TRY(read_pages(read_page, held.ids.size(), first_pages(impl_->cache), cache));
    other->replace_cache(std::move(cache), {held.ids.begin(), held.ids.end()}, held.prompt_size);
    other->draft = impl_->draft != nullptr ? std::make_shared<DraftRuntime>(impl_->draft->model) : nullptr;
    return Session(std::move(other));
  });
}

void Session::set_cancel(const CancelFlag* flag) noexcept { impl_->cancel = flag; }

void Session::set_progress(std::function<void(std::size_t, std::size_t)> progress) noexcept {
  impl_->progress = std::move(progress);
}

std::size_t Session::length() const noexcept { return impl_->cache.length(); }

const Counts& Session::counts() const noexcept { return impl_->scheduler.counts(); }

void Session::reset() noexcept {
  impl_->end_probe();
  impl_->cache.truncate(0);
  impl_->negative_cache.truncate(0);
  impl_->current.reset();
  impl_->loaded.clear();
  impl_->loaded_prompt = 0;
}

}  // namespace partita
