#include "tokenizer/open.h"

#include <string>

#include "tokenizer/json/tokenizer_json.h"
#include "tokenizer/models/byte_bpe.h"
#include "tokenizer/models/gguf_unigram.h"
#include "tokenizer/models/gguf_wordpiece.h"
#include "tokenizer/models/ids_only.h"
#include "tokenizer/models/piece_bpe.h"
#include "tokenizer/models/rwkv.h"
#include "tokenizer/models/text_bpe.h"
#include "weights/sentence.h"

namespace partita::internal {

Result<std::unique_ptr<Tokenizer>> open_tokenizer(const Gguf& file) {
  if (file.find(kTokenizerJsonKey) != nullptr && file.find("tokenizer.ggml.model") == nullptr)
    return read_json_tokenizer(file);
  const auto model = file.get_string("tokenizer.ggml.model");
  if (!model) return model.error();
  if (is_text_bpe(file)) return read_text_bpe(file);
  if (*model == "gpt2") return read_byte_bpe(file);
  if (*model == "llama") return read_piece_bpe(file);
  if (*model == "rwkv") return read_rwkv(file);
  if (*model == "bert") return read_gguf_wordpiece(file);
  if (*model == "t5") return read_gguf_unigram(file);
  if (*model == "none") return read_ids_only(file);
  return Error{ErrorCode::kUnsupported,
               "tokenizer.ggml.model is \"" + shortened(*model) +
                   "\"; this version reads \"gpt2\", \"llama\", \"gemma4\", \"rwkv\", \"bert\", \"t5\" and "
                   "\"none\""};
}

}  // namespace partita::internal
