"""Records what reference tokenizers make of awkward strings.

    python3 -m venv venv && venv/bin/pip install gguf==0.19.0 numpy==2.4.6 sentencepiece==0.2.3 tokenizers==0.23.3 protobuf==7.36.2
    venv/bin/pip install --no-deps rwkv==0.8.32
    venv/bin/python tests/oracles/record_tokenizer.py MODELS

MODELS: a directory with SmolLM2-135M-Instruct.Q4_1.gguf and gemma-3-270m-q4_k_m.gguf. Writes everything under
tests/data/tokenizer. No reference here has seen our code: the vocabularies come out of the GGUF files through
the `gguf` package, the tokenizers are built as the models' own tokenizer.json and .model files define them.
"""

import importlib.metadata
import io
import json
import pathlib
import random
import sys
import tempfile

import sentencepiece
from awkward_strings import ALL, MARKS, random_strings
from gguf import GGUFReader
from rwkv.rwkv_tokenizer import TRIE_TOKENIZER
from sentencepiece import sentencepiece_model_pb2 as pb
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

OUT = pathlib.Path(__file__).resolve().parent.parent / "data" / "tokenizer"
VERSIONS = {p: importlib.metadata.version(p) for p in ("gguf", "sentencepiece", "tokenizers")}
STRINGS = ALL + random_strings(200, seed=3)

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = 1, 2, 3, 4, 5, 6

LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|"
          r"\s+(?!\S)|\s+")
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")


def splitters():
    """Pre-tokenizers by the name that GGUF files give them, without the byte alphabet."""
    gpt2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
    split = lambda regex: pre_tokenizers.Split(Regex(regex), behavior="isolated")
    return {
        "smollm": pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), split(gpt2)]),
        "llama-bpe": split(LLAMA3),
        "qwen2": split(QWEN2),
        "gpt-2": split(gpt2),
        # As llama.cpp has it; no tokenizer.json is behind it.
        "default": pre_tokenizers.Sequence([split(r"[\p{P}\$\+<=>\^~\|]+"), split(gpt2), split(r"\p{N}+"),
                                            split(r"[0-9][0-9][0-9]")]),
    }


def byte_level(name):
    """The whole pre-tokenizer of such a model."""
    level = lambda use_regex: pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=use_regex)
    if name == "gpt-2":
        return level(True)
    if name == "smollm":
        return pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), level(True)])
    return pre_tokenizers.Sequence([splitters()[name], level(False)])


def write(name, record):
    """One line a record, so that differences can be read."""
    path = OUT / name
    lines = []
    for key, value in record.items():
        if isinstance(value, list):
            body = ",\n".join(json.dumps(v, separators=(",", ":")) for v in value)
            lines.append(f"{json.dumps(key)}: [\n{body}\n]")
        else:
            lines.append(f"{json.dumps(key)}: {json.dumps(value)}")
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    print(f"{path.name}: {path.stat().st_size} bytes")


def read_vocabulary(path):
    fields = GGUFReader(path).fields
    get = lambda key: fields[key].contents() if key in fields else None
    return {key: get("tokenizer.ggml." + key) for key in ("tokens", "token_type", "scores", "merges")}


def with_added(tokenizer, vocabulary, types):
    """Adds the tokens of these types, as transformers does when it loads a tokenizer."""
    for i, (token, kind) in enumerate(zip(vocabulary["tokens"], vocabulary["token_type"])):
        if kind in types:
            special = kind == CONTROL
            added = AddedToken(token, special=special, normalized=not special)
            (tokenizer.add_special_tokens if special else tokenizer.add_tokens)([added])
            assert tokenizer.token_to_id(token) == i
    return tokenizer


def ids_of(tokenizer, strings=STRINGS):
    return [tokenizer.encode(s, add_special_tokens=False).ids for s in strings]


# --- SmolLM2: byte-level BPE through `tokenizers` --------------------------------------------------------


def byte_bpe(vocabulary, pre, ignore_merges=False):
    merges = [tuple(m.split(" ")) for m in vocabulary["merges"]]
    tokens = {t: i for i, t in enumerate(vocabulary["tokens"])}
    tokenizer = Tokenizer(models.BPE(vocab=tokens, merges=merges, ignore_merges=ignore_merges))
    tokenizer.pre_tokenizer = byte_level(pre)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def record_smollm2(path):
    vocabulary = read_vocabulary(path)
    build = lambda: byte_bpe(vocabulary, "smollm")
    write("smollm2.json", {
        "versions": VERSIONS,
        "as_text": ids_of(build()),
        "parsed": ids_of(with_added(build(), vocabulary, {CONTROL})),
    })


# --- SentencePiece vocabularies ---------------------------------------------------------------------------


