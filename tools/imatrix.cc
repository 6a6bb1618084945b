// partita imatrix: measures what the linear layers of a model read, for partita quantize.
#include "tools/commands.h"

namespace tools {
namespace {

struct Files {
  std::string text, output;
};

Json report_json(const partita::ImatrixResult& result) {
  return {{"path", result.path},
          {"tensors", result.tensors},
          {"chunks", result.chunks},
          {"tokens", result.tokens}};
}

std::string report_text(const partita::ImatrixResult& result) {
  const auto counted = [](std::size_t count, const char* noun) {
    return std::to_string(count) + " " + noun + (count == 1 ? "" : "s");
  };
  return partita::printable(result.path) + ": " + counted(result.tensors, "tensor") + ", measured on " +
         counted(result.tokens, "token") + " in " + counted(result.chunks, "chunk") + "\n";
}

int run(const Common& common, const Files& files, partita::ImatrixOptions options) {
  const auto model = model_path(common);
  if (!model) return fail(model.error());
  const auto text = read_file(files.text);
  if (!text) return fail(text.error());
  catch_interrupts();
  Progress progress("measuring", common.shows_progress());
  options.threads = common.threads;
  options.vocabulary = common.vocabulary;
  options.dataset = files.text;
  options.progress = [&](float fraction) {
    progress.update(fraction);
    return !interrupted().is_set();
  };
  const auto result = partita::measure_imatrix(*model, *text, files.output, options);
  progress.clear();
  if (!result) return fail(result.error());
  const auto written = common.json ? write_json(report_json(*result)) : write_out(report_text(*result));
  return written ? kDone : fail(written.error());
}

}  // namespace

void add_imatrix(Command program, Common& common, Action& action) {
  auto files = std::make_shared<Files>();
  auto options = std::make_shared<partita::ImatrixOptions>();
  const Command command = add_command(program, common, "imatrix", kJson | kThreads,
                                      "Measure the importance of columns on a text, for quantize",
                                      common.program + " imatrix -f text.txt -o model.imatrix.gguf");
  command.heading(Heading::kConversion);
  command.add_option("-f,--file", files->text, "text to measure on").value_name("FILE").required();
  command.add_option("-o,--output", files->output, "GGUF file to write").value_name("FILE").required();
  command.add_option("--chunk", options->chunk, "tokens that are read as one text")
      .range(std::size_t{2}, std::size_t{1} << 20)
      .show_default();
  command.callback([&common, &action, files, options] {
    action = [&common, files, options] { return run(common, *files, *options); };
  });
}

}  // namespace tools
