// What the interpreter enters and leaves: scopes, outputs, nested nodes. For its source files alone.
#pragma once

#include <string>
#include <utility>

#include "tokenizer/jinja/interpreter.h"

namespace partita::internal::jinja {

class Interpreter::ScopeGuard {
 public:
  ScopeGuard(Interpreter& interpreter, ScopePtr parent)
      : interpreter_(interpreter), outer_(interpreter.scope_) {
    interpreter.runtime_.step(2);
    interpreter.scope_ = std::make_shared<Scope>(Scope{std::move(parent), {}});
  }
  explicit ScopeGuard(Interpreter& interpreter) : ScopeGuard(interpreter, interpreter.scope_) {}
  ~ScopeGuard() { interpreter_.scope_ = std::move(outer_); }
  ScopeGuard(const ScopeGuard&) = delete;
  ScopeGuard& operator=(const ScopeGuard&) = delete;

 private:
  Interpreter& interpreter_;
  ScopePtr outer_;
};

class Interpreter::OutputCapture {
 public:
  explicit OutputCapture(Interpreter& interpreter)
      : interpreter_(interpreter), outer_(interpreter.output_), held_(interpreter.held_) {
    interpreter.output_ = &text_;
  }
  ~OutputCapture() {
    interpreter_.output_ = outer_;
    interpreter_.runtime_.release(interpreter_.held_ - held_);
    interpreter_.held_ = held_;
  }
  OutputCapture(const OutputCapture&) = delete;
  OutputCapture& operator=(const OutputCapture&) = delete;

  Text take() { return std::move(text_); }

 private:
  Interpreter& interpreter_;
  Text* outer_;
  std::size_t held_;
  Text text_;
};

// Also counts a step and sets the place for error messages.
class Interpreter::DepthGuard {
 public:
  DepthGuard(Interpreter& interpreter, Place place)
      : interpreter_(interpreter), outer_place_(interpreter.runtime_.place()) {
    Runtime& runtime = interpreter.runtime_;
    runtime.set_place(place);
    runtime.step();
    if (interpreter.depth_ >= kMaxCallDepth) {
      runtime.fail(ErrorCode::kOutOfMemory,
                   "macros and expressions nest deeper than " + std::to_string(kMaxCallDepth));
    }
    ++interpreter.depth_;
  }
  ~DepthGuard() {
    --interpreter_.depth_;
    interpreter_.runtime_.set_place(outer_place_);
  }
  DepthGuard(const DepthGuard&) = delete;
  DepthGuard& operator=(const DepthGuard&) = delete;

 private:
  Interpreter& interpreter_;
  Place outer_place_;
};

}  // namespace partita::internal::jinja
