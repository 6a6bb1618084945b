"""Rows of logits that the sampling oracles and the tests share: tests/sampling/rows.cc writes the same ones."""

import json
import pathlib

import numpy as np

OUT = pathlib.Path(__file__).resolve().parent.parent / "data" / "sampling"


def splitmix64(x):
    """x: uint64 array. Steele, Lea & Flood 2014."""
    with np.errstate(over="ignore"):
        x = x + np.uint64(0x9E3779B97F4A7C15)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return x ^ (x >> np.uint64(31))


def row(kind, seed, vocab):
    """float32 [vocab]. `bell` is a whole number, the sum of four uniform ones; all values below are exact floats."""
    bits = splitmix64(np.uint64(seed << 32) + np.arange(vocab, dtype=np.uint64))
    words = [(bits >> np.uint64(16 * k)) & np.uint64(0xFFFF) for k in range(4)]
    bell = sum(w.astype(np.int64) for w in words) - 131070
    x = bell.astype(np.float64) / 16384
    if kind == "peaked":
        x = x + np.where(bits % np.uint64(997) == 0, 8.0, 0.0)
    if kind == "ties":
        x = np.floor(x * 2) / 2
    if kind == "equal":
        x = np.full(vocab, 1.25)
    if kind == "masked":
        x = np.where(bits % np.uint64(8) == 0, -np.inf, x)
    x32 = x.astype(np.float32)
    assert np.array_equal(x32.astype(np.float64), x)
    return x32


def write(name, versions, key_to_records):
    """One record a line."""
    OUT.mkdir(parents=True, exist_ok=True)
    lines = [f'"versions": {json.dumps(versions)}']
    for key, records in key_to_records.items():
        body = ",\n".join(json.dumps(r, separators=(",", ":")) for r in records)
        lines.append(f'"{key}": [\n{body}\n]')
    (OUT / name).write_text("{\n" + ",\n".join(lines) + "\n}\n")
