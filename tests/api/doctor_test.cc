// partita::diagnose() as a library call, and what it knows of memory. Faulty models:
// tests/tools/doctor_test.py.
#include "api/doctor/memory.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "api/doctor/tensor_facts.h"
#include "api/template_kind.h"
#include "engine/model.h"
#include "tests/api/tiny_chat.h"
#include "tests/catch.h"
#include "tests/must.h"
#include "weights/gguf/writer.h"

namespace partita::internal::testing {
namespace {

namespace fs = std::filesystem;

/// A folder of /proc and /sys; deleted with the object.
class Machine {
 public:
  Machine() : root_(fs::temp_directory_path() / ("partita_machine_" + std::to_string(getpid()))) {}
  ~Machine() { fs::remove_all(root_); }
  void write(const std::string& path, const std::string& text) {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
  }
  std::optional<std::uint64_t> free() const { return free_memory(root_.string()); }

 private:
  fs::path root_;
};

TEST_CASE("Free memory is what the machine has available, or the container's limit") {
  Machine machine;
  CHECK_FALSE(machine.free());
  machine.write("proc/meminfo",
                "MemTotal:  16000 kB\nMemFree:  1000 kB\nMemAvailable:  8000 kB\nBuffers: 1 kB\n");
  CHECK(machine.free() == 8000u * 1024);
  machine.write("proc/self/cgroup", "0::/slice/unit\n");
  machine.write("sys/fs/cgroup/slice/unit/memory.max", "max\n");
  CHECK(machine.free() == 8000u * 1024);
  machine.write("sys/fs/cgroup/slice/memory.max", "1000000\n");  // of a parent cgroup
  CHECK(machine.free() == 1000000);
  machine.write("proc/self/cgroup", "4:memory:/box\n0::/\n");
  machine.write("sys/fs/cgroup/memory/box/memory.limit_in_bytes", "2000000\n");
  CHECK(machine.free() == 2000000);
}

TEST_CASE("The cache of a sequence takes whole pages of keys and values, and its fixed states") {
  const StateShape states[] = {KvShape{.heads = 2, .widths = {64, 64}}, FixedShape{1000}};
  const std::uint64_t page = 2 * 64 * (64 + 64) * 2;  // heads, tokens, K and V, bytes of f16
  CHECK(cache_bytes(states, KvType::kF16, 0) == 1000);
  CHECK(cache_bytes(states, KvType::kF16, 1) == page + 1000);
  CHECK(cache_bytes(states, KvType::kF16, 640) == 10 * page + 1000);
  CHECK(cache_bytes(states, KvType::kF16, 641) == 11 * page + 1000);
}

TEST_CASE("A model whose shapes alone are checked keeps what a loaded one keeps") {
  const ChatModelFile file;
  const Gguf gguf = must(Gguf::open(file.path()));
  LoadOptions shapes_only;
  shapes_only.shapes_only = true;
  const auto shapes = must(Transformer::load(gguf, shapes_only));
  const auto loaded = must(Transformer::load(gguf, {}));
  CHECK(shapes->states().size() == loaded->states().size());
  CHECK(shapes->bytes_per_token() == loaded->bytes_per_token());
  CHECK(cache_bytes(shapes->states(), KvType::kF16, 1000) ==
        cache_bytes(loaded->states(), KvType::kF16, 1000));
}

/// A tensor that takes several slices, and a short one.
Gguf odd_numbers(std::vector<std::byte>& bytes) {
  const std::size_t columns = std::size_t{1} << 18;
  std::vector<float> values(12 * columns);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i % 977);
  values[5 * columns + 7] = NAN;
  values[11 * columns] = -INFINITY;
  values[11 * columns + 1] = INFINITY;
  GgufWriter writer;
  writer.add_tensor("long", Dtype::kF32, {12, columns}, values);
  writer.add_tensor("equal", Dtype::kQ8_0, {2, 32}, std::vector<float>(64, 0.5F));
  bytes = must(writer.bytes());
  return must(Gguf::parse(bytes, "odd"));
}

TEST_CASE("The facts of tensors are the same on any number of threads") {
  std::vector<std::byte> bytes;
  const Gguf file = odd_numbers(bytes);
  const std::vector<TensorFacts> one = must(read_facts(file, 1, {}));
  REQUIRE(one.size() == 2);
  CHECK(one[0].nan == 1);
  CHECK(one[0].infinite == 2);
  CHECK(one[0].first_bad == 5 * (1 << 18) + 7);
  CHECK_FALSE(one[0].constant);
  CHECK(one[1].constant);
  CHECK(one[1].nan + one[1].infinite == 0);
  for (const int threads : {2, 3}) {
    const std::vector<TensorFacts> many = must(read_facts(file, threads, {}));
    CHECK(many[0].digest == one[0].digest);
    CHECK(many[0].first_bad == one[0].first_bad);
    CHECK(many[0].infinite == 2);
    CHECK(many[1].value == one[1].value);
  }
  CHECK(one[0].digest != one[1].digest);
}

TEST_CASE("Diagnosing can be cancelled, and reports its progress") {
  const ChatModelFile file;
  float last = 0;
  const auto watch = [&](float done) { return last = done, true; };
  CHECK(must(diagnose(file.path(), {.progress = watch})).empty());
  CHECK(last == 1);
  const auto stopped = diagnose(file.path(), {.progress = [](float) { return false; }});
  REQUIRE_FALSE(stopped);
  CHECK(stopped.error().code == ErrorCode::kCancelled);
  CHECK(diagnose(file.path(), {.threads = 2000, .progress = {}}).error().code == ErrorCode::kInvalidArgument);
  CHECK(diagnose("/nowhere/model.gguf").error().code == ErrorCode::kNotFound);
}

TEST_CASE("An open model is diagnosed by its metadata") {
  ChatFile what;
  what.chat_template = "{{ nothing.at.all }}";
  const ChatModelFile file(what);
  const auto findings = must(diagnose(must(Model::open(file.path()))));
  REQUIRE(findings.size() == 1);
  CHECK(findings.front().code == "template");
  CHECK(findings.front().severity == Severity::kError);
  CHECK(name(findings.front().severity) == "error");
}

TEST_CASE("Chat templates are known by their marks") {
  CHECK(template_kind("{{ '<|im_start|>' + m.role }}") == "ChatML");
  CHECK(template_kind("<|start_header_id|>{{ m.role }}") == "Llama 3");
  CHECK(template_kind("{{ m.content }}") == "other");
}

}  // namespace
}  // namespace partita::internal::testing
