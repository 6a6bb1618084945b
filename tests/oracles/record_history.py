"""Records what stages that look back on the text make of rows of logits.

    python3 -m venv venv && venv/bin/pip install torch==2.13.0 transformers==5.23.0 numpy==2.4.6
    venv/bin/python tests/oracles/record_history.py

Writes tests/data/sampling/history.json. Where transformers has a processor it is the reference; presence and frequency
penalties, DRY and banned strings are written down here from their definitions, as plainly as can be. Everything is
computed in float64 from float32 logits and float32 options; rows, histories and the texts of ids are made again by the
tests (rows.py).

"chains": stages in their order, each with its options; a bias of null is -inf. "rows", by the size of the vocabulary:
for the i-th seed (first_seed + i), kind i % 5 and chain i % len(chains), one text of
    hash of the ids that are left, the likeliest of them (-1: float32 cannot tell), its probability, that of id number
    seed % count among those left, and the mean of the logarithms of all their probabilities.
"guidance": two rows and a scale, as "rows" without the hash.
"""

import functools
import importlib.metadata
import json
import pathlib

import numpy as np
import torch
from rows import by_id, f32, fnv1a, row, token_text, told
from transformers.generation.logits_process import (
    MinNewTokensLengthLogitsProcessor,
    MinPLogitsWarper,
    NoRepeatNGramLogitsProcessor,
    RepetitionPenaltyLogitsProcessor,
    SequenceBiasLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    UnbatchedClassifierFreeGuidanceLogitsProcessor,
)

OUT = pathlib.Path(__file__).resolve().parent.parent / "data" / "sampling"
VERSIONS = {p: importlib.metadata.version(p) for p in ("torch", "transformers", "numpy")}
KINDS = ("normal", "peaked", "ties", "equal", "masked")
VOCABS = (7, 1000, 49152, 262144)
ROWS = 1000
DEFAULT_BREAKERS = ["\n", ":", '"', "*"]


def text_of(token, vocab):
    return cached_text(token) if token < vocab else b""


cached_text = functools.lru_cache(maxsize=None)(token_text)
hash_of = functools.lru_cache(maxsize=20)(fnv1a)


@functools.lru_cache(maxsize=None)
def ids_by_text(vocab):
    ids = {}
    for token in range(vocab):
        ids.setdefault(token_text(token), []).append(token)
    return {text: torch.tensor(same) for text, same in ids.items()}


def last(ids, n):
    return ids[-n:] if n > 0 else ids


def repeat_penalty(scores, ids, prompt, *, repeat_penalty, penalty_last_n=0):
    window = last(ids, penalty_last_n)
    return RepetitionPenaltyLogitsProcessor(f32(repeat_penalty))(torch.tensor([window]), scores)


def count_penalties(scores, ids, prompt, *, presence_penalty=0.0, frequency_penalty=0.0, penalty_last_n=0):
    window = last(ids[prompt:], penalty_last_n)
    scores = scores.clone()
    for token in set(window):
        if token < scores.shape[1]:
            scores[0, token] -= f32(presence_penalty) + f32(frequency_penalty) * window.count(token)
    return scores


def no_repeat_ngram(scores, ids, prompt, *, no_repeat_ngram_size):
    return NoRepeatNGramLogitsProcessor(no_repeat_ngram_size)(torch.tensor([ids]), scores)


def logit_bias(scores, ids, prompt, *, logit_bias):
    biases = [[[token], float("-inf") if bias is None else f32(bias)] for token, bias in logit_bias]
    return SequenceBiasLogitsProcessor(biases)(torch.tensor([ids]), scores)


def min_tokens(scores, ids, prompt, *, min_tokens):
    ends = [2, scores.shape[1] - 1]
    return MinNewTokensLengthLogitsProcessor(prompt, min_tokens, ends)(torch.tensor([ids]), scores)


def since_breaker(ids, vocab, breakers):
    """How many ids come after the last one in which a breaker ends."""
    texts = [text_of(token, vocab) for token in ids]
    for since in range(len(ids)):
        before = b"".join(texts[: len(ids) - since - 1])
        text = before + texts[len(ids) - since - 1]
        if any(text.find(b, max(0, len(before) + 1 - len(b))) >= 0 for b in breakers):
            return since
    return len(ids)


def dry(scores, ids, prompt, *, dry_multiplier, dry_base=1.75, dry_allowed_length=2, dry_last_n=0,
        dry_sequence_breakers=None):
    vocab = scores.shape[1]
    breakers = DEFAULT_BREAKERS if dry_sequence_breakers is None else dry_sequence_breakers
    breakers = [b.encode() for b in breakers if b]
    most = since_breaker(ids, vocab, breakers)
    window = last(ids, dry_last_n)
    longest = {}
    for at in range(1, len(window)):
        length = 0
        while length < at and window[at - 1 - length] == window[-1 - length]:
            length += 1
        length = min(length, most)
        if length >= dry_allowed_length:
            longest[window[at]] = max(length, longest.get(window[at], 0))
    scores = scores.clone()
    for token, length in longest.items():
        if token < vocab and not any(b in text_of(token, vocab) for b in breakers):
            scores[0, token] -= f32(dry_multiplier) * f32(dry_base) ** (length - dry_allowed_length)
    return scores


def banned_strings(scores, ids, prompt, *, banned_strings):
    vocab = scores.shape[1]
    said = b"".join(text_of(token, vocab) for token in ids[prompt:])
    scores = scores.clone()
    for text, same in ids_by_text(vocab).items():
        whole = said + text
        # An occurrence that ends in the new text.
        if any(whole.find(b.encode(), max(0, len(said) + 1 - len(b.encode()))) >= 0 for b in banned_strings):
            scores[0, same] = -torch.inf
    return scores


