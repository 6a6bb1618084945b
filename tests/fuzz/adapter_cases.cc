// An adapter of a tiny model. The first byte chooses its form: even, a GGUF adapter with changes; odd, a
// directory of PEFT in two texts, each up to a NUL: adapter_config.json, and the header of its safetensors
// file. What opens is applied to an answer.
#include <filesystem>

#include "tests/api/adapters/random_adapter.h"
#include "tests/fuzz/support.h"
#include "tests/must.h"
#include "weights/gguf/gguf.h"

namespace partita::internal::fuzz {
namespace {

/// A right adapter of the tiny model.
const std::string& right_adapter() {
  static const std::string bytes = [] {
    const Gguf model = testing::must(Gguf::open(tiny_model().info().path));
    const testing::AdapterSpec spec{
        .rank = 2, .tensors = {"token_embd.weight", "blk.0.attn_q.weight", "blk.1.ffn_down.weight"}};
    const auto file = testing::must(testing::random_adapter(model, spec).bytes());
    return std::string(reinterpret_cast<const char*>(file.data()), file.size());
  }();
  return bytes;
}

const std::string& peft_directory() {
  static const std::string path = [] {
    const std::string directory = scratch_directory() + "/adapter";
    std::filesystem::create_directory(directory);
    return directory;
  }();
  return path;
}

void try_adapter(const std::string& path) {
  const auto adapter = Adapter::open(path, tiny_model());
  if (!adapter) return require_message(adapter.error());
  require(adapter->info().tensors > 0 && adapter->info().rank > 0);
  auto session = testing::must(tiny_model().session());
  Request request;
  request.prompt = "hello";
  request.max_tokens = 2;
  request.sampling.temperature = 0;
  request.adapters = {{*adapter, 1}, {*adapter, -0.5F}};
  auto stream = session.generate(request);
  if (!stream) return require_message(stream.error());
  while (true) {
    const auto token = stream->next();
    if (!token) return require_message(token.error());  // numbers that overflow
    if (!*token) return;
  }
}

}  // namespace

void run_adapter(Bytes bytes) {
  Input input(bytes);
  if (input.byte() % 2 == 0) return try_adapter(MemoryFile(with_changes(right_adapter(), input)).path());
  put(peft_directory() + "/adapter_config.json", input.text());
  put(peft_directory() + "/adapter_model.safetensors", safetensors_of(input.text()));
  try_adapter(peft_directory());
}

}  // namespace partita::internal::fuzz
