"""Records what PyTorch and Hugging Face's logits processors make of rows of logits.

    python3 -m venv venv && venv/bin/pip install torch==2.13.0 transformers==5.23.0 numpy==2.4.6
    venv/bin/python tests/oracles/record_sampling.py

Writes tests/data/sampling/chains.json. The rows are not recorded: row(kind, seed, vocab) in rows.py is written again,
bit for bit, in tests/sampling/rows.cc. Everything is computed in float64 from those float32 logits.
"""

import importlib.metadata

import numpy as np
import torch
from rows import by_id, f32, fnv1a, history, row, write
from transformers.generation.logits_process import (
    MinPLogitsWarper,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

VERSIONS = {p: importlib.metadata.version(p) for p in ("torch", "transformers", "numpy")}
KINDS = ("normal", "peaked", "ties", "equal", "masked")
VOCABS = (7, 1000, 49152)

PROCESSORS = {
    "repeat_penalty": RepetitionPenaltyLogitsProcessor,
    "temperature": TemperatureLogitsWarper,
    "top_k": TopKLogitsWarper,
    "top_p": TopPLogitsWarper,
    "min_p": MinPLogitsWarper,
}


def apply(name, value, ids, scores):
    processor = PROCESSORS[name](value)
    if name in ("top_k", "top_p"):
        kept = torch.isfinite(processor(ids, by_id(scores)))
        return torch.where(kept, scores, -torch.inf)
    return processor(ids, scores)


def well_posed(name, value, scores):
    """Whether float32 can decide as float64 does: no logit or sum of probabilities lies too near to the bound."""
    ordered = torch.sort(by_id(scores[0]), descending=True).values
    p = torch.softmax(ordered, -1)
    if name == "top_k" and value < len(ordered):
        gap = float(ordered[value - 1] - ordered[value])
        return np.isnan(gap) or gap < 1e-8 or gap > 1e-5
    if name == "top_p":
        sums = torch.cumsum(p, -1)
        last = int(torch.nonzero(sums >= value)[0])
        below = float(sums[last] - p[last])
        return below + 0.2 * float(p[last]) < value < float(sums[last]) - 0.2 * float(p[last])
    if name == "min_p":
        return float(torch.min(torch.abs(torch.log(p / p[0]) - np.log(value)))) > 1e-6 or value == 1
    return True


CHAINS = (
    [[("temperature", t)] for t in (0.7, 1.7)]
    + [[("top_k", k)] for k in (1, 5, 40, 2000)]
    + [[("top_p", p)] for p in (0.1, 0.5, 0.9, 0.95, 0.999)]
    + [[("min_p", p)] for p in (0.01, 0.1, 0.5, 1.0)]
    + [[("repeat_penalty", r)] for r in (1.3, 0.8)]
    + [
        [("repeat_penalty", 1.1), ("temperature", 0.8), ("top_k", 40), ("top_p", 0.95), ("min_p", 0.05)],
        [("temperature", 0.8), ("top_p", 0.95)],
        [("top_p", 0.9), ("temperature", 1.5)],
        [("top_k", 50), ("temperature", 0.7), ("min_p", 0.1)],
        [("min_p", 0.02), ("temperature", 2.0), ("top_p", 0.8)],
        [("top_k", 40), ("repeat_penalty", 1.5), ("top_p", 0.7)],
    ]
)


def record_chain(kind, vocab, chain, first_seed):
    """The first seed from first_seed on for which every stage of the chain is well posed."""
    for seed in range(first_seed, first_seed + 200):
        ids = history(seed, vocab)
        scores = torch.from_numpy(row(kind, seed, vocab).astype(np.float64))[None]
        posed = True
        for name, value in chain:
            value = value if name == "top_k" else f32(value)
            posed = posed and (kind == "equal" or well_posed(name, value, scores))
            scores = apply(name, value, torch.tensor([ids]), scores)
        if not posed:
            continue
        p = torch.softmax(scores[0], -1)
        support = [int(i) for i in torch.nonzero(scores[0] > -torch.inf)[:, 0]]
        likeliest = [int(i) for i in torch.sort(by_id(scores[0]), descending=True).indices[: min(4, len(support))]]
        shown = sorted(set(likeliest + [support[0], support[len(support) // 2], support[-1]]))
        return {
            "kind": kind, "seed": seed, "vocab": vocab, "chain": chain,
            "count": len(support), "hash": fnv1a(support), "best": likeliest[0],
            "p": [[i, float(p[i])] for i in shown],
        }
    raise SystemExit(f"no well-posed seed for {kind} {vocab} {chain}")


def main():
    write("chains.json", VERSIONS, {
        "chains": [record_chain(k, v, c, 1 + 1000 * i) for k in KINDS for v in VOCABS for i, c in enumerate(CHAINS)],
    })


if __name__ == "__main__":
    main()
