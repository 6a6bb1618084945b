// Line input for chat: libedit with history on a terminal, else plain lines.
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

  /// True if both stdin and stdout are a terminal.
  bool interactive() const;

  /// Reads a line. kInterrupted: Ctrl-C while editing; `line` has the text so far.
  LineEnd read(const std::string& prompt, std::string& line);
  /// Why read() returned kError.
  const partita::Error& error() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tools
