"""Records how Hugging Face's `tokenizers` splits awkward strings for the pre-tokenizers that GGUF files name.

    python3 -m venv venv && venv/bin/pip install tokenizers==0.23.3
    venv/bin/python tests/oracles/record_splits.py

Writes tests/data/tokenizer/words.json: for each pre-tokenizer the lengths of the words of each string, in bytes.
The pre-tokenizers are written as the models' own tokenizer.json has them, without the byte alphabet; where that is not
known, as the comments in llama.cpp's src/llama-vocab.cpp say.
"""

import importlib.metadata
import json
import pathlib
import random

from awkward_strings import ALL, random_strings
from tokenizers import Regex, pre_tokenizers
from tokenizers.pre_tokenizers import ByteLevel, Digits, Punctuation, Sequence

OUT = pathlib.Path(__file__).resolve().parent.parent / "data" / "tokenizer" / "words.json"

GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
SUFFIX = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
LLAMA3 = (SUFFIX + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN2 = LLAMA3.replace("{1,3}", "")
QWEN35 = (SUFFIX + r"|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
UPPER, LOWER = r"\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}", r"\p{Ll}\p{Lm}\p{Lo}\p{M}"


def by_case(numbers, suffix=SUFFIX + "?", others=r"[\r\n/]*", without=""):
    first = r"[^\r\n\p{L}\p{N}]?"
    return (f"{first}[{UPPER}{without}]*[{LOWER}{without}]+{suffix}|{first}[{UPPER}{without}]+[{LOWER}{without}]*{suffix}"
            rf"|{numbers}| ?[^\s\p{{L}}\p{{N}}]+{others}|\s*[\r\n]+|\s+(?!\S)|\s+")


ASCII_WORD = r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"""
DEEPSEEK3 = ASCII_WORD + r"| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
SPARK = ASCII_WORD + r"| ?[\p{P}\p{S}]+|[\r\n]|\s+(?!\S)|\s+"
CJK = "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+"
DEEPSEEK_CJK = "[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+"
# The letters with case, as deepseek-llm lists them.
SMALL_AND_CAPITAL = (
    "A-Za-z\xb5\xc0-\xd6\xd8-\xf6\xf8-\u01ba\u01bc-\u01bf\u01c4-\u0293\u0295-\u02af\u0370-\u0373\u0376\u0377"
    "\u037b-\u037d\u037f\u0386\u0388-\u038a\u038c\u038e-\u03a1\u03a3-\u03f5\u03f7-\u0481\u048a-\u052f\u0531-"
    "\u0556\u10a0-\u10c5\u13a0-\u13f5\u13f8-\u13fd\u1c90-\u1cba\u1cbd-\u1cbf\u1d00-\u1d2b\u1d6b-\u1d77\u1d79-"
    "\u1d9a\u1e00-\u1f15\u1f18-\u1f1d\u1f20-\u1f45\u1f48-\u1f4d\u1f50-\u1f57\u1f59\u1f5b\u1f5d\u1f5f-\u1f7d"
    "\u1f80-\u1fb4\u1fb6-\u1fbc\u1fbe\u1fc2-\u1fc4\u1fc6-\u1fcc\u1fd0-\u1fd3\u1fd6-\u1fdb\u1fe0-\u1fec\u1ff2-"
    "\u1ff4\u1ff6-\u1ffc\u2102\u2107\u210a-\u2113\u2115\u2119-\u211d\u2124\u2126\u2128\u212a-\u212d\u212f-"
    "\u2134\u2139\u213c-\u213f\u2145-\u2149\u214e\u2183\u2184\u2c00-\u2c7b\u2c7e-\u2ce4\u2ceb-\u2cee\u2cf2"
    "\u2cf3\ua640-\ua66d\ua680-\ua69b\ua722-\ua76f\ua771-\ua787\ua78b-\ua78e\uab70-\uabbf\ufb00-\ufb06\ufb13-"
    "\ufb17\uff21-\uff3a\uff41-\uff5a\U00010400-\U0001044f\U000104b0-\U000104d3\U000104d8-\U000104fb\U00010c80"
    "-\U00010cb2\U00010cc0-\U00010cf2\U000118a0-\U000118df\U0001e900-\U0001e943")
DEEPSEEK_SIGNS = "\\s?[!-/:-~\uff01-\uff0f\uff1a-\uff5e\u2018-\u201f\u3000-\u3002]+"
AFMOE = "[\u4e00-\u9fff\u3400-\u4dbf\u8c48-\ufaff\u3040-\u309f\u30a0-\u30ff\uff65-\uff9f\u2f00-\u2fdf\u0e40-\u0e7f\u0e80-\u0eff\u1780-\u17ff\u1000-\u109f\uaa60-\uaa7f\ua9e0-\ua9ff\uac00-\ud7af\u1100-\u11ff]+"
YOUTU = "[\uac00-\ud7a3\u3131-\u318e]+|[\uff01\u2026\u201c\u201d\u2018\u2019\u2014\uff1a\uff1b\uff0c\u3001-\u303f\ufe30-\ufe4f]+|[\u3105-\u312f]+|[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+"
BLOOM = " ?[^(\\s|.,!?\u2026\u3002\uff0c\u3001\u0964\u06d4\u060c)]+"
CASCADE = "".join(rf"|\s{{{n}}}(?!\S)" for n in (512, 256, 128, 64, 32, 16, 8, 4)) + r"|\s{1,2}(?!\S)|\s{1}"


def split(*patterns):
    parts = [p if not isinstance(p, str) else pre_tokenizers.Split(Regex(p), behavior="isolated") for p in patterns]
    return Sequence(parts)


SPLITTERS = {
    "default": split(r"[\p{P}\$\+<=>\^~\|]+", GPT2, r"\p{N}+", "[0-9][0-9][0-9]"),
    "gpt-2": split(GPT2),
    "smollm": split(Digits(individual_digits=True), GPT2),
    "llama-bpe": split(LLAMA3),
    "qwen2": split(QWEN2),
    "qwen35": split(QWEN35),
    "gpt-4o": split(by_case(r"\p{N}{1,3}")),
    "tekken": split(by_case(r"\p{N}", suffix="")),
    "kimi-k2": split(r"[\p{Han}]+|" + by_case(r"\p{N}{1,3}", others=r"[\r\n]*", without=r"&&[^\p{Han}]")),
    "deepseek-v3": split(r"\p{N}{1,3}", CJK, DEEPSEEK3),
    "bailingmoe": split(r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]"
                        r"|\s+(?!\S)|\s+"),
    "seed-coder": split(SUFFIX + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1}| ?[^\s\p{L}\p{N}" "\r\n" r"]+|\s*[" "\r\n"
                        r"]+|\s+(?!\S)|\s+"),
    "ufakzeka": split(QWEN2.removeprefix(SUFFIX + "|")),
    "deepseek-llm": split("[\r\n]", rf"\s?[{SMALL_AND_CAPITAL}]+", DEEPSEEK_SIGNS, r"\s+$", DEEPSEEK_CJK,
                          Digits(individual_digits=True)),
    "deepseek-coder": split("[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", DEEPSEEK_CJK, Digits(individual_digits=True)),
    "spark2_5": split(r"\p{N}{1,3}", CJK, SPARK, r"\p{N}"),
    # The digits are split off the letters that stand for bytes: some of those are numbers too.
    "falcon": split(Punctuation(behavior="contiguous"), ByteLevel(add_prefix_space=False), Digits(individual_digits=False),
                    "[0-9][0-9][0-9]"),
    "minicpm5": split(r"\p{N}{1,3}", LLAMA3.replace("{1,3}", "+")),
    "jais-2": split(LLAMA3.removesuffix(r"|\s+(?!\S)|\s+") + CASCADE),
    "exaone-moe": split(SUFFIX + r"|[^\r\n\p{L}\p{N}]?(?:\p{L}\p{M}*(?: \p{L}\p{M}*)*)+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]?"
                        r"|\s*[\r\n]|\s+(?!\S)|\s+"),
    "youtu": split(YOUTU, by_case(r"\p{N}")),
    "laguna": split(r"[^\n]+|[\n]+", QWEN2),
    "bloom": split(BLOOM),
    "viking": split(BLOOM, Digits(individual_digits=True)),
    "chameleon": split("<sentinel:[0-9]+>", "(IMGIMG)((A|B|C|D|E|F|G|H|I){1,4})Z", r"([\t\n]|    |  )",
                       Digits(individual_digits=True), Punctuation(behavior="isolated"), GPT2),
    "tiny_aya": split(r"\d{1,3}(?=(?:\d{3})*\b)", by_case(r"\p{N}{1,3}")),
    "afmoe": split(r"\p{N}{1,3}(?=(?:\p{N}{3})*(?!\p{N}))", AFMOE, DEEPSEEK3),
    "superbpe": split(r"\p{N}+", r"(?=(\d{3})+(?!\d))"),
}

# Characters about which expressions differ.
PARTS = [" ", " ", "  ", "\n", "\r", "\t", "'", "s", "S", "\u017f", "'ll", "'Re", "a", "b", "A", "B", "1", "2", "34", "567", "²", "٣",
         "!", "/", "$", "_", "中", "あ", "〇", "々", "⺀", "ǅ", "ʰ", "\u0301", "\u0903", "\xa0", "　", "\x01", "😀", "Ⅳ", "Ⓐ", "가", "ㅂ", "ㄅ",
         "،", "。", "ไท", "µ", "<sentinel:7>", "IMGIMGAB", "Z", "    "]


def mixed_strings(count, seed):
    rng = random.Random(seed)
    return ["".join(rng.choice(PARTS) for _ in range(rng.randint(1, 16))) for _ in range(count)]


def word_lengths(name, text):
    words = [word for word, _ in SPLITTERS[name].pre_tokenize_str(text)]
    return [len(word if name == "falcon" else word.encode()) for word in words]


def main():
    strings = ALL + random_strings(60, seed=5) + mixed_strings(240, seed=6)
    rows = ['"versions": ' + json.dumps({"tokenizers": importlib.metadata.version("tokenizers")}),
            '"strings": [\n' + ",\n".join(map(json.dumps, strings)) + "\n]"]
    for name in SPLITTERS:
        lengths = [word_lengths(name, s) for s in strings]
        assert all(sum(found) == len(s.encode()) for found, s in zip(lengths, strings)), name
        rows.append(json.dumps(name) + ": " + json.dumps(lengths, separators=(",", ":")))
    OUT.write_text("{\n" + ",\n".join(rows) + "\n}\n")
    print(f"{OUT.name}: {OUT.stat().st_size} bytes, {len(strings)} strings, {len(SPLITTERS)} pre-tokenizers")


if __name__ == "__main__":
    main()
