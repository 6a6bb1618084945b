// measure_imatrix(): the mean squares of what linear layers read.
#include <algorithm>
#include <cmath>
#include <utility>

#include "api/loaded_model.h"
#include "api/output_path.h"
#include "api/quantize/importance.h"
#include "api/quantize/text_chunks.h"
#include "engine/cache/kv_cache.h"
#include "engine/input_moments.h"
#include "engine/step.h"
#include "partita/partita.hpp"
#include "weights/catch_all.h"
#include "weights/gguf/writer.h"
#include "weights/sentence.h"
#include "weights/try.h"

namespace partita {
using namespace internal;
namespace {

Result<void> read_chunk(const LoadedModel& model, std::span<const TokenId> ids, Engine& engine,
                        std::vector<float>& hidden) {
  KvPool pool(model.transformer->states(), model.transformer->kv_type(), 0);
  KvSequence sequence(pool);
  sequence.set_rope_limit(model.transformer->config().rope_limit(ids.size()));
  const Chunk chunk{&sequence, ids, Role::kPrompt, ids.size()};
  return engine.step({&chunk, 1}, hidden.data());
}

/// Adds the two tensors of one entry.
Result<void> add_entry(const std::string& name, const InputMoments::Entry& entry, GgufWriter& file) {
  const std::uint64_t matrices = entry.rows.size(), columns = entry.squares.size() / matrices;
  const auto finite = [](double sum) { return std::isfinite(static_cast<float>(sum)); };
  if (!std::all_of(entry.squares.begin(), entry.squares.end(), finite)) {
    return Error{ErrorCode::kBadNumbers, sentence("what ", quoted(std::string_view(name)),
                                                  " reads is not finite on this text: "
                                                  "partita score --trace-nan finds where that begins")};
  }
  const std::vector<float> sums(entry.squares.begin(), entry.squares.end());
  const std::vector<float> counts(entry.rows.begin(), entry.rows.end());
  file.add_tensor(sentence(name, kSumsSuffix), Dtype::kF32, {matrices, columns}, sums);
  file.add_tensor(sentence(name, kCountsSuffix), Dtype::kF32, {matrices, 1}, counts);
  return {};
}

Result<void> write_importance(const InputMoments& moments, const ImatrixOptions& options, std::size_t chunks,
                              const std::string& path) {
  GgufWriter file;
  file.add("general.type", kImportanceType)
      .add(kDatasetsKey, std::vector<std::string>{options.dataset})
      .add(kChunkCountKey, static_cast<std::uint32_t>(chunks))
      .add(kChunkSizeKey, static_cast<std::uint32_t>(options.chunk));
  for (const auto& [name, entry] : moments.entries()) TRY(add_entry(name, entry, file));
  return file.write(path);
}

}  // namespace

Result<ImatrixResult> measure_imatrix(const std::string& model_path, std::string_view text,
                                      const std::string& path, const ImatrixOptions& options) {
  return catch_all([&]() -> Result<ImatrixResult> {
    const auto told = [&](double fraction) {
      return !options.progress || options.progress(static_cast<float>(fraction));
    };
    if (options.chunk < 2)
      return invalid("a chunk has ", options.chunk, " tokens, and at least 2 are needed");
    TRY(check_output_path(path));
    TRY(check_not_model(path, model_path));
    TRY(check_other_file(path, options.dataset, "the text that is read"));
    OpenOptions open;
    open.threads = options.threads;
    open.vocabulary = options.vocabulary;
    open.head = HeadKind::kFull;
    open.progress = [&](float) { return told(0); };
    const auto model = Model::open(model_path, open);
    if (!model) return model.error();
    const LoadedModel& impl = model->impl();
    if (options.chunk > impl.info.context_length) {
      return invalid("a chunk has ", options.chunk, " tokens, and the model's context holds ",
                     impl.info.context_length);
    }
    const auto chunks = text_chunks(impl, text, options.chunk);
    if (!chunks) return chunks.error();
    InputMoments moments;
    Engine engine(impl.transformer, impl.options.threads, options.chunk);
    engine.watch(&moments);
    std::vector<float> hidden(options.chunk * impl.info.hidden_size);
    for (std::size_t i = 0; i < chunks->size(); ++i) {
      if (!told(static_cast<double>(i) / static_cast<double>(chunks->size())))
        return Error{ErrorCode::kCancelled, "measuring importance was stopped"};
      TRY(read_chunk(impl, (*chunks)[i], engine, hidden));
    }
    ImatrixResult result;
    result.path = path;
    result.tensors = moments.entries().size();
    result.chunks = chunks->size();
    result.tokens = chunks->size() * options.chunk;
    TRY(write_importance(moments, options, result.chunks, path));
    return result;
  });
}

}  // namespace partita
