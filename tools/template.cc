// partita template: renders a conversation with a chat template (Jinja).

#include "tools/commands.h"
#include "tools/generation/messages.h"

namespace tools {
namespace {

partita::Result<std::string> render(const Common& common, const std::string& file,
                                    const std::string& context) {
  if (file.empty()) {
    auto opened = open_model(common, true);
    if (!opened) return opened.error();
    return opened->model.render(context, &interrupted());
  }
  auto source = read_file(file);
  if (!source) return source.error();
  return partita::Model::render(*source, context, &interrupted());
}

int run(const Common& common, const std::string& file) {
  catch_interrupts();
  auto context = read_file("-");
  if (!context) return fail(context.error());
  auto text = render(common, file, *context);
  if (!text) return fail(text.error());
  auto written = common.json ? write_json({{"text", *text}}) : write_out(*text);
  return written ? kDone : fail(written.error());
}

}  // namespace

void add_template(Command program, Common& common, Action& action) {
  auto file = std::make_shared<std::string>();
  const Command command = add_command(
      program, common, "template", kJson,
      "Render a conversation, JSON on stdin: {\"messages\":[],\"add_generation_prompt\":true}",
      "echo '{\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}]}' | " + common.program + " template");
  command.heading(Heading::kPrompt);
  command.add_option("--file", *file, "Jinja template, without a model; else the model's")
      .value_name("FILE")
      .excludes(add_chat_template_option(command, common));
  command.callback([&common, &action, file] { action = [&common, file] { return run(common, *file); }; });
}

}  // namespace tools
