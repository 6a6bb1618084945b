// Checks of what the model meets on this machine: its memory, and the screen beside the file.
#include "api/doctor/check.h"
#include "api/doctor/memory.h"
#include "engine/tensor_loader.h"
#include "sampling/heads/screen_file.h"
#include "weights/input_file.h"
#include "weights/sentence.h"

namespace partita::internal {
namespace {

/// The most tokens whose cache fits into `bytes`, at most `tokens`.
std::uint64_t tokens_in(std::span<const StateShape> states, KvType type, std::uint64_t bytes,
                        std::uint64_t tokens) {
  std::uint64_t fits = 0;
  while (fits < tokens) {
    const std::uint64_t middle = fits + (tokens - fits + 1) / 2;
    if (cache_bytes(states, type, middle) > bytes) {
      tokens = middle - 1;
    } else {
      fits = middle;
    }
  }
  return fits;
}

/// The matrix of a dense head, packed as it is when the model is loaded.
Result<PackedMatrix> pack_head(const Subject& subject, PanelArena& arena) {
  TensorLoader tensors(subject.file, arena, subject.threads);
  const bool tied = !subject.file.has_tensor("output.weight");
  PackedMatrix matrix;
  const auto packed = tensors.matrix(tied ? "token_embd.weight" : "output.weight", subject.config->vocab_size,
                                     subject.config->hidden_size, matrix);
  return packed ? Result<PackedMatrix>(matrix) : Result<PackedMatrix>(packed.error());
}

}  // namespace

void check_memory(const Subject& subject, Report& report) {
  const auto free = free_memory();
  const std::uint64_t weights = weight_bytes(subject.file);
  if (!free) return;
  if (weights > *free) {
    report.error(
        sentence("the weights take ", size_text(weights), " in memory, and ", size_text(*free), " are free"),
        "take a smaller model or type, or a machine with more memory");
    return;
  }
  if (subject.shapes == nullptr) return;
  const auto& states = subject.shapes->states();
  const KvType type = subject.shapes->kv_type();
  const std::uint64_t context = subject.context > 0 ? subject.context : subject.config->context_length;
  const std::uint64_t cache = cache_bytes(states, type, context);
  if (weights + cache <= *free) return;
  report.warning(sentence("the weights take ", size_text(weights), ", the cache of ", context, " tokens ",
                          size_text(cache), ", and ", size_text(*free), " are free"),
                 sentence("keep texts below ", tokens_in(states, type, *free - weights, context),
                          " tokens, or take --cache i8 or --attention-window"));
}

void check_screen(const Subject& subject, Report& report) {
  const std::string path = screen_path(subject.path);
  if (subject.shapes == nullptr || !InputFile::open(path)) return;
  constexpr std::string_view kRemedy =
      "make it again with partita prepare, or delete it: the full head is used";
  const std::string refusal = subject.shapes->output().screen_refusal();
  if (!refusal.empty()) {
    report.warning(sentence("there is a screen \"", printable(path), "\", and the model has ", refusal),
                   "delete it: the full head is used");
    return;
  }
  PanelArena arena;
  const auto matrix = pack_head(subject, arena);
  const auto screen = matrix ? read_screen(path, *matrix) : Result<Screen>(matrix.error());
  if (!screen) report.warning(screen.error().message, std::string(kRemedy));
}

}  // namespace partita::internal
