"""Records what ensembles of rows of logits come to, by brute force.

    python3 -m venv venv && venv/bin/pip install torch==2.13.0 transformers==5.23.0 numpy==2.4.6
    venv/bin/python tests/oracles/record_ensemble.py

Writes tests/data/sampling/ensembles.json. Whole rows, which the tests make again (row() of record_sampling.py), are
summed as they are defined, in float64: probabilities of each member, weighted and added. Rows at the edge of floats,
which are recorded, are computed so with 60 decimal digits.
"""

import decimal
import importlib.metadata
import json
import pathlib

import numpy as np
from record_sampling import fnv1a, row

OUT = pathlib.Path(__file__).resolve().parent.parent / "data" / "sampling" / "ensembles.json"
VERSIONS = {p: importlib.metadata.version(p) for p in ("numpy",)}
VOCABS = (7, 1000, 49152)
SPACES = ("probability", "logit")
INF = float("inf")
MEMBERS = (
    (["normal"], [3.0]),
    (["normal", "normal"], [1.0, 1.0]),
    (["normal", "peaked"], [0.25, 0.75]),
    (["peaked", "ties", "equal"], [1.0, 2.0, 0.5]),
    (["masked", "masked"], [1.0, 3.0]),
    (["masked", "normal"], [0.001, 1000.0]),
    (["normal", "masked", "peaked"], [1.0, 0.0, 1.0]),
    (["normal", "peaked", "ties", "equal", "masked"] * 3 + ["normal"], [float(i % 4) for i in range(1, 17)]),
)
EDGES = {
    "far apart": ([[1e4, 0.0, -1e4], [-1e4, 0.0, 1e4]], [1.0, 1.0]),
    "far apart, one light": ([[1e4, 0.0, -1e4], [-1e4, 0.0, 1e4]], [1e-30, 1e30]),
    "both below": ([[1e4, 9.9e3, -1e4], [1e4, 9.8e3, -9e3]], [2.0, 1.0]),
    "masked here, tiny there": ([[0.0, -INF, 0.0], [500.0, -500.0, 500.0]], [1.0, 1.0]),
    "masked in both": ([[0.0, -INF, 1.0], [1.0, -INF, 0.0]], [1.0, 1.0]),
    "one left each": ([[0.0, -INF], [-INF, 0.0]], [1.0, 3.0]),
    "one word": ([[5.0], [-7.0]], [1.0, 1.0]),
    "largest": ([[3.4028234663852886e38, 0.0], [3.4028234663852886e38, 3.4028234663852886e38]], [1.0, 1.0]),
    "subnormal": ([[1e-45, 0.0, -1e-40], [0.0, -1e-45, 1e-40]], [1.0, 2.0]),
}


def combine(rows, weights, space):
    """float64 [vocab]: log of the mixture, or the weighted sum of logits."""
    w = np.array(weights) / np.sum(weights)
    if space == "logit":
        return np.sum([wi * x for wi, x in zip(w, rows) if wi > 0], axis=0)
    mixture = np.zeros_like(rows[0])
    for wi, x in zip(w, rows):
        if wi > 0:
            p = np.exp(x - np.max(x))
            mixture += wi * p / np.sum(p)
    return np.log(mixture)


def record(kinds, weights, space, vocab, first_seed):
    rows = [row(k, first_seed + i, vocab).astype(np.float64) for i, k in enumerate(kinds)]
    combined = combine(rows, weights, space)
    support = np.flatnonzero(np.isfinite(combined))
    ordered = np.argsort(-combined, kind="stable")
    clear = combined[ordered[0]] - combined[ordered[1]] > 1e-5
    shown = sorted({int(i) for i in [*ordered[:3], *ordered[len(support) - 3:len(support)], support[0],
                                     support[len(support) // 2], support[-1]]})
    return {"kinds": kinds, "weights": weights, "space": space, "vocab": vocab, "seed": first_seed,
            "count": len(support), "hash": fnv1a([int(i) for i in support]),
            "best": int(ordered[0]) if clear else None,
            "values": [[i, float(combined[i])] for i in shown]}


def decimals(values):
    return [None if v == -INF else decimal.Decimal(v) for v in values]


def combine_edge(rows, weights, space):
    """Decimals [vocab], None where masked."""
    weights = decimals(weights)
    weights = [w / sum(weights) for w in weights]
    if space == "logit":
        return [None if None in column else sum(w * x for w, x in zip(weights, column)) for column in zip(*rows)]
    mixture = [decimal.Decimal(0)] * len(rows[0])
    for w, x in zip(weights, rows):
        p = [decimal.Decimal(0) if v is None else v.exp() for v in x]
        mixture = [m + w * v / sum(p) for m, v in zip(mixture, p)]
    return [m.ln() if m > 0 else None for m in mixture]


def record_edge(name, rows, weights, space):
    rows32 = [np.array(x, dtype=np.float32) for x in rows]
    exact = [decimals([float(v) for v in x]) for x in rows32]
    if name == "largest":  # the exponentials are beyond decimals too; the same for logits less their maximum
        if space == "probability":
            exact = [decimals([float(v) - float(np.max(x)) for v in x.astype(np.float64)]) for x in rows32]
    weights32 = [float(np.float32(w)) for w in weights]
    values = combine_edge(exact, weights32, space)
    return {"name": name, "bits": [[int(b) for b in x.view(np.uint32)] for x in rows32], "weights": weights32,
            "space": space, "values": [None if v is None else float(v) for v in values]}


def main():
    np.seterr(divide="ignore")
    decimal.getcontext().prec = 60
    decimal.getcontext().Emax, decimal.getcontext().Emin = decimal.MAX_EMAX, decimal.MIN_EMIN
    rows = [record(k, w, s, v, 1 + 100 * i) for i, (k, w) in enumerate(MEMBERS) for s in SPACES for v in VOCABS]
    edges = [record_edge(n, r, w, s) for n, (r, w) in EDGES.items() for s in SPACES]
    lines = [f'"versions": {json.dumps(VERSIONS)}']
    for key, records in (("rows", rows), ("edges", edges)):
        body = ",\n".join(json.dumps(r, separators=(",", ":")) for r in records)
        lines.append(f'"{key}": [\n{body}\n]')
    OUT.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
