// What is wrong or risky about a model file, before its first token (docs/doctor.md lists the checks).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "partita/export.hpp"
#include "partita/result.hpp"

namespace partita {

class Model;

/// kNote: worth knowing. kWarning: answers may be worse than they should be. kError: the model, or a part of
/// it such as its chat template, cannot be used as it is.
enum class Severity : std::uint8_t { kNote, kWarning, kError };

/// "note", "warning", "error".
PARTITA_API std::string_view name(Severity severity) noexcept;

/// message, remedy: one sentence each, escaped for a terminal: what is wrong, and what to do.
struct Finding {
  Severity severity = Severity::kNote;
  std::string code;  // of the check: "template", "numbers" ...
  std::string message, remedy;
};

struct DiagnoseOptions {
  int threads = 0;              // as in OpenOptions
  std::string vocabulary = {};  // as in OpenOptions
  std::size_t context = 0;      // tokens whose memory is judged; 0: the model's own context
  bool data = true;             // whether to read every tensor once, for NaN, constants and copies
  std::function<bool(float fraction)> progress;  // of reading; returning false stops it
};

/// All findings about a model file, errors first. Files that do not open for generating (unknown family,
/// type or tokenizer, a vocabulary alone, an adapter, a part of a split model) have findings like any other.
/// path: as in Model::open(). Errors: kNotFound and kIo for a file that cannot be read; kInvalidArgument;
/// kOutOfMemory; kCancelled.
PARTITA_API Result<std::vector<Finding>> diagnose(const std::string& path,
                                                  const DiagnoseOptions& options = {});

/// The findings about an open model that take milliseconds: those of its metadata and its chat template.
PARTITA_API Result<std::vector<Finding>> diagnose(const Model& model);

}  // namespace partita
