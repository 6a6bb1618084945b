// partita chat: a conversation in the terminal.
#include <CLI/CLI.hpp>
#include <csignal>
#include <filesystem>

#include "tools/chat_file.h"
#include "tools/common.h"
#include "tools/line_editor.h"
#include "tools/sampling.h"
#include "tools/speculation.h"

namespace tools {
namespace {

struct Options {
  SamplingFlags sampling;
  SpeculationFlags speculation;
  int max_tokens = 1024;
  std::string system;
  std::string session;  // a file; empty: none
};

constexpr const char* kHelp =
    "/help       this text\n"
    "/undo       take the last question and its answer back\n"
    "/reset      begin again\n"
    "/save FILE  keep the chat in a file, with what the model has read of it; without FILE where it was "
    "last\n"
    "/load FILE  go on with the chat in that file\n"
    "/fork FILE  the chat so far stays in its file, what comes now goes to another\n"
    "/exit       leave (Ctrl-D does too); the chat is saved where it is kept\n"
    "Ctrl-C stops an answer and keeps the chat; at an empty prompt, typed twice, it leaves.\n"
    "A line that ends with \\ goes on in the next one.\n";

/// Set by what ends programs from outside: the chat is saved first.
partita::CancelFlag& terminated() {
  static partita::CancelFlag flag;
  return flag;
}

void catch_ends() {
  terminated();  // made before the handler can run
  catch_signals({SIGTERM, SIGHUP}, [](int) {
    terminated().set();
    interrupted().set();
  });
  std::signal(SIGPIPE, SIG_IGN);  // writing then fails with a reason
}

class Chat {
 public:
  Chat(const Common& common, const Options& options, partita::Sampling sampling, const partita::Model& model,
       partita::Session session)
      : common_(&common),
        options_(&options),
        sampling_(std::move(sampling)),
        model_(&model),
        session_(std::move(session)) {
    session_.set_cancel(&interrupted());
    reset();
  }

  int run();

  /// Goes on with the chat of a file, and keeps it there. A file that does not exist is a new chat.
  partita::Result<void> begin(const std::string& path);

 private:
  int talk();
  /// What the line editor gave, whole; nothing when the chat is over.
  std::optional<std::string> read_message();
  /// Whether the line was a command; `over` is set by /exit.
  bool obey(const std::string& line, bool& over);
  partita::Result<void> answer(std::string text);
  void reset() {
    messages_.clear();
    if (!options_->system.empty()) messages_.push_back({"system", options_->system});
  }
  void undo();
  /// "/save FILE" and its like; `path` may be empty.
  void obey_file(const std::string& command, std::string path);
  partita::Result<void> save(const std::string& path);
  partita::Result<void> load(const std::string& path);
  void note(const char* text) const {
    if (editor_.interactive() && !common_->quiet) std::fputs(text, stderr);
  }

