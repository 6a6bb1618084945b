#!/usr/bin/env python3
"""Records how far bf16 moves the tiny models of record_families.py: both factors of every product with a weight are
rounded to bf16, sums and all else stay in f32, as where a processor has tiles of bf16.

    record_bf16.py DIRECTORY

DIRECTORY holds the records of record_families.py, which have the seeds; bf16.json is written there: for each model and
each of its sequences the mean of the differences of log-probabilities, the largest difference of the logits that are
recorded, relative to the largest logit of the row, and the share of positions whose most probable token is the same.
"""

import copy
import json
import pathlib
import sys

import family_configs
import record_rwkv7
import torch
import transformers
from record_families import random_model
from record_scores import rounded, versions, write
from record_tiny_models import sequence_record

PRODUCTS = {torch.nn.functional.linear, torch.matmul, torch.Tensor.matmul, torch.Tensor.__matmul__,
            torch.Tensor.__rmatmul__, torch.bmm, torch.Tensor.bmm, torch.addmm, torch.baddbmm, torch.einsum}


class RoundedProducts(torch.overrides.TorchFunctionMode):
    """Rounds the factors of products with one of the weights. The output matrix, which tiles do not read, is none."""

    def __init__(self, model):
        super().__init__()
        head = model.get_output_embeddings().weight.untyped_storage().data_ptr()
        self.weights = {weight.untyped_storage().data_ptr() for weight in model.parameters()} - {head}

    def __torch_function__(self, function, types, arguments=(), keywords=None):
        if function in PRODUCTS and any(self.is_weight(factor) for factor in arguments):
            arguments = [factor.bfloat16().float() if isinstance(factor, torch.Tensor) and factor.dim() >= 2 else factor
                         for factor in arguments]
        return function(*arguments, **(keywords or {}))

    def is_weight(self, factor):
        return isinstance(factor, torch.Tensor) and factor.untyped_storage().data_ptr() in self.weights


def difference(rounded_one, recorded):
    pairs = list(zip(rounded_one["logprobs"][1:], recorded["logprobs"][1:]))
    logits = max(max(abs(a - b) for a, b in zip(x["values"], y["values"])) / max(map(abs, y["values"]))
                 for y in recorded["logits"] for x in rounded_one["logits"] if x["position"] == y["position"])
    same = [a == b for a, b in zip(rounded_one["top_ids"], recorded["top_ids"])]
    return dict(zip(("mean", "logits", "same_top"),
                    rounded([sum(abs(a - b) for a, b in pairs) / max(1, len(pairs)), logits, sum(same) / len(same)], 5)))


@torch.no_grad()
def main():
    directory = pathlib.Path(sys.argv[1])
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    models = {}
    for name, kind, arguments, options in family_configs.FAMILIES:
        path = directory / (name + ".json")
        if not path.exists():
            continue
        record = json.loads(path.read_text())
        config = getattr(transformers, kind)(**copy.deepcopy(arguments))
        model = random_model(config, record["seed"], options)
        with RoundedProducts(model):
            models[name] = [difference(sequence_record(model, sequence["ids"]), sequence)
                            for sequence in record["sequences"]]
        print(name, models[name][-1], flush=True)
    models |= {name: [difference(*pair) for pair in pairs] for name, pairs in record_rwkv7.in_bf16().items()}
    write(directory / "bf16.json", {"made_by": "tests/oracles/record_bf16.py", "versions": versions(), "models": models})


if __name__ == "__main__":
    main()
