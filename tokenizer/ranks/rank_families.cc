#include "tokenizer/ranks/rank_families.h"

#include <algorithm>
#include <array>

#include "weights/sentence.h"

namespace partita::internal {
namespace {

using Specials = std::vector<RankSpecial>;

/// Appends texts as the next ids.
void append_specials(std::initializer_list<std::string_view> texts, Specials& out, std::size_t first) {
  for (const std::string_view text : texts) {
    const std::size_t id = out.empty() ? first : out.back().id + 1;
    out.push_back({std::string(text), id});
  }
}

/// Source: llama_models/llama3/tokenizer.py.
Specials llama3_specials(std::size_t base) {
  constexpr std::size_t kCount = 256;
  Specials out;
  append_specials(
      {"<|begin_of_text|>", "<|end_of_text|>", "<|reserved_special_token_0|>", "<|reserved_special_token_1|>",
       "<|finetune_right_pad_id|>", "<|step_id|>", "<|start_header_id|>", "<|end_header_id|>", "<|eom_id|>",
       "<|eot_id|>", "<|python_tag|>", "<|image|>"},
      out, base);
  for (std::size_t i = 2; out.size() < kCount; ++i)
    append_specials({sentence("<|reserved_special_token_", i, "|>")}, out, 0);
  return out;
}

/// Source: tokenization_qwen.py.
Specials qwen_specials(std::size_t base) {
  Specials out;
  append_specials({"<|endoftext|>", "<|im_start|>", "<|im_end|>"}, out, base);
  for (std::size_t i = 0; i < 205; ++i) append_specials({sentence("<|extra_", i, "|>")}, out, 0);
  return out;
}

/// Source: tokenization_kimi.py, which takes the others from tokenizer_config.json.
Specials kimi_specials(std::size_t base) {
  Specials out;
  for (std::size_t id = base; id < base + 256; ++id)
    out.push_back({sentence("<|reserved_token_", id, "|>"), id});
  return out;
}

// Source of the next: tiktoken_ext/openai_public.py.
Specials cl100k_specials(std::size_t) {
  Specials out;
  append_specials({"<|endoftext|>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>"}, out, 100257);
  out.push_back({"<|endofprompt|>", 100276});
  return out;
}

Specials o200k_specials(std::size_t) { return {{"<|endoftext|>", 199999}, {"<|endofprompt|>", 200018}}; }

Specials gpt2_specials(std::size_t) { return {{"<|endoftext|>", 50256}}; }

constexpr std::string_view kEndOfText = "<|endoftext|>";

constexpr std::array kRankFamilies = {
    RankFamily{"Llama 3", "", "", 128000, "llama-bpe", "<|begin_of_text|>", "<|end_of_text|>", true,
               llama3_specials},
    RankFamily{"Qwen", "qwen.tiktoken", "QWenTokenizer", 151643, "qwen2", "", kEndOfText, false,
               qwen_specials},
    RankFamily{"Kimi", "tiktoken.model", "TikTokenTokenizer", 163584, "kimi-k2", "[BOS]", "[EOS]", false,
               kimi_specials},
    RankFamily{"cl100k_base", "cl100k_base.tiktoken", "", 100256, "dbrx", "", kEndOfText, false,
               cl100k_specials},
    RankFamily{"o200k_base", "o200k_base.tiktoken", "", 199998, "gpt-4o", "", kEndOfText, false,
               o200k_specials},
    RankFamily{"r50k_base", "r50k_base.tiktoken", "", 50256, "gpt-2", "", kEndOfText, false, gpt2_specials},
    RankFamily{"p50k_base", "p50k_base.tiktoken", "", 50280, "gpt-2", "", kEndOfText, false, gpt2_specials},
};

}  // namespace

const RankFamily* find_rank_family(std::string_view tokenizer_class, std::string_view file,
                                   std::size_t ranks) {
  const auto find = [](auto&& is_it) {
    const auto found = std::find_if(kRankFamilies.begin(), kRankFamilies.end(), is_it);
    return found == kRankFamilies.end() ? nullptr : &*found;
  };
  const auto is_named = [&](const RankFamily& family) {
    return !family.tokenizer_class.empty() && family.tokenizer_class == tokenizer_class;
  };
  if (const RankFamily* family = find(is_named)) return family;
  if (const RankFamily* family = find([&](const RankFamily& each) { return each.file == file; }))
    return family;
  return find([&](const RankFamily& each) { return each.ranks == ranks; });
}

std::string rank_family_names() {
  std::string names;
  for (const RankFamily& family : kRankFamilies) names += sentence(names.empty() ? "" : ", ", family.name);
  return names;
}

}  // namespace partita::internal
