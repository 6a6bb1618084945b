// The checks of partita::diagnose(). A check is a function that looks at an open file and reports what it
// finds; checks.cc has the table of all.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "api/doctor/tensor_facts.h"
#include "engine/model.h"
#include "partita/partita.hpp"
#include "tokenizer/jinja/chat_template.h"
#include "tokenizer/tokenizer.h"
#include "weights/gguf/gguf.h"

namespace partita::internal {

/// What checks look at. Where a part is null, its error says why.
struct Subject {
  Subject(const std::string& given, const Gguf& opened) : path(given), file(opened) {}

  const std::string& path;  // as the caller gave it
  const Gguf& file;
  const Config* config = nullptr;
  const Tokenizer* tokenizer = nullptr;
  const ChatTemplate* chat = nullptr;   // null also if the file has no template
  const Transformer* shapes = nullptr;  // loaded with LoadOptions::shapes_only
  Error config_error, tokenizer_error, chat_error, shapes_error;
  std::optional<Result<std::string>> asked =
      std::nullopt;                         // a user's question as `chat` renders it; none: no `chat`
  std::span<const TensorFacts> facts = {};  // [file.tensors()], or empty if the data was not read
  std::size_t context = 0;                  // tokens; 0: the model's own
  int threads = 1;

  std::string_view family() const;  // general.architecture; empty if missing
  /// The key "{family}.{name}".
  std::string key(std::string_view name) const;
};

/// Collects the findings of one check.
class Report {
 public:
  Report(std::string_view code, std::vector<Finding>& findings) : code_(code), findings_(findings) {}

  void error(std::string message, std::string remedy) { add(Severity::kError, message, remedy); }
  void warning(std::string message, std::string remedy) { add(Severity::kWarning, message, remedy); }
  void note(std::string message, std::string remedy) { add(Severity::kNote, message, remedy); }
  /// An error of this library, whose sentence ends with what to do after the first "; "; `remedy` if not.
  void error(const Error& error, std::string remedy);

 private:
  void add(Severity severity, std::string& message, std::string& remedy) {
    findings_.push_back({severity, std::string(code_), std::move(message), std::move(remedy)});
  }

  std::string_view code_;
  std::vector<Finding>& findings_;
};

/// What a check needs beside the metadata.
enum class CheckCost : std::uint8_t {
  kMetadata,  // nothing: it takes microseconds, or the time of rendering a chat
  kFile,      // the vocabulary, the shapes of all tensors, other files, the state of the machine
  kData,      // the bytes of all tensors
};

struct Check {
  std::string_view code;  // what it looks at: "template"
  CheckCost cost;
  void (*run)(const Subject& subject, Report& report);
};

/// All checks, in the order of their findings.
std::span<const Check> checks();

// --- their functions ------------------------------------------------------------------------------

// file_checks.cc
void check_kind(const Subject& subject, Report& report);
void check_family(const Subject& subject, Report& report);
void check_types(const Subject& subject, Report& report);
void check_metadata(const Subject& subject, Report& report);
void check_shapes(const Subject& subject, Report& report);

// config_checks.cc
void check_window(const Subject& subject, Report& report);
void check_rope(const Subject& subject, Report& report);
void check_trained_context(const Subject& subject, Report& report);
void check_config_json(const Subject& subject, Report& report);
void check_generation_config(const Subject& subject, Report& report);

// token_checks.cc
bool vocabulary_differs(const Subject& subject);  // the embedding has another number of rows
void check_pre_tokenizer(const Subject& subject, Report& report);
void check_tokenizer(const Subject& subject, Report& report);
void check_vocabulary(const Subject& subject, Report& report);
void check_duplicates(const Subject& subject, Report& report);
void check_unreachable(const Subject& subject, Report& report);
void check_end_tokens(const Subject& subject, Report& report);

// template_checks.cc
Result<std::string> render_question(const Subject& subject);  // of Subject::asked
void check_template(const Subject& subject, Report& report);
void check_bos(const Subject& subject, Report& report);
void check_template_end(const Subject& subject, Report& report);

// machine_checks.cc
void check_memory(const Subject& subject, Report& report);
void check_screen(const Subject& subject, Report& report);

// data_checks.cc
void check_numbers(const Subject& subject, Report& report);
void check_constants(const Subject& subject, Report& report);
void check_copies(const Subject& subject, Report& report);

}  // namespace partita::internal
