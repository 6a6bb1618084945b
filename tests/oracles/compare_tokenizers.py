"""Compares partita with the tokenizers' own libraries on random strings, for a tokenizer of each type.

    python3 tests/oracles/compare_tokenizers.py [--strings 20000] [--program build/release/partita] [TYPE...]

Needs tokenizers, sentencepiece, tiktoken and rwkv of requirements.txt; they run beside partita, nothing is recorded. The
strings are code, scripts, emoji, control characters, special tokens as text, and characters of all planes. Of every type
it prints how many strings have the same ids, and whether the ids of many strings together are the same text again. The
types that read any bytes also get strings that are not UTF-8: no library takes these, so partita must return the bytes.
Characters are of Unicode 3.2 for the types whose libraries have Unicode tables of their own version.
"""

import argparse
import ast
import io
import json
import pathlib
import random
import subprocess
import sys
import tempfile

import awkward_strings
import record_ranks
import record_tokenizer_json as files
import rwkv
import sentencepiece
import tiktoken
from rwkv.rwkv_tokenizer import TRIE_TOKENIZER
from tokenizers import Tokenizer, pre_tokenizers

CLUSTERS = ["👨‍👩‍👧‍👦", "🏳️‍🌈", "👍🏽", "🇩🇪", "☕️", "é", "é", "한", "각", "ﷺ", "مرحبا", "١٢٣", "東京", "々", "ｱｲｳ", "①", "ǅ", "ß", "İ"]
CODE = ["    return x;\n", "if (a <= b) {\n\t", "/* ... */", "#include <x>\r\n", "a_b.c->d", "0x1F", "3.14e-5", "```py\n", "://", "\\n"]
CONTROLS = [chr(c) for c in [*range(1, 32), 0x7F, 0x85, 0xA0, 0xAD, 0x200B, 0x200D, 0x2028, 0x3000, 0xFEFF, 0xFFFD]]


def strings_of(count, seed, specials, is_old):
    rng = random.Random(seed)
    sources = [CLUSTERS, CODE, CONTROLS, specials, awkward_strings.ALL, [" ", "  ", "\n", "\n\n", "\t"]]
    made = []
    while len(made) < count:
        parts = awkward_strings.random_strings(1, rng.random()) if rng.random() < 0.7 else []
        for _ in range(rng.randint(0, 6)):
            parts.insert(rng.randint(0, len(parts)), rng.choice(rng.choice(sources)))
        text = "".join(parts).replace("▁", "x")
        if is_old:
            text = "".join(c for c in text if files.old(c))
        if text:
            made.append(text)
    return made


def broken(count, seed):
    rng = random.Random(seed)
    made = []
    for text in strings_of(count, seed, ["a"], False):
        raw = bytearray(text.encode())
        for _ in range(rng.randint(1, 3)):
            raw[rng.randrange(len(raw))] = rng.randint(0x80, 0xFF)
        made.append(bytes(raw))
    return made


class Hub:
    """A tokenizer.json."""

    def __init__(self, made, specials, is_old=True, any_bytes=False):
        self.made = Tokenizer.from_str(made.to_str())
        self.specials, self.is_old, self.any_bytes, self.name = specials, is_old, any_bytes, "tokenizer.json"

    def write(self, path):
        path.write_text(self.made.to_str())

    def encode(self, text):
        return self.made.encode(text, add_special_tokens=False).ids

    def decode(self, ids):
        return self.made.decode(ids, skip_special_tokens=False)


