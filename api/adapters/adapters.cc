#include "api/adapters/adapters.h"

#include <cmath>
#include <vector>

#include "api/adapters/read_adapter.h"
#include "api/model_file.h"
#include "engine/adapter_loader.h"
#include "partita/partita.hpp"
#include "weights/catch_all.h"
#include "weights/sentence.h"
#include "weights/try.h"

namespace partita {
using namespace internal;

Result<Adapter> Adapter::open(const std::string& path, const Model& model) {
  return catch_all([&]() -> Result<Adapter> {
    const LoadedModel& of = model.impl();
    TRY(of.check_weights());
    auto tensors = read_adapter(path, of.info.family, [&](const auto& known) {
      return is_checkpoint(of.info.path) ? map_checkpoint(of.info.path)
                                         : map_model(of.transformer->config(), known);
    });
    if (!tensors) return tensors.error();
    auto loaded = load_adapter(*std::move(tensors), of.transformer);
    if (!loaded) return loaded.error();
    const bool few_logits = of.info.head == "budgeted";
    if (few_logits && (*loaded)->changes(of.transformer->output().root.index))
      return invalid(
          "the adapter '", printable(path),
          "' changes the output, and a budget of logits is for the output as it is: leave one of them");
    return Adapter(*std::move(loaded));
  });
}

AdapterInfo Adapter::info() const {
  return {loaded_->path(),     loaded_->name(),    loaded_->digest(),
          loaded_->max_rank(), loaded_->tensors(), loaded_->bytes()};
}

namespace internal {

Result<std::shared_ptr<const AdapterSet>> adapter_set(const LoadedModel& model,
                                                      std::span<const AppliedAdapter> adapters) {
  if (adapters.size() > kMaxAdapters)
    return invalid("a request has ", adapters.size(), " adapters; the limit is ", kMaxAdapters);
  std::vector<ScaledAdapter> scaled;
  for (const auto& [adapter, scale] : adapters) {
    const LoadedAdapter& loaded = *adapter.loaded();
    if (&loaded.model() != model.transformer.get())
      return invalid("the adapter '", printable(loaded.path()), "' was opened for another model than '",
                     printable(model.info.path), "': open it for this one");
    TRY(check_scale(loaded.path(), scale));
    scaled.push_back({adapter.loaded(), scale});
  }
  return AdapterSet::make(std::move(scaled));
}

std::string adapters_text(const AdapterSet* set) {
  if (set == nullptr) return "no adapters";
  std::string text = set->adapters().size() == 1 ? "the adapter " : "the adapters ";
  for (const ScaledAdapter& one : set->adapters()) {
    if (&one != &set->adapters().front()) text += ", ";
    text += sentence("'", printable(one.adapter->name()), "' (scale ",
                     rounded_text(static_cast<double>(one.scale)), ")");
  }
  return text;
}

}  // namespace internal
}  // namespace partita
