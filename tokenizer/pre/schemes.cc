// The pre-tokenizers by the names that GGUF files give them. The names are those of llama.cpp
// (src/llama-vocab.cpp). The expressions are those of the models' own tokenizer.json where they are known:
// llama.cpp writes some of them differently for its own matcher (the case of contractions as [sS], that of
// letters as [^a-z]).
#include "tokenizer/pre/digit_groups.h"
#include "tokenizer/pre/scheme.h"
#include "tokenizer/pre/words.h"

namespace partita::internal {
namespace {

// clang-format off
constexpr const char* kGpt2 = R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
constexpr const char* kLlama3 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*)"
    R"(|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char* kQwen2 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*)"
    R"(|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char* kQwen35 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*)"
    R"(|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char* kO200k =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?)"
    R"(|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?)"
    R"(|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char* kTekken =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+)"
    R"(|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*)"
    R"(|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char* kYoutu =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?)"
    R"(|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?)"
    R"(|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
/// The class [\p{Lu}...&&[^\p{Han}]] of the model's own, which PCRE2 cannot write, is a look-ahead.
constexpr const char* kKimi =
    R"(\p{Han}+)"
    R"(|[^\r\n\p{L}\p{N}]?(?:(?!\p{Han})[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}])*(?:(?!\p{Han})[\p{Ll}\p{Lm}\p{Lo}\p{M}])+(?i:'s|'t|'re|'ve|'m|'ll|'d)?)"
    R"(|[^\r\n\p{L}\p{N}]?(?:(?!\p{Han})[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}])+(?:(?!\p{Han})[\p{Ll}\p{Lm}\p{Lo}\p{M}])*(?i:'s|'t|'re|'ve|'m|'ll|'d)?)"
    R"(|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char* kBailing =
    R"('(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*)"
    R"(|\s*[\r\n]|\s+(?!\S)|\s+)";
constexpr const char* kSeedCoder =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}\r\n]+)"
    R"(|\s*[\r\n]+|\s+(?!\S)|\s+)";
/// Qwen2's without contractions, so that Turkish suffixes stay with their apostrophe.
constexpr const char* kUfakzeka =
    R"([^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char* kMiniCpm5 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}+| ?[^\s\p{L}\p{N}]+[\r\n]*)"
    R"(|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char* kJais2 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+)"
    R"(|\s{512}(?!\S)|\s{256}(?!\S)|\s{128}(?!\S)|\s{64}(?!\S)|\s{32}(?!\S)|\s{16}(?!\S)|\s{8}(?!\S))"
    R"(|\s{4}(?!\S)|\s{1,2}(?!\S)|\s{1})";
/// A word of this one goes on over single spaces. The model's own is
/// (?:\p{L}\p{M}*(?: \p{L}\p{M}*)*)+, whose nested repetitions would take a stack of the length of the word.
constexpr const char* kExaoneMoe =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}[\p{L}\p{M}]*+(?: \p{L}[\p{L}\p{M}]*+)*+|\p{N})"
    R"(| ?[^\s\p{L}\p{N}]+[\r\n/]?|\s*[\r\n]|\s+(?!\S)|\s+)";
constexpr const char* kDeepSeek3 =
    R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+)"
    R"(| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char* kSpark =
    R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+)"
    R"(| ?[\p{P}\p{S}]+|[\r\n]|\s+(?!\S)|\s+)";
constexpr const char* kDeepSeekLetters =
    R"(\s?[A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚḀ-ἕἘ-Ἕἠ-ὅὈ-Ὅὐ-ὗὙὛὝὟ-ώᾀ-ᾴᾶ-ᾼιῂ-ῄῆ-ῌῐ-ΐῖ-Ίῠ-Ῥῲ-ῴῶ-ῼ)"
    R"(ℂℇℊ-ℓℕℙ-ℝℤΩℨK-ℭℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-𞥃]+)";
/// The model's own is \s+$; the look-behind spares it a look at the same spaces from each of them.
constexpr const char* kTrailingSpaces = R"((?<!\s)\s++$)";
constexpr const char* kDeepSeekPunctuation = R"(\s?[!-/:-~！-／：-～‘-‟　-。]+)";
constexpr const char* kDeepSeekCjk = "[一-龥ࠀ-一가-퟿]+";
constexpr const char* kCjk = "[一-龥぀-ゟ゠-ヿ]+";
constexpr const char* kAfmoeScripts =
    "[一-鿿㐀-䶿豈-﫿぀-ゟ゠-ヿ･-ﾟ⼀-⿟เ-๿຀-໿ក-៿က-႟ꩠ-ꩿꧠ-꧿가-힯ᄀ-ᇿ]+";
constexpr const char* kYoutuScripts =
    "[가-힣ㄱ-ㆎ]+|[！…“”‘’—：；，、-〿︰-﹏]+|[ㄅ-ㄯ]+|[一-龥぀-ゟ゠-ヿ]+";
constexpr const char* kBloom = R"( ?[^(\s|.,!?…。，、।۔،)]+)";
constexpr const char* kLines = R"([^\n]+|[\n]+)";

