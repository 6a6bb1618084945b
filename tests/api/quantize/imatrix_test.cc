// Importance matrices: what a layer reads, against its definition; experts; files.
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "api/quantize/importance.h"
#include "engine/input_moments.h"
#include "engine/step.h"
#include "partita/partita.hpp"
#include "tests/api/tiny_chat.h"
#include "tests/catch.h"
#include "tests/must.h"
#include "weights/codecs/codec.h"
#include "weights/gguf/gguf.h"

namespace partita::internal::testing {
namespace {

namespace fs = std::filesystem;
using Catch::Matchers::Contains;

constexpr std::size_t kChunk = 20, kChunks = 3;

std::string contents(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::vector<float> values_of(const Gguf& file, const std::string& name) {
  const TensorView& tensor = *file.find_tensor(name);
  std::vector<std::byte> buffer;
  const auto bytes = must(file.read(tensor.bytes, buffer));
  std::vector<float> values(tensor.shape.elements());
  codec(tensor.dtype).dequantize(bytes.data(), values.size(), values.data());
  return values;
}

/// A model, and its importance on a text of kChunks chunks and a rest.
struct Measured {
  ChatModelFile model;
  std::string text = long_text(kChunk * kChunks + kChunk / 2);
  std::string path = model.path() + ".imatrix";
  ImatrixResult result;

  explicit Measured(int threads = 1) {
    ImatrixOptions options;
    options.threads = threads;
    options.chunk = kChunk;
    options.dataset = "letters";
    result = must(measure_imatrix(model.path(), text, path, options));
  }
  ~Measured() { fs::remove(path); }
};

/// What the first layer's attention reads: the normed embeddings of the tokens; sums of squares in float64.
std::vector<double> normed_squares(const Gguf& file, const std::vector<TokenId>& ids) {
  const auto embedding = values_of(file, "token_embd.weight"),
             norm = values_of(file, "blk.0.attn_norm.weight");
  const std::size_t width = norm.size();
  const double eps = must(file.get_float("llama.attention.layer_norm_rms_epsilon"));
  std::vector<double> squares(width);
  for (const TokenId id : ids) {
    const float* row = embedding.data() + static_cast<std::size_t>(id) * width;
    double mean = 0;
    for (std::size_t c = 0; c < width; ++c) mean += static_cast<double>(row[c]) * static_cast<double>(row[c]);
    mean /= static_cast<double>(width);
    for (std::size_t c = 0; c < width; ++c) {
      const double x = static_cast<double>(row[c]) * static_cast<double>(norm[c]);
      squares[c] += x * x / (mean + eps);
    }
  }
  return squares;
}

}  // namespace

TEST_CASE("the importance of a layer is the mean square of what it reads") {
  const Measured measured;
  CHECK(measured.result.chunks == kChunks);
  CHECK(measured.result.tokens == kChunk * kChunks);
  const Gguf model = must(Gguf::open(measured.model.path()));
  auto ids = must(must(Model::open(measured.model.path())).tokenize(measured.text));
  ids.resize(kChunk * kChunks);
  const std::vector<double> expected = normed_squares(model, ids);
  const Gguf file = must(Gguf::open(measured.path));
  for (const char* name : {"attn_q", "attn_k", "attn_v"}) {
    const std::string tensor = std::string("blk.0.") + name + ".weight";
    const auto sums = values_of(file, tensor + ".in_sum2");
    CHECK(values_of(file, tensor + ".counts") == std::vector<float>{kChunk * kChunks});
    REQUIRE(sums.size() == expected.size());
    for (std::size_t c = 0; c < sums.size(); ++c) {
      CAPTURE(tensor, c);
      CHECK(std::fabs(static_cast<double>(sums[c]) - expected[c]) <= 1e-4 * expected[c]);
    }
  }
  CHECK(must(file.get_string("general.type")) == "imatrix");
  CHECK(must(file.get_uint("imatrix.chunk_count")) == kChunks);
  CHECK(must(file.get_uint("imatrix.chunk_size")) == kChunk);
  const Importance importance = must(Importance::open(measured.path));
  CHECK(importance.dataset == "letters");
  CHECK(importance.columns.size() == measured.result.tensors);
  CHECK(measured.result.tensors == 2 * 7);  // all matrices of two layers
}

TEST_CASE("the bytes of an importance file do not depend on the threads") {
  CHECK(contents(Measured(1).path) == contents(Measured(3).path));
}

TEST_CASE("each expert counts the rows that reach it") {
  const fs::path path = fs::path(PARTITA_TEST_DATA) / "families" / "olmoe.gguf";
  const Gguf file = must(Gguf::open(path));
  const std::uint64_t used = must(file.get_uint("olmoe.expert_used_count")),
                      experts = must(file.get_uint("olmoe.expert_count"));
  const auto model = must(Transformer::load(file, {}));
  for (const std::size_t rows : {std::size_t{2}, std::size_t{40}}) {  // planned by each worker, and together
    KvPool pool(model->states(), model->kv_type(), 0);
    KvSequence sequence(pool);
    std::vector<std::int32_t> ids;
    for (std::size_t i = 0; i < rows; ++i) ids.push_back(static_cast<std::int32_t>(i * 7 % 100));
    Engine engine(model, 2, rows);
    InputMoments moments;
    engine.watch(&moments);
    std::vector<float> hidden(rows * model->config().hidden_size);
    const Chunk chunk{&sequence, ids, partita::internal::Role::kPrompt, rows};
    must(engine.step({&chunk, 1}, hidden.data()).ok(), "the step failed");
    for (const char* name : {"ffn_up_exps", "ffn_gate_exps", "ffn_down_exps"}) {
      const InputMoments::Entry& entry = moments.entries().at(std::string("blk.0.") + name + ".weight");
      CAPTURE(rows, name);
      CHECK(entry.rows.size() == experts);
      std::uint64_t all = 0;
      for (const std::uint64_t one : entry.rows) all += one;
      CHECK(all == rows * used);
      const std::size_t cols = entry.squares.size() / experts;
      for (std::size_t e = 0; e < experts; ++e) {
        double sum = 0;
        for (std::size_t c = 0; c < cols; ++c) sum += entry.squares[e * cols + c];
        CHECK((sum > 0) == (entry.rows[e] > 0));
      }
    }
  }
}

TEST_CASE("texts and paths of which no importance can be measured") {
  const ChatModelFile model;
  const std::string path = model.path() + ".imatrix";
  const auto refused = [&](const std::string& text, const std::string& to, std::size_t chunk) {
    ImatrixOptions options;
    options.chunk = chunk;
    const auto result = measure_imatrix(model.path(), text, to, options);
    CHECK_FALSE(result);
    CHECK_FALSE(fs::exists(path));
    return result ? std::string() : result.error().message;
  };
  CHECK_THAT(refused("hello", path, 64), Contains("a chunk 64"));
  CHECK_THAT(refused(long_text(100), path, 1), Contains("at least 2"));
  CHECK_THAT(refused(long_text(100), path, 1 << 20), Contains("context holds"));
  CHECK_THAT(refused(long_text(100), model.path(), 20), Contains("name another file"));
}

}  // namespace partita::internal::testing