def proto_of(vocabulary, add_dummy_prefix=False, remove_extra_whitespaces=False, byte_fallback=True):
    proto = pb.ModelProto()
    for token, score, kind in zip(vocabulary["tokens"], vocabulary["scores"], vocabulary["token_type"]):
        is_unknown = token == "<unk>"
        text = token.replace(" ", "\u2581") if kind == USER_DEFINED else token
        proto.pieces.add(piece=text, score=score, type=UNKNOWN if is_unknown else kind)
    proto.trainer_spec.model_type = pb.TrainerSpec.BPE
    proto.trainer_spec.byte_fallback = byte_fallback
    proto.trainer_spec.vocab_size = len(vocabulary["tokens"])
    for name, piece in (("unk", "<unk>"), ("bos", "<bos>"), ("eos", "<eos>"), ("pad", "<pad>")):
        if piece in vocabulary["tokens"]:
            setattr(proto.trainer_spec, name + "_piece", piece)
            setattr(proto.trainer_spec, name + "_id", vocabulary["tokens"].index(piece))
        elif name != "unk":
            setattr(proto.trainer_spec, name + "_id", -1)
    proto.normalizer_spec.name = "identity"
    proto.normalizer_spec.add_dummy_prefix = add_dummy_prefix
    proto.normalizer_spec.remove_extra_whitespaces = remove_extra_whitespaces
    proto.normalizer_spec.escape_whitespaces = True
    return proto


def processor(proto):
    return sentencepiece.SentencePieceProcessor(model_proto=proto.SerializeToString())


def gemma_bpe(vocabulary):
    """As transformers' GemmaTokenizer: a BPE whose merges are all splits of a piece into two, by score."""
    tokens = {t.replace(" ", "\u2581") if k == USER_DEFINED else t: i
              for i, (t, k) in enumerate(zip(vocabulary["tokens"], vocabulary["token_type"]))}
    merges = []
    for token, kind, score in zip(vocabulary["tokens"], vocabulary["token_type"], vocabulary["scores"]):
        if kind == NORMAL:
            pairs = [(token[:i], token[i:]) for i in range(1, len(token))]
            merges += [(-score, tokens[l], tokens[r], l, r) for l, r in pairs if l in tokens and r in tokens]
    merges = [(l, r) for *_, l, r in sorted(merges)]
    tokenizer = Tokenizer(models.BPE(vocab=tokens, merges=merges, fuse_unk=True, byte_fallback=True, unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Replace(" ", "\u2581")
    tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", behavior="merged_with_previous")
    added = dict(vocabulary, tokens=list(tokens))
    return with_added(tokenizer, added, {CONTROL, USER_DEFINED})


def cut_at(text, spellings):
    """Leftmost-longest: [(stretch, None) or (spelling, id)]."""
    parts, start, at = [], 0, 0
    by_first = {}
    for spelling in spellings:
        by_first.setdefault(spelling[0], []).append(spelling)
    while at < len(text):
        found = max((s for s in by_first.get(text[at], []) if text.startswith(s, at)), key=len, default=None)
        if found is None:
            at += 1
            continue
        parts += [(text[start:at], None)] if at > start else []
        parts.append((found, spellings[found]))
        at = start = at + len(found)
    return parts + ([(text[start:], None)] if start < len(text) else [])


def parsed_ids(sp, text, controls):
    return [i for part, id in cut_at(text, controls) for i in ([id] if id is not None else sp.encode(part))]


def controls_of(vocabulary):
    return {t: i for i, (t, k) in enumerate(zip(vocabulary["tokens"], vocabulary["token_type"])) if k in (CONTROL, UNKNOWN)}


def record_gemma(path):
    vocabulary = read_vocabulary(path)
    sp = processor(proto_of(vocabulary))
    controls = controls_of(vocabulary)
    as_text = [sp.encode(s) for s in STRINGS]
    parsed = [parsed_ids(sp, s, controls) for s in STRINGS]
    other = ids_of(gemma_bpe(vocabulary))
    for s, a, b in zip(STRINGS, parsed, other):
        if a != b:
            print("  gemma: sentencepiece and tokenizers differ on", ascii(s[:60]), a[:8], b[:8])
    write("gemma3.json", {"versions": VERSIONS, "as_text": as_text, "parsed": parsed})


# --- vocabularies of our own, small enough to commit ------------------------------------------------------


def corpus(seed):
    """Invented words over many scripts, code-like lines, and the awkward strings themselves."""
    rng = random.Random(seed)
    alphabets = ["etaoinshrdlucmfwypvbgk", "\u0430\u043e\u0435\u0438\u043d\u0442\u0441\u0440\u0432\u043b", "\u03b1\u03b5\u03b9\u03bf\u03bd\u03c4\u03c3\u03c1", "\u0627\u0644\u0645\u0648\u0646\u0631\u0628\u062a", "\u4f60\u597d\u4e16\u754c\u4e2d\u6587\u4eba\u5927",
                 "\u3053\u3093\u306b\u3061\u306f\u30c6\u30b9\u30c8", "\ud55c\uad6d\uc5b4\uc548\ub155\ud558\uc138\uc694", "\u0928\u092e\u0938\u0924\u0947\u0915\u093e", "\u0e2a\u0e27\u0e31\u0e14\u0e35\u0e01\u0e32", "ETAOINSHRDLU", "0123456789"]
    words = ["".join(rng.choice(rng.choice(alphabets[:1] * 8 + alphabets) if rng.random() < 0.02 else alphabet)
                     for _ in range(rng.randint(1, 8)))
             for alphabet in alphabets[:1] * 10 + alphabets for _ in range(60)]
    lines = []
    for _ in range(3000):
        # Short words, being earlier, come more often, so that there is something to learn.
        line = [words[int(len(words) * rng.random() ** 2)] for _ in range(rng.randint(3, 12))]
        lines.append(rng.choice(["", "", "  ", "\t", "# "]) + " ".join(line) + rng.choice([".", "!", "?", ";", "'s", " = 1", "..."]))
    return lines + [s for s in ALL if len(s) < 200] * 3


def train_sentencepiece(model_type, size):
    lines = [s.replace("\n", " ").replace("\x00", " ") for s in corpus(seed=7)]
    out = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines), model_writer=out, model_type=model_type, vocab_size=size, byte_fallback=True,
        character_coverage=0.99, normalization_rule_name="identity", split_digits=True, remove_extra_whitespaces=False,
        add_dummy_prefix=True, allow_whitespace_only_pieces=True,
        user_defined_symbols=["<tag>", "</tag>", "\u2581\u2581\u2581"],
        control_symbols=["<turn>"], num_threads=1, minloglevel=2)
    return out.getvalue()


