"""The transformer that is trained: Llama's body with an adaptive softmax and adaptive embeddings, or a dense twin.

Parameters have the names of Hugging Face's LlamaForCausalLM, of nn.AdaptiveLogSoftmaxWithLoss under `lm_head.` and of
fairseq's AdaptiveInput under `model.embed_tokens.`, as docs/convert.md takes them. Words are numbered in
vocabulary order: place 0 is the most frequent token (order.npy has the token id at each place).

Shapes: B rows, T tokens each, H hidden, V words, n positions, k words asked for at each.
"""

import dataclasses
import math

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.checkpoint import checkpoint

DENSE_CHUNK = 512  # positions whose V logits are in memory together


@dataclasses.dataclass
class Sizes:
    hidden: int = 256
    layers: int = 6
    ffn: int = 704
    heads: int = 4
    kv_heads: int = 2
    head_dim: int = 64
    vocab: int = 49152
    context: int = 512
    head: str = "adaptive"  # or "dense": one matrix, the embedding's
    cutoffs: tuple = (4096, 16384)  # where clusters begin in vocabulary order
    widths: tuple = (256, 64, 32)  # of the words of each band; the first is hidden
    tied: bool = True  # embedding and head share their words' vectors
    rope_theta: float = 10000.0
    norm_eps: float = 1e-5


# Kinds of models. "dense" has as many parameters as "adaptive" (7.4 million), and therefore half the width;
# "dense-wide" has the same body, and 17 million.
KINDS = {
    "adaptive": Sizes(),
    "dense": Sizes(hidden=128, ffn=352, heads=2, kv_heads=1, head="dense"),
    "dense-wide": Sizes(head="dense"),
    "tiny": Sizes(hidden=64, layers=2, ffn=128, heads=2, kv_heads=1, head_dim=32, widths=(64, 32, 32)),
    "tiny-dense": Sizes(hidden=32, layers=2, ffn=64, heads=1, kv_heads=1, head_dim=32, head="dense"),
}


# --- body ------------------------------------------------------------------------------------------------


class RmsNorm(nn.Module):
    def __init__(self, width, eps):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, x):
        return F.rms_norm(x, self.weight.shape, self.weight, self.eps)


def rotary_angles(sizes, positions):
    """cos and sin [B][1][T][head_dim] for positions [B][T]; both halves of a head have the same angles."""
    exponents = torch.arange(0, sizes.head_dim, 2, dtype=torch.float32) / sizes.head_dim
    angles = positions[..., None].float() * sizes.rope_theta**-exponents
    angles = torch.cat([angles, angles], dim=-1)[:, None]
    return angles.cos(), angles.sin()


def rotate(x, cos, sin):
    """x [B][heads][T][head_dim]: number i turns with number i + head_dim / 2."""
    first, second = x.chunk(2, dim=-1)
    return x * cos + torch.cat([-second, first], dim=-1) * sin


class Attention(nn.Module):
    def __init__(self, sizes):
        super().__init__()
        self.sizes = sizes
        width, kv_width = sizes.heads * sizes.head_dim, sizes.kv_heads * sizes.head_dim
        self.q_proj = nn.Linear(sizes.hidden, width, bias=False)
        self.k_proj = nn.Linear(sizes.hidden, kv_width, bias=False)
        self.v_proj = nn.Linear(sizes.hidden, kv_width, bias=False)
        self.o_proj = nn.Linear(width, sizes.hidden, bias=False)

    def forward(self, x, angles, sees):
        """x [B][T][H]; sees [B][1][T][T]: whether a query (row) sees a key."""
        batch, tokens, _ = x.shape
        split = lambda y: y.view(batch, tokens, -1, self.sizes.head_dim).transpose(1, 2)
        q, k, v = rotate(split(self.q_proj(x)), *angles), rotate(split(self.k_proj(x)), *angles), split(self.v_proj(x))
        group = self.sizes.heads // self.sizes.kv_heads
        k, v = k.repeat_interleave(group, dim=1), v.repeat_interleave(group, dim=1)
        out = F.scaled_dot_product_attention(q, k, v, attn_mask=sees)
        return self.o_proj(out.transpose(1, 2).reshape(batch, tokens, -1))


class FeedForward(nn.Module):
    def __init__(self, sizes):
        super().__init__()
        self.gate_proj = nn.Linear(sizes.hidden, sizes.ffn, bias=False)
        self.up_proj = nn.Linear(sizes.hidden, sizes.ffn, bias=False)
        self.down_proj = nn.Linear(sizes.ffn, sizes.hidden, bias=False)

    def forward(self, x):
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Layer(nn.Module):
    def __init__(self, sizes):
        super().__init__()
        self.input_layernorm = RmsNorm(sizes.hidden, sizes.norm_eps)
        self.self_attn = Attention(sizes)
        self.post_attention_layernorm = RmsNorm(sizes.hidden, sizes.norm_eps)
        self.mlp = FeedForward(sizes)

    def forward(self, x, angles, sees):
        x = x + self.self_attn(self.input_layernorm(x), angles, sees)
        return x + self.mlp(self.post_attention_layernorm(x))


