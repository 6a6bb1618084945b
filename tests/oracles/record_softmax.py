"""Records what PyTorch and the entmax package make of rows of logits, in float64.

    python3 -m venv venv && venv/bin/pip install torch==2.13.0 numpy==2.4.6 entmax==1.3
    venv/bin/python tests/oracles/record_softmax.py

Writes tests/data/sampling/{softmax,divergences,sparsemax,entmax15,entmax}.json, in ten minutes. The rows are not
recorded: row(kind, seed, vocab) in rows.py is written again, bit for bit, in tests/sampling/rows.cc.
"""

import importlib.metadata

import entmax
import numpy as np
import torch
import torch.nn.functional as F
from rows import row, splitmix64, write

VERSIONS = {p: importlib.metadata.version(p) for p in ("torch", "numpy")}
SPARSE_VERSIONS = {p: importlib.metadata.version(p) for p in ("torch", "entmax", "numpy")}
KINDS = ("normal", "peaked", "ties", "equal", "masked")
VOCABS = (7, 1000, 49152)
SPARSE_KINDS = ("normal", "peaked", "ties", "masked")
SPARSE_VOCABS = (7, 1000, 49152, 262144)


def f64(kind, seed, vocab):
    return torch.from_numpy(row(kind, seed, vocab).astype(np.float64))


