// The commands of the program, each in the file of its name.
#pragma once

#include <functional>

#include "tools/common.h"

namespace tools {

/// What main() runs after it has parsed the command line.
using Action = std::function<int()>;

// Each adds itself to the program, and sets `action` when it is chosen.
void add_generate(Command program, Common& common, Action& action);
void add_chat(Command program, Common& common, Action& action);
void add_batch(Command program, Common& common, Action& action);
void add_score(Command program, Common& common, Action& action);
void add_tokenize(Command program, Common& common, Action& action);
void add_detokenize(Command program, Common& common, Action& action);  // in tokenize.cc
void add_template(Command program, Common& common, Action& action);
void add_inspect(Command program, Common& common, Action& action);
void add_doctor(Command program, Common& common, Action& action);
void add_convert(Command program, Common& common, Action& action);
void add_quantize(Command program, Common& common, Action& action);
void add_imatrix(Command program, Common& common, Action& action);
void add_prepare(Command program, Common& common, Action& action);
void add_bench(Command program, Common& common, Action& action);

}  // namespace tools
