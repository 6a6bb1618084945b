// partita doctor: what is wrong or risky about a model file, and what to do.
#include <algorithm>

#include "tools/commands.h"

namespace tools {
namespace {

struct DoctorOptions {
  std::string model;  // given without --model
  std::size_t context = 0;
  bool strict = false;
  bool no_data = false;
};

Json finding_json(const partita::Finding& finding) {
  return {{"severity", std::string(name(finding.severity))},
          {"code", finding.code},
          {"message", finding.message},
          {"remedy", finding.remedy}};
}

Json report_json(const std::string& path, const std::vector<partita::Finding>& findings) {
  Json list = Json::array();
  for (const partita::Finding& finding : findings) list.push_back(finding_json(finding));
  return {{"model", path}, {"findings", std::move(list)}};
}

std::string report_text(const std::string& path, const std::vector<partita::Finding>& findings) {
  if (findings.empty()) return partita::printable(path) + ": nothing found\n";
  std::string text;
  for (const partita::Finding& finding : findings) {
    text += std::string(name(finding.severity)) + " [" + finding.code + "]: " + finding.message + "\n    " +
            finding.remedy + "\n";
  }
  return text;
}

bool fails(const std::vector<partita::Finding>& findings, bool strict) {
  const partita::Severity least = strict ? partita::Severity::kWarning : partita::Severity::kError;
  return std::any_of(findings.begin(), findings.end(),
                     [&](const partita::Finding& finding) { return finding.severity >= least; });
}

int run(const Common& common, const DoctorOptions& options) {
  if (!options.model.empty() && !common.model.empty()) return usage_error("give MODEL or --model, not both");
  auto path = model_path(common, options.model);
  if (!path) return fail(path.error());
  catch_interrupts();
  Progress progress("reading", common.shows_progress());
  partita::DiagnoseOptions diagnose;
  diagnose.threads = common.threads;
  diagnose.vocabulary = common.vocabulary;
  diagnose.context = options.context;
  diagnose.data = !options.no_data;
  diagnose.progress = [&](float fraction) {
    progress.update(fraction);
    return !interrupted().is_set();
  };
  auto findings = partita::diagnose(*path, diagnose);
  progress.clear();
  if (!findings) return fail(findings.error());
  auto written =
      common.json ? write_json(report_json(*path, *findings)) : write_out(report_text(*path, *findings));
  if (!written) return fail(written.error());
  return fails(*findings, options.strict) ? kFailed : kDone;
}

}  // namespace

void add_doctor(Command program, Common& common, Action& action) {
  auto options = std::make_shared<DoctorOptions>();
  const Command command = add_command(program, common, "doctor", kJson | kThreads,
                                      "Find what is wrong or risky about a model file, and what to do",
                                      common.program + " doctor bundled");
  command.add_option("MODEL", options->model, "the model, as with --model");
  command.heading(Heading::kModel);
  command.add_option("--context", options->context, "tokens whose memory is judged; 0: the model's context")
      .range(std::size_t{0}, std::size_t{1} << 24)
      .show_default();
  command.add_flag("--no-data", options->no_data, "do not read the tensors: milliseconds");
  command.add_flag("--strict", options->strict, "exit code 1 for warnings too");
  command.callback(
      [&common, &action, options] { action = [&common, options] { return run(common, *options); }; });
}

}  // namespace tools
