#!/usr/bin/env python3
"""Encodes texts with partita, Hugging Face's tokenizers and tiktoken, in turn, on one thread each.

    python3 -m venv venv && venv/bin/pip install gguf==0.19.0 tokenizers==0.23.3 tiktoken==0.13.0
    cmake --build --preset release --target tokenizer_speed
    venv/bin/python bench/tokenizer_speed.py MODEL.gguf [--rounds 5] [--long]

MODEL.gguf: byte-level BPE whose pre-tokenizer is llama-bpe, qwen2, gpt-2 or gpt-4o, such as ggml-vocab-llama-bpe.gguf of
llama.cpp. Prints a table of MB per second of processor time (medians) and whether the ids are the same. --long: texts of 1, 2, 4 and 8 MB of one
kind instead, partita alone, and the ratio of the time of each to that of half its length.
"""

import argparse
import os
import pathlib
import random
import statistics
import subprocess
import tempfile
import time

os.environ["RAYON_NUM_THREADS"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

import tiktoken
from gguf import GGUFReader
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers

ROOT = pathlib.Path(__file__).resolve().parent.parent
SUFFIX = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
LLAMA3 = SUFFIX + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
UPPER, LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
EXPRESSIONS = {
    "llama-bpe": LLAMA3,
    "qwen2": LLAMA3.replace("{1,3}", ""),
    "gpt-2": r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    "gpt-4o": rf"[^\r\n\p{{L}}\p{{N}}]?{UPPER}*{LOWER}+{SUFFIX}?|[^\r\n\p{{L}}\p{{N}}]?{UPPER}+{LOWER}*{SUFFIX}?|\p{{N}}{{1,3}}"
              r"| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
}
MEGABYTE = 1 << 20


def byte_of_letter():
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [b for b in range(256) if b not in printable]
    return {chr(b): b for b in printable} | {chr(256 + i): b for i, b in enumerate(others)}


BYTES = byte_of_letter()


class Vocabulary:
    def __init__(self, path):
        fields = GGUFReader(path).fields
        self.pre = fields["tokenizer.ggml.pre"].contents()
        self.tokens = fields["tokenizer.ggml.tokens"].contents()
        self.types = fields["tokenizer.ggml.token_type"].contents()
        self.merges = [tuple(m.split(" ")) for m in fields["tokenizer.ggml.merges"].contents()]

    def words(self):
        """Tokens of ideographs alone."""
        texts = [bytes(BYTES[c] for c in t).decode(errors="ignore") for t, k in zip(self.tokens, self.types) if k == 1]
        return [t for t in texts if t and all("\u4e00" <= c <= "\u9fff" for c in t)]


def hugging_face(vocabulary):
    ids = {t: i for i, t in enumerate(vocabulary.tokens)}
    tokenizer = Tokenizer(models.BPE(vocab=ids, merges=vocabulary.merges, ignore_merges=vocabulary.pre == "llama-bpe"))
    split = pre_tokenizers.Split(Regex(EXPRESSIONS[vocabulary.pre]), behavior="isolated")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    return lambda text: tokenizer.encode(text).ids


def tiktoken_of(vocabulary):
    """Ranks are ids: true of vocabularies whose tokens stand in the order of their merges."""
    ranks = {bytes(BYTES[c] for c in t): i for i, (t, k) in enumerate(zip(vocabulary.tokens, vocabulary.types)) if k == 1}
    encoding = tiktoken.Encoding("bench", pat_str=EXPRESSIONS[vocabulary.pre], mergeable_ranks=ranks, special_tokens={})
    return encoding.encode_ordinary


class Partita:
    def __init__(self, model):
        program = ROOT / "build" / "release" / "tokenizer_speed"
        self.process = subprocess.Popen([program, model], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.opened = float(self.process.stdout.readline())

    def encode(self, path):
        self.process.stdin.write(f"{path}\n")
        self.process.stdin.flush()
        seconds, count, checksum = self.process.stdout.readline().split()
        return float(seconds), (int(count), int(checksum))


def checksum(ids):
    total = 0
    for i in ids:
        total = (total * 31 + i) & 0xFFFFFFFF
    return len(ids), total


def texts(vocabulary):
    """About a megabyte each. The Chinese is made: words of the vocabulary, common ones more often, in clauses."""
    read = lambda *patterns: "\n".join(p.read_text(encoding="utf-8") for g in patterns for p in sorted(ROOT.glob(g)))
    rng = random.Random(1)
    words = vocabulary.words() or [chr(0x4E00 + i) for i in range(3000)]
    weights = [1 / (20 + i) for i in range(len(words))]
    picked = rng.choices(words, weights, k=400000)
    chinese = "".join(w + rng.choices(["", "，", "。", "\n"], [20, 3, 1, 0.2])[0] for w in picked)
    english = read("docs/*.md", "*.md", "tools/**/*.md", "tests/**/*.md")
    code = read("engine/**/*.cc", "tokenizer/**/*.cc", "api/**/*.cc", "sampling/**/*.cc")
    cut = lambda text: text.encode()[:MEGABYTE].decode(errors="ignore")
    parts = [text[i : i + 2000] for i in range(0, 200000, 2000) for text in (english, code, chinese)]
    parts += [read("tests/data/engine/mixed_text.txt")]
    return {"English": cut(english), "code": cut(code), "Chinese": cut(chinese), "mixed": cut("".join(parts))}


def compare(vocabulary, model, rounds, where):
    partita = Partita(model)
    peers = {"tokenizers": hugging_face(vocabulary), "tiktoken": tiktoken_of(vocabulary)}
    print(f"{vocabulary.pre}, {len(vocabulary.tokens)} tokens; opened in {partita.opened * 1000:.0f} ms\n")
    print("| text | MB | partita | tokenizers | tiktoken | ratio to tokenizers | to tiktoken | same ids |")
    print("|---|---|---|---|---|---|---|---|")
    for name, text in texts(vocabulary).items():
        path = pathlib.Path(where) / name
        path.write_text(text, encoding="utf-8", newline="")
        size = path.stat().st_size
        times = {"partita": [], **{peer: [] for peer in peers}}
        same = True
        for _ in range(rounds):
            seconds, own = partita.encode(path)
            times["partita"].append(seconds)
            for peer, encode in peers.items():
                start = time.process_time()
                ids = encode(text)
                times[peer].append(time.process_time() - start)
                same = same and checksum(ids) == own
        rate = {p: size / 1e6 / statistics.median(t) for p, t in times.items()}
        print(f"| {name} | {size / 1e6:.2f} | {rate['partita']:.1f} | {rate['tokenizers']:.2f} | {rate['tiktoken']:.2f} "
              f"| {rate['partita'] / rate['tokenizers']:.1f} | {rate['partita'] / rate['tiktoken']:.1f} | {'yes' if same else 'NO'} |")


def lengthen(vocabulary, model, rounds, where):
    partita = Partita(model)
    rng = random.Random(2)
    letters = "".join(rng.choice("etaoinshrdlu") for _ in range(8 * MEGABYTE))
    kinds = {"spaces": " ", "one letter": "a", "combining marks": "\u0301", "emoji": "\U0001F600", "no spaces": letters,
             "one digit": "1", "ideographs": "\u4e2d\u6587"}
    print("| text | 1 MB, ms | 2 MB | 4 MB | 8 MB | ratios |")
    print("|---|---|---|---|---|---|")
    for name, unit in kinds.items():
        times = []
        for megabytes in (1, 2, 4, 8):
            path = pathlib.Path(where) / "long"
            bytes_wanted = megabytes * MEGABYTE
            path.write_bytes((unit.encode() * (bytes_wanted // len(unit.encode()) + 1))[: bytes_wanted // 12 * 12])
            times.append(statistics.median(partita.encode(path)[0] for _ in range(rounds)) * 1000)
        ratios = ", ".join(f"{b / a:.2f}" for a, b in zip(times, times[1:]))
        print(f"| {name} | " + " | ".join(f"{t:.0f}" for t in times) + f" | {ratios} |")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--long", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as where:
        (lengthen if options.long else compare)(Vocabulary(options.model), options.model, options.rounds, where)


if __name__ == "__main__":
    main()
