// Splitters written by hand for the expressions that most models use: each returns where the first word ends
// (WordEnd in scheme.h). schemes.cc has the expression beside each, and the tests compare the two.
#pragma once

namespace partita::internal {

const char* gpt2_word(const char* at, const char* end);
const char* gpt2_digit_word(const char* at, const char* end);  // each digit is a word
const char* llama3_word(const char* at, const char* end);
const char* qwen2_word(const char* at, const char* end);
const char* qwen35_word(const char* at, const char* end);
const char* seed_coder_word(const char* at, const char* end);
const char* ufakzeka_word(const char* at, const char* end);
const char* o200k_word(const char* at, const char* end);
const char* tekken_word(const char* at, const char* end);
const char* kimi_word(const char* at, const char* end);
const char* deepseek3_word(const char* at, const char* end);

}  // namespace partita::internal
