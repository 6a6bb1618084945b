"""Records what every filter keeps of a thousand rows of logits at each of four vocabularies.

    python3 -m venv venv && venv/bin/pip install torch==2.13.0 transformers==5.23.0 numpy==2.4.6
    venv/bin/python tests/oracles/record_filters.py [VOCAB ...]

Writes tests/data/sampling/filters_VOCAB.json. Everything is computed in float64 from the float32 rows of rows.py: by
Hugging Face's processors where there are such, else by the definition (function `defined`). A row that float32 cannot
decide as float64 does (a probability or a sum too near to the bound) is left out, filter by filter: bit s of `used`,
in hexadecimal, is seed s. A support's digest is the sum of splitmix64 over its ids; ten rows have one digest of 32
bits, combine() of theirs. Of every hundredth row a few probabilities are recorded too.
"""

import importlib.metadata
import json
import math
import pathlib
import sys

import numpy as np
import torch
from rows import by_id, f32, history, row, splitmix64
from transformers.generation.logits_process import (
    EpsilonLogitsWarper,
    EtaLogitsWarper,
    MinPLogitsWarper,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
    TypicalLogitsWarper,
)

OUT = pathlib.Path(__file__).resolve().parent.parent / "data" / "sampling"
VERSIONS = {p: importlib.metadata.version(p) for p in ("torch", "transformers", "numpy")}
ROWS, GROUP = 1000, 10
KINDS = ("normal", "peaked", "ties", "masked")  # of seed s: KINDS[s % 4]
VOCABS = (7, 1000, 49152, 262144)
STEPS = 40  # of a text under Mirostat


def filters(vocab):
    """Bounds on probabilities lie where rows of this size have theirs."""
    bits = round(math.log2(vocab), 1)
    return [
        {"temperature": 0.7},
        {"temperature": 0.9, "dynatemp_range": 0.5, "dynatemp_exponent": 1.5},
        {"repeat_penalty": 1.3},
        {"top_k": 5},
        {"top_k": 100},
        {"top_p": 0.5},
        {"top_p": 0.95},
        {"min_p": 0.1},
        {"typical_p": 0.2},
        {"typical_p": 0.9},
        {"top_n_sigma": 1.5},
        {"epsilon_cutoff": 1.5 / vocab},
        {"eta_cutoff": 0.3},
        {"eta_cutoff": 0.0009},
        {"xtc_probability": 1.0, "xtc_threshold": 2.0 / vocab},
        {"mirostat": 1, "mirostat_tau": bits / 2 + 0.2},
        {"mirostat": 2, "mirostat_tau": bits / 2 + 0.2},
    ]


class Row:
    """What several filters look at, computed once."""

    def __init__(self, seed, vocab):
        self.ids = torch.tensor([history(seed, vocab)])
        self.scores = torch.from_numpy(row(KINDS[seed % len(KINDS)], seed, vocab).astype(np.float64))[None]
        self.log_p = torch.log_softmax(self.scores, -1)[0]
        self.order = torch.sort(by_id(self.scores[0]), descending=True).indices
        self.sorted = self.scores[0][self.order]
        self.sums = torch.cumsum(torch.exp(self.log_p[self.order]), -1)
        self.entropy = -float((self.log_p * torch.exp(self.log_p)).nansum())
        self.unmasked = int(torch.isfinite(self.scores).sum())

    def near(self, log_bound):
        """Whether a log-probability lies so near to a bound that float32 may decide otherwise."""
        return float(torch.min(torch.abs(self.log_p - log_bound))) < 1e-6

    def kept(self, mask):
        return torch.where(mask, self.scores, -torch.inf)

    def first(self, k):
        """The k likeliest, ties by id."""
        mask = torch.zeros(self.scores.shape[-1], dtype=torch.bool)
        mask[self.order[:k]] = True
        return self.kept(mask[None])


