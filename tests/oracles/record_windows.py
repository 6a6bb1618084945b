#!/usr/bin/env python3
"""Records what transformers computes with the tiny models under an attention window with sinks.

    record_windows.py DIRECTORY

Reads tiny_*.json of DIRECTORY (record_tiny_models.py), makes the same models again from their seeds, and
writes tiny_windows.json, described in README.md beside this file. The window is a mask [n][n] added to the
scores of every layer, of 0 where a query sees a key and the least float32 where it does not.
"""

import argparse
import json
import os

import torch
from record_scores import differences, rounded, versions, write
from record_tiny_models import CONTEXT, MODELS, VOCAB, random_model

LENGTH = 300
# model: (window, sinks) of each case
CASES = {
    "tiny_llama_tied_f32": ((100, 64), (20, 128), (70, 0)),
    "tiny_gemma3_f32": ((40, 64), (8, 64)),
}


def layer_limits(own_window, window, sinks):
    """(window, sinks) of a layer whose own window that is, or None: who sees no farther stays as it is."""
    return (own_window, 0) if own_window is not None and own_window <= window else (window, sinks)


def mask(length, window, sinks):
    """[1][1][n][n], added to the scores of queries (rows) and keys (columns)."""
    query, key = torch.arange(length)[:, None], torch.arange(length)[None, :]
    seen = (key <= query) & ((key < sinks) | (query - key < window))
    return torch.zeros(length, length).masked_fill(~seen, torch.finfo(torch.float32).min)[None, None]


def masks(config, length, window, sinks):
    """What transformers takes as attention_mask: one for all layers, or one for each kind of layer."""
    if config.model_type == "llama":
        return mask(length, window, sinks)
    return {"full_attention": mask(length, *layer_limits(None, window, sinks)),
            "sliding_attention": mask(length, *layer_limits(config.sliding_window, window, sinks))}


def sequence_record(model, ids, attention_mask):
    logits = model(torch.tensor([ids]), attention_mask=attention_mask, use_cache=False).logits[0].double()
    rows = torch.log_softmax(logits, dim=-1)
    last = len(ids) - 1
    return {"ids": ids,
            "logprobs": [None] + [round(rows[i, ids[i + 1]].item(), 8) for i in range(last)],
            "top_ids": logits.argmax(dim=-1).tolist(),
            "logits": [{"position": p, "values": rounded(logits[p].tolist(), 8)} for p in (last // 2, last)]}


@torch.no_grad()
def record(directory, name):
    """The cases of a model, after a check that it is the one of the file."""
    config, seed, dtype = MODELS[name]
    model = random_model(config, seed, dtype)
    with open(os.path.join(directory, name + ".json")) as file:
        known = json.load(file)["sequences"][-1]
    length = len(known["ids"])
    found = sequence_record(model, known["ids"], masks(config, length, CONTEXT, 0))
    apart = differences(known["logprobs"], found["logprobs"])
    assert apart["max"] < 1e-5, (name, apart)

    ids = torch.randint(4, VOCAB, (LENGTH,), generator=torch.Generator().manual_seed(seed + 200)).tolist()
    return [{"model": name + ".gguf", "window": window, "sinks": sinks,
             "sequences": [sequence_record(model, ids, masks(config, LENGTH, window, sinks))]}
            for window, sinks in CASES[name]]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory")
    options = parser.parse_args()
    torch.set_num_threads(1)
    write(os.path.join(options.directory, "tiny_windows.json"), {
        "made_by": "tests/oracles/record_windows.py", "versions": versions(),
        "cases": [case for name in CASES for case in record(options.directory, name)]})


if __name__ == "__main__":
    main()
