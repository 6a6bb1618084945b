#!/usr/bin/env python3
"""Makes tiny random models of RWKV-7, which transformers does not have, and records what its definition computes.

    record_rwkv7.py DIRECTORY

Writes NAME.gguf, with the metadata and tensors that llama.cpp reads, and NAME.json, in the form of record_families.py.
The definition is below: one token at a time, in float64, without any of the rearrangements that make it fast.
record_bf16.py takes from here how far bf16 moves these models.
"""

import math
import pathlib
import sys

import gguf
import numpy
from record_scores import differences, rounded, versions, write

VOCAB = 128
PROMPT_LENGTHS = (1, 7, 300)
# llama.cpp's vectors need heads of a multiple of 32; heads of 20 fill no vector of ours.
MODELS = {"rwkv7": {"seed": 71, "layers": 3, "hidden": 64, "head": 32, "ffn": 96, "ranks": (8, 12, 4, 16)},
          "rwkv7_odd": {"seed": 72, "layers": 2, "hidden": 60, "head": 20, "ffn": 52, "ranks": (5, 7, 3, 70)}}
EPS = 1e-5
RANKS = ("decay", "iclr", "value_residual_mix", "gate")


# --- the definition --------------------------------------------------------------------------------------


def sigmoid(x):
    return 1 / (1 + numpy.exp(-x))


def layer_norm(x, weight, bias, eps):
    return (x - x.mean()) / numpy.sqrt(((x - x.mean()) ** 2).mean() + eps) * weight + bias


def same(x):
    return x


def to_bf16(x):
    bits = numpy.asarray(x, numpy.float32).view(numpy.uint32)
    rounded_up = bits + 0x7FFF + ((bits >> 16) & 1)
    return (rounded_up & 0xFFFF0000).astype(numpy.uint32).view(numpy.float32).astype(numpy.float64)


