"""Records what PyTorch computes for output heads that are not one matrix.

    python3 -m venv venv && venv/bin/pip install torch==2.13.0 numpy==2.4.6 gguf==0.19.0 safetensors==0.8.0
    venv/bin/python tests/oracles/record_heads.py

Writes tests/data/heads/, in a minute; README.md beside this file says what is in it. The hidden states are not
recorded: hidden_states() is written again, bit for bit, in tests/sampling/heads/heads_record.cc.
"""

import argparse
import copy
import heapq
import importlib.metadata
import math
import pathlib

import gguf
import numpy as np
import torch
import torch.nn.functional as F
from rows import splitmix64
from safetensors.torch import save_file
from torch import nn

OUT = pathlib.Path(__file__).resolve().parent.parent / "data" / "heads"
VERSIONS = ", ".join(f"{p} {importlib.metadata.version(p)}" for p in ("torch", "numpy", "gguf"))
ROWS = 10000
CHUNK = 1000
FULL_ROWS = 3
TARGETS = 1 << 31  # where the stream of the targets begins, after the one of the hidden states
LEAST_MARGIN = 1e-5
MEAN_SQUARE = 4 / 3  # of a hidden state's values


# --- inputs ----------------------------------------------------------------------------------------------


def stream(first, count):
    """uint64 [count]: splitmix64 of first, first + 1, and so on."""
    return splitmix64(np.uint64(first) + np.arange(count, dtype=np.uint64))


def hidden_states(seed, rows, hidden):
    """float32 [rows][hidden]. Value i of row r is ((splitmix64(seed + r * hidden + i) >> 40) / 2^24 - 0.5) * 4."""
    words = stream(seed, rows * hidden) >> np.uint64(40)
    x = (words.astype(np.float64) / 2**24 - 0.5) * 4
    x32 = x.astype(np.float32)
    assert np.array_equal(x32.astype(np.float64), x)
    return torch.from_numpy(x32.reshape(rows, hidden))


def targets(seed, vocab, predicted):
    """int64 [rows]: for every other row, as a bit decides, the predicted word; else any word."""
    words = stream(seed + TARGETS, len(predicted))
    uniform = torch.from_numpy(((words >> np.uint64(1)) % np.uint64(vocab)).astype(np.int64))
    return torch.where(torch.from_numpy((words & np.uint64(1)) == 1), predicted, uniform)


class Draws:
    """Random weights from a seed."""

    def __init__(self, seed):
        self.generator = torch.Generator().manual_seed(seed)

    def normal(self, shape, std):
        return torch.randn(shape, generator=self.generator) * std

    def fill(self, linear, scale, mean_square=MEAN_SQUARE, bias=0.5):
        """So that the outputs, of inputs of that mean square, have about the standard deviation `scale`."""
        linear.weight.data = self.normal(linear.weight.shape, scale / math.sqrt(linear.in_features * mean_square))
        if linear.bias is not None:
            linear.bias.data = self.normal(linear.bias.shape, bias)


# --- heads that PyTorch does not have -----------------------------------------------------------------------


