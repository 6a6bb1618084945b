#include "tests/api/tiny_chat.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>

#include "tests/head_writer.h"

namespace partita::internal::testing {
namespace {

/// GPT-2's spelling of a byte: printable bytes are themselves, the others follow from U+0100 on.
std::string spelling_of(int byte) {
  const auto printable = [](int b) {
    return (b >= '!' && b <= '~') || (b >= 0xA1 && b <= 0xAC) || (b >= 0xAE && b <= 0xFF);
  };
  int point = byte;
  if (!printable(byte)) {
    point = 0x100;
    for (int b = 0; b < byte; ++b) point += printable(b) ? 0 : 1;
  }
  if (point < 0x80) return std::string(1, static_cast<char>(point));
  return {static_cast<char>(0xC0 | point >> 6), static_cast<char>(0x80 | (point & 0x3F))};
}

void add_vocabulary(const ChatFile& what, GgufWriter& file) {
  std::vector<std::string> tokens;
  for (int byte = 0; byte < 256; ++byte) tokens.push_back(spelling_of(byte));
  for (const char* merged : {"he", "ll", "hell", "hello", "<|bos|>", "<|im_start|>", "<|im_end|>"}) {
    tokens.emplace_back(merged);
  }
  std::vector<std::int32_t> kinds(tokens.size(), 1);
  std::fill(kinds.begin() + ChatVocabulary::kBos, kinds.end(), 3);
  for (const auto& [id, spelling] : what.respelled) tokens[static_cast<std::size_t>(id)] = spelling;
  tokens.insert(tokens.end(), what.added.begin(), what.added.end());
  kinds.resize(tokens.size(), 1);
  file.add("tokenizer.ggml.model", "gpt2")
      .add("tokenizer.ggml.pre", "gpt-2")
      .add("tokenizer.ggml.tokens", tokens)
      .add("tokenizer.ggml.token_type", kinds)
      .add("tokenizer.ggml.merges", std::vector<std::string>{"h e", "l l", "he ll", "hell o"})
      .add("tokenizer.ggml.bos_token_id", static_cast<std::uint32_t>(ChatVocabulary::kBos))
      .add("tokenizer.ggml.eos_token_id", static_cast<std::uint32_t>(ChatVocabulary::kEnd))
      .add("tokenizer.ggml.add_bos_token", what.add_bos);
  if (!what.chat_template.empty()) file.add("tokenizer.chat_template", what.chat_template);
}

std::string fresh_path() {
  static std::atomic<int> count{0};
  const auto directory = std::filesystem::temp_directory_path();
  return (directory / ("partita-test-" + std::to_string(getpid()) + "-" + std::to_string(count++) + ".gguf"))
      .string();
}

}  // namespace

std::string ChatFile::default_template() {
  return "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
         "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";
}

ChatModelFile::ChatModelFile(ChatFile what) : path_(fresh_path()) {
  what.spec.vocab = ChatVocabulary::kSize + static_cast<std::uint32_t>(what.added.size());
  GgufWriter file = tiny_metadata(what.spec);
  add_vocabulary(what, file);
  const test::HeadSpec head{what.head, what.spec.dtype, what.spec.vocab, what.spec.hidden};
  what.spec.bands = what.bands;
  add_tiny_tensors(what.spec, file);
  if (what.bands) test::add_bands(head, file);
  if (!what.head.empty()) test::add_head(head, file);
  const auto written = file.write(path_);
  if (!written) throw std::runtime_error(written.error().message);
}

ChatModelFile::~ChatModelFile() { std::filesystem::remove(path_); }

std::string long_text(std::size_t n) {
  std::string text;
  for (std::size_t i = 0; i < n; ++i) text += static_cast<char>('a' + i * i % 23);
  return text;
}

Whole pull_all(Stream stream) {
  Whole whole;
  while (auto token = must(stream.next())) {
    whole.ids.push_back(token->id);
    whole.text += token->text;
    whole.tokens.push_back(*token);
  }
  whole.finish = stream.finish();
  must(stream.ids() == whole.ids, "a stream's ids are not those of its tokens");
  return whole;
}

Whole generate_alone(const Model& model, const Request& request) {
  Session session = must(model.session());
  return pull_all(must(session.generate(request)));
}

}  // namespace partita::internal::testing
