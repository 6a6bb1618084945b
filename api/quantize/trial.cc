#include "api/quantize/trial.h"

#include <algorithm>
#include <utility>

#include "api/loaded_model.h"
#include "api/open_model.h"
#include "api/quantize/text_chunks.h"
#include "partita/partita.hpp"
#include "weights/try.h"

namespace partita::internal {
namespace {

constexpr std::size_t kChunkTokens = 256, kChunks = 2;

OpenOptions open_options(int threads) {
  OpenOptions options;
  options.threads = threads;
  options.head = HeadKind::kFull;  // a screen would be the model's own
  return options;
}

/// At most kChunks of all, evenly spaced.
std::vector<std::vector<TokenId>> some_of(std::vector<std::vector<TokenId>> all) {
  std::vector<std::vector<TokenId>> some;
  const std::size_t count = std::min(all.size(), kChunks);
  for (std::size_t i = 0; i < count; ++i) some.push_back(std::move(all[i * all.size() / count]));
  return some;
}

}  // namespace

Result<Trial> Trial::open(const std::string& path, std::string_view text, int threads) {
  const auto model = Model::open(path, open_options(threads));
  if (!model) return model.error();
  const LoadedModel& impl = model->impl();
  auto chunks = text_chunks(impl, text, std::min(kChunkTokens, std::size_t{impl.info.context_length}));
  if (!chunks) return chunks.error();
  auto session = model->session();
  if (!session) return session.error();
  return Trial(*std::move(session), some_of(*std::move(chunks)), threads);
}

Result<double> Trial::divergence(Gguf changed) {
  const std::string path = changed.path();
  const auto model = ModelOpener::open(std::move(changed), path, open_options(threads_));
  if (!model) return model.error();
  auto session = model->session();
  if (!session) return session.error();
  double sum = 0;
  for (const std::vector<TokenId>& ids : chunks_) {
    const auto scored = session->score_against(ids, model_);
    if (!scored) return scored.error();
    sum += scored->second.kl_mean;
  }
  return sum / static_cast<double>(chunks_.size());
}

}  // namespace partita::internal
