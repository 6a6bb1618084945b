#include "engine/kernels/parallel.h"

#include <algorithm>
#include <exception>
#include <utility>

#include "engine/kernels/thread_pool.h"

namespace partita::internal {

Team::Team(int threads) : Team(threads > 1 ? ThreadPool::shared() : nullptr, threads) {}

Team::Team(std::shared_ptr<ThreadPool> pool, int threads) : pool_(std::move(pool)) {
  if (pool_ == nullptr || threads <= 1) return;
  threads_ = pool_->grow(threads);
  region_ = pool_->acquire_region();
}

Team::~Team() {
  if (region_ != nullptr) pool_->release_region(region_);
}

int Team::members() const { return threads_ == 1 ? 1 : pool_->contention().members(threads_); }

void Team::enter(RegionBody body, void* context) {
  const auto alone = [&] { body(context, Worker{}); };
  if (threads_ == 1 || pool_->forked()) return alone();
  const Contention::Time start = Contention::now();
  const int members = pool_->contention().next_members(threads_, start);
  if (members == 1) return alone();
  pool_->call(*region_, members - 1, body, context);
  if (region_->members().empty()) return alone();

  region_->start(start, members <= pool_->cores());
  const Worker caller{0, static_cast<int>(region_->members().size()) + 1, region_, nullptr};
  try {
    body(context, caller);
  } catch (const LeftRegion&) {
  } catch (...) {
    region_->fail(std::current_exception());
  }
  region_->finish(caller);
  if (const std::exception_ptr failure = region_->failure()) std::rethrow_exception(failure);
}

}  // namespace partita::internal
