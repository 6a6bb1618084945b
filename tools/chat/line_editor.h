// A line from whoever sits at the terminal: libedit with history, or plain lines where there is no terminal.
#pragma once

#include <memory>
#include <string>

#include "tools/batch/lines.h"

namespace tools {

class LineEditor {
 public:
  LineEditor();
  ~LineEditor();
  LineEditor(const LineEditor&) = delete;
  LineEditor& operator=(const LineEditor&) = delete;

  /// Both stdin and stdout are a terminal.
  bool interactive() const;

  /// One line. kInterrupted: Ctrl-C while editing; the line holds what stood there.
  LineEnd read(const std::string& prompt, std::string& line);
  /// Why read() returned kError.
  const partita::Error& error() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tools