def ill_posed_typical(r, mass):
    keys, order = torch.sort(torch.abs(-r.log_p - r.entropy))
    sums = torch.cumsum(torch.exp(r.log_p[order]), -1)
    last = min(int((sums < mass).sum()), len(keys) - 1)
    low = int(torch.searchsorted(keys, keys[last] - 1e-6))
    high = int(torch.searchsorted(keys, keys[last] + 1e-6, right=True)) - 1
    below = float(sums[low - 1]) if low > 0 else 0.0
    return float(keys[high]) != float(keys[last]) or below > mass - 2e-7 or float(sums[high]) < mass + 2e-7


def zipf_k(r, mu):
    """Algorithm 1 of Basu et al. 2020 with 100 candidates, before it is cut to a whole number."""
    top = r.sorted[: min(100, r.unmasked)]
    i = torch.arange(1, len(top), dtype=torch.float64)
    t = torch.log((i + 1) / i)
    s = float((t * (top[:-1] - top[1:])).sum() / (t * t).sum())
    if s == 0:
        return None
    e = s - 1
    return ((e * 2**mu) / (1 - r.scores.shape[-1] ** -e)) ** (1 / s)


def defined(r, options, mu=None):
    """(scores, whether the row is ill-posed) of filters that Hugging Face lacks."""
    name, value = next(iter(options.items()))
    if name == "temperature":  # llama.cpp's temp_ext, masked candidates apart
        t, spread = value, f32(options["dynatemp_range"])
        least, most = max(0.0, t - spread), t + spread
        t = least + (most - least) * (r.entropy / math.log(r.unmasked)) ** f32(options["dynatemp_exponent"])
        return r.scores / t, False
    if name == "top_n_sigma":
        x = r.scores[torch.isfinite(r.scores)]
        bound = float(x.max()) - value * float(x.std(correction=0))
        return r.kept(r.scores >= bound), float(torch.min(torch.abs(x - bound))) < 1e-9
    if name == "xtc_probability":
        threshold = math.log(f32(options["xtc_threshold"]))
        heavy = int((r.log_p >= threshold).sum())
        mask = torch.isfinite(r.scores[0])
        mask[r.order[: max(heavy - 1, 0)]] = False
        return r.kept(mask[None]), r.near(threshold)
    mu = 2 * f32(options["mirostat_tau"]) if mu is None else mu
    if value == 2:
        heavy = int((r.log_p >= -mu * math.log(2)).sum())
        return r.first(max(heavy, 1)), r.near(-mu * math.log(2))
    k = zipf_k(r, mu)
    if k is None:
        return r.scores, True
    return r.first(min(max(int(min(k, 1e9)), 1), r.unmasked)), abs(k - round(min(k, 1e9))) < 1e-8 * k


def apply(r, options):
    name, value = next(iter(options.items()))
    value = value if name in ("top_k", "mirostat") else f32(value)
    if len(options) > 1 or name == "top_n_sigma":
        return defined(r, {**options, name: value})
    if name == "temperature":
        return TemperatureLogitsWarper(value)(r.ids, r.scores), False
    if name == "repeat_penalty":
        inside = r.ids[:, r.ids[0] < r.scores.shape[-1]]
        return RepetitionPenaltyLogitsProcessor(value)(inside, r.scores), False
    if name == "top_k":
        return r.kept(torch.isfinite(TopKLogitsWarper(value)(r.ids, by_id(r.scores)))), False
    if name == "top_p":
        last = int(torch.searchsorted(r.sums, value))
        p = float(torch.exp(r.log_p[r.order[last]]))
        margin = min(0.1 * p, 1e-6)
        below, above = float(r.sums[last]) - p + margin, float(r.sums[last]) - margin
        kept = torch.isfinite(TopPLogitsWarper(value)(r.ids, by_id(r.scores)))
        return r.kept(kept), not below < value < above
    if name == "min_p":
        return MinPLogitsWarper(value)(r.ids, r.scores), r.near(float(r.log_p.max()) + math.log(value))
    if name == "typical_p":
        return TypicalLogitsWarper(value)(r.ids, r.scores), ill_posed_typical(r, value)
    if name == "epsilon_cutoff":
        return EpsilonLogitsWarper(value)(r.ids, r.scores), r.near(math.log(value))
    assert name == "eta_cutoff", name
    eta = min(value, math.sqrt(value) * math.exp(-r.entropy))
    warper = EtaLogitsWarper(value)
    warper.epsilon = warper.epsilon.double()  # it keeps its bound in float32, whatever the scores are in
    return warper(r.ids, r.scores), r.near(math.log(eta))