  const Common* common_;
  const Options* options_;
  partita::Sampling sampling_;
  const partita::Model* model_;
  partita::Session session_;
  LineEditor editor_;
  std::vector<partita::Message> messages_;
  std::string file_;  // where the chat is kept; empty: nowhere
  bool interrupted_at_end_ = false;
};

std::optional<std::string> Chat::read_message() {
  std::string message, line;
  bool pressed_once = false;
  while (true) {
    interrupted().clear();
    if (terminated().is_set()) return std::nullopt;
    switch (editor_.read(message.empty() ? "> " : "  ", line)) {
      case LineEnd::kLine:
        pressed_once = false;
        break;
      case LineEnd::kTooLong:
        std::fputs("partita: that line is too long\n", stderr);
        continue;
      case LineEnd::kInterrupted:
        interrupted_at_end_ = !editor_.interactive() || terminated().is_set();
        if (interrupted_at_end_ || (pressed_once && line.empty())) return std::nullopt;
        pressed_once = line.empty() && message.empty();
        if (pressed_once) note("(Ctrl-C again or Ctrl-D leaves)\n");
        message.clear();
        continue;
      case LineEnd::kEof:
      case LineEnd::kNotYet:
      case LineEnd::kError:
        if (editor_.interactive()) std::fputs("\n", stdout);
        if (message.empty()) return std::nullopt;
        return message;
    }
    const bool goes_on = !line.empty() && line.back() == '\\';
    if (goes_on) line.pop_back();
    message += line;
    if (!goes_on) return message;
    message += '\n';
  }
}

void Chat::undo() {
  while (!messages_.empty() && messages_.back().role == "assistant") messages_.pop_back();
  if (!messages_.empty() && messages_.back().role == "user") messages_.pop_back();
}

partita::Result<void> Chat::save(const std::string& path) {
  if (auto saved = save_chat(session_, messages_, path); !saved) return saved;
  file_ = path;
  return {};
}

partita::Result<void> Chat::load(const std::string& path) {
  auto messages = load_chat(session_, path);
  if (!messages) return messages.error();
  messages_ = std::move(*messages);
  file_ = path;
  return {};
}

partita::Result<void> Chat::begin(const std::string& path) {
  std::error_code unknown;
  if (std::filesystem::exists(path, unknown)) {
    if (!options_->system.empty()) note("(the chat goes on under the system message that it began with)\n");
    return load(path);
  }
  file_ = path;
  return {};
}

void Chat::obey_file(const std::string& command, std::string path) {
  if (path.empty() && command == "/save") path = file_;
  if (path.empty()) {
    std::fprintf(stderr, "%s needs the name of a file\n", command.c_str());
    return;
  }
  partita::Result<void> done;
  if (command == "/fork" && !file_.empty()) done = save(file_);
  if (done) done = command == "/load" ? load(path) : save(path);
  if (!done) {
    std::fprintf(stderr, "partita: %s\n", done.error().message.c_str());
  } else if (!common_->quiet) {
    std::fprintf(stderr, "(the chat is kept in %s; %zu messages)\n", file_.c_str(), messages_.size());
  }
}

bool Chat::obey(const std::string& line, bool& over) {
  if (line.empty() || line[0] != '/') return false;
  const std::size_t space = std::min(line.find(' '), line.size());
  const std::string command = line.substr(0, space);
  if (command == "/save" || command == "/load" || command == "/fork") {
    obey_file(command, line.substr(std::min(space + 1, line.size())));
  } else if (line == "/exit" || line == "/quit") {
    over = true;
  } else if (line == "/undo") {
    undo();
  } else if (line == "/reset") {
    reset();
  } else if (line == "/help") {
    std::fputs(kHelp, stderr);
  } else {
    std::fprintf(stderr, "there is no command %s; /help lists them\n", line.c_str());
  }
  return true;
}

partita::Result<void> Chat::answer(std::string text) {
  messages_.push_back({"user", std::move(text)});
  partita::Request request;
  request.messages = messages_;
  request.max_tokens = options_->max_tokens;
  request.stop = options_->sampling.stop;
  request.guidance_scale = options_->sampling.guidance_scale;
  request.speculation = options_->speculation.kind;
  request.negative_prompt = options_->sampling.negative_prompt;
  request.sampling = sampling_;
  request.abstain = options_->sampling.abstain.rule();
  auto stream = session_.generate(request);
  if (!stream) {
    undo();
    return stream.error();
  }
  Progress progress("reading", common_->shows_progress() && editor_.interactive());
  session_.set_progress([&](std::size_t done, std::size_t all) {
    done < all ? progress.update(static_cast<double>(done) / static_cast<double>(all)) : progress.clear();
  });
  std::string said;
  std::optional<partita::Error> failed;
  while (!failed) {
    auto token = stream->next();
    if (!token) {
      if (token.error().code != partita::ErrorCode::kCancelled) failed = token.error();
      break;
    }
    if (!*token) break;
    said += (*token)->text;
    if (auto written = write_out((*token)->text); !written) failed = written.error();
  }
  progress.clear();
  session_.set_progress(nullptr);
  if (auto written = write_out("\n"); !written) failed = written.error();
  const bool nothing_said = said.empty() && stream->finish() == partita::Finish::kNone;
  if (failed || nothing_said) {
    undo();
  } else {
    messages_.push_back({"assistant", said});
  }
  if (failed) return *failed;
  if (stream->finish() == partita::Finish::kLength) note("(the answer reached its limit of tokens)\n");
  if (stream->finish() == partita::Finish::kAbstain) note("(the model is too unsure to go on)\n");
  if (common_->verbose) print_statistics(*common_, model_->info(), stream->timing());
  return {};
}

int Chat::run() {
  const int code = talk();
  if (!file_.empty()) {  // also after a failure: what was said is kept
    if (auto saved = save(file_); !saved) return fail(saved.error());
  }
  return code;
}

int Chat::talk() {
  note("Type a message; /help lists the commands.\n");
  bool over = false;
  while (!over) {
    auto line = read_message();
    if (!line) break;
    if (line->empty() || obey(*line, over)) continue;
    auto answered = answer(std::move(*line));
    if (!answered && (answered.error().code == partita::ErrorCode::kIo || !editor_.interactive())) {
      return fail(answered.error());
    }
    if (!answered) std::fprintf(stderr, "partita: %s\n", answered.error().message.c_str());
    if (terminated().is_set() || (interrupted().is_set() && !editor_.interactive()))
      interrupted_at_end_ = over = true;
  }
  return interrupted_at_end_ ? kInterrupted : kDone;
}

int run(const Common& common, const Options& options) {
  auto sampling = options.sampling.resolved(common.seed);
  if (!sampling) return usage_error(sampling.error().message);
  auto samplers = describe(*sampling);
  if (!samplers) return usage_error(samplers.error().message);
  auto opened = open_model(common);
  if (!opened) return fail(opened.error());
  if (common.verbose) {
    std::fprintf(stderr, "samplers: %s; seed %llu\n", samplers->c_str(),
                 static_cast<unsigned long long>(common.seed));
  }
  // A model without a (usable) template is told about now, not after the first message.
  const partita::Message probe{"user", "Hi"};
  if (auto ids = opened->model.tokenize_chat({&probe, 1}, true); !ids) return fail(ids.error());
  auto session = opened->model.session();
  if (!session) return fail(session.error());
  auto draft = options.speculation.open_draft(common);
  if (!draft) return fail(draft.error());
  if (*draft) {
    if (auto drafted = session->draft_with(**draft); !drafted) return fail(drafted.error());
  }
  Chat chat(common, options, std::move(*sampling), opened->model, std::move(*session));
  if (!options.session.empty()) {
    if (auto begun = chat.begin(options.session); !begun) return fail(begun.error());
  }
  catch_ends();
  return chat.run();
}

}  // namespace

void add_chat(CLI::App& program, Common& common, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      add_command(program, common, "chat", kEngine | kSeed,
                  "Talk with the model; /help there lists the commands", common.program + " chat");
  command
      ->add_option("-n,--max-tokens", options->max_tokens, "at most this many tokens an answer; -1: no limit")
      ->check(CLI::Range(-1, 1 << 30))
      ->capture_default_str();
  command->add_option("--system", options->system, "the system message");
  command->add_option("--session", options->session,
                      "a file that keeps the chat: it goes on where it ended, and nothing is read twice");
  add_sampling(*command, options->sampling);
  add_speculation(*command, options->speculation);
  command->callback([&common, &action, options] {
    action = [&common, options] {
      if (common.json)
        return usage_error("chat has no --json: it is for people; generate --chat --json is for programs");
      return run(common, *options);
    };
  });
}

}  // namespace tools
