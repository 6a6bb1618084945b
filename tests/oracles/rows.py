"""Rows of logits and histories that oracles and tests share, and how a record says which ids are left.

row(kind, seed, vocab) and history(seed, vocab) are written again, bit for bit, in tests/sampling/rows.cc.
"""

import json
import pathlib
import struct

import numpy as np
import torch

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


def history(seed, vocab):
    """A few ids, the first of them twice, and one that the vocabulary lacks."""
    ids = splitmix64(np.uint64(seed << 32) + np.arange(3 + vocab // 100, dtype=np.uint64)) % np.uint64(vocab)
    ids = [int(i) for i in ids]
    return ids + [ids[0], vocab + 3]


def by_id(scores):
    """The scores with ties broken by id, which sort and topk leave open: far below what float32 tells apart."""
    return scores - torch.arange(scores.shape[-1], dtype=torch.float64) * 1e-13


def f32(x):
    return float(np.float32(x))


def fnv1a(ids):
    value = 0xCBF29CE484222325
    for byte in b"".join(struct.pack("<I", i) for i in ids):
        value = ((value ^ byte) * 0x100000001B3) % 2**64
    return f"{value:016x}"


def word(seed, i):
    """One number of a stream that belongs to `seed`, apart from those of row() and history()."""
    return int(splitmix64(np.array([(seed << 32) + 0x80000000 + i], dtype=np.uint64))[0])


def told(seed, vocab):
    """A history that repeats itself, of 24 to 127 ids, and how many of them are the prompt."""
    first = word(seed, 0)
    few = [word(seed, 1000 + i) % vocab for i in range(3 + (first >> 8) % 6)]
    if seed % 5 == 0:
        few[0] = vocab + 3  # an id that the vocabulary lacks
    ids, copied = [], 0
    for i in range(24 + first % 104):
        bits = word(seed, 1 + i)
        if i < 4 or bits % 8 == 0:
            ids.append(few[(bits >> 8) % len(few)])
            continue
        if bits % 8 == 1:
            copied = (bits >> 8) % i
        ids.append(ids[copied])
        copied += 1
    return ids, (first >> 20) % (len(ids) + 1)


def token_text(token):
    """The bytes of an id in vocabularies that are made up: up to four letters of eight, or none."""
    bits = int(splitmix64(np.array([token], dtype=np.uint64))[0])
    if bits % 16 == 5:
        return b""
    return bytes(b"ab c\n:\xc3\xa9"[(bits >> (8 + 4 * i)) & 7] for i in range(1 + (bits >> 4) % 4))


def write(name, versions, key_to_records):
    """One record a line."""
    OUT.mkdir(parents=True, exist_ok=True)
    lines = [f'"versions": {json.dumps(versions)}']
    for key, records in key_to_records.items():
        body = ",\n".join(json.dumps(r, separators=(",", ":")) for r in records)
        lines.append(f'"{key}": [\n{body}\n]')
    (OUT / name).write_text("{\n" + ",\n".join(lines) + "\n}\n")
