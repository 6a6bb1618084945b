#include "engine/kernels/parallel.h"

#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "engine/kernels/contention.h"
#include "engine/kernels/thread_pool.h"
#include "engine/kernels/usable_threads.h"
#include "tests/catch.h"

namespace partita::internal::test {
namespace {

using namespace std::chrono_literals;

/// A folder of /proc and /sys as in a container; deleted with the object.
class Container {
 public:
  Container()
      : root_(std::filesystem::temp_directory_path() / ("partita_container_" + std::to_string(getpid()))) {}
  ~Container() { std::filesystem::remove_all(root_); }

  void write(const std::string& path, const std::string& text) {
    const std::filesystem::path file = root_ / path;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text;
  }
  int threads() const { return usable_threads(root_.string()); }

 private:
  std::filesystem::path root_;
};

/// Seconds of processor time that this process has used.
double processor_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

/// Number of tasks of this process.
std::size_t count_tasks() {
  std::size_t tasks = 0;
  for ([[maybe_unused]] const auto& task : std::filesystem::directory_iterator("/proc/self/task")) ++tasks;
  return tasks;
}

/// A pthread_create that creates one thread more and then fails.
int create_one(pthread_t* thread, const pthread_attr_t* attributes, void* (*start)(void*), void* argument) {
  static std::atomic<int> left{1};
  return left-- > 0 ? pthread_create(thread, attributes, start, argument) : EAGAIN;
}
int create_none(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*) { return EAGAIN; }

/// A computation of a team that uses index and count of the members of each phase, on which the result must
/// not depend.
std::vector<int> compute(Team& team, std::size_t items, int phases) {
  std::vector<int> from(items, 1), to(items);
  team.run([&](const Worker& w) {
    for (int phase = 0; phase < phases; ++phase) {
      const auto& read = phase % 2 == 0 ? from : to;
      auto& write = phase % 2 == 0 ? to : from;
      const auto [first, last] = w.share(items);
      for (std::size_t i = first; i < last; ++i) write[i] = read[i] + read[(i + 1) % items] % 7;
      w.wait();
    }
  });
  return phases % 2 == 0 ? from : to;
}

}  // namespace

TEST_CASE("a team divides all work, each item once, and barriers hold") {
  for (const int threads : {1, 2, 3, 8}) {
    std::vector<int> done(1000);
    std::atomic<int> arrived{0};
    bool early = false;
    parallel(threads, [&](const Worker& w) {
      const auto [first, last] = w.share(done.size(), 16);
      for (std::size_t i = first; i < last; ++i) ++done[i];
      for (int round = 1; round <= 50; ++round) {
        ++arrived;
        w.wait();
        if (arrived.load() < round * w.count) early = true;
        w.wait();
      }
    });
    CHECK(std::count(done.begin(), done.end(), 1) == 1000);
    CHECK_FALSE(early);
  }
}

TEST_CASE("the CPU quota of the container's cgroup counts, in both cgroup versions") {
  const int machine = usable_threads("/nowhere");  // no quota there
  CHECK(machine >= 1);
  Container container;
  container.write("proc/self/cgroup", "4:cpu,cpuacct:/outer/inner\n0::/slice/unit\n");
  CHECK(container.threads() == machine);
  container.write("sys/fs/cgroup/slice/unit/cpu.max", "max 100000\n");
  CHECK(container.threads() == machine);
  container.write("sys/fs/cgroup/slice/cpu.max", "150000 100000\n");  // of a parent cgroup; rounded up
  CHECK(container.threads() == std::min(machine, 2));
  container.write("sys/fs/cgroup/slice/unit/cpu.max", "50000 100000\n");
  CHECK(container.threads() == 1);
  container.write("sys/fs/cgroup/slice/unit/cpu.max", "max 100000\n");
  container.write("sys/fs/cgroup/cpu/outer/inner/cpu.cfs_quota_us", "-1\n");
  container.write("sys/fs/cgroup/cpu/outer/inner/cpu.cfs_period_us", "100000\n");
  CHECK(container.threads() == std::min(machine, 2));
  container.write("sys/fs/cgroup/cpu/outer/inner/cpu.cfs_quota_us", "100000\n");
  CHECK(container.threads() == 1);
}

TEST_CASE("one core of affinity is one thread") {
  cpu_set_t before;
  REQUIRE(sched_getaffinity(0, sizeof before, &before) == 0);
  int core = 0;
  while (!CPU_ISSET(core, &before)) ++core;
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(core, &one);
  REQUIRE(sched_setaffinity(0, sizeof one, &one) == 0);
  const int threads = usable_threads();
  REQUIRE(sched_setaffinity(0, sizeof before, &before) == 0);
  CHECK(threads == 1);
}

TEST_CASE("a team drops a member that is delayed, and takes it back") {
  Team team(std::make_shared<ThreadPool>(), 2);
  bool held_up = true;
  const auto run_until = [&](int members) {
    const auto start = std::chrono::steady_clock::now();
    while (team.members() != members && std::chrono::steady_clock::now() - start < 30s) {
      team.run([&](const Worker& w) {
        if (held_up && w.index == 1) std::this_thread::sleep_for(4ms);  // as if its core were busy
        w.wait();
      });
    }
    CHECK(team.members() == members);
  };
  run_until(1);
  int count = 0;
  team.run([&](const Worker& w) { count = w.count; });
  CHECK(count == 1);
  held_up = false;
  run_until(2);
  CHECK(team.threads() == 2);
}

TEST_CASE("a region continues without a member that delays it") {
  // A member that is late at every barrier would make a hundred phases take two seconds.
  Team team(std::make_shared<ThreadPool>(), 2);
  std::vector<int> last_count;
  std::chrono::steady_clock::duration took{};
  for (int attempt = 0; attempt < 50 && last_count.empty(); ++attempt) {
    const auto start = std::chrono::steady_clock::now();
    bool together = false;
    int count = 0;
    team.run([&](const Worker& w) {
      if (w.index == 0) together = w.count == 2;
      for (int phase = 0; phase < 100; ++phase) {
        if (w.index == 1) std::this_thread::sleep_for(20ms);
        w.wait();
        if (w.index == 0) count = w.count;
      }
    });
    took = std::chrono::steady_clock::now() - start;
    if (together) last_count.push_back(count);  // else there was no core for the other member
    std::this_thread::sleep_for(together ? 0ms : 100ms);
  }
  REQUIRE(last_count.size() == 1);
  CHECK(last_count.front() == 1);
  CHECK(took < 1s);
  CHECK(team.members() == 1);
}

TEST_CASE("what a team computes does not depend on members that are dropped") {
  constexpr std::size_t kItems = 1000;
  constexpr int kPhases = 40;
  Team alone(1);
  const std::vector<int> expected = compute(alone, kItems, kPhases);
  for (int round = 0; round < 8; ++round) {
    Team team(std::make_shared<ThreadPool>(), 4);
    std::vector<int> from(kItems, 1), to(kItems);
    team.run([&](const Worker& w) {
      for (int phase = 0; phase < kPhases; ++phase) {
        const auto& read = phase % 2 == 0 ? from : to;
        auto& write = phase % 2 == 0 ? to : from;
        if (w.index == round % 4 && phase % 3 == 1) std::this_thread::sleep_for(9ms);
        const auto [first, last] = w.share(kItems);
        for (std::size_t i = first; i < last; ++i) write[i] = read[i] + read[(i + 1) % kItems] % 7;
        w.wait();
      }
    });
    CHECK(from == expected);
  }
}

TEST_CASE("where threads cannot be created a team has fewer members") {
  const auto none = std::make_shared<ThreadPool>(create_none);
  CHECK(none->grow(8) == 1);
  Team alone(none, 8);
  CHECK(alone.threads() == 1);
  const auto one = std::make_shared<ThreadPool>(create_one);
  CHECK(one->grow(8) == 2);
  Team pair(one, 8);
  CHECK(pair.threads() == 2);
  CHECK(compute(pair, 1000, 9) == compute(alone, 1000, 9));
}

TEST_CASE("a pool has one thread fewer than the largest team, which brings its own") {
  std::this_thread::sleep_for(100ms);  // joined threads leave /proc a little later
  const std::size_t before = count_tasks();
  ThreadPool pool;
  CHECK(pool.grow(1) == 1);
  CHECK(count_tasks() == before);
  for (const int threads : {4, 2, 4}) {
    CHECK(pool.grow(threads) == threads);
    CHECK(count_tasks() == before + 3);
  }
}

TEST_CASE("teams of one process share its threads") {
  Team first(3);
  compute(first, 100, 3);
  const std::size_t tasks = count_tasks();
  Team second(3), third(2);
  compute(second, 100, 3);
  compute(third, 100, 3);
  CHECK(count_tasks() == tasks);
}

TEST_CASE("teams run at once, and within each other") {
  const auto pool = std::make_shared<ThreadPool>();
  Team alone(1);
  const std::vector<int> expected = compute(alone, 1000, 25);
  std::vector<std::thread> callers;
  std::atomic<int> good{0};
  for (int caller = 0; caller < 4; ++caller) {
    callers.emplace_back([&] {
      Team team(pool, 3);
      for (int round = 0; round < 50; ++round) good += compute(team, 1000, 25) == expected ? 1 : 0;
    });
  }
  for (std::thread& caller : callers) caller.join();
  CHECK(good == 200);
  Team outer(pool, 2);
  std::atomic<int> inner{0};
  outer.run([&](const Worker&) {
    Team team(pool, 2);
    inner += compute(team, 1000, 25) == expected ? 1 : -100;
  });
  CHECK(inner >= 1);
}

TEST_CASE("an exception on any member reaches the caller, and the team goes on") {
  Team team(std::make_shared<ThreadPool>(), 3);
  Team alone(1);
  const std::vector<int> expected = compute(alone, 100, 5);
  for (int round = 0; round < 60; ++round) {
    std::atomic<int> after{0};
    const auto fail = [&] {
      team.run([&](const Worker& w) {
        w.wait();
        if (w.index == round % 3 % w.count) throw std::runtime_error("no memory");
        w.wait();
        if (w.count > 1) ++after;
        w.wait();
      });
    };
    CHECK_THROWS_AS(fail(), std::runtime_error);
    CHECK(after == 0);
    CHECK(compute(team, 100, 5) == expected);
  }
}

TEST_CASE("if several members fail, the caller gets the first exception") {
  Team team(std::make_shared<ThreadPool>(), 2);
  for (int round = 0; round < 5; ++round) {
    std::atomic<bool> failed{false};
    const auto fail = [&] {
      team.run([&](const Worker& w) {
        if (w.index == 0) {
          failed = true;
          throw std::runtime_error("the first");
        }
        while (!failed) std::this_thread::yield();
        std::this_thread::sleep_for(50ms);
        throw std::runtime_error("the second");
      });
    };
    CHECK_THROWS_WITH(fail(), "the first");
  }
}

TEST_CASE("the child of a fork computes on the thread it has") {
  Team team(3);
  const std::vector<int> expected = compute(team, 1000, 5);
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    alarm(20);  // ends it if it hangs
    const bool good = compute(team, 1000, 5) == expected;
    bool fresh = true;
#if !defined(__SANITIZE_THREAD__)  // ThreadSanitizer lets no child of a fork create threads
    Team another(2);
    fresh = another.threads() == 2 && compute(another, 1000, 5) == expected && count_tasks() == 2;
#endif
    _exit(good && fresh ? 0 : 1);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
  CHECK(compute(team, 1000, 5) == expected);
}

TEST_CASE("contention is learned, and forgotten after a pause") {
  using Time = Contention::Time;
  const auto at = [](std::chrono::milliseconds time) { return Time(time + 1000s); };
  Contention contention;
  CHECK(contention.next_members(4, at(0ms)) == 4);
  CHECK_FALSE(contention.record(5ms, 5ms, 4, at(5ms)));  // a time slice of the scheduler
  CHECK_FALSE(contention.record(0ms, 100ms, 4, at(105ms)));
  CHECK_FALSE(contention.record(6ms, 8ms, 4, at(113ms)));
  CHECK(contention.record(6ms, 8ms, 4, at(121ms)));
  CHECK(contention.members(4) == 3);
  CHECK(contention.members(2) == 2);
  CHECK_FALSE(contention.record(5ms, 5ms, 3, at(126ms)));  // earlier waiting no longer counts
  CHECK_FALSE(contention.record(0ms, 100ms, 3, at(226ms)));
  CHECK(contention.next_members(4, at(160ms)) == 3);
  CHECK(contention.next_members(4, at(400ms)) == 4);   // a trial
  CHECK(contention.record(28ms, 30ms, 4, at(430ms)));  // which fails: trials may cost a twentieth of the time
  CHECK(contention.next_members(4, at(800ms)) == 3);
  CHECK(contention.next_members(4, at(1000ms)) == 4);
  for (std::chrono::milliseconds time = 1000ms; time < 60s; time += 100ms) {
    if (contention.next_members(4, at(time)) == 4) CHECK(contention.record(28ms, 28ms, 4, at(time + 28ms)));
  }
  CHECK(contention.members(4) == 3);
}

TEST_CASE("a team of one runs where it is called") {
  const auto caller = std::this_thread::get_id();
  std::thread::id runner;
  Team team(0);
  team.run([&](const Worker& w) {
    runner = std::this_thread::get_id();
    CHECK(w.count == 1);
  });
  CHECK(team.threads() == 1);
  CHECK(runner == caller);
}

TEST_CASE("an idle team takes no processor time") {
  Team team(4);
  for (int i = 0; i < 100; ++i) team.run([](const Worker& w) { w.wait(); });
  std::this_thread::sleep_for(100ms);  // threads spin for a while before they sleep
  const double before = processor_seconds();
  std::this_thread::sleep_for(1s);
  CHECK(processor_seconds() - before < 0.005);
}

}  // namespace partita::internal::test