class Model:
    """The tensors by their names in the file; `factor` is applied to both factors of products with matrices."""

    def __init__(self, sizes, tensors, factor=same):
        self.sizes, self.tensors, self.factor = sizes, tensors, factor

    def __getitem__(self, name):
        return self.tensors[name].astype(numpy.float64)

    def product(self, name, x):
        return self.factor(self[name + ".weight"]) @ self.factor(x)

    def norm(self, name, x):
        return layer_norm(x, self[name + ".weight"], self[name + ".bias"], EPS)

    def low_rank(self, name, x, function):
        return self.product(name + "2", function(self.product(name + "1", x)))

    def logits(self, ids):
        hidden, head = self.sizes["hidden"], self.sizes["head"]
        layers = range(self.sizes["layers"])
        before_mixer, before_ffn = ([numpy.zeros(hidden) for _ in layers] for _ in range(2))
        states = [numpy.zeros((hidden // head, head, head)) for _ in layers]  # [heads][values][keys]
        rows = []
        for token in ids:
            x = self.norm("token_embd_norm", self["token_embd.weight"][token])
            first_values = None
            for i in layers:
                normed = self.norm(f"blk.{i}.attn_norm", x)
                mixed, first_values = self.mixer(f"blk.{i}.", normed, before_mixer[i], states[i], first_values)
                before_mixer[i] = normed
                x = x + mixed
                normed = self.norm(f"blk.{i}.attn_norm_2", x)
                shifted = normed + (before_ffn[i] - normed) * self[f"blk.{i}.channel_mix_lerp_k.weight"]
                before_ffn[i] = normed
                inner = numpy.maximum(self.product(f"blk.{i}.channel_mix_key", shifted), 0) ** 2
                x = x + self.product(f"blk.{i}.channel_mix_value", inner)
            rows.append(self["output.weight"] @ self.norm("output_norm", x))
        return numpy.array(rows)

    def mixer(self, layer, x, before, state, first_values):
        """Changes `state`. Returns the output, and the values of the first layer."""
        part = layer + "time_mix_"
        streams = [x + (before - x) * weight for weight in self[part + "lerp_fused.weight"][:, 0, 0]]
        for_r, for_w, for_k, for_v, for_a, for_g = streams
        r = self.product(part + "receptance", for_r)
        decay = numpy.exp(-0.606531 * sigmoid(self[part + "w0.weight"] + self.low_rank(part + "w", for_w, numpy.tanh)))
        k = self.product(part + "key", for_k)
        v = self.product(part + "value", for_v)
        if first_values is None:
            first_values = v
        else:
            v = v + (first_values - v) * sigmoid(self[part + "v0.weight"] + self.low_rank(part + "v", for_v, same))
        a = sigmoid(self[part + "a0.weight"] + self.low_rank(part + "a", for_a, same))
        gate = self.low_rank(part + "g", for_g, sigmoid)
        removed = k * self[part + "k_k.weight"]
        k = k * (1 + (a - 1) * self[part + "k_a.weight"])
        out = numpy.zeros_like(x)
        for h in range(len(state)):
            at = slice(h * state.shape[-1], (h + 1) * state.shape[-1])
            unit = removed[at] / max(math.sqrt((removed[at] ** 2).sum()), 1e-12)
            state[h] = (state[h] * decay[at] - numpy.outer(state[h] @ unit, unit * a[at])
                        + numpy.outer(v[at], k[at]))
            y = layer_norm(state[h] @ r[at], self[part + "ln.weight"][at], self[part + "ln.bias"][at], 64e-5)
            out[at] = y + v[at] * (r[at] * k[at] * self[part + "r_k.weight"][at]).sum()
        return self.product(part + "output", out * gate), first_values


# --- the models ------------------------------------------------------------------------------------------


def random_tensors(sizes):
    """Matrices are exact in f16. The values make decays, rates and gates far from uniform."""
    generator = numpy.random.default_rng(sizes["seed"])
    hidden, ffn = sizes["hidden"], sizes["ffn"]
    decay, rate, mix, gate = sizes["ranks"]
    tensors = {}

    def matrix(name, rows, cols, gain=1.0):
        tensors[name + ".weight"] = (generator.standard_normal((rows, cols)) * gain / math.sqrt(cols)).astype(numpy.float16)

    def vector(name, middle, deviation, shape=(hidden,)):
        tensors[name] = (middle + deviation * generator.standard_normal(shape)).astype(numpy.float32)

    def norm(name):
        vector(name + ".weight", 1, 0.25)
        vector(name + ".bias", 0, 0.25)

    def low_rank(name, rank, gain, bias=None):
        matrix(name + "1", rank, hidden, gain)
        matrix(name + "2", hidden, rank, gain)
        if bias is not None:
            vector(name + "0.weight", bias, 1)

    matrix("token_embd", VOCAB, hidden, math.sqrt(hidden))
    norm("token_embd_norm")
    for i in range(sizes["layers"]):
        part = f"blk.{i}.time_mix_"
        norm(f"blk.{i}.attn_norm")
        norm(f"blk.{i}.attn_norm_2")
        low_rank(part + "w", decay, 1.5, -1)
        low_rank(part + "a", rate, 1.2, 0)
        if i > 0:
            low_rank(part + "v", mix, 1.2, 0)
        else:  # as llama.cpp's converter writes them, which nothing reads
            tensors |= {part + f"v{n}.weight": tensors[part + f"a{n}.weight"] for n in range(3)}
        low_rank(part + "g", gate, 1.5)
        tensors[part + "lerp_fused.weight"] = generator.random((6, 1, 1, hidden)).astype(numpy.float32)
        vector(part + "k_k.weight", 0.85, 0.25)
        vector(part + "k_a.weight", 1, 0.25)
        vector(part + "r_k.weight", 0, 0.3)
        for name in ("key", "value", "receptance"):
            matrix(part + name, hidden, hidden)
        norm(part + "ln")
        matrix(part + "output", hidden, hidden, 1.5)
        tensors[f"blk.{i}.channel_mix_lerp_k.weight"] = generator.random(hidden).astype(numpy.float32)
        matrix(f"blk.{i}.channel_mix_key", ffn, hidden)
        matrix(f"blk.{i}.channel_mix_value", hidden, ffn)
    norm("output_norm")
    matrix("output", VOCAB, hidden, 2.5)
    return tensors


def vocabulary():
    """128 tokens as llama.cpp's converter spells them: a control token, bytes, words, padding."""
    words = [bytes([byte]) for byte in (0, 9, 10, 13, *range(0x20, 0x7F), 0xC3, 0xE4, 0xFF)]
    words += [b"\n\n", b" the", b" and", b"ing", b"in", b"the", b"th", b"\xe4\xb8\xad", b"\xc3\xa9", b"\\n", b"'\"",
              b"    ", b"\r\n", b" a"]
    tokens = ["<s>"] + [repr(word)[2:-1] for word in words]
    kinds = [gguf.TokenType.CONTROL] + [gguf.TokenType.NORMAL] * len(words)
    padding = [f"[PAD{i}]" for i in range(len(tokens), VOCAB)]
    return tokens + padding, kinds + [gguf.TokenType.UNUSED] * len(padding), tokens.index("\\n\\n")


def write_model(path, sizes, tensors):
    writer = gguf.GGUFWriter(path, "rwkv7")
    writer.add_name(path.stem)
    writer.add_context_length(1048576)
    writer.add_embedding_length(sizes["hidden"])
    writer.add_block_count(sizes["layers"])
    writer.add_layer_norm_eps(EPS)
    writer.add_wkv_head_size(sizes["head"])
    for name, rank in zip(RANKS, sizes["ranks"]):
        writer.add_uint32(f"rwkv7.attention.{name}_lora_rank", rank)
    writer.add_feed_forward_length(sizes["ffn"])
    writer.add_file_type(1)
    writer.add_head_count(0)
    tokens, kinds, end_of_turn = vocabulary()
    writer.add_tokenizer_model("rwkv")
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(0)
    writer.add_eot_token_id(end_of_turn)
    for name, tensor in tensors.items():
        writer.add_tensor(name, tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


# --- the record ------------------------------------------------------------------------------------------


def sequence_record(model, ids):
    logits = model.logits(ids)
    shifted = logits - logits.max(axis=1, keepdims=True)
    rows = shifted - numpy.log(numpy.exp(shifted).sum(axis=1, keepdims=True))
    ordered, last = numpy.sort(logits, axis=1), len(ids) - 1
    return {"ids": ids, "logprobs": [None] + [round(float(rows[i, ids[i + 1]]), 8) for i in range(last)],
            "top_ids": logits.argmax(axis=1).tolist(), "margins": rounded((ordered[:, -1] - ordered[:, -2]).tolist(), 4),
            "logits": [{"position": last, "values": rounded(logits[last].tolist(), 8)}]}


def sequences_of(name, factor=same):
    sizes = MODELS[name]
    model = Model(sizes, random_tensors(sizes), factor)
    generator = numpy.random.default_rng(sizes["seed"] + 100)
    return [sequence_record(model, generator.integers(1, VOCAB, length).tolist()) for length in PROMPT_LENGTHS]


def in_bf16():
    """For each model: its sequences, and the same with the factors of products rounded to bf16."""
    return {name: list(zip(sequences_of(name, to_bf16), sequences_of(name))) for name in MODELS}


def main():
    directory = pathlib.Path(sys.argv[1])
    for name, sizes in MODELS.items():
        write_model(directory / (name + ".gguf"), sizes, random_tensors(sizes))
        sequences = sequences_of(name)
        write(directory / (name + ".json"), {
            "made_by": "tests/oracles/record_rwkv7.py", "versions": versions(), "model": name + ".gguf",
            "architecture": "rwkv7", "seed": sizes["seed"], "matrices": "float16", "gguf_lacks": None,
            "sequences": sequences})
        margins = sorted(sequences[-1]["margins"])
        moved = differences(sequences[-1]["logprobs"], sequences_of(name, to_bf16)[-1]["logprobs"])
        print(f"{name}: median margin {margins[len(margins) // 2]:.2f}, least {margins[0]}, mean logprob "
              f"{sum(sequences[-1]['logprobs'][1:]) / 299:.2f}, by bf16 {moved}")


if __name__ == "__main__":
    main()
