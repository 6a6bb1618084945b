"""Records what tiktoken and mistral-common make of vocabularies of ranks: tests/data/ranks/.

    python3 tests/oracles/record_ranks.py

Needs tiktoken==0.14.0 and mistral-common==1.8.8. The vocabularies have some 700 tokens, trained here by byte pairs, and a
few that no merges make. small.tiktoken is a rank file, split by Llama 3's expression (which GGUF files can name) or by
cl100k's (which has possessive intervals, and no name); tekken_v3.json lists no special tokens, tekken_v13.json does.
"""

import base64
import collections
import json
import pathlib

import awkward_strings
import mistral_common
import tiktoken
from mistral_common.tokens.tokenizers.tekken import Tekkenizer

OUTPUT = pathlib.Path(__file__).parents[1] / "data" / "ranks"

LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|"
          r"\s+(?!\S)|\s+")
CL100K = (r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|"
          r"\s+(?!\S)|\s")
TEKKEN = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|"
          r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|"
          r"\s*[\r\n]+|\s+(?!\S)|\s+")
CORPUS = [text for text in awkward_strings.ALL if text] * 2 + [
    "the quick brown fox jumps over the lazy dog", "there is no there there, is there?", "the cat sat on the mat.",
    "I'm sure that you're right: it's what they've said.", "int main() { return 0; }\n", "def f(x):\n    return x + 1\n",
    "Höhe, Größe, Straße, naïve café", "Привет, мир! Как дела?", "你好世界 你好", "今日は良い天気ですね", "مرحبا بالعالم",
] * 8
UNMADE = [b" thexyz", b"qzqzq", "東京都".encode()]  # tokens that no merges make
STRINGS = [text for text in awkward_strings.ALL + awkward_strings.random_strings(300, 5) if len(text) < 300] + [
    " thexyz qzqzq", "東京都東京都", "aaaaaaa" * 9, "[INST]</s><|special|>", "1234567 12345\n\n  \n x  "]


def train(count):
    """Byte pairs, the most frequent first, within whitespace words."""
    words = collections.Counter(tuple(bytes([b]) for b in (" " + word).encode()) for text in CORPUS for word in text.split(" "))
    tokens = [bytes([b]) for b in range(256)]
    while len(tokens) < count:
        pairs = collections.Counter()
        for word, times in words.items():
            for pair in zip(word, word[1:]):
                pairs[pair] += times
        left, right = max(pairs, key=lambda pair: (pairs[pair], pair))
        if left + right not in tokens:
            tokens.append(left + right)
        merged = collections.Counter()
        for word, times in words.items():
            out = []
            for part in word:
                if out and out[-1] == left and part == right:
                    out[-1] = left + right
                else:
                    out.append(part)
            merged[tuple(out)] += times
        words = merged
    return tokens + [token for token in UNMADE if token not in tokens]


def write(name, value):
    (OUTPUT / name).write_text(json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n")


def tekken(tokens, version, specials):
    file = {"config": {"pattern": TEKKEN, "num_vocab_tokens": len(tokens), "default_vocab_size": len(tokens) + 100 - 2,
                       "default_num_special_tokens": 100, "version": version},
            "vocab": [{"rank": i, "token_bytes": base64.b64encode(t).decode(), "token_str": None}
                      for i, t in enumerate(tokens)]}
    if specials is not None:
        file["special_tokens"] = [{"rank": i, "token_str": text, "is_control": True} for i, text in enumerate(specials)]
    return file


def ids_of(encode):
    return [encode(text) for text in STRINGS]


def main():
    OUTPUT.mkdir(exist_ok=True)
    tokens = train(700)
    ranks = {token: rank for rank, token in enumerate(tokens)}
    (OUTPUT / "small.tiktoken").write_bytes(
        b"".join(base64.b64encode(t) + b" %d\n" % i for i, t in enumerate(tokens)))
    record = {"versions": {"tiktoken": tiktoken.__version__, "mistral-common": mistral_common.__version__},
              "strings": STRINGS, "cases": {}}
    for name, pattern in (("llama3", LLAMA3), ("cl100k", CL100K)):
        encoding = tiktoken.Encoding(name, pat_str=pattern, mergeable_ranks=ranks,
                                     special_tokens={"<|special|>": len(tokens) + 3})
        record["cases"][name] = {"pat_str": pattern, "ids": ids_of(encoding.encode_ordinary),
                                 "special_ids": ids_of(lambda text, e=encoding: e.encode(text, allowed_special="all"))}
    for name, version, specials in (("tekken_v3", "v3", None), ("tekken_v13", "v13", [
            "<unk>", "<s>", "</s>", "[INST]", "[/INST]", "[THINK]", "<pad>"])):
        write(name + ".json", tekken(tokens, version, specials))
        made = Tekkenizer.from_file(OUTPUT / (name + ".json"))
        record["cases"][name] = {
            "ids": ids_of(lambda text, m=made: m.encode(text, bos=False, eos=False)),
            "special": {made.id_to_piece(i): i for i in range(made.num_special_tokens)},
            "bos": made.bos_id, "eos": made.eos_id, "size": made.n_words}
    write("record.json", record)


if __name__ == "__main__":
    main()
