#!/usr/bin/env python3
"""Writes a GGUF file of random weights: a model's shape and types without the model. Needs `gguf` and numpy.

    bench/shapes.py OUT.gguf [--type q4_0|q4_k_m|q8_0] [--layers 16 --hidden 2048 ...] [--delta-heads 16]

The default shape is Llama-3.2-1B's; with --experts each layer is a mixture of such, with FFNs of --ffn columns.
With --delta-heads three of four layers are Gated DeltaNet (qwen35); about the shape of Qwen3.5-0.8B: --layers 24
--hidden 1024 --ffn 3584 --heads 8 --kv-heads 2 --head-dim 256 --delta-heads 16 --vocab 248320.
Blocks are random bytes under small scales, so that activations stay finite; which tensor has which type is what
llama-quantize chooses. The vocabulary is a byte-level BPE of made-up merges.

With --latent the layers have multi-head latent attention (deepseek2): --head-dim is the width of a query, of which
--rotated are rotated. DeepSeek V2 Lite's: --heads 16 --head-dim 192 --latent 512. The cache and the arithmetic of
attention in its expanded form, one key and value a head: --heads 16 --kv-heads 16 --head-dim 160.
"""

import argparse
import sys

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Type

DELTA_DIM, TAPS, INTERVAL = 128, 4, 4  # of a head of Gated DeltaNet, of its convolutions; attention each 4 layers
CONTROL_TOKENS = 256  # the last ids, as Llama 3 has them

# type: (elements, bytes, offset of the f16 scale, mean of q if an f16 minimum follows, factor of the scale)
BLOCKS = {
    Type.Q4_0: (32, 18, 0, None, 4.6),           # d (q - 8)
    Type.Q8_0: (32, 34, 0, None, 74.0),          # d q
    Type.Q2_K: (256, 84, 80, 1.5, 7.5 * 1.1),    # d sc q - dmin mn, both four bits
    Type.Q3_K: (256, 110, 108, None, 18.5 * 2.3),  # d (sc - 32) (q - 4), sc six bits
    Type.Q4_K: (256, 144, 0, 7.5, 32 * 4.6),     # d sc q - dmin mn, both six bits
    Type.Q5_K: (256, 176, 0, 15.5, 32 * 9.2),
    Type.Q6_K: (256, 210, 208, None, 74 * 18.5),  # d sc (q - 32), sc eight bits
    Type.IQ4_XS: (256, 136, 0, None, 18.5 * 70),  # d (sc - 32) times one of 16 levels, sc six bits
    Type.IQ3_XXS: (256, 98, 0, None, 165.0),     # d / 4 (2 s + 1) times a magnitude, s four bits
    Type.IQ2_XXS: (256, 66, 0, None, 63.0),      # d / 8 (2 s + 1) times a magnitude
    Type.IQ1_S: (256, 50, 0, None, 7.4),         # d / 8 (2 s + 1) (8 g + 1 or - 1), s three bits
}

# Types of all matrices but the head, and their number as the type of a file.
PURE = {"q2_k": 10, "q3_k": 12, "q5_k": 17, "iq4_xs": 30, "iq3_xxs": 23, "iq2_xxs": 19, "iq1_s": 24}