def temperature(scores, ids, prompt, *, temperature):
    return TemperatureLogitsWarper(f32(temperature))(torch.tensor([ids]), scores)


def top_k(scores, ids, prompt, *, top_k):
    kept = torch.isfinite(TopKLogitsWarper(top_k)(torch.tensor([ids]), by_id(scores)))
    return torch.where(kept, scores, -torch.inf)


def min_p(scores, ids, prompt, *, min_p):
    return MinPLogitsWarper(f32(min_p))(torch.tensor([ids]), scores)


COUNTS = ("count_penalties", {"presence_penalty": 0.6, "frequency_penalty": 0.3})
BIASES = ("logit_bias", {"logit_bias": [[0, 2.5], [3, -1.3], [6, None], [5, 9], [5, 1.1]]})
BANNED = ("banned_strings", {"banned_strings": ["ab", "ca:", "\n\n", "b ba", "aé"]})
# Bases near 1: a float holds a logit that was lowered far less well, and a float probability may become 0.
DRY = ("dry", {"dry_multiplier": 0.4, "dry_base": 1.05})
CHAINS = (
    [COUNTS],
    [("count_penalties", {"frequency_penalty": -0.1})],
    [("count_penalties", {"presence_penalty": 1.5, "penalty_last_n": 16})],
    [("repeat_penalty", {"repeat_penalty": 1.3, "penalty_last_n": 20})],
    [("no_repeat_ngram", {"no_repeat_ngram_size": 1})],
    [("no_repeat_ngram", {"no_repeat_ngram_size": 2})],
    [("no_repeat_ngram", {"no_repeat_ngram_size": 4})],
    [BIASES],
    [("min_tokens", {"min_tokens": 40})],
    [DRY],
    [("dry", {"dry_multiplier": 0.5, "dry_base": 1.1, "dry_allowed_length": 0, "dry_last_n": 30,
              "dry_sequence_breakers": []})],
    [("dry", {"dry_multiplier": 0.3, "dry_base": 1.04, "dry_allowed_length": 1,
              "dry_sequence_breakers": ["é", "a\n", "c ab"]})],
    [BANNED],
    [("banned_strings", {"banned_strings": ["a"]})],
    [("banned_strings", {"banned_strings": ["bbb", "b c:a", "\na\n", "éé", "aaaaaaa", "c"]})],
    [("temperature", {"temperature": 1.4}), COUNTS, DRY],
    [("top_k", {"top_k": 50}), DRY, BIASES],
    [("min_p", {"min_p": 0.01}), BANNED, COUNTS],
    [BIASES, ("repeat_penalty", {"repeat_penalty": 1.1}), COUNTS, ("no_repeat_ngram", {"no_repeat_ngram_size": 3}),
     DRY, BANNED, ("min_tokens", {"min_tokens": 30}), ("temperature", {"temperature": 1.2})],
)


def tell(scores, seed):
    """What is recorded of scores [vocab], without the hash."""
    left = torch.nonzero(scores > -torch.inf)[:, 0]
    logp = torch.log_softmax(scores, -1)
    best = torch.sort(by_id(scores[None])[0], descending=True).indices[:2]
    gap = float(scores[best[0]] - scores[best[1]]) if len(left) > 1 else 1
    sure = gap == 0 or gap > 1e-5
    numbers = [logp[best[0]].exp(), logp[left[seed % len(left)]].exp(), logp[left].mean()]
    return f"{int(best[0]) if sure else -1} " + " ".join(f"{float(x):.9g}" for x in numbers)


def record_row(i, seed, vocab):
    ids, prompt = told(seed, vocab)
    scores = torch.from_numpy(row(KINDS[i % 5], seed, vocab).astype(np.float64))[None]
    for name, options in CHAINS[i % len(CHAINS)]:
        scores = globals()[name](scores, ids, prompt, **options)
    left = [int(t) for t in torch.nonzero(scores[0] > -torch.inf)[:, 0]]
    assert left
    return f"{hash_of(tuple(left))} {tell(scores[0], seed)}"


def record_guidance(kind, seed, vocab, scale):
    """With the unmasked logits of another row as what the model says without its prompt."""
    def other(ids, **_):
        logits = torch.from_numpy(row("normal", seed + 1, vocab).astype(np.float64))
        return type("Out", (dict,), {"logits": logits[None, None]})()

    scores = torch.from_numpy(row(kind, seed, vocab).astype(np.float64))[None]
    guided = UnbatchedClassifierFreeGuidanceLogitsProcessor(f32(scale), other)(torch.tensor([[0]]), scores)[0]
    return {"kind": kind, "seed": seed, "vocab": vocab, "scale": scale, "told": tell(guided, seed)}


def main():
    np.seterr(over="ignore")
    rows = {str(v): [record_row(i, 1 + i, v) for i in range(ROWS)] for v in VOCABS}
    guidance = [record_guidance(k, 50 + i, v, s)
                for k in ("normal", "peaked", "masked") for v in VOCABS for i, s in enumerate((0.25, 1.0, 1.5, 3.0))]
    parts = [f'"versions": {json.dumps(VERSIONS)}', '"first_seed": 1',
             '"chains": [\n' + ",\n".join(json.dumps(c, separators=(",", ":")) for c in CHAINS) + "\n]",
             '"rows": {\n' + ",\n".join(
                 f'"{v}": [\n' + ",\n".join(json.dumps(r) for r in records) + "\n]" for v, records in rows.items())
             + "\n}",
             '"guidance": [\n' + ",\n".join(json.dumps(g, separators=(",", ":")) for g in guidance) + "\n]"]
    (OUT / "history.json").write_text("{\n" + ",\n".join(parts) + "\n}\n")


if __name__ == "__main__":
    main()
