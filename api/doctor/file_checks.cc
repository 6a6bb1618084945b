// Checks of what the file is, and of its tensors by name, type and shape.
#include "api/adapters/gguf_adapter.h"
#include "api/doctor/check.h"
#include "engine/models/config_reader.h"
#include "engine/models/families.h"
#include "weights/sentence.h"

namespace partita::internal {

void check_kind(const Subject& subject, Report& report) {
  const auto part = subject.file.get_uint("split.no");
  const bool first_alone = part && *part == 0;  // why the others are not there is a finding of "file"
  if (is_whole_model(subject.file) || first_alone) return;
  const auto adapter = read_gguf_adapter(subject.file, subject.family());
  if (adapter) {
    return report.error(
        {ErrorCode::kUnsupported, sentence("'", subject.file.path(), "' is ",
                                           describe_adapter(*adapter, subject.family()), ", no model")},
        "give a model with -m, and the adapter with --lora");
  }
  if (is_adapter(subject.file)) return report.error(adapter.error(), "give a LoRA adapter that is whole");
  report.error(subject.config_error, "give the GGUF file of a whole model");
}

void check_family(const Subject& subject, Report& report) {
  if (!is_whole_model(subject.file) || find_family(subject.family()) != nullptr) return;
  report.error(subject.config_error,
               "docs/models.md lists the families; partita inspect, tokenize and template work without one");
}

void check_types(const Subject& subject, Report& report) {
  if (auto types = subject.file.check_types(); !types)
    report.error(types.error(), "download the model in a supported type");
}

void check_metadata(const Subject& subject, Report& report) {
  const bool known = is_whole_model(subject.file) && find_family(subject.family()) != nullptr;
  if (!known || subject.config != nullptr || vocabulary_differs(subject)) return;
  report.error(subject.config_error,
               "convert the model again with a current converter, or download a newer file of it");
}

void check_shapes(const Subject& subject, Report& report) {
  const bool tried = subject.config != nullptr && subject.file.unsupported().empty();
  if (!tried || subject.shapes != nullptr) return;
  if (subject.shapes_error.code == ErrorCode::kOutOfMemory) return;  // which check_memory() reports
  report.error(subject.shapes_error,
               "download the file again; if that changes nothing, convert the model again");
}

}  // namespace partita::internal