class Body(nn.Module):
    """`model.` of the names: embedding, layers, last norm."""

    def __init__(self, sizes):
        super().__init__()
        self.sizes = sizes
        self.embed_tokens = AdaptiveEmbedding(sizes) if sizes.head == "adaptive" else nn.Embedding(sizes.vocab,
                                                                                                    sizes.hidden)
        self.layers = nn.ModuleList(Layer(sizes) for _ in range(sizes.layers))
        self.norm = RmsNorm(sizes.hidden, sizes.norm_eps)

    def forward(self, embedded, positions, texts):
        """Hidden states [B][T][H] of embedded words [B][T][H], at positions [B][T] of their texts [B][T]: a word sees
        itself and what is before it in its own text."""
        tokens = positions.shape[1]
        causal = torch.ones(tokens, tokens, dtype=torch.bool).tril()
        sees = (causal & (texts[:, :, None] == texts[:, None, :]))[:, None]
        angles = rotary_angles(self.sizes, positions)
        x = embedded
        for layer in self.layers:
            x = layer(x, angles, sees)
        return self.norm(x)


# --- words in bands --------------------------------------------------------------------------------------


def bands(sizes):
    """(first place, behind the last, width) of each band."""
    return list(zip((0, *sizes.cutoffs), (*sizes.cutoffs, sizes.vocab), sizes.widths, strict=True))


class AdaptiveEmbedding(nn.ModuleList):
    """Band i: `i.0.weight` [words][width], unless the head's are taken, and `i.1.weight` [H][width], but for the first
    band, which has the hidden width."""

    def __init__(self, sizes):
        super().__init__()
        self.sizes = sizes
        for i, (begin, end, width) in enumerate(bands(sizes)):
            words = nn.Identity() if sizes.tied else nn.Embedding(end - begin, width)
            projection = [] if i == 0 else [nn.Linear(width, sizes.hidden, bias=False)]
            self.append(nn.Sequential(words, *projection))

    def lookup(self, places, words):
        """[B][T][H] of places [B][T]; words: a matrix [words][width] for each band."""
        out = torch.zeros(*places.shape, self.sizes.hidden)
        for i, (begin, end, _) in enumerate(bands(self.sizes)):
            where = ((places >= begin) & (places < end)).nonzero(as_tuple=True)
            rows = F.embedding(places[where] - begin, words[i])
            out = out.index_put(where, (rows if i == 0 else self[i][1](rows)).to(out.dtype))
        return out


class AdaptiveHead(nn.Module):
    """nn.AdaptiveLogSoftmaxWithLoss with tails of any width, and without the bias."""

    def __init__(self, sizes):
        super().__init__()
        self.sizes = sizes
        (_, self.shortlist, _), *tails = bands(sizes)
        self.head = nn.Linear(sizes.hidden, self.shortlist + len(tails), bias=False)
        self.tail = nn.ModuleList(
            nn.Sequential(nn.Linear(sizes.hidden, width, bias=False), nn.Linear(width, end - begin, bias=False))
            for begin, end, width in tails)

    def words(self):
        """The words' vectors of each band: [words][width]."""
        return [self.head.weight[:self.shortlist], *(tail[1].weight for tail in self.tail)]

    def log_probs(self, hidden, places):
        """Log-probabilities [n][k] of places [n][k] after hidden [n][H]. A tail is computed where one is asked for."""
        root = F.log_softmax(self.head(hidden).float(), dim=1)
        out = root.gather(1, places.clamp(max=self.shortlist - 1))
        for i, (begin, end, _) in enumerate(bands(self.sizes)[1:]):
            inside = (places >= begin) & (places < end)
            rows = inside.any(1).nonzero()[:, 0]
            if len(rows) == 0:
                continue
            tail = F.log_softmax(self.tail[i](hidden[rows]).float(), dim=1)
            found = tail.gather(1, (places[rows] - begin).clamp(0, end - begin - 1))
            found = found + root[rows, self.shortlist + i, None]
            out = out.index_put((rows,), torch.where(inside[rows], found, out[rows]))
        return out

    def all_log_probs(self, hidden):
        """[n][V]"""
        root = F.log_softmax(self.head(hidden).float(), dim=1)
        parts = [root[:, self.shortlist + i, None] + F.log_softmax(tail(hidden), dim=1)
                 for i, tail in enumerate(self.tail)]
        return torch.cat([root[:, :self.shortlist], *parts], dim=1)