// Pre-tokenizers of tokenizer.json that are no expressions.
constexpr const char* kDigit = R"(\p{Numeric})";                     // Digits, each alone
constexpr const char* kPunctuation = R"([!-/:-@\[-`{-~\p{P}]+)";     // Punctuation, contiguous
constexpr const char* kPunctuationMark = R"([!-/:-@\[-`{-~\p{P}])";  // Punctuation, isolated
constexpr const char* kDefaultPunctuation = R"([\p{P}$+<=>^~|]+)";   // llama.cpp's

constexpr bool kIgnoreMerges = true, kAddBos = true;

constexpr std::array kSchemes = {
    // llama.cpp's for files that name none; no tokenizer.json is behind it.
    Scheme{"default", {kDefaultPunctuation, kGpt2, R"(\p{N}+)", "[0-9][0-9][0-9]"}},
    Scheme{"gpt-2 phi-2 jina-es jina-de gigachat jina-v2-es jina-v2-de a.x-4.0 mellum modern-bert jina-v1-en "
           "jina-v2-code roberta-bpe mpt olmo jais exaone4 trillion granite-docling",
           {kGpt2}, gpt2_word},
    Scheme{"smollm starcoder refact command-r codeshell exaone minerva-7b mellum2", {kDigit, kGpt2}, gpt2_digit_word},
    Scheme{"llama-bpe llama3 llama-v3 falcon3 falcon-h1 pixtral midm-2.0 lfm2 jina-v5-nano",
           {kLlama3}, llama3_word, kIgnoreMerges, kAddBos},
    Scheme{"glm4 glm5", {kLlama3}, llama3_word, kIgnoreMerges},
    Scheme{"dbrx smaug-bpe chatglm-bpe", {kLlama3}, llama3_word},
    Scheme{"qwen2 deepseek-r1-qwen kormo f2llmv2 megrez stablelm2 hunyuan solar-open grok-2", {kQwen2}, qwen2_word},
    Scheme{"qwen35", {kQwen35}, qwen35_word},
    Scheme{"gpt-4o llama4 kanana2 talkie minimax-m2", {kO200k}, o200k_word},
    Scheme{"granite-embed-multi-97m", {kO200k}, o200k_word, kIgnoreMerges},
    Scheme{"tekken", {kTekken}, tekken_word, kIgnoreMerges, kAddBos},
    Scheme{"kimi-k2", {kKimi}, kimi_word},
    Scheme{"deepseek-v3 hunyuan-dense joyai-llm hy_v4", {R"(\p{N}{1,3})", kCjk, kDeepSeek3}, deepseek3_word},
    Scheme{"bailingmoe bailingmoe2 llada-moe", {kBailing}, qwen2_word},
    Scheme{"seed-coder", {kSeedCoder}, seed_coder_word},
    Scheme{"ufakzeka", {kUfakzeka}, ufakzeka_word},
    Scheme{"deepseek-llm",
           {"[\r\n]", kDeepSeekLetters, kDeepSeekPunctuation, kTrailingSpaces, kDeepSeekCjk, kDigit}},
    Scheme{"deepseek-coder", {"[\r\n]", R"(\s?\p{L}+)", R"(\s?\p{P}+)", kDeepSeekCjk, kDigit}},
    Scheme{"spark2_5", {R"(\p{N}{1,3})", kCjk, kSpark, R"(\p{N})"}},
    Scheme{"falcon", {kPunctuation, kGpt2, split_byte_numbers}},
    Scheme{"minicpm5", {R"(\p{N}{1,3})", kMiniCpm5}, nullptr, kIgnoreMerges},
    Scheme{"jais-2", {kJais2}},
    Scheme{"exaone-moe", {kExaoneMoe}},
    Scheme{"youtu", {kYoutuScripts, kYoutu}, nullptr, kIgnoreMerges},
    Scheme{"laguna", {kLines, kQwen2}},
    Scheme{"poro-chat bloom gpt3-finnish", {kBloom}},
    Scheme{"viking", {kBloom, kDigit}},
    Scheme{"chameleon",
           {"<sentinel:[0-9]+>", "IMGIMG[A-I]{1,4}Z", R"([\t\n]|    |  )", kDigit, kPunctuationMark, kGpt2},
           nullptr, false, kAddBos},
    Scheme{"tiny_aya cohere2moe", {split_grouped_decimals, kO200k}},
    Scheme{"afmoe", {split_grouped_numbers, kAfmoeScripts, kDeepSeek3}},
    Scheme{"superbpe", {R"(\p{N}+)", split_before_groups}},
};
// clang-format on

/// The name at the front of `names`, and the rest.
std::string_view take_name(std::string_view& names) {
  const std::string_view name = names.substr(0, names.find(' '));
  names.remove_prefix(name.size() + (name.size() < names.size() ? 1 : 0));
  return name;
}

}  // namespace

const Scheme* find_scheme(std::string_view name) {
  for (const Scheme& scheme : kSchemes) {
    for (std::string_view names = scheme.names; !names.empty();) {
      if (take_name(names) == name) return &scheme;
    }
  }
  return nullptr;
}

std::vector<std::string_view> scheme_names() {
  std::vector<std::string_view> all;
  for (const Scheme& scheme : kSchemes) {
    for (std::string_view names = scheme.names; !names.empty();) all.push_back(take_name(names));
  }
  return all;
}

}  // namespace partita::internal
