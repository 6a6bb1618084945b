// partita chat: a conversation in the terminal.
#include <csignal>

#include "tools/chat/chat_store.h"
#include "tools/chat/line_editor.h"
#include "tools/commands.h"
#include "tools/generation/request.h"
#include "tools/generation/token_text.h"

namespace tools {
namespace {

struct Options {
  RequestFlags request{.max_tokens = 1024};
  std::string session;  // a file; empty: none
};

constexpr const char* kHelp =
    "/help       this text\n"
    "/undo       remove the last question and its answer\n"
    "/reset      start again; the messages stay in the chat's file, and /redo restores them\n"
    "/redo       go back to before the last /undo or /reset; a second /redo returns\n"
    "/save FILE  save the chat to a file, and each later turn; without FILE, save the cache beside the "
    "chat's\n"
    "            file, so that the chat continues without reading it again\n"
    "/load FILE  continue the chat in that file; the present one stays in its own\n"
    "/fork FILE  continue in a copy in another file; the present chat stays in its own\n"
    "/exit       leave (Ctrl-D does too)\n"
    "Ctrl-C stops an answer and keeps the chat; at an empty prompt, typed twice, it leaves.\n"
    "A line that ends with \\ continues in the next one.\n";

constexpr const char* kRemedy =
    "/undo removes the last question, /reset starts again; --attention-window makes long chats cheaper, not "
    "longer";

/// Set by SIGTERM and SIGHUP: the chat is saved before the program ends.
partita::CancelFlag& terminated() {
  static partita::CancelFlag flag;
  return flag;
}

void catch_ends() {
  terminated();  // constructed before the handler can run
  catch_signals({SIGTERM, SIGHUP}, [](int) {
    terminated().set();
    interrupted().set();
  });
  std::signal(SIGPIPE, SIG_IGN);  // writing then fails with an errno
}

/// Removes blanks at both ends.
std::string trimmed(const std::string& text) {
  constexpr const char* kBlanks = " \t\r";
  const std::size_t first = text.find_first_not_of(kBlanks);
  return first == std::string::npos ? "" : text.substr(first, text.find_last_not_of(kBlanks) + 1 - first);
}

void say(const std::string& remark) { std::fprintf(stderr, "partita: %s\n", remark.c_str()); }

class Chat {
 public:
  /// request: of every answer, without messages.
  Chat(const Common& common, partita::Request request, const partita::Model& model, ChatStore store)
      : common_(&common), request_(std::move(request)), model_(&model), store_(std::move(store)) {}

  /// Opens the chat of a file; begins a new chat if there is no file.
  partita::Result<void> begin(const std::string& path);
  int run();

 private:
  struct Said {
    std::string text;
    std::optional<partita::Token> last;
    std::optional<partita::Error> failed;
  };

  int talk();
  /// Reads a message, of one or more lines; nothing if the chat ends (failed_ may say why).
  std::optional<std::string> read_message();
  /// Runs a command; false if the line is none. /exit sets `over`.
  bool run_command(const std::string& line, bool& over);
  void change(const std::string& command);
  void run_file_command(const std::string& command, std::string path);
  partita::Result<std::vector<std::string>> move_to(const std::string& command, const std::string& path);
  partita::Request request_of(const std::string& text) const;
  partita::Result<void> answer(const std::string& text);
  Said pull(partita::Stream& stream);
  void print_ending(const partita::Stream& stream, const Said& said) const;
  partita::Error with_remedy(partita::Error error, const partita::Request& request) const;
  /// Syncs the chat to the disk. What could not be written is tried again the next time.
  void save();
  void write_cache();
  void note(const char* text) const {
    if (editor_.interactive() && !common_->quiet) std::fputs(text, stderr);
  }