def random_blocks(rng, dtype, rows, cols):
    """[rows][bytes of a row]: random bytes whose values are about 1 / sqrt(cols)."""
    elements, size, scale_at, mean, factor = BLOCKS[dtype]
    if cols % elements:
        sys.exit(f"shapes.py: {cols} columns are no multiple of the {elements} elements of a {dtype.name} block")
    blocks = rng.integers(0, 256, (rows * cols // elements, size), dtype=np.uint8)
    scale = rng.uniform(0.5, 1.5, len(blocks)) / (factor * np.sqrt(cols))
    blocks[:, scale_at:scale_at + 2] = scale.astype("<f2").view(np.uint8).reshape(-1, 2)
    if mean is not None:
        minimum = (mean * scale).astype("<f2").view(np.uint8).reshape(-1, 2)
        blocks[:, scale_at + 2:scale_at + 4] = minimum  # centred
    return blocks.reshape(rows, -1)


def type_of(name, layer, cols, options):
    """The choice of llama-quantize: eight bits if the columns are not whole blocks of the preferred type."""
    dtype = preferred_type(name, layer, options)
    return dtype if cols % BLOCKS[dtype][0] == 0 else Type.Q8_0


def preferred_type(name, layer, options):
    """The head in six bits, and in Q4_K_M also some of the value and down projections."""
    if options.type == "q8_0" or name in ("attn_k_b", "attn_v_b"):
        return Type.Q8_0
    if name == ("output" if options.untied else "token_embd"):
        return Type.Q6_K
    if options.type == "q4_0":
        return Type.Q4_0
    if options.type in PURE:
        return Type[options.type.upper()]
    eighth = options.layers // 8
    more = layer < eighth or layer >= 7 * options.layers // 8 or (layer - eighth) % 3 == 2
    return Type.Q6_K if more and name in ("attn_v", "ffn_down", "ffn_down_exps") else Type.Q4_K


def mixer_matrices(o, layer):
    """(name, shape)"""
    queries, keys, delta = o.heads * o.head_dim, o.kv_heads * o.head_dim, o.delta_heads * DELTA_DIM
    if is_delta(o, layer):
        return (("attn_qkv", (3 * delta, o.hidden)), ("attn_gate", (delta, o.hidden)),
                ("ssm_alpha", (o.delta_heads, o.hidden)), ("ssm_beta", (o.delta_heads, o.hidden)),
                ("ssm_out", (o.hidden, delta)))
    if o.latent:
        return (("attn_q", (queries, o.hidden)), ("attn_kv_a_mqa", (o.latent + o.rotated, o.hidden)),
                ("attn_k_b", (o.heads, o.latent, o.head_dim - o.rotated)),
                ("attn_v_b", (o.heads, o.value_dim, o.latent)), ("attn_output", (o.hidden, o.heads * o.value_dim)))
    return (("attn_q", (queries * (2 if o.delta_heads else 1), o.hidden)), ("attn_k", (keys, o.hidden)),
            ("attn_v", (keys, o.hidden)), ("attn_output", (o.hidden, queries)))


def matrices(o):
    """(name, layer or None, shape) in the order of the file."""
    yield "token_embd", None, (o.vocab, o.hidden)
    suffix, stack = ("_exps", (o.experts,)) if o.experts else ("", ())
    for layer in range(o.layers):
        for name, shape in (*mixer_matrices(o, layer), ("ffn_gate" + suffix, (*stack, o.ffn, o.hidden)),
                            ("ffn_up" + suffix, (*stack, o.ffn, o.hidden)),
                            ("ffn_down" + suffix, (*stack, o.hidden, o.ffn))):
            yield name, layer, shape
    if o.untied:
        yield "output", None, (o.vocab, o.hidden)


def is_delta(options, layer):
    return options.delta_heads > 0 and (layer + 1) % INTERVAL != 0


def vectors(options):
    """(name, shape, least, most) of what is no quantized matrix, in the order of the file."""
    o = options
    yield "output_norm.weight", (o.hidden,), 0.5, 1.5
    for i in range(o.layers):
        yield f"blk.{i}.attn_norm.weight", (o.hidden,), 0.5, 1.5
        yield f"blk.{i}.{'post_attention' if o.delta_heads else 'ffn'}_norm.weight", (o.hidden,), 0.5, 1.5
        if o.latent:
            yield f"blk.{i}.attn_kv_a_norm.weight", (o.latent,), 0.5, 1.5
        if o.experts:
            yield f"blk.{i}.ffn_gate_inp.weight", (o.experts, o.hidden), -1.7 * o.hidden ** -0.5, 1.7 * o.hidden ** -0.5
        if is_delta(o, i):
            yield f"blk.{i}.ssm_conv1d.weight", (3 * o.delta_heads * DELTA_DIM, TAPS), -0.5, 0.5
            yield f"blk.{i}.ssm_a", (o.delta_heads,), -2.0, -0.01
            yield f"blk.{i}.ssm_dt.bias", (o.delta_heads,), -4.0, 0.0
            yield f"blk.{i}.ssm_norm.weight", (DELTA_DIM,), 0.5, 1.5
        elif o.delta_heads:
            yield f"blk.{i}.attn_q_norm.weight", (o.head_dim,), 0.5, 1.5
            yield f"blk.{i}.attn_k_norm.weight", (o.head_dim,), 0.5, 1.5


def vocabulary(size):
    """(tokens, types, merges): the 256 bytes, what merges make of them, and control tokens."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    symbols = [chr(byte) for byte in printable] + [chr(256 + i) for i in range(len(others))]  # GPT-2's alphabet
    tokens, merges, left = list(symbols), [], 0
    while len(tokens) < size - CONTROL_TOKENS:  # every token so far, with every byte after it
        for right in symbols[:size - CONTROL_TOKENS - len(tokens)]:
            merges.append(tokens[left] + " " + right)
            tokens.append(tokens[left] + right)
        left += 1
    types = [gguf.TokenType.NORMAL] * len(tokens) + [gguf.TokenType.CONTROL] * CONTROL_TOKENS
    return tokens + [f"<|control_{i}|>" for i in range(CONTROL_TOKENS)], types, merges


def write_metadata(file, options):
    file.add_name(f"random-{options.type}")
    file.add_block_count(options.layers)
    file.add_context_length(131072)
    file.add_embedding_length(options.hidden)
    file.add_feed_forward_length(options.ffn)
    if options.experts:
        file.add_expert_count(options.experts)
        file.add_expert_used_count(options.used)
    file.add_head_count(options.heads)
    file.add_head_count_kv(1 if options.latent else options.kv_heads)
    if options.latent:
        file.add_kv_lora_rank(options.latent)
        file.add_key_length(options.latent + options.rotated)
        file.add_value_length(options.latent)
        file.add_key_length_mla(options.head_dim)
        file.add_value_length_mla(options.value_dim)
        file.add_rope_dimension_count(options.rotated)
        file.add_leading_dense_block_count(0 if options.experts else options.layers)
    else:
        file.add_key_length(options.head_dim)
        file.add_value_length(options.head_dim)
        file.add_rope_dimension_count(options.head_dim // (4 if options.delta_heads else 1))
    file.add_layer_norm_rms_eps(1e-5)
    file.add_rope_freq_base(500000.0)
    if options.delta_heads:
        file.add_rope_dimension_sections([11, 11, 10, 0])
        file.add_ssm_conv_kernel(TAPS)
        file.add_ssm_state_size(DELTA_DIM)
        file.add_ssm_group_count(options.delta_heads)
        file.add_ssm_time_step_rank(options.delta_heads)
        file.add_ssm_inner_size(options.delta_heads * DELTA_DIM)
        file.add_full_attention_interval(INTERVAL)
    file.add_vocab_size(options.vocab)
    file.add_file_type(({"q4_0": 2, "q8_0": 7, "q4_k_m": 15} | PURE)[options.type])
    tokens, types, merges = vocabulary(options.vocab)
    file.add_tokenizer_model("gpt2")
    file.add_tokenizer_pre("llama-bpe")
    file.add_token_list(tokens)
    file.add_token_types(types)
    file.add_token_merges(merges)
    file.add_bos_token_id(options.vocab - CONTROL_TOKENS)
    file.add_eos_token_id(options.vocab - CONTROL_TOKENS + 1)
    file.add_add_bos_token(True)


def write(options):
    rng = np.random.default_rng(options.seed)
    family = "deepseek2" if options.latent else "llama"
    if options.delta_heads:
        family = "qwen35moe" if options.experts else "qwen35"
    file = gguf.GGUFWriter(options.out, family)
    write_metadata(file, options)
    for name, shape, _, _ in vectors(options):
        file.add_tensor_info(name, shape, np.dtype(np.float32), 4 * int(np.prod(shape)))
    plan = []
    for name, layer, (*stacked, rows, cols) in matrices(options):
        dtype = type_of(name, layer, cols, options)
        elements, size = BLOCKS[dtype][:2]
        row_bytes, all_rows = cols // elements * size, int(np.prod(stacked)) * rows
        file.add_tensor_info((f"blk.{layer}." if layer is not None else "") + name + ".weight",
                             (*stacked, rows, row_bytes), np.dtype(np.uint8), all_rows * row_bytes, raw_dtype=dtype)
        plan.append((dtype, all_rows, cols))
    file.write_header_to_file()
    file.write_kv_data_to_file()
    file.write_ti_data_to_file()
    for _, shape, least, most in vectors(options):
        file.write_tensor_data(rng.uniform(least, most, shape).astype(np.float32))
    for dtype, rows, cols in plan:
        file.write_tensor_data(random_blocks(rng, dtype, rows, cols))
    file.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", metavar="OUT.gguf")
    parser.add_argument("--type", choices=("q4_0", "q4_k_m", "q8_0", *PURE), default="q4_0")
    for name, size in (("layers", 16), ("hidden", 2048), ("ffn", 8192), ("heads", 32), ("kv-heads", 8),
                       ("head-dim", 64), ("latent", 0), ("rotated", 64), ("value-dim", 128), ("vocab", 128256),
                       ("experts", 0), ("used", 8), ("delta-heads", 0), ("seed", 1)):
        parser.add_argument(f"--{name}", type=int, default=size, help="(%(default)s)")
    parser.add_argument("--untied", action="store_true", help="an output matrix of its own")
    options = parser.parse_args()
    if options.vocab < 256 + CONTROL_TOKENS:
        parser.error(f"--vocab is {options.vocab}, but must be at least {256 + CONTROL_TOKENS}")
    write(options)


if __name__ == "__main__":
    main()
