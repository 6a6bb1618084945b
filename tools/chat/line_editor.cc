#include "tools/chat/line_editor.h"

#include <histedit.h>
#include <langinfo.h>
#include <unistd.h>

#include <cerrno>
#include <clocale>
#include <cstdio>
#include <cstring>

#include "tools/common.h"

namespace tools {
namespace {

constexpr int kHistoryLines = 1000;

/// libedit decodes input by the locale; text is always UTF-8 here, whatever the environment says.
void use_utf8() {
  std::setlocale(LC_CTYPE, "");
  if (std::strcmp(nl_langinfo(CODESET), "UTF-8") != 0) std::setlocale(LC_CTYPE, "C.UTF-8");
}

}  // namespace

struct LineEditor::Impl {
  EditLine* editor = nullptr;  // null without a terminal
  History* history = nullptr;
  LineReader lines{STDIN_FILENO};
  std::string prompt;
  bool stopped = false;  // Ctrl-C was typed

  static Impl& of(EditLine* editor) {
    void* self = nullptr;
    el_get(editor, EL_CLIENTDATA, &self);
    return *static_cast<Impl*>(self);
  }
  static char* show_prompt(EditLine* editor) { return of(editor).prompt.data(); }
  static unsigned char on_interrupt(EditLine* editor, int) {
    of(editor).stopped = true;
    return CC_NEWLINE;
  }

  void start_editor() {
    use_utf8();
    editor = el_init("partita", stdin, stdout, stderr);
    if (editor == nullptr) return;
    el_set(editor, EL_CLIENTDATA, this);
    el_set(editor, EL_PROMPT, &Impl::show_prompt);
    el_set(editor, EL_EDITOR, "emacs");
    // While a line is edited Ctrl-C is a key, not a signal: it must call the function below, not interrupt a
    // read.
    el_set(editor, EL_SETTY, "-d", "-isig", nullptr);
    el_set(editor, EL_ADDFN, "partita-interrupt", "Stop editing this line", &Impl::on_interrupt);
    el_set(editor, EL_BIND, "^C", "partita-interrupt", nullptr);
    HistEvent event;
    history = history_init();
    if (history == nullptr) return;
    ::history(history, &event, H_SETSIZE, kHistoryLines);
    ::history(history, &event, H_SETUNIQUE, 1);
    el_set(editor, EL_HIST, ::history, history);
  }
};

LineEditor::LineEditor() : impl_(std::make_unique<Impl>()) {
  if (isatty(STDIN_FILENO) != 0 && isatty(STDOUT_FILENO) != 0) impl_->start_editor();
}

LineEditor::~LineEditor() {
  if (impl_->history != nullptr) history_end(impl_->history);
  if (impl_->editor != nullptr) el_end(impl_->editor);
}

bool LineEditor::interactive() const { return impl_->editor != nullptr; }

const partita::Error& LineEditor::error() const { return impl_->lines.error(); }

LineEnd LineEditor::read(const std::string& prompt, std::string& line) {
  if (!interactive()) return impl_->lines.next(line);
  impl_->prompt = prompt;
  impl_->stopped = false;
  // Raw mode before the prompt is shown; el_gets() would set it after. The terminal would echo keys typed in
  // between, or swallow Ctrl-C and Ctrl-D. An earlier Ctrl-C belongs to the work before.
  el_set(impl_->editor, EL_PREP_TERM, 1);
  interrupted().clear();
  int length = 0;
  errno = 0;
  const char* typed = el_gets(impl_->editor, &length);
  line = typed != nullptr ? std::string(typed, static_cast<std::size_t>(std::max(length, 0))) : std::string();
  while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.pop_back();
  if (impl_->stopped || interrupted().is_set()) {
    std::fputs("\n", stdout);
    return LineEnd::kInterrupted;
  }
  if (typed == nullptr || length <= 0) return LineEnd::kEof;
  if (!line.empty() && impl_->history != nullptr) {
    HistEvent event;
    ::history(impl_->history, &event, H_ENTER, line.c_str());
  }
  return LineEnd::kLine;
}

}  // namespace tools