def is_tie(sp, text):
    """Whether a unigram model can cut `text` in two ways of the same score: versions of the library then differ."""
    best = sp.nbest_encode(text, nbest_size=2, return_type="proto").nbests
    return len(best) == 2 and abs(best[0].score - best[1].score) < 1e-3


def record_models():
    """.model files with the ids and the text that the library makes."""
    for model_type, size in (("bpe", 1200), ("unigram", 1200)):
        model = train_sentencepiece(model_type, size)
        (OUT / f"tiny_{model_type}.model").write_bytes(model)
        sp = sentencepiece.SentencePieceProcessor(model_proto=model)
        ids = [sp.encode(s) for s in STRINGS]
        write(f"tiny_{model_type}.json", {
            "versions": VERSIONS, "bos": sp.bos_id(), "eos": sp.eos_id(), "unknown": sp.unk_id(),
            "as_text": [None if model_type == "unigram" and is_tie(sp, s) else i for s, i in zip(STRINGS, ids)],
            "decoded": [sp.decode(i) for i in ids],
        })


def gemma_like():
    """Control and user-defined pieces, bytes and words arranged as Gemma 3 has them; the words are trained."""
    trained = pb.ModelProto.FromString(train_sentencepiece("bpe", 2600))
    rows = [(t, -1000.0, CONTROL) for t in ("<pad>", "<eos>", "<bos>", "<unk>", "<mask>")] + [("[multimodal]", -1000.0, USER_DEFINED)]
    rows += [(f"<unused{i}>", -1000.0, CONTROL) for i in range(12)] + [("<start_of_turn>", -1000.0, CONTROL), ("<end_of_turn>", -1000.0, CONTROL)]
    rows += [("\n" * i, -1000.0, USER_DEFINED) for i in range(1, 32)] + [(" " * i, -1000.0, USER_DEFINED) for i in range(2, 32)]
    rows += [(t, -1000.0, USER_DEFINED) for t in ("<table>", "</table>", "<tr>", "</tr>", "<td>", "</td>", "<h1>", "</h1>", "<b>", "</b>", "<body>")]
    rows += [(f"<0x{i:02X}>", 0.0, BYTE) for i in range(256)]
    rows += [("\t" * i, -1000.0, USER_DEFINED) for i in range(1, 8)]
    taken = {t.replace(" ", "\u2581") for t, _, _ in rows}
    rows += [(p.piece, p.score, NORMAL) for p in trained.pieces if p.type == NORMAL and p.piece not in taken]
    tokens, scores, kinds = (list(column) for column in zip(*rows))
    return {"tokens": tokens, "scores": [float(s) for s in scores], "token_type": kinds}


def variant(vocabulary, **changes):
    """Ids of all strings under a SentencePiece model with other settings."""
    sp = processor(proto_of(vocabulary, **changes))
    return [sp.encode(s) for s in STRINGS]


