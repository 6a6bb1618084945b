"""Holds model.py to other implementations: run it after changing that file.

    build/train/venv/bin/python tools/train/check_model.py

PyTorch's AdaptiveLogSoftmaxWithLoss, a plain softmax, and, where the package transformers is installed (it is in
tests/oracles/requirements.txt), LlamaForCausalLM.
"""

import dataclasses

import model
import torch
import torch.nn.functional as F
import train
from torch import nn

SMALL = model.Sizes(hidden=64, layers=2, ffn=96, heads=4, kv_heads=2, head_dim=16, vocab=1000, context=64,
                    cutoffs=(100, 400), widths=(64, 16, 4))
WITHIN = 1e-5


def close(name, found, expected, within=WITHIN):
    largest = (found - expected).abs().max().item()
    print(f"{name}: largest difference {largest:.1e}")
    assert largest <= within, name


def random_rows(sizes, batch=3, tokens=40):
    generator = torch.Generator().manual_seed(3)
    places = torch.randint(sizes.vocab, (batch, tokens), generator=generator)
    return places, torch.arange(tokens).expand(batch, -1), torch.zeros(batch, tokens, dtype=torch.long)


def large_weights(network):
    """So that differences would show: logits of a spread of some units."""
    generator = torch.Generator().manual_seed(4)
    with torch.no_grad():
        for name, weight in network.named_parameters():
            weight.copy_(torch.randn(weight.shape, generator=generator) * (0.5 if "norm" in name else 0.15))
    return network


def check_adaptive_head():
    """Log-probabilities, losses and gradients are those of PyTorch's module; div_value 4 gives the widths 16 and 4."""
    network = large_weights(model.Transformer(SMALL))
    head = network.lm_head
    theirs = nn.AdaptiveLogSoftmaxWithLoss(SMALL.hidden, SMALL.vocab, list(SMALL.cutoffs), div_value=4.0)
    theirs.load_state_dict(head.state_dict())  # the same names
    hidden = torch.randn(300, SMALL.hidden, generator=torch.Generator().manual_seed(5), requires_grad=True)
    targets = torch.randint(SMALL.vocab, (300,), generator=torch.Generator().manual_seed(6))
    ours = head.log_probs(hidden, targets[:, None])[:, 0]
    close("adaptive: log-probabilities", ours, theirs(hidden, targets).output)
    close("adaptive: whole rows", head.all_log_probs(hidden), theirs.log_prob(hidden))
    several = torch.randint(SMALL.vocab, (300, 8), generator=torch.Generator().manual_seed(7))
    close("adaptive: eight at a time", head.log_probs(hidden, several), theirs.log_prob(hidden).gather(1, several))
    mine, = torch.autograd.grad(-ours.mean(), hidden)
    other, = torch.autograd.grad(theirs(hidden, targets).loss, hidden)
    close("adaptive: gradients", mine, other)


def check_dense_head():
    network = large_weights(model.Transformer(dataclasses.replace(SMALL, head="dense")))
    hidden = torch.randn(700, SMALL.hidden, generator=torch.Generator().manual_seed(5))
    several = torch.randint(SMALL.vocab, (700, 8), generator=torch.Generator().manual_seed(7))
    expected = F.log_softmax(hidden @ network.words().T, dim=1).gather(1, several)
    close("dense: log-probabilities", network.log_probs(hidden, several), expected)


def check_sampled_loss():
    """With very many samples the sampled loss goes to the full one; equal to its formula it is for few."""
    generator = torch.Generator().manual_seed(8)
    words, hidden = torch.randn(50, 16, generator=generator), torch.randn(20, 16, generator=generator)
    places = torch.stack([torch.randperm(50, generator=generator)[:3] for _ in range(20)])
    shares = torch.tensor([[0.5, 0.5, 0.0]]).expand(20, -1)
    full = -(F.log_softmax(hidden @ words.T, dim=1).gather(1, places) * shares).sum(1)
    # Own places count as often as they are expected: exactly once for each expected sample.
    count = 1 << 20
    found = model.sampled_loss(hidden, words, places, shares, count, generator)
    own = torch.log(count * model.log_uniform(places, 50))
    # Both sides lowered by the log of what is expected; own places stand once instead of `count * share` times.
    logits = hidden @ words.T
    others = logits.scatter(1, places[:, :2], -float("inf"))
    total = torch.logsumexp(torch.cat([others, logits.gather(1, places[:, :2]) - own[:, :2]], dim=1), dim=1)
    expected = total - ((logits.gather(1, places) - own) * shares).sum(1)
    close("sampled: against its expectation", found, expected, within=0.05)
    assert torch.isfinite(full).all()
    draws = model.draw_log_uniform(1 << 20, 50, generator)
    frequencies = torch.bincount(draws, minlength=50) / (1 << 20)
    close("sampled: frequencies", frequencies, model.log_uniform(torch.arange(50), 50), within=2e-3)


