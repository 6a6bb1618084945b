"""Records what transformers and PyTorch compute of the bundled model, for tests/api/bundled_test.cc.

    python3 -m venv venv && venv/bin/pip install torch==2.13.0 transformers==5.23.0 numpy==2.4.6 gguf==0.19.0
    venv/bin/python tests/oracles/record_bundled.py --partita build/release/partita

The weights are those of weights/bundled/partita-small.gguf, dequantized to float32; layers are transformers'
LlamaModel, the head is nn.AdaptiveLogSoftmaxWithLoss with tails of the file's widths. Writes tests/data/bundled.json:
ids of texts, and of each id the log-probability after those before it and the likeliest id. `partita` tokenizes alone.
"""

import argparse
import functools
import importlib.metadata
import json
import pathlib
import subprocess

import gguf
import numpy as np
import torch
from torch import nn
from transformers import LlamaConfig, LlamaModel

ROOT = pathlib.Path(__file__).resolve().parents[2]
MODEL = ROOT / "weights" / "bundled" / "partita-small.gguf"
OUT = ROOT / "tests" / "data" / "bundled.json"
VERSIONS = ", ".join(f"{p} {importlib.metadata.version(p)}" for p in ("torch", "transformers", "numpy", "gguf"))
TEXTS = [
    "<|im_start|>user\nWhat is the capital of France?<|im_end|>\n<|im_start|>assistant\nThe capital of France is Paris."
    "<|im_end|>\n<|im_start|>user\nTell me more.<|im_end|>\n<|im_start|>assistant\nParis is a city on the river Seine.",
    "<|im_start|>user\nWrite a short story about a brave mouse.<|im_end|>\n<|im_start|>assistant\nOnce upon a time, in "
    "a small village, there lived a brave mouse named Max. He was known for his quick wit and his love of cheese. One "
    "day, while exploring the forest, he found a strange old map.",
    "<|endoftext|>In the beginning God created the heaven and the earth. And the earth was without form, and void; and "
    "darkness was upon the face of the deep.<|endoftext|>",
    "<|endoftext|>lantern: light in a transparent protective case<|endoftext|>",
]


class File:
    """The model file: metadata, and tensors as float32 [rows][columns] or [size]."""

    def __init__(self, path):
        self.reader = gguf.GGUFReader(path)
        self.found = {tensor.name: tensor for tensor in self.reader.tensors}
        unknown = [name for name in self.found if name.endswith(".bias") or name == "output.proj.weight"]
        assert not unknown, f"what is recorded leaves {unknown} out"

    def value(self, key):
        return self.reader.get_field(key).contents()

    def has(self, name):
        return name + ".weight" in self.found

    @functools.cache
    def tensor(self, name):
        tensor = self.found[name + ".weight"]
        values = gguf.quants.dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
        return torch.from_numpy(values.reshape(tuple(int(n) for n in reversed(tensor.shape))))


def halves(rows, head_dim):
    """Rows of Q or K [heads * head_dim][columns]: rotary pairs beside each other to halves of a head."""
    pairs = rows.view(-1, head_dim // 2, 2, rows.shape[1])
    return pairs.transpose(1, 2).reshape(rows.shape)


def layers_of(file):
    size = lambda key: int(file.value("llama." + key))
    head_dim = size("attention.key_length")
    config = LlamaConfig(
        vocab_size=1, hidden_size=size("embedding_length"), intermediate_size=size("feed_forward_length"),
        num_hidden_layers=size("block_count"), num_attention_heads=size("attention.head_count"),
        num_key_value_heads=size("attention.head_count_kv"), head_dim=head_dim,
        rms_norm_eps=float(file.value("llama.attention.layer_norm_rms_epsilon")),
        rope_parameters={"rope_type": "default", "rope_theta": float(file.value("llama.rope.freq_base"))},
        bos_token_id=None, eos_token_id=None, pad_token_id=None, max_position_embeddings=size("context_length"),
        attn_implementation="eager")
    state = {"norm.weight": file.tensor("output_norm"), "embed_tokens.weight": torch.zeros(1, config.hidden_size)}
    names = {"input_layernorm": "attn_norm", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k",
             "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output", "post_attention_layernorm": "ffn_norm",
             "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down"}
    for i in range(config.num_hidden_layers):
        for name, ours in names.items():
            weight = file.tensor(f"blk.{i}.{ours}")
            rotates = name.endswith(("q_proj", "k_proj"))
            state[f"layers.{i}.{name}.weight"] = halves(weight, head_dim) if rotates else weight
    model = LlamaModel(config).eval()
    model.load_state_dict(state)
    return model


def linear(weight):
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=False)
    layer.weight = nn.Parameter(weight)
    return layer


def head_of(file, vocabulary):
    """nn.AdaptiveLogSoftmaxWithLoss over places."""
    cutoffs = [int(c) for c in file.value("partita.head.cutoffs")]
    root = file.tensor("output")
    head = nn.AdaptiveLogSoftmaxWithLoss(root.shape[1], vocabulary, cutoffs)
    head.head = linear(root)
    for i in range(len(cutoffs)):
        words = file.tensor(f"output.{i}" if file.has(f"output.{i}") else f"token_embd.{i + 1}")
        head.tail[i] = nn.Sequential(linear(file.tensor(f"output.{i}.proj")), linear(words))
    return head


def embedded(file, places):
    """[n][hidden] of places [n]."""
    cutoffs = [0, *(int(c) for c in file.value("partita.embedding.cutoffs"))]
    out = []
    for place in places.tolist():
        band = max(i for i, cutoff in enumerate(cutoffs) if cutoff <= place)
        row = file.tensor(f"token_embd.{band}")[place - cutoffs[band]]
        projection = f"token_embd.{band}.proj"
        out.append(file.tensor(projection) @ row if file.has(projection) else row)
    return torch.stack(out)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--partita", default=ROOT / "build" / "release" / "partita")
    options = parser.parse_args()
    file = File(MODEL)
    order = torch.tensor(np.array(file.value("partita.vocabulary.order"), np.int64))
    place_of = torch.empty_like(order)
    place_of[order] = torch.arange(len(order))
    layers, head = layers_of(file), head_of(file, len(order))
    cases = []
    for text in TEXTS:
        done = subprocess.run([options.partita, "tokenize", "--no-bos", "-m", MODEL], input=text.encode(),
                              stdout=subprocess.PIPE, check=True)
        ids = torch.tensor([int(word) for word in done.stdout.split()])
        with torch.no_grad():
            hidden = layers(inputs_embeds=embedded(file, place_of[ids])[None]).last_hidden_state[0]
            rows = head.log_prob(hidden[:-1])
        targets = place_of[ids[1:]]
        cases.append({"ids": ids.tolist(),
                      "logprobs": [round(x, 6) for x in rows.gather(1, targets[:, None])[:, 0].tolist()],
                      "top1": order[rows.argmax(1)].tolist()})
    OUT.write_text(json.dumps({"made_with": VERSIONS, "cases": cases}) + "\n")
    print(f"{sum(len(case['logprobs']) for case in cases)} log-probabilities in {OUT}")


if __name__ == "__main__":
    main()
