// The fuzz targets: functions that take any bytes and abort if an invariant is violated. The fuzzers
// (fuzzer.cc) and the test that replays the corpus (replay_test.cc) call the same functions.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace partita::internal::fuzz {

using Bytes = std::span<const std::byte>;

struct Target {
  std::string_view name;
  void (*run)(Bytes);
};

/// All targets, sorted by name.
std::span<const Target> targets();
/// Null if no target has the name.
const Target* find_target(std::string_view name);

void run_adapter(Bytes bytes);         // a LoRA adapter, which is applied
void run_chat(Bytes bytes);            // the file of a chat
void run_config(Bytes bytes);          // config.json of a checkpoint
void run_context(Bytes bytes);         // the JSON context of a chat template
void run_convert(Bytes bytes);         // config.json and safetensors to a model file, which then runs
void run_doctor(Bytes bytes);          // a GGUF file or a changed tiny model, which is diagnosed
void run_gguf(Bytes bytes);            // a GGUF file, read to its end
void run_importance(Bytes bytes);      // an importance file, with which a model is quantized
void run_lines(Bytes bytes);           // the input of a batch: gzip, Zstandard or plain, in lines
void run_model(Bytes bytes);           // a GGUF file that parses, run as a model
void run_options(Bytes bytes);         // values of the command line
void run_ranks(Bytes bytes);           // ranks of tiktoken, tekken.json, and what is beside them
void run_resume(Bytes bytes);          // the output file of a batch, which the next run resumes
void run_rows(Bytes bytes);            // rows of a batch, plain and OpenAI format
void run_safetensors(Bytes bytes);     // a safetensors file, and the index of several
void run_screen(Bytes bytes);          // a screen of an LM head
void run_sentencepiece(Bytes bytes);   // a SentencePiece model
void run_session(Bytes bytes);         // a session file
void run_split(Bytes bytes);           // one file of a model in three
void run_template(Bytes bytes);        // a chat template
void run_tokenizer(Bytes bytes);       // a vocabulary in GGUF, and a text
void run_tokenizer_json(Bytes bytes);  // a tokenizer.json, and a text

}  // namespace partita::internal::fuzz