class Ranks:
    """A rank file of tiktoken, or tekken.json."""

    is_old, any_bytes = False, True
    specials = ["<|special|>", "[INST]", "</s>"]

    def __init__(self, pattern, tekken):
        self.tokens = record_ranks.train(700)
        self.pattern, self.first, self.name = pattern, 100 if tekken else 0, "tekken.json" if tekken else "a.tiktoken"
        if tekken:
            special = {text: id for id, text in enumerate(["<unk>", "<s>", "</s>", "[INST]", "[/INST]"])}
        else:
            special = {"<|special|>": len(self.tokens)}
        self.special = special
        ranks = {token: rank + self.first for rank, token in enumerate(self.tokens)}
        self.made = tiktoken.Encoding("a", pat_str=pattern, mergeable_ranks=ranks, special_tokens=special)

    def write(self, path):
        if self.first > 0:
            file = record_ranks.tekken(self.tokens, "v13", list(self.special))
            file["config"]["default_vocab_size"] = len(self.tokens) + self.first
            path.write_text(json.dumps(file))
            return
        path.write_bytes(b"".join(record_ranks.base64.b64encode(t) + b" %d\n" % i for i, t in enumerate(self.tokens)))
        (path.parent / "tokenizer_config.json").write_text(json.dumps({
            "pat_str": self.pattern,
            "added_tokens_decoder": {str(id): {"content": text, "special": True} for text, id in self.special.items()}}))

    def encode(self, text):
        return self.made.encode(text, allowed_special="all")

    def decode(self, ids):
        return self.made.decode_bytes(ids)


class Pieces:
    """A SentencePiece model of byte pairs, whose library does not look for special tokens."""

    is_old, any_bytes, specials, name = False, False, ["<s>", "</s>"], "tokenizer.model"
    options = ["--no-special"]

    def __init__(self):
        written = io.BytesIO()
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(record_ranks.CORPUS), model_writer=written, vocab_size=900, model_type="bpe",
            byte_fallback=True, normalization_rule_name="identity", hard_vocab_limit=False, minloglevel=2,
            remove_extra_whitespaces=False)
        self.model = written.getvalue()
        self.made = sentencepiece.SentencePieceProcessor(model_proto=self.model)

    def write(self, path):
        path.write_bytes(self.model)

    def encode(self, text):
        return self.made.encode(text)

    def decode(self, ids):
        return self.made.decode(ids)


class Rwkv:
    """The whole vocabulary of RWKV, as a GGUF file, whose library does not look for special tokens."""

    is_old, any_bytes, specials, name = False, False, ["<s>", "a"], "rwkv.gguf"
    options = ["--no-special"]

    def __init__(self):
        self.path = pathlib.Path(rwkv.__file__).parent / "rwkv_vocab_v20230424.txt"
        self.made = TRIE_TOKENIZER(str(self.path))

    def write(self, path):
        import gguf
        tokens = ["<s>"]
        for line in self.path.read_text(encoding="utf-8").splitlines():
            token = ast.literal_eval(line[line.index(" "):line.rindex(" ")].strip())
            tokens.append(repr(token.encode() if isinstance(token, str) else token)[2:-1])
        writer = gguf.GGUFWriter(path, "rwkv7")
        writer.add_tokenizer_model("rwkv")
        writer.add_token_list(tokens)
        writer.add_token_types([3] + [1] * (len(tokens) - 1))
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.close()

    def encode(self, text):
        return self.made.encode(text)

    def decode(self, ids):
        return b"".join(self.made.idx2token[i] for i in ids)


def byte_bpe(split, **settings):
    made = files.byte_level([files.regex(split)], **settings) if split else files.byte_level()
    made.add_special_tokens(["<|end|>"])
    return Hub(made, ["<|end|>", "<|end", "|>"], any_bytes=True)


TYPES = {
    "gpt2": lambda: byte_bpe(None),
    "llama3": lambda: byte_bpe(files.LLAMA3, ignore_merges=True),
    "qwen2": lambda: byte_bpe(files.QWEN2),
    "sentencepiece_json": lambda: Hub(files.mark_bpe(normalizer=files.llama_normalizer()), ["<s>", "</s>", "<s"]),
    "sentencepiece": Pieces,
    "unigram": lambda: Hub(files.unigram(bytes_too=True), ["<s>", "</s>", "<unk>"]),
    "wordpiece": lambda: Hub(files.word_piece(), ["[CLS]", "[SEP]", "[MASK]"]),
    "wordlevel": lambda: Hub(files.word_level(pre_tokenizers.Whitespace()), ["<unk>"]),
    "tiktoken": lambda: Ranks(record_ranks.CL100K, False),
    "tekken": lambda: Ranks(record_ranks.TEKKEN, True),
    "rwkv": Rwkv,
}