  const Common* common_;
  partita::Request request_;
  const partita::Model* model_;
  ChatStore store_;
  LineEditor editor_;
  std::optional<partita::Error> failed_;  // why input cannot be read any more
  bool interrupted_at_end_ = false;
};

std::optional<std::string> Chat::read_message() {
  std::string message, line;
  bool pressed_once = false;
  while (true) {
    interrupted().clear();
    if (terminated().is_set()) return std::nullopt;
    LineEnd end = editor_.read(message.empty() ? "> " : "  ", line);
    if (end == LineEnd::kLine && message.size() + line.size() > kMaxLineBytes) end = LineEnd::kTooLong;
    switch (end) {
      case LineEnd::kLine:
        pressed_once = false;
        break;
      case LineEnd::kTooLong:
        failed_ = partita::Error{partita::ErrorCode::kInvalidArgument,
                                 "a message is longer than " + std::to_string(kMaxLineBytes) +
                                     " bytes, the most that chat takes; give it in shorter ones"};
        if (!editor_.interactive()) return std::nullopt;
        say(failed_->message);
        failed_.reset();
        message.clear();
        continue;
      case LineEnd::kInterrupted:
        interrupted_at_end_ = !editor_.interactive() || terminated().is_set();
        if (interrupted_at_end_ || (pressed_once && line.empty())) return std::nullopt;
        pressed_once = line.empty() && message.empty();
        if (pressed_once) note("(Ctrl-C again or Ctrl-D leaves)\n");
        message.clear();
        continue;
      case LineEnd::kError:
        failed_ = editor_.error();
        return std::nullopt;
      case LineEnd::kEof:
      case LineEnd::kNotYet:
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

partita::Result<void> Chat::begin(const std::string& path) {
  auto remarks = store_.open(path, true);
  if (!remarks) return remarks.error();
  for (const std::string& remark : *remarks) say(remark);
  return {};
}

void Chat::save() {
  if (auto kept = store_.sync(); !kept)
    say(kept.error().message + "; the chat continues in memory, and the next turn tries again");
}

void Chat::write_cache() {
  if (auto written = store_.write_cache(); !written)
    say("the cache of the chat was not saved, so the model will read the chat again: " +
        written.error().message);
}

partita::Result<std::vector<std::string>> Chat::move_to(const std::string& command, const std::string& path) {
  const bool stays = store_.is_in(path);
  if (command == "/load" && store_.is_unsaved()) {
    return partita::Error{partita::ErrorCode::kInvalidArgument,
                          "the chat so far is in no file and would be lost; /save FILE keeps it"};
  }
  if (auto kept = store_.sync(); !kept && (stays || command != "/save")) return kept.error();
  if (command == "/save" && !stays) {
    auto remarks = store_.keep_in(path);
    if (remarks) write_cache();
    return remarks;
  }
  write_cache();
  if (stays) return std::vector<std::string>();
  return command == "/load" ? store_.open(path, false) : store_.keep_in(path);
}

/// /save, /load and /fork; `path` may be empty.
void Chat::run_file_command(const std::string& command, std::string path) {
  if (path.empty() && command == "/save") path = store_.path();
  if (path.empty()) {
    std::fprintf(stderr, "%s needs the name of a file\n", command.c_str());
    return;
  }
  auto remarks = move_to(command, path);
  if (!remarks) return say(remarks.error().message);
  for (const std::string& remark : *remarks) say(remark);
  if (!common_->quiet) {
    std::fprintf(stderr, "(the chat is kept in %s; %zu messages)\n", store_.path().c_str(),
                 store_.messages().size());
  }
}

/// /undo, /reset and /redo.
void Chat::change(const std::string& command) {
  const bool done = command == "/undo" ? store_.undo() : command == "/reset" ? store_.reset() : store_.redo();
  save();
  if (common_->quiet) return;
  if (done) {
    std::fprintf(stderr, "(the chat has %zu messages%s)\n", store_.messages().size(),
                 command == "/redo" ? "" : "; /redo brings back what it had");
  } else {
    std::fprintf(stderr, "(there is nothing to %s)\n", command.c_str() + 1);
  }
}

bool Chat::run_command(const std::string& line, bool& over) {
  if (line.empty() || line[0] != '/') return false;
  const std::size_t blank = std::min(line.find_first_of(" \t\r"), line.size());
  const std::string command = line.substr(0, blank), rest = trimmed(line.substr(blank));
  if (command == "/save" || command == "/load" || command == "/fork") {
    run_file_command(command, rest);
  } else if (!rest.empty()) {
    std::fprintf(stderr, "there is no command %s; /help lists them\n", trimmed(line).c_str());
  } else if (command == "/exit" || command == "/quit") {
    over = true;
  } else if (command == "/undo" || command == "/reset" || command == "/redo") {
    change(command);
  } else if (command == "/help") {
    std::fputs(kHelp, stderr);
  } else {
    std::fprintf(stderr, "there is no command %s; /help lists them\n", command.c_str());
  }
  return true;
}

partita::Request Chat::request_of(const std::string& text) const {
  partita::Request request = request_;
  request.messages = store_.with_question(text);
  return request;
}

/// Generates an answer, and streams it to stdout.
Chat::Said Chat::pull(partita::Stream& stream) {
  Said said;
  Progress progress("reading", common_->shows_progress() && editor_.interactive());
  watch(store_.session(), progress);
  while (!said.failed) {
    auto token = stream.next();
    if (!token && token.error().code != partita::ErrorCode::kCancelled) said.failed = token.error();
    if (!token || !*token) break;
    said.text += (*token)->text;
    if (auto written = write_out((*token)->text); !written) said.failed = written.error();
    said.last = std::move(**token);
  }
  store_.session().set_progress(nullptr);
  return said;
}

partita::Error Chat::with_remedy(partita::Error error, const partita::Request& request) const {
  const auto ids = model_->tokenize_chat(request.messages, request.chat, &interrupted());
  if (ids && ids->size() >= model_->info().context_length) error.message.append("; ").append(kRemedy);
  return error;
}

/// Says why the answer ended, if neither the model nor the user ended it.
void Chat::print_ending(const partita::Stream& stream, const Said& said) const {
  const std::string why = ending_text({.finish = stream.finish(),
                                       .context_full = stream.context_full(),
                                       .tokens = stream.prompt_ids().size() + stream.ids().size(),
                                       .last = said.last ? &*said.last : nullptr,
                                       .abstain = request_.abstain},
                                      kRemedy);
  if (!why.empty()) {
    say(why);
  } else if (stream.finish() == partita::Finish::kLength) {
    note("(the answer reached its limit of tokens, -n)\n");
  }
}

partita::Result<void> Chat::answer(const std::string& text) {
  const partita::Request request = request_of(text);
  auto stream = store_.session().generate(request);
  if (!stream && stream.error().code == partita::ErrorCode::kCancelled) return stream.error();
  if (!stream) return with_remedy(stream.error(), request);
  store_.ask(text);
  Said said = pull(*stream);
  const bool cancelled = stream->finish() == partita::Finish::kNone;
  if (said.failed || (cancelled && said.text.empty())) {
    store_.drop_question();
  } else {
    store_.answer(said.text, cancelled ? "cancelled" : name(stream->finish()));
  }
  save();  // before the last newline, which says that the answer is complete
  if (auto written = write_out("\n"); !written) said.failed = written.error();
  if (said.failed) return *said.failed;
  print_ending(*stream, said);
  if (common_->verbose) print_statistics(*common_, model_->info(), stream->timing());
  return {};
}

int Chat::run() {
  const int code = talk();
  const auto kept = store_.sync();
  if (!kept) return fail(kept.error());
  write_cache();
  return code;
}

int Chat::talk() {
  note("Type a message; /help lists the commands.\n");
  bool over = false;
  while (!over) {
    auto line = read_message();
    if (!line) break;
    if (line->empty() || run_command(*line, over)) continue;
    auto answered = answer(*line);
    if (!answered && (answered.error().code == partita::ErrorCode::kIo || !editor_.interactive())) {
      return fail(answered.error());
    }
    if (!answered) say(answered.error().message);
    if (terminated().is_set() || (interrupted().is_set() && !editor_.interactive()))
      interrupted_at_end_ = over = true;
  }
  if (failed_) return fail(*failed_);
  return interrupted_at_end_ ? kInterrupted : kDone;
}

int run(const Common& common, const Options& options) {
  auto request = options.request.request(common);
  if (!request) return usage_error(request.error());
  auto samplers = describe(request->sampling);
  if (!samplers) return usage_error(samplers.error());
  auto opened = open_model(common);
  if (!opened) return fail(opened.error());
  if (common.verbose) {
    std::fprintf(stderr, "samplers: %s; seed %llu\n", samplers->c_str(),
                 static_cast<unsigned long long>(common.seed));
  }
  report_template(common, opened->model, request->chat);
  // A missing or broken chat template is reported now, not after the first message.
  const partita::Message probe{"user", "Hi"};
  if (auto ids = opened->model.tokenize_chat({&probe, 1}, request->chat, &interrupted()); !ids)
    return fail(ids.error());
  auto adapters = options.request.adapters.open(opened->model);
  if (!adapters) return fail(adapters.error());
  request->adapters = std::move(*adapters);
  auto session = opened->model.session();
  if (!session) return fail(session.error());
  if (auto drafted = options.request.speculation.draft_for(*session, common); !drafted)
    return fail(drafted.error());
  auto named = ChatModel::of(opened->model);
  if (!named) return fail(named.error());
  catch_ends();
  ChatStore store(std::move(*named), std::move(*session), options.request.system, request->adapters);
  Chat chat(common, std::move(*request), opened->model, std::move(store));
  if (!options.session.empty()) {
    if (auto begun = chat.begin(options.session); !begun) return fail(begun.error());
  }
  return chat.run();
}

}  // namespace

void add_chat(Command program, Common& common, Action& action) {
  auto options = std::make_shared<Options>();
  const Command command = add_command(
      program, common, "chat", kEngine | kSeed,
      "Chat with the model in the terminal; /help there lists its commands", common.program + " chat",
      {"--model", "--threads", "--system", "--session", "--temperature", "--greedy", "--top-k", "--top-p",
       "--seed", "--max-tokens", "--stop", "--quiet", "--verbose"});
  add_adapters(command, options->request.adapters);
  command.heading(Heading::kPrompt);
  command.add_option("--system", options->request.system, "the system message");
  add_template_options(command, common, options->request.chat_template);
  command.add_option("--session", options->session, "file of the chat, to continue or to begin")
      .value_name("FILE");
  command.heading(Heading::kOutput);
  command
      .add_option("-n,--max-tokens", options->request.max_tokens, "maximum tokens of an answer; -1: no limit")
      .range(-1, 1 << 30)
      .show_default();
  add_sampling(command, options->request.sampling);
  add_speculation(command, options->request.speculation);
  command.callback([&common, &action, options] {
    action = [&common, options] {
      if (common.json)
        return usage_error("chat has no --json: it is for people; generate --chat --json is for programs");
      return run(common, *options);
    };
  });
}

}  // namespace tools
