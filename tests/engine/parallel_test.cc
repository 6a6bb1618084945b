#include "engine/kernels/parallel.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "tests/catch.h"

namespace partita::test {
namespace {

using namespace std::chrono_literals;

/// A folder of /proc and /sys as a container would see them; gone with the object.
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

/// Seconds of processor time that this process has taken.
double processor_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

}  // namespace

TEST_CASE("a team shares everything out, once, and barriers hold") {
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

TEST_CASE("a quota of the container's group counts, in either version of groups") {
  const int machine = usable_threads("/nowhere");  // no quota there
  CHECK(machine >= 1);
  Container container;
  container.write("proc/self/cgroup", "4:cpu,cpuacct:/outer/inner\n0::/slice/unit\n");
  CHECK(container.threads() == machine);
  container.write("sys/fs/cgroup/slice/unit/cpu.max", "max 100000\n");
  CHECK(container.threads() == machine);
  container.write("sys/fs/cgroup/slice/cpu.max", "150000 100000\n");  // of an outer group; rounded up
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

TEST_CASE("a team does without a member that is held up, and takes it back") {
  Team team(2);
  bool held_up = true;
  int count = 0;
  const auto run_until = [&](int members) {
    const auto start = std::chrono::steady_clock::now();
    while (team.members() != members && std::chrono::steady_clock::now() - start < 30s) {
      team.run([&](const Worker& w) {
        if (w.index == 0) count = w.count;
        if (held_up && w.index == 1) std::this_thread::sleep_for(4ms);  // as if its core were busy
        w.wait();
      });
    }
    CHECK(team.members() == members);
  };
  run_until(1);
  CHECK(count == 2);
  held_up = false;
  run_until(2);
  CHECK(count == 1);
  CHECK(team.threads() == 2);
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
  std::this_thread::sleep_for(100ms);  // OpenMP's threads spin for some milliseconds before they sleep
  const double before = processor_seconds();
  std::this_thread::sleep_for(1s);
  CHECK(processor_seconds() - before < 0.005);
}

}  // namespace partita::test