class Partita:
    def __init__(self, program, made, folder):
        self.base = [program]
        self.options = getattr(made, "options", [])
        self.folder = pathlib.Path(folder)
        self.tokenizer = self.folder / made.name
        made.write(self.tokenizer)

    def encode(self, texts):
        out = []
        for begin in range(0, len(texts), 500):
            paths = []
            for i, text in enumerate(texts[begin:begin + 500]):
                paths.append(self.folder / f"{i}.txt")
                paths[-1].write_bytes(text)
            run = subprocess.run([*self.base, "tokenize", "--tokenizer", self.tokenizer, "--no-bos", "--json",
                                  *self.options, *paths],
                                 capture_output=True, check=False)
            if run.returncode:
                sys.exit(run.stderr.decode())
            answer = json.loads(run.stdout)
            out += [file["ids"] for file in answer.get("files", [answer])]
        return out

    def decode(self, ids):
        run = subprocess.run([*self.base, "detokenize", "--tokenizer", self.tokenizer],
                             input=" ".join(map(str, ids)).encode(), capture_output=True, check=False)
        if run.returncode:
            sys.exit(run.stderr.decode())
        return run.stdout


def without_ends(made, ids):
    """Without special tokens at both ends, where `partita detokenize` leaves out what `tokenize` adds."""
    special = set()
    if isinstance(made, Hub):
        special = {id for id, token in made.made.get_added_tokens_decoder().items() if token.special}
    kept = [i for i, id in enumerate(ids) if id not in special]
    return ids[kept[0]:kept[-1] + 1] if kept else []


def compare(name, made, program, count):
    """The number of differences."""
    texts = strings_of(count, name, made.specials, made.is_old)
    bad = 0
    with tempfile.TemporaryDirectory() as folder:
        partita = Partita(program, made, folder)
        found = partita.encode([text.encode() for text in texts])
        for text, ids in zip(texts, found):
            expected = made.encode(text)
            if ids != expected:
                bad += 1
                if bad <= 3:
                    print(f"{name}: {text!r}\n  partita {ids}\n  library {expected}")
        bad_texts = 0
        for begin in range(0, count, 100):
            ids = [i for each in found[begin:begin + 100] for i in each]
            expected = made.decode(ids)
            expected = expected if isinstance(expected, bytes) else expected.encode()
            is_whole = made.any_bytes or isinstance(made, Rwkv)
            if is_whole and expected != "".join(texts[begin:begin + 100]).encode():
                sys.exit(f"{name}: the library does not return the text")
            ids = without_ends(made, ids)
            expected = made.decode(ids)
            expected = expected if isinstance(expected, bytes) else expected.encode()
            if (text := partita.decode(ids)) != expected:
                bad_texts += 1
                at = next((i for i, (a, b) in enumerate(zip(text, expected)) if a != b), min(len(text), len(expected)))
                if bad_texts <= 3:
                    around = slice(max(0, at - 12), at + 12)
                    print(f"{name}: text at {at}\n  partita {text[around]}\n  library {expected[around]}")
        lost = 0
        if made.any_bytes:
            raw = broken(count // 10, name)
            for begin in range(0, len(raw), 100):
                part = raw[begin:begin + 100]
                lost += partita.decode([i for each in partita.encode(part) for i in each]) != b"".join(part)
        broken_text = f"{count // 10} that are not UTF-8 in hundreds: {lost} lost" if made.any_bytes else "no other bytes"
        print(f"{name:20} {count} strings: {bad} differ; texts of hundreds: {bad_texts} differ; {broken_text}", flush=True)
    return bad + bad_texts + lost


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--strings", type=int, default=20000)
    parser.add_argument("--program", default="build/release/partita")
    parser.add_argument("types", nargs="*", metavar="TYPE")
    arguments = parser.parse_args()
    names = arguments.types or list(TYPES)
    sys.exit(1 if sum([compare(name, TYPES[name](), arguments.program, arguments.strings) for name in names]) else 0)


if __name__ == "__main__":
    main()
