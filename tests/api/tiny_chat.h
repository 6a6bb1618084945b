// Tiny models with a vocabulary and a chat template, as files: whole enough for the public interface.
#pragma once

#include <filesystem>
#include <partita/partita.hpp>
#include <string>
#include <string_view>

#include "tests/engine/tiny_models.h"
#include "tests/must.h"

namespace partita::internal::testing {

/// All 256 bytes (ids 0 .. 255, by byte), the merges to "hello", then the control tokens.
struct ChatVocabulary {
  static constexpr TokenId kHello = 259;
  static constexpr TokenId kBos = 260, kStart = 261, kEnd = 262;  // "<|bos|>", "<|im_start|>", "<|im_end|>"
  static constexpr TokenId kSize = 263;
};

struct ChatFile {
  TinySpec spec = tiny_llama(Dtype::kF32);
  bool add_bos = false;
  std::string chat_template = default_template();               // empty: none
  std::vector<std::pair<TokenId, std::string>> respelled = {};  // tokens that are spelled so instead
  std::vector<std::string> added = {};                          // tokens after the others
  std::string head = {};                                        // of this kind (head_writer.h); empty: tied
  bool bands = false;                                           // the embedding in bands
  static std::string default_template();
};

/// A model file that is deleted with its owner.
class ChatModelFile {
 public:
  explicit ChatModelFile(ChatFile what = {});
  ~ChatModelFile();
  ChatModelFile(const ChatModelFile&) = delete;
  ChatModelFile& operator=(const ChatModelFile&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

/// `n` letters that a tiny model reads one by one.
std::string long_text(std::size_t n);

/// What a whole answer was.
struct Whole {
  std::vector<TokenId> ids;
  std::string text;
  std::vector<Token> tokens;
  Finish finish = Finish::kNone;
};

/// Pulls a stream to its end.
Whole pull_all(Stream stream);

/// generate() in a session of its own.
Whole generate_alone(const Model& model, const Request& request);

}  // namespace partita::internal::testing