def record_softmax(kind, vocab, seed):
    x = f64(kind, seed, vocab)
    ids = [0, vocab // 3, vocab // 2, vocab - 1, int(torch.argmax(x))]
    logp = torch.log_softmax(x, -1)
    finite = [i for i in sorted(set(ids)) if torch.isfinite(x[i])]
    return {"kind": kind, "seed": seed, "vocab": vocab, "lse": float(torch.logsumexp(x, -1)),
            "logp": [[i, float(logp[i])] for i in finite]}


def edge_rows():
    inf = float("inf")
    return {
        "one": [-3.5],
        "equal": [2.5] * 5,
        "masked": [-inf, 1.0, -inf, 2.0, -inf],
        "one left": [-inf, -inf, -40.0],
        "1e4": [1e4, 9999.5, 1e4 - 20, -1e4, 0.0],
        "-1e4": [-1e4, -9999.5, -1e4 + 20],
        "1e30": [1e30, -1e30, 9.9e29, 0.0],
        "largest": [3.4028234663852886e38, -3.4028234663852886e38, 0.0, 3.4028234663852886e38],
        "subnormal": [1e-45, 0.0, -1e-45, 1e-40, -3e-39],
        "negative zero": [-0.0, 0.0],
        "far": [0.0, -87.0, -103.0, -110.0],
    }


def record_edge(name, values):
    x32 = np.array(values, dtype=np.float32)
    x = torch.from_numpy(x32.astype(np.float64))
    return {"name": name, "bits": [int(b) for b in x32.view(np.uint32)], "lse": float(torch.logsumexp(x, -1)),
            "p": [float(v) for v in torch.softmax(x, -1)],
            "logp": [None if v == -np.inf else float(v) for v in torch.log_softmax(x, -1)]}


def divergence(x, y):
    """KL(p || q), 0 log 0 = 0. PyTorch's kl_div gives nan where both are masked."""
    logp, logq = torch.log_softmax(x, -1), torch.log_softmax(y, -1)
    seen = torch.isfinite(logp)
    return float(F.kl_div(logq[seen], logp[seen], reduction="sum", log_target=True))


def record_divergences(kind, vocab, seed):
    x, other = f64(kind, seed, vocab), f64("normal", seed + 1, vocab)
    # Near: another row's noise, scaled so that the sum is a float again (tests/sampling/softmax/divergence_test.cc).
    near = (x + other / 64).to(torch.float32).to(torch.float64)
    record = {"kind": kind, "seed": seed, "vocab": vocab, "lse": float(torch.logsumexp(x, -1)),
              "entropy": float(torch.special.entr(torch.softmax(x, -1)).sum()),
              "kl_other": divergence(x, other), "kl_near": divergence(x, near), "targets": []}
    for target in sorted({0, vocab // 3, vocab - 1, int(torch.argmax(x))}):
        if not torch.isfinite(x[target]):
            continue
        z = x.clone().requires_grad_()
        loss = F.cross_entropy(z[None], torch.tensor([target]))
        loss.backward()
        shown = sorted({target, 0, vocab // 2, int(torch.argmax(x))})
        record["targets"].append({"target": target, "loss": float(loss.detach()),
                                  "gradient": [[i, float(z.grad[i])] for i in shown]})
    return record


SPARSE = {
    "sparsemax": (2.0, lambda x: entmax.sparsemax(x, dim=-1)),
    "entmax15": (1.5, lambda x: entmax.entmax15(x, dim=-1)),
}


def describe(x, p, alpha):
    """[size, digest, p of the likeliest, of the middle id, of the least], or None where a logit lies too near to the
    threshold for float64 to say whether it is above it."""
    scaled = (x - x.max()) * (alpha - 1)
    distance = scaled + p.max() ** (alpha - 1)
    support = torch.nonzero(p > 0)[:, 0].numpy()
    if float(distance.abs().min()) < 1e-11 or len(support) != int((distance > 0).sum()):
        return None
    digest = int(splitmix64(support.astype(np.uint64)).sum(dtype=np.uint64)) % 2**32
    least = support[int(torch.argmin(p[support]))]
    shown = (int(torch.argmax(p)), int(support[len(support) // 2]), int(least))
    return [len(support), digest] + [float(f"{float(p[i]):.9g}") for i in shown]


def sparse_rows(vocab, count):
    """alpha -> `count` rows, and the seeds that were passed over because float64 cannot decide one of them."""
    rows, skipped, seed = {name: [] for name in SPARSE}, [], 0
    while len(rows["sparsemax"]) < count:
        seed += 1
        x = f64(SPARSE_KINDS[seed % len(SPARSE_KINDS)], seed, vocab)
        found = {name: describe(x, f(x), alpha) for name, (alpha, f) in SPARSE.items()}
        if None in found.values():
            skipped.append(seed)
            continue
        for name, record in found.items():
            rows[name].append(record)
    return rows, skipped


def record_entmax(alpha, vocab, kind, seed):
    x = f64(kind, seed, vocab)
    found = describe(x, entmax.entmax_bisect(x, alpha=alpha, dim=-1, n_iter=60), alpha)
    return found and {"alpha": alpha, "vocab": vocab, "kind": kind, "seed": seed, "row": found}


def main():
    torch.set_num_threads(1)
    write("softmax.json", VERSIONS, {
        "rows": [record_softmax(k, v, 11) for k in KINDS for v in VOCABS],
        "edges": [record_edge(n, v) for n, v in edge_rows().items()],
    })
    write("divergences.json", VERSIONS, {
        "rows": [record_divergences(k, v, 21) for k in KINDS for v in VOCABS + (1000000,)],
    })
    groups = {name: [] for name in SPARSE}
    for vocab in SPARSE_VOCABS:
        rows, skipped = sparse_rows(vocab, 1000)
        for name, records in rows.items():
            groups[name].append({"vocab": vocab, "skipped": skipped, "rows": records})
    for name in SPARSE:
        write(f"{name}.json", SPARSE_VERSIONS, {"vocabularies": groups[name]})
    write("entmax.json", SPARSE_VERSIONS, {
        "rows": [record for alpha in (1.0625, 1.125, 1.25, 1.75, 2.5, 4.0)
                 for vocab, seeds in ((7, 20), (1000, 20), (49152, 2), (262144, 1))
                 for kind in KINDS for seed in range(31, 31 + seeds)
                 if (record := record_entmax(alpha, vocab, kind, seed))],
    })


if __name__ == "__main__":
    main()
