// partita::diagnose(): opens what can be opened of a file, and runs the checks on it.
#include <algorithm>

#include "api/doctor/check.h"
#include "api/loaded_model.h"
#include "api/model_file.h"
#include "api/threads.h"
#include "engine/models/config_reader.h"
#include "tokenizer/open.h"
#include "weights/catch_all.h"
#include "weights/sentence.h"
#include "weights/try.h"

namespace partita {
using namespace internal;
namespace {

/// What the checks of a file look at, opened part by part.
struct Opened {
  std::optional<Result<Config>> config;
  std::optional<Result<std::unique_ptr<Tokenizer>>> tokenizer;
  std::optional<Result<ChatTemplate>> chat;  // none: the file has no template
  std::optional<Result<std::shared_ptr<const Transformer>>> shapes;
  std::vector<TensorFacts> facts;
};

void run_checks(const Subject& subject, CheckCost most, std::vector<Finding>& findings) {
  for (const Check& check : checks()) {
    if (check.cost > most) continue;
    Report report(check.code, findings);
    check.run(subject, report);
  }
  std::stable_sort(findings.begin(), findings.end(),
                   [](const Finding& a, const Finding& b) { return a.severity > b.severity; });
}

std::optional<Result<ChatTemplate>> open_template(const Gguf& file) {
  if (file.find("tokenizer.chat_template") == nullptr) return std::nullopt;
  const auto source = file.get_string("tokenizer.chat_template");
  return source ? ChatTemplate::parse(*source) : Result<ChatTemplate>(source.error());
}

/// Fills a part of the subject from a Result.
template <class T, class U>
void put(const T& result, const U*& part, Error& error) {
  if (!result) {
    error = result.error();
  } else if constexpr (requires { result->get(); }) {
    part = result->get();
  } else {
    part = &*result;
  }
}

/// Memory that ran out is no fault of the file.
Result<void> check_memory_left(const Subject& subject) {
  for (const Error* error : {&subject.config_error, &subject.tokenizer_error, &subject.chat_error}) {
    if (error->code == ErrorCode::kOutOfMemory) return *error;
  }
  // A template that exceeds its own limits has the same code.
  const bool rendered = !subject.asked || *subject.asked;
  if (rendered || subject.asked->error().message != out_of_memory().message) return {};
  return out_of_memory();
}

Result<void> read_data(const Gguf& file, const DiagnoseOptions& options, int threads, Opened& opened) {
  auto facts = read_facts(file, threads, options.progress);
  if (!facts) return facts.error();
  opened.facts = *std::move(facts);
  return {};
}

Result<std::vector<Finding>> diagnose_file(const std::string& path, const Gguf& file,
                                           const DiagnoseOptions& options, int threads,
                                           std::vector<Finding> findings) {
  Opened opened;
  opened.config = read_config(file);
  opened.tokenizer = open_tokenizer(file);
  opened.chat = open_template(file);
  LoadOptions shapes;
  shapes.shapes_only = true;
  if (*opened.config && file.unsupported().empty()) opened.shapes = Transformer::load(file, shapes);
  if (options.data) TRY(read_data(file, options, threads, opened));

  Subject subject(path, file);
  subject.facts = opened.facts;
  subject.context = options.context;
  subject.threads = threads;
  put(*opened.config, subject.config, subject.config_error);
  put(*opened.tokenizer, subject.tokenizer, subject.tokenizer_error);
  if (opened.chat) put(*opened.chat, subject.chat, subject.chat_error);
  if (opened.shapes) put(*opened.shapes, subject.shapes, subject.shapes_error);
  if (subject.chat != nullptr) subject.asked = render_question(subject);
  TRY(check_memory_left(subject));
  run_checks(subject, options.data ? CheckCost::kData : CheckCost::kFile, findings);
  return findings;
}

/// Whether a file that does not open can be reported as a finding; else the caller named no file.
bool is_about_the_file(const Error& error) {
  return error.code == ErrorCode::kBadFile || error.code == ErrorCode::kUnsupported;
}

}  // namespace

std::string_view name(Severity severity) noexcept {
  constexpr std::string_view kNames[] = {"note", "warning", "error"};
  return kNames[static_cast<std::size_t>(severity)];
}

Result<std::vector<Finding>> diagnose(const std::string& path, const DiagnoseOptions& options) {
  return catch_all([&]() -> Result<std::vector<Finding>> {
    const auto threads = resolve_threads(options.threads);
    if (!threads) return threads.error();
    std::vector<Finding> findings;
    auto file = open_model_file(path, options.vocabulary);
    if (!file && file.error().code == ErrorCode::kOutOfMemory) return file.error();
    if (!file) {
      auto alone = Gguf::open_alone(path);  // a part of a split model opens alone
      if (!alone && !is_about_the_file(file.error())) return file.error();
      Report("file", findings).error(file.error(), "give the path of a GGUF file");
      if (!alone) return findings;
      file = std::move(alone);
    }
    return diagnose_file(path, *file, options, *threads, std::move(findings));
  });
}

Result<std::vector<Finding>> diagnose(const Model& model) {
  return catch_all([&]() -> Result<std::vector<Finding>> {
    const LoadedModel& loaded = model.impl();
    const auto config = read_config(loaded.file);
    Subject subject(loaded.info.path, loaded.file);
    subject.tokenizer = loaded.tokenizer.get();
    subject.tokenizer_error = loaded.tokenizer_error;
    subject.chat = loaded.chat.plain ? &*loaded.chat.plain : nullptr;
    subject.chat_error = loaded.chat.error;
    put(config, subject.config, subject.config_error);
    if (subject.chat != nullptr) subject.asked = render_question(subject);
    TRY(check_memory_left(subject));
    std::vector<Finding> findings;
    run_checks(subject, CheckCost::kMetadata, findings);
    return findings;
  });
}

}  // namespace partita