def record_pieces():
    vocabulary = gemma_like()
    kinds = vocabulary["token_type"]
    # Every fifth piece that others are merged from is out of use: it is taken apart again.
    unused = dict(vocabulary, token_type=[
        UNUSED if k == NORMAL and i % 5 == 0 and len(t) > 2 else k for i, (t, k) in enumerate(zip(vocabulary["tokens"], kinds))])
    keep = [i for i, k in enumerate(kinds) if k != BYTE]
    no_bytes = {key: [vocabulary[key][i] for i in keep] for key in vocabulary}
    sp = processor(proto_of(vocabulary))
    controls = controls_of(vocabulary)
    no_bytes_sp = processor(proto_of(no_bytes, byte_fallback=False))
    write("pieces.json", {
        "versions": VERSIONS,
        "vocabulary": [[t, s, k] for t, s, k in zip(*(vocabulary[key] for key in ("tokens", "scores", "token_type")))],
        "as_text": variant(vocabulary),
        "parsed": [parsed_ids(sp, s, controls) for s in STRINGS],
        "with_space": variant(vocabulary, add_dummy_prefix=True),
        "collapsed": variant(vocabulary, add_dummy_prefix=True, remove_extra_whitespaces=True),
        "unused": variant(unused),
        "no_bytes": [no_bytes_sp.encode(s) for s in STRINGS],
        "no_bytes_marks": [no_bytes_sp.encode(s) for s in MARKS],
    })


def record_byte_bpe():
    """A byte-level vocabulary for each pre-tokenizer, trained, and its ids."""
    record = {"versions": VERSIONS}
    for name, ignore_merges in (("llama-bpe", True), ("qwen2", False), ("gpt-2", False)):
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = byte_level(name)
        trainer = trainers.BpeTrainer(vocab_size=700, show_progress=False, initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
        tokenizer.train_from_iterator(corpus(seed=11), trainer)
        model = json.loads(tokenizer.to_str())["model"]
        tokens = sorted(model["vocab"], key=model["vocab"].get)
        # Words that no merge makes, so that taking whole words first shows.
        tokens += [t for t in ("\u0120hello", "don", "\u0120" * 9, "\u00c3\u00a9", "kebab") if t not in tokens]
        vocabulary = {"tokens": tokens, "merges": [" ".join(m) for m in model["merges"]]}
        record[name + " tokens"] = tokens
        record[name + " merges"] = vocabulary["merges"]
        record[name + " ids"] = ids_of(byte_bpe(vocabulary, name, ignore_merges))
    write("byte_bpe.json", record)


# --- RWKV: the longest token at every place -------------------------------------------------------------------


def record_rwkv():
    """All bytes, and parts of the strings, some cut inside of a character; spelled as llama.cpp's converter does."""
    numbers = random.Random(13)
    words = {bytes([byte]) for byte in range(256)}
    for text in STRINGS:
        data = text.encode()
        for _ in range(min(3, len(data))):
            start = numbers.randrange(len(data))
            words.add(data[start:start + numbers.randrange(2, 10)])
    words = sorted(words - {b"<s>"})
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as file:
        file.write("".join(f"{i} {word!r} {len(word)}\n" for i, word in enumerate(words, 1)))
        file.flush()
        tokenizer = TRIE_TOKENIZER(file.name)
    write("rwkv.json", {
        "versions": {"rwkv": importlib.metadata.version("rwkv")},
        "tokens": ["<s>"] + [repr(word)[2:-1] for word in words],
        "ids": [tokenizer.encode(text) for text in STRINGS],
    })


# --- how text is split --------------------------------------------------------------------------------------


def word_lengths(splitter, text):
    """In characters."""
    return [end - begin for _, (begin, end) in splitter.pre_tokenize_str(text)]


def code_points():
    return [c for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF]


def shapes(splitter):
    """[first code point, word lengths of "a{c}1{c} {c}{c}"] wherever the lengths change."""
    runs = []
    for c in code_points():
        x = chr(c)
        lengths = word_lengths(splitter, f"a{x}1{x} {x}{x}")
        if not runs or runs[-1][1] != lengths:
            runs.append([c, lengths])
    return runs


def record_splits():
    record = {"versions": VERSIONS}
    for name, splitter in splitters().items():
        record[name] = [word_lengths(splitter, s) for s in STRINGS]
    for name in ("smollm", "llama-bpe"):
        record[name + " shapes"] = shapes(splitters()[name])
    write("splits.json", record)


def main():
    where = pathlib.Path(sys.argv[1])
    OUT.mkdir(parents=True, exist_ok=True)
    print(VERSIONS)
    write("strings.json", {"strings": STRINGS, "marks": MARKS})
    record_smollm2(where / "SmolLM2-135M-Instruct.Q4_1.gguf")
    record_gemma(where / "gemma-3-270m-q4_k_m.gguf")
    record_models()
    record_pieces()
    record_byte_bpe()
    record_rwkv()
    record_splits()


if __name__ == "__main__":
    main()