class TransformerXl(nn.Module):
    """What transformers 4 computes in ProjectedAdaptiveLogSoftmax.forward (not in its log_prob, which fails) for
    div_val > 1; the parameters have its names."""

    def __init__(self, vocab, d_embed, d_proj, cutoffs, div_val):
        super().__init__()
        self.bounds = [0, *cutoffs, vocab]
        widths = [d_embed // div_val**i for i in range(len(cutoffs) + 1)]
        self.cluster_weight = nn.Parameter(torch.zeros(len(cutoffs), d_embed))
        self.cluster_bias = nn.Parameter(torch.zeros(len(cutoffs)))
        self.out_layers = nn.ModuleList(
            nn.Linear(width, end - begin) for width, begin, end in zip(widths, self.bounds, self.bounds[1:]))
        self.out_projs = nn.ParameterList(torch.zeros(d_proj, width) for width in widths)

    def root(self):
        """Weight and bias of the shortlist, then of the clusters."""
        words = self.out_layers[0]
        return torch.cat([words.weight, self.cluster_weight]), torch.cat([words.bias, self.cluster_bias])

    def log_prob(self, hidden):
        weight, bias = self.root()
        root = F.log_softmax(F.linear(hidden @ self.out_projs[0], weight, bias), dim=1)
        shortlist = self.bounds[1]
        parts = [root[:, :shortlist]]
        for i, (layer, proj) in enumerate(zip(self.out_layers[1:], self.out_projs[1:])):
            parts.append(root[:, shortlist + i, None] + F.log_softmax(layer(hidden @ proj), dim=1))
        return torch.cat(parts, dim=1)


class Classes(nn.Module):
    """p(word) = p(class) p(word | class). `words` and `order` go by places: class after class, the classes beginning
    at `starts`; order[place] is the word."""

    def __init__(self, order, starts, hidden):
        super().__init__()
        self.register_buffer("order", order)
        self.register_buffer("starts", torch.tensor(starts))
        self.root = nn.Linear(hidden, len(starts))
        self.words = nn.Linear(hidden, len(order))
        self.bounds = [*starts, len(order)]

    def log_prob(self, hidden):
        root = F.log_softmax(self.root(hidden), dim=1)
        logits = self.words(hidden)
        out = torch.empty_like(logits)
        for i, (begin, end) in enumerate(zip(self.bounds, self.bounds[1:])):
            out[:, self.order[begin:end]] = root[:, i, None] + F.log_softmax(logits[:, begin:end], dim=1)
        return out


class Tree(nn.Module):
    """A binary tree; `children` as in the file: two a node, c >= 0 is node c, c < 0 the word -1 - c."""

    def __init__(self, children, hidden):
        super().__init__()
        self.children_of = children
        self.nodes = nn.Linear(hidden, len(children) // 2)

    def log_prob(self, hidden):
        logits = self.nodes(hidden)
        left, right = F.logsigmoid(logits), F.logsigmoid(-logits)
        count = logits.shape[1]
        reached = [None] * count
        reached[count - 1] = torch.zeros_like(logits[:, 0])
        words = [None] * (count + 1)
        for node in reversed(range(count)):
            for child, step in ((self.children_of[2 * node], left), (self.children_of[2 * node + 1], right)):
                places, i = (reached, child) if child >= 0 else (words, -1 - child)
                places[i] = reached[node] + step[:, node]
        return torch.stack(words, dim=1)


class Mixture(nn.Module):
    """A mixture of softmaxes, Yang et al. 2018; the parameters have the names of their program."""

    def __init__(self, vocab, experts, hidden, width):
        super().__init__()
        self.shape = (experts, width)
        self.prior = nn.Linear(hidden, experts)
        self.latent = nn.Sequential(nn.Linear(hidden, experts * width), nn.Tanh())
        self.decoder = nn.Linear(width, vocab)

    def components(self, hidden):
        """Logits of the components [rows][K], and of the words in each [rows][K][vocab]."""
        return self.prior(hidden), self.decoder(self.latent(hidden).view(-1, *self.shape))

    def log_prob(self, hidden):
        prior, words = self.components(hidden)
        return torch.logsumexp(F.log_softmax(prior, dim=1)[:, :, None] + F.log_softmax(words, dim=2), dim=1)


# --- checks of these heads -----------------------------------------------------------------------------------


def check_transformer_xl(module, hidden):
    """Without biases in the clusters it is PyTorch's module, the root's projection multiplied into its weights."""
    module = copy.deepcopy(module).double()
    bounds, (weight, bias) = module.bounds, module.root()
    torchs = nn.AdaptiveLogSoftmaxWithLoss(hidden.shape[1], bounds[-1], bounds[1:-1], 2, head_bias=True).double()
    torchs.head.weight.data, torchs.head.bias.data = weight @ module.out_projs[0].T, bias
    for tail, layer, proj in zip(torchs.tail, module.out_layers[1:], module.out_projs[1:]):
        layer.bias.data.zero_()
        tail[0] = nn.Linear(*proj.shape, bias=False)  # d_embed need not be the hidden size
        tail[0].weight.data, tail[1] = proj.T, nn.Linear(proj.shape[1], len(layer.bias), bias=False)
        tail[1].weight.data = layer.weight
    return float((module.log_prob(hidden) - torchs.log_prob(hidden)).abs().max())


def check_classes(module, hidden):
    """In the order of the words, as a product of probabilities."""
    module = copy.deepcopy(module).double()
    place = torch.argsort(module.order)
    member = (place[:, None] >= module.starts[None, :]).sum(1) - 1
    logits = module.words(hidden)[:, place]
    sums = torch.zeros(len(hidden), len(module.starts), dtype=torch.float64).index_add(1, member, logits.exp())
    p = torch.softmax(module.root(hidden), 1)[:, member] * logits.exp() / sums[:, member]
    return float((module.log_prob(hidden) - p.log()).abs().max())


def check_tree(module, hidden):
    """Every word's path, from the word up to the root, as a product of probabilities."""
    module = copy.deepcopy(module).double()
    children = module.children_of
    count = len(children) // 2
    parent = {child: divmod(at, 2) for at, child in enumerate(children)}
    assert len(parent) == 2 * count and all(c < at // 2 for at, c in enumerate(children))
    logits = module.nodes(hidden).detach().numpy()
    p = np.ones((len(hidden), count + 1))
    for word in range(count + 1):
        at = -1 - word
        while at != count - 1:
            at, right = parent[at]
            p[:, word] /= 1 + np.exp(logits[:, at] if right else -logits[:, at])
    return float((module.log_prob(hidden) - torch.from_numpy(np.log(p))).abs().max())


def check_mixture(module, hidden):
    """As Yang et al. write it: a weighted sum of probabilities."""
    module = copy.deepcopy(module).double()
    prior, words = module.components(hidden)
    p = (torch.softmax(words, 2) * torch.softmax(prior, 1)[:, :, None]).sum(1)
    return float((module.log_prob(hidden) - p.log()).abs().max())


# --- the cases: weights, and the same as keys and tensors of a file ---------------------------------------------


def adaptive(seed, vocab, cutoffs, div_value, head_bias, clusters, scales, hidden=64):
    """clusters: the spread of the clusters' logits; scales: that of the words' logits in each."""
    draws = Draws(seed)
    module = nn.AdaptiveLogSoftmaxWithLoss(hidden, vocab, cutoffs, div_value, head_bias)
    draws.fill(module.head, scales[0])
    module.head.weight.data[cutoffs[0]:] *= clusters / scales[0]
    for tail, scale in zip(module.tail, scales[1:]):
        draws.fill(tail[0], 1)
        draws.fill(tail[1], scale, 1)
    tensors = {"output.weight": module.head.weight}
    if head_bias:
        module.head.bias.data[cutoffs[0]:] += 2
        tensors["output.bias"] = module.head.bias
    for i, tail in enumerate(module.tail):
        tensors |= {f"output.{i}.proj.weight": tail[0].weight, f"output.{i}.weight": tail[1].weight}
    return module, hidden, {"head.kind": "adaptive", "head.cutoffs": cutoffs}, tensors


def adaptive_xl(seed, vocab, cutoffs, clusters, scales, hidden=64, d_embed=48):
    draws = Draws(seed)
    module = TransformerXl(vocab, d_embed, hidden, cutoffs, 2)
    for layer, scale in zip(module.out_layers, scales):
        draws.fill(layer, scale, 1)
    for proj in module.out_projs:
        proj.data = draws.normal(proj.shape, 1 / math.sqrt(hidden * MEAN_SQUARE))
    module.cluster_weight.data = draws.normal(module.cluster_weight.shape, clusters / math.sqrt(d_embed))
    module.cluster_bias.data = 3 + draws.normal(module.cluster_bias.shape, 0.5)
    weight, bias = module.root()
    tensors = {"output.weight": weight, "output.bias": bias, "output.proj.weight": module.out_projs[0].T}
    for i, (layer, proj) in enumerate(zip(module.out_layers[1:], module.out_projs[1:])):
        tensors |= {f"output.{i}.proj.weight": proj.T, f"output.{i}.weight": layer.weight,
                    f"output.{i}.bias": layer.bias}
    return module, hidden, {"head.kind": "adaptive", "head.cutoffs": cutoffs}, tensors


def classes(seed, vocab, count, hidden=48):
    """The first class has one word; the others begin anywhere."""
    draws = Draws(seed)
    order = torch.randperm(vocab, generator=draws.generator)
    starts = (torch.randperm(vocab - 2, generator=draws.generator)[:count - 2] + 2).sort().values.tolist()
    module = Classes(order, [0, 1] + starts, hidden)
    draws.fill(module.root, 2)
    draws.fill(module.words, 3)
    tensors = {"output.weight": module.root.weight, "output.bias": module.root.bias}
    for i, (begin, end) in enumerate(zip(module.bounds, module.bounds[1:])):
        tensors |= {f"output.{i}.weight": module.words.weight[begin:end],
                    f"output.{i}.bias": module.words.bias[begin:end]}
    keys = {"head.kind": "adaptive", "head.cutoffs": module.bounds[:-1], "vocabulary.order": order.tolist()}
    return module, hidden, keys, tensors


def huffman(counts):
    """The children of each node of a Huffman tree: two words or nodes made before it, the rarest left."""
    heap = [(count, word, -1 - word) for word, count in enumerate(counts)]
    heapq.heapify(heap)
    children = []
    while len(heap) > 1:
        left, right = heapq.heappop(heap), heapq.heappop(heap)
        node = len(children) // 2
        children += [left[2], right[2]]
        heapq.heappush(heap, (left[0] + right[0], len(counts) + node, node))
    return children


def tree(seed, vocab, hidden=64):
    draws = Draws(seed)
    children = huffman([1000000 // (word + 1) for word in range(vocab)])
    module = Tree(children, hidden)
    draws.fill(module.nodes, 2.5)
    tensors = {"output.weight": module.nodes.weight, "output.bias": module.nodes.bias}
    return module, hidden, {"head.kind": "tree", "head.children": children}, tensors


def mixture(seed, vocab, experts, hidden=64, width=48):
    draws = Draws(seed)
    module = Mixture(vocab, experts, hidden, width)
    draws.fill(module.prior, 1)
    draws.fill(module.latent[0], 1.5)
    draws.fill(module.decoder, 3, 0.5)
    tensors = {"output.prior.weight": module.prior.weight, "output.prior.bias": module.prior.bias,
               "output.latent.weight": module.latent[0].weight, "output.latent.bias": module.latent[0].bias,
               "output.weight": module.decoder.weight, "output.bias": module.decoder.bias}
    return module, hidden, {"head.kind": "mixture"}, tensors


# name: (number, what makes it, check against a second way, whether its state dict is recorded too)
CASES = {
    "adaptive": (1, lambda: adaptive(101, 3000, [200, 1000], 4, False, 6, (2.5, 2.5, 3)), None, True),
    "adaptive_bias": (2, lambda: adaptive(102, 2000, [100, 500, 1300], 2, True, 4, (2.5, 2.8, 2.8, 2.8)), None, True),
    "adaptive_xl": (3, lambda: adaptive_xl(103, 2000, [120, 500, 1200], 4, (2.5, 2.8, 2.8, 2.8)),
                    check_transformer_xl, True),
    "classes": (4, lambda: classes(104, 1500, 40), check_classes, True),
    "tree": (5, lambda: tree(105, 1000), check_tree, False),
    "mixture": (6, lambda: mixture(106, 1200, 4), check_mixture, True),
}


# --- recording ---------------------------------------------------------------------------------------------


def chunks(hidden):
    return [slice(i, i + CHUNK) for i in range(0, len(hidden), CHUNK)]


def best_words(module, hidden):
    """In float64: the best word of each row and its lead over the second."""
    best, margin = [], []
    for part in chunks(hidden):
        top = module.log_prob(hidden[part]).topk(2, dim=1)
        best.append(top.indices[:, 0])
        margin.append(top.values[:, 0] - top.values[:, 1])
    return torch.cat(best), torch.cat(margin)


def decidable_seed(module64, number, hidden):
    """The first seed of a case with no row of whose two best words rounding could decide."""
    for attempt in range(64):
        seed = (64 * number + attempt) << 32
        best, margin = best_words(module64, hidden_states(seed, ROWS, hidden).double())
        if float(margin.min()) >= LEAST_MARGIN:
            return seed, best, margin
    raise RuntimeError("no seed leaves every row decidable")


def predict32(module, hidden):
    if isinstance(module, nn.AdaptiveLogSoftmaxWithLoss):
        return module.predict(hidden)
    return torch.cat([module.log_prob(hidden[part]).argmax(1) for part in chunks(hidden)])


def logprob32(module, hidden, target):
    if isinstance(module, nn.AdaptiveLogSoftmaxWithLoss):
        return module(hidden, target).output
    return torch.cat([module.log_prob(hidden[part]).gather(1, target[part, None])[:, 0] for part in chunks(hidden)])


def measure(module64, hidden, target):
    """In float64: log p of the targets, the entropy and the largest probability of each row, and the mean
    probability of each word."""
    logprob, entropy, top, mean = [], [], [], 0
    for part in chunks(hidden):
        logp = module64.log_prob(hidden[part])
        p = logp.exp()
        assert float((p.sum(1) - 1).abs().max()) < 1e-9
        logprob.append(logp.gather(1, target[part, None])[:, 0])
        entropy.append(-(p * logp).sum(1))
        top.append(p.max(1).values)
        mean = mean + p.sum(0) / len(hidden)
    return torch.cat(logprob), torch.cat(entropy), torch.cat(top), mean


def write_gguf(path, keys, tensors, seed, hidden):
    writer = gguf.GGUFWriter(path, "heads")
    for key, value in keys.items():
        add = writer.add_string if isinstance(value, str) else writer.add_array
        add(f"partita.{key}", value)
    writer.add_string("record.versions", VERSIONS)
    writer.add_uint64("record.seed", seed)
    writer.add_uint32("record.hidden", hidden)
    writer.add_uint32("record.rows", ROWS)
    for name, tensor in tensors.items():
        writer.add_tensor(name, np.ascontiguousarray(tensor.detach().numpy().astype(np.float32)))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def part_names(module):
    """[vocab]: the part (shortlist, cluster or class) that each word belongs to; and how many parts there are."""
    if isinstance(module, nn.AdaptiveLogSoftmaxWithLoss):
        bounds = [0, *module.cutoffs]
    elif hasattr(module, "bounds"):
        bounds = module.bounds
    else:
        return None, 0
    part = torch.cat([torch.full((e - b,), i) for i, (b, e) in enumerate(zip(bounds, bounds[1:]))])
    return part[torch.argsort(module.order)] if hasattr(module, "order") else part, len(bounds) - 1


def report(module, mean, best, entropy, top):
    """Prints how peaked the rows are, and what the parts of the vocabulary have of them."""
    part, count = part_names(module)
    print(f"  entropy {float(entropy.mean()):.2f} ({float(entropy.min()):.2f} to {float(entropy.max()):.2f}), "
          f"top probability {float(top.mean()):.3f}, above 0.2 in {100 * float((top > 0.2).double().mean()):.0f} %, "
          f"{len(best.unique())} words predicted")
    if not count:
        return
    mass = torch.zeros(count, dtype=torch.float64).index_add(0, part, mean)
    wins = torch.bincount(part[best], minlength=count) / len(best)
    if count <= 4:
        print("  mass", [round(float(m), 3) for m in mass], "wins", [round(float(w), 4) for w in wins])
        assert float(wins.min()) >= 0.01
    else:
        print(f"  {count} classes, mass {float(mass.min()):.4f} to {float(mass.max()):.4f}, "
              f"wins {float(wins.min()):.4f} to {float(wins.max()):.4f}")


def record(out, name):
    number, make, check, as_state_dict = CASES[name]
    module, width, keys, tensors = make()
    module64 = copy.deepcopy(module).double()
    seed, best, margin = decidable_seed(module64, number, width)
    hidden = hidden_states(seed, ROWS, width)
    predicted = predict32(module, hidden)
    assert torch.equal(predicted, best)
    full = module64.log_prob(hidden[:FULL_ROWS].double())
    target = targets(seed, full.shape[1], predicted)
    logprob, entropy, top, mean = measure(module64, hidden.double(), target)
    error = float((logprob32(module, hidden, target).double() - logprob).abs().max())

    print(f"{name}: seed {seed:#x}, float32 differs from float64 by {error:.1e}, "
          f"least margin {float(margin.min()):.1e}, least logprob {float(logprob.min()):.1f}")
    assert error < 1e-4
    report(module, mean, best, entropy, top)
    if check:
        difference = check(module, hidden[:100].double())
        print(f"  computed a second way it differs by {difference:.1e}")
        assert difference < 1e-9

    recorded = {"target": target, "logprob": logprob, "predict": predicted, "margin": margin, "full": full}
    write_gguf(out / f"{name}.gguf", keys, tensors | {f"record.{k}": v for k, v in recorded.items()}, seed, width)
    if as_state_dict:
        save_file({k: v.contiguous() for k, v in module.state_dict().items()}, out / f"{name}.safetensors")


@torch.no_grad()
def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cases", nargs="*", default=list(CASES), help="all, if none is named")
    parser.add_argument("--out", type=pathlib.Path, default=OUT)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    arguments.out.mkdir(parents=True, exist_ok=True)
    for name in arguments.cases:
        record(arguments.out, name)


if __name__ == "__main__":
    main()