class DenseHead(nn.Module):
    """The embedding's matrix once more; it has no parameters of its own."""

    def log_probs(self, hidden, places, words):
        """[n][k] after hidden [n][H]; words [V][H]. The logits are computed again for the gradient."""
        one = lambda part, wanted: F.log_softmax((part @ words.T).float(), dim=1).gather(1, wanted)
        pairs = zip(hidden.split(DENSE_CHUNK), places.split(DENSE_CHUNK))
        return torch.cat([checkpoint(one, part, wanted, use_reentrant=False) for part, wanted in pairs])


# --- sampled softmax ---------------------------------------------------------------------------------------


def log_uniform(places, vocab):
    """Probability of each place under the log-uniform sampler."""
    places = places.double()
    return (torch.log((places + 2) / (places + 1)) / math.log(vocab + 1)).float()


def draw_log_uniform(count, vocab, generator):
    """int64 [count], drawn with replacement."""
    uniform = torch.rand(count, generator=generator, dtype=torch.float64)
    return (torch.exp(uniform * math.log(vocab + 1)).long() - 1).clamp(0, vocab - 1)


def sampled_loss(hidden, words, places, shares, count, generator):
    """Cross-entropy [n] of places [n][k] with shares [n][k] (their sum is 1) against `count` sampled words.

    Every logit is lowered by the log of how often its word is expected among the samples; a sample that is one of the
    position's own places does not count. hidden [n][H], words [V][H]. Share 0: the place is not there.
    """
    vocab = words.shape[0]
    samples = draw_log_uniform(count, vocab, generator)
    lower = lambda logits, ids: logits - torch.log(count * log_uniform(ids, vocab))
    own = lower(torch.einsum("nh,nkh->nk", hidden, F.embedding(places, words)), places)
    own = own.masked_fill(shares == 0, -math.inf)
    others = lower(hidden @ F.embedding(samples, words).T, samples)
    hits = ((samples == places[:, :, None]) & (shares > 0)[:, :, None]).any(1)
    others = others.masked_fill(hits, -math.inf)
    total = torch.logsumexp(torch.cat([own, others], dim=1), dim=1)
    return total - (shares * own.masked_fill(shares == 0, 0)).sum(1)


# --- the whole -------------------------------------------------------------------------------------------


class Transformer(nn.Module):
    def __init__(self, sizes, seed=1):
        super().__init__()
        self.sizes = sizes
        self.model = Body(sizes)
        self.lm_head = AdaptiveHead(sizes) if sizes.head == "adaptive" else DenseHead()
        self.initialize(torch.Generator().manual_seed(seed))

    def initialize(self, generator):
        """Normal weights, so that embeddings and logits of all bands have one spread; what ends a layer is smaller."""
        sizes = self.sizes
        for name, weight in sorted(self.named_parameters()):
            if name.endswith("norm.weight"):
                continue
            std = 0.02
            if name.endswith(("o_proj.weight", "down_proj.weight")):
                std /= math.sqrt(2 * sizes.layers)
            elif "self_attn" in name or "mlp" in name or is_band_projection(name):
                std = 1 / math.sqrt(sizes.hidden)
            elif sizes.head == "adaptive":
                std *= math.sqrt(sizes.hidden / weight.shape[1])
            nn.init.normal_(weight, 0, std, generator=generator)

    def words(self):
        """The matrix or matrices of word vectors that inputs are looked up in."""
        if self.sizes.head == "dense":
            return self.model.embed_tokens.weight
        if self.sizes.tied:
            return self.lm_head.words()
        return [band[0].weight for band in self.model.embed_tokens]

    def hidden(self, places, positions, texts):
        """[B][T][H] of words at places [B][T]."""
        dense = self.sizes.head == "dense"
        look = F.embedding if dense else self.model.embed_tokens.lookup
        return self.model(look(places, self.words()), positions, texts)

    def log_probs(self, hidden, places):
        """[n][k] after hidden [n][H]"""
        if self.sizes.head == "dense":
            return self.lm_head.log_probs(hidden, places, self.words())
        return self.lm_head.log_probs(hidden, places)

    def all_log_probs(self, hidden):
        """[n][V] after hidden [n][H]"""
        if self.sizes.head == "dense":
            return F.log_softmax((hidden @ self.words().T).float(), dim=1)
        return self.lm_head.all_log_probs(hidden)

    def parameter_count(self):
        return sum(weight.numel() for weight in self.parameters())


def is_band_projection(name):
    """From or to the hidden state: embed_tokens.i.1, lm_head.tail.i.0."""
    return ("embed_tokens." in name and name.endswith(".1.weight")) or ("tail." in name and name.endswith(".0.weight"))