def check_packing():
    """Texts packed in one row have the hidden states that each has alone."""
    network = large_weights(model.Transformer(SMALL))
    places, _, _ = random_rows(SMALL, batch=1, tokens=40)
    texts = torch.tensor([[0] * 15 + [1] * 25])
    positions = torch.cat([torch.arange(15), torch.arange(25)])[None]
    together = network.hidden(places, positions, texts)
    for begin, end in ((0, 15), (15, 40)):
        count = end - begin
        alone = network.hidden(places[:, begin:end], torch.arange(count)[None], torch.zeros(1, count))
        close(f"packing: tokens {begin} to {end}", together[:, begin:end], alone, within=1e-4)


def check_soft_loss():
    """The distillation term is the divergence between distributions over eight words and one class for the rest."""
    generator = torch.Generator().manual_seed(9)
    teacher = F.log_softmax(torch.randn(10, 30, generator=generator) * 2, dim=1)
    student = F.log_softmax(torch.randn(10, 30, generator=generator) * 2, dim=1)
    top = teacher.topk(8)
    p, q = (torch.cat([rows.exp().gather(1, top.indices), 1 - rows.exp().gather(1, top.indices).sum(1, True)], 1)
            for rows in (teacher, student))
    expected = (p * (p / q).log()).sum(1)
    close("soft labels: divergence", train.divergence(top.values, student.gather(1, top.indices)), expected)


def check_against_transformers():
    """The body, and a dense model whole, against Hugging Face's."""
    try:
        from transformers import LlamaConfig, LlamaForCausalLM
    except ImportError:
        return print("transformers is not installed: LlamaForCausalLM is not compared")
    sizes = dataclasses.replace(SMALL, head="dense")
    network = large_weights(model.Transformer(sizes))
    theirs = LlamaForCausalLM(LlamaConfig(
        hidden_size=sizes.hidden, intermediate_size=sizes.ffn, num_hidden_layers=sizes.layers,
        num_attention_heads=sizes.heads, num_key_value_heads=sizes.kv_heads, head_dim=sizes.head_dim,
        vocab_size=sizes.vocab, max_position_embeddings=sizes.context, rms_norm_eps=sizes.norm_eps,
        rope_parameters={"rope_type": "default", "rope_theta": sizes.rope_theta}, tie_word_embeddings=True,
        attention_bias=False, attn_implementation="eager")).eval()
    missing, unexpected = theirs.load_state_dict(network.state_dict(), strict=False)
    assert missing == ["lm_head.weight"] and not unexpected, (missing, unexpected)
    theirs.tie_weights()
    places, positions, texts = random_rows(sizes)
    with torch.no_grad():
        hidden = network.hidden(places, positions, texts)
        expected = theirs(places, output_hidden_states=True)
        close("transformers: hidden states", hidden, expected.hidden_states[-1], within=1e-4)
        close("transformers: logits", hidden @ network.words().T, expected.logits, within=1e-4)
        adaptive = large_weights(model.Transformer(SMALL))
        adaptive.model.layers.load_state_dict(theirs.model.layers.state_dict())
        adaptive.model.norm.load_state_dict(theirs.model.norm.state_dict())
        embedded = adaptive.model.embed_tokens.lookup(places, adaptive.words())
        close("transformers: the adaptive model's body", adaptive.model(embedded, positions, texts),
              theirs.model(inputs_embeds=embedded).last_hidden_state, within=1e-4)


def main():
    torch.set_num_threads(1)
    check_adaptive_head()
    check_dense_head()
    check_sampled_loss()
    check_packing()
    check_soft_loss()
    check_against_transformers()
    for name, sizes in model.KINDS.items():
        print(f"{name}: {model.Transformer(sizes).parameter_count():,} parameters")


if __name__ == "__main__":
    main()