def support_of(scores):
    return torch.nonzero(scores[0] > -torch.inf)[:, 0].numpy()


def digest(numbers, support):
    return int(np.sum(numbers[support], dtype=np.uint64))


def combine(digests):
    value = np.uint64(0)
    for d in digests:
        value = splitmix64(value + np.uint64(d))
    return f"{int(value) >> 32:08x}"


def shown(scores, support):
    p = torch.softmax(scores[0], -1)
    ids = sorted({int(torch.argmax(scores[0])), int(support[0]), int(support[-1])})
    return [[i, float(p[i])] for i in ids]


def record(vocab):
    numbers = splitmix64(np.arange(vocab, dtype=np.uint64))
    records = [{"options": o, "used": 0, "digests": [], "p": []} for o in filters(vocab)]
    for first in range(0, ROWS, GROUP):
        groups = [[] for _ in records]
        for seed in range(first, first + GROUP):
            r = Row(seed, vocab)
            for entry, group in zip(records, groups):
                scores, ill_posed = apply(r, entry["options"])
                if ill_posed:
                    continue
                entry["used"] |= 1 << seed
                support = support_of(scores)
                group.append(digest(numbers, support))
                if seed % 100 in (0, 1, 2, 3) and len(entry["p"]) < 12:
                    entry["p"].append([seed, shown(scores, support)])
        for entry, group in zip(records, groups):
            entry["digests"].append(combine(group))
        if (first + GROUP) % 100 == 0:  # a vocabulary of 262,144 takes an hour
            write(f"filters_{vocab}.json", {"filters": [packed(entry) for entry in records]})


def packed(entry):
    return {**entry, "used": f"{entry['used']:x}", "digests": "".join(entry["digests"])}


def record_mirostat(version, tau, eta, vocab):
    """A text of STEPS tokens, each any of those left: [seed, id, p, digest of what was left]."""
    numbers = splitmix64(np.arange(vocab, dtype=np.uint64))
    options = {"mirostat": version, "mirostat_tau": tau, "mirostat_eta": eta}
    mu, steps, seed = 2 * f32(tau), [], 0
    while len(steps) < STEPS:
        r = Row(seed, vocab)
        scores, ill_posed = defined(r, options, mu)
        seed += 1
        if ill_posed:
            continue
        support = support_of(scores)
        chosen = int(support[int(splitmix64(np.uint64(seed))) % len(support)])
        p = float(torch.softmax(scores[0], -1)[chosen])
        mu -= f32(eta) * (-math.log2(p) - f32(tau))
        steps.append([seed - 1, chosen, p, combine([digest(numbers, support)])])
    return {"options": options, "vocab": vocab, "steps": steps}


def write(name, key_to_records):
    lines = [f'"versions": {json.dumps(VERSIONS)}']
    for key, records in key_to_records.items():
        body = ",\n".join(json.dumps(r, separators=(",", ":")) for r in records)
        lines.append(f'"{key}": [\n{body}\n]')
    (OUT / name).write_text("{\n" + ",\n".join(lines) + "\n}\n")


def main():
    np.seterr(over="ignore")
    torch.set_num_threads(1)
    for vocab in [int(v) for v in sys.argv[1:]] or VOCABS:
        record(vocab)
        if vocab == 1000:
            texts = [record_mirostat(v, tau, eta, vocab) for v in (1, 2) for tau, eta in ((5.0, 0.1), (3.0, 0.9), (8.0, 0.5))]
            write("mirostat.json", {"texts": texts})


if __name__ == "__main__":
    main()
