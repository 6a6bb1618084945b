#!/usr/bin/env python3
"""Makes tiny random models as GGUF files, and records what transformers computes with them in f32.

    record_tiny_models.py OUT_DIRECTORY

Writes tiny_*.gguf and tiny_*.json; README.md beside this file describes both. The files follow the
conventions of llama.cpp's converter: rows of Q and K in rotary pairs (llama), norm weights stored as
1 + w (gemma3), factors of llama3 rope scaling in the tensor rope_freqs.weight.
"""

import argparse
import math
import os

import gguf
import numpy
import torch
import transformers
from record_scores import differences, rounded, versions, write

VOCAB = 128
CONTEXT = 512
PROMPT_LENGTHS = (1, 7, 300)
LLAMA3_SCALING = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                  "original_max_position_embeddings": 64}


def llama_config(tied, heads, kv_heads, layers, rope):
    return transformers.LlamaConfig(
        vocab_size=VOCAB, hidden_size=64, intermediate_size=96, num_hidden_layers=layers,
        num_attention_heads=heads, num_key_value_heads=kv_heads, max_position_embeddings=CONTEXT,
        rms_norm_eps=1e-5, tie_word_embeddings=tied, rope_parameters=rope, attn_implementation="eager")


def gemma3_config(hidden, intermediate, heads, kv_heads, head_dim, layers):
    return transformers.Gemma3TextConfig(
        vocab_size=VOCAB, hidden_size=hidden, intermediate_size=intermediate, num_hidden_layers=layers,
        num_attention_heads=heads, num_key_value_heads=kv_heads, head_dim=head_dim,
        query_pre_attn_scalar=head_dim, max_position_embeddings=CONTEXT, sliding_window=16, rms_norm_eps=1e-6,
        rope_parameters={"full_attention": {"rope_type": "default", "rope_theta": 1e6},
                         "sliding_attention": {"rope_type": "default", "rope_theta": 1e4}},
        tie_word_embeddings=True, attn_implementation="eager")


def qwen2_config(heads, kv_heads, layers):
    return transformers.Qwen2Config(
        vocab_size=VOCAB, hidden_size=64, intermediate_size=96, num_hidden_layers=layers,
        num_attention_heads=heads, num_key_value_heads=kv_heads, max_position_embeddings=CONTEXT,
        rms_norm_eps=1e-6, tie_word_embeddings=True, rope_parameters={"rope_type": "default", "rope_theta": 1e6},
        attn_implementation="eager")


def qwen3_config(heads, kv_heads, head_dim, layers):
    return transformers.Qwen3Config(
        vocab_size=VOCAB, hidden_size=64, intermediate_size=96, num_hidden_layers=layers,
        num_attention_heads=heads, num_key_value_heads=kv_heads, head_dim=head_dim, max_position_embeddings=CONTEXT,
        rms_norm_eps=1e-6, tie_word_embeddings=False, rope_parameters={"rope_type": "default", "rope_theta": 1e6},
        attn_implementation="eager")


# name: (config, seed, type of the matrices)
MODELS = {
    "tiny_llama_tied_f32": (
        llama_config(True, 4, 2, 2, {"rope_type": "default", "rope_theta": 1e4}), 11, torch.float32),
    "tiny_llama_untied_rope_f16": (
        llama_config(False, 4, 1, 3, {"rope_theta": 5e5, **LLAMA3_SCALING}), 12, torch.float16),
    "tiny_gemma3_f16": (gemma3_config(64, 64, 2, 1, 16, 6), 13, torch.float16),
    "tiny_gemma3_f32": (gemma3_config(32, 32, 4, 2, 16, 7), 14, torch.float32),
    "tiny_qwen2_f32": (qwen2_config(4, 2, 3), 15, torch.float32),
    "tiny_qwen3_f16": (qwen3_config(4, 2, 32, 3), 16, torch.float16),
}


def random_model(config, seed, dtype):
    """A model whose attention and logits are far from uniform; its matrices are exact in `dtype`."""
    model = transformers.AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()
    generator = torch.Generator().manual_seed(seed)

    def normal(shape, std):
        return torch.randn(shape, generator=generator) * std

    gemma = config.model_type == "gemma3_text"
    for name, weight in sorted(model.named_parameters()):
        if name.endswith("norm.weight"):
            weight.copy_((0.0 if gemma else 1.0) + normal(weight.shape, 0.25))
        elif name.endswith("bias"):
            weight.copy_(normal(weight.shape, 0.5))
        elif name.endswith(("embed_tokens.weight", "lm_head.weight")):
            weight.copy_(normal(weight.shape, 0.3).to(dtype))
        else:
            gain = 1.5 if "q_proj" in name or "k_proj" in name else 1.0
            weight.copy_(normal(weight.shape, gain / math.sqrt(weight.shape[1])).to(dtype))
    return model


# --- the file ------------------------------------------------------------------------------------------


def rotary_pairs(weight, heads):
    """Reorders the rows of each head from halves (i, i + n/2) to pairs (2i, 2i + 1)."""
    return (weight.reshape(heads, 2, weight.shape[0] // heads // 2, weight.shape[1])
            .swapaxes(1, 2).reshape(weight.shape))


def llama3_factors(config):
    """What each rotary frequency is divided by: [head_dim / 2]."""
    rope, dim = config.rope_parameters, config.head_dim
    frequencies = 1.0 / (rope["rope_theta"] ** (torch.arange(0, dim, 2, dtype=torch.float32) / dim))
    trained, low, high = (rope["original_max_position_embeddings"], rope["low_freq_factor"],
                          rope["high_freq_factor"])
    factors = []
    for frequency in frequencies.tolist():
        wavelength = 2 * math.pi / frequency
        if wavelength < trained / high:
            factors.append(1.0)
        elif wavelength > trained / low:
            factors.append(rope["factor"])
        else:
            smooth = (trained / wavelength - low) / (high - low)
            factors.append(1 / ((1 - smooth) / rope["factor"] + smooth))
    return torch.tensor(factors, dtype=torch.float32)


def byte_level_vocabulary():
    """128 pieces of a gpt2 vocabulary: controls, printable ASCII, space, newline, tab, then some merges."""
    tokens = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    tokens += [chr(code) for code in range(0x21, 0x7F)] + ["\u0120", "\u010a", "\u0109"]
    merges = ["t h", "th e", "\u0120 the", "i n", "e r", "a n", "o n", "r e", "\u0120 a", "an d", "in g", "e s",
              "o r", "e n", "\u0120 and", "i s", "\u0120 in", "a t", "o u", "\u0120 is", "e d", "\u0120 o",
              "\u0120o n", "a r", "s t", "\u0120 w", "\u0120 th", "\u010a \u010a"]
    tokens += [merge.replace(" ", "") for merge in merges]
    kinds = [gguf.TokenType.CONTROL] * 3 + [gguf.TokenType.NORMAL] * (len(tokens) - 3)
    return tokens, kinds, merges


def sentencepiece_vocabulary():
    """128 pieces of a Gemma-like vocabulary: controls, merged pieces with falling scores, single characters."""
    space = "\u2581"
    tokens = ["<pad>", "<eos>", "<bos>", "<unk>", "\n", "\n\n"]
    kinds = [gguf.TokenType.CONTROL] * 3 + [gguf.TokenType.UNKNOWN] + [gguf.TokenType.USER_DEFINED] * 2
    pieces = ["th", "the", space + "the", "in", "er", "an", "on", "re", space + "a", "and", "ing", "es", "or",
              "en", space + "and", "is", space + "in", "at", "ou", space + "is", "ed", space + "o",
              space + "on", "ar", "st", space + "w", space + "th"]
    pieces += [space] + [chr(code) for code in range(0x21, 0x7F)]
    tokens += pieces
    kinds += [gguf.TokenType.NORMAL] * len(pieces)
    scores = [-1000.0] * 6 + [-float(rank) for rank in range(len(pieces))]
    return tokens, kinds, scores


def add_tokenizer(writer, architecture):
    if architecture != "gemma3":
        tokens, kinds, merges = byte_level_vocabulary()
        writer.add_tokenizer_model("gpt2")
        writer.add_tokenizer_pre("gpt-2")
        writer.add_token_list(tokens)
        writer.add_token_types(kinds)
        writer.add_token_merges(merges)
        ids = {"bos": 1, "eos": 2, "unk": 0, "pad": 2, "adds_bos": False}
    else:
        tokens, kinds, scores = sentencepiece_vocabulary()
        writer.add_tokenizer_model("llama")
        writer.add_tokenizer_pre("default")
        writer.add_token_list(tokens)
        writer.add_token_scores(scores)
        writer.add_token_types(kinds)
        ids = {"bos": 2, "eos": 1, "unk": 3, "pad": 0, "adds_bos": True}
    assert len(tokens) == len(set(tokens)) == VOCAB, len(tokens)
    writer.add_bos_token_id(ids["bos"])
    writer.add_eos_token_id(ids["eos"])
    writer.add_unk_token_id(ids["unk"])
    writer.add_pad_token_id(ids["pad"])
    writer.add_add_bos_token(ids["adds_bos"])
    writer.add_add_eos_token(False)
    writer.add_add_space_prefix(False)


def add_config(writer, name, config, architecture):
    writer.add_type(gguf.GGUFType.MODEL)
    writer.add_name(name)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_vocab_size(config.vocab_size)
    rope = config.rope_parameters
    if architecture == "llama":
        writer.add_rope_dimension_count(config.head_dim)
        writer.add_rope_freq_base(rope["rope_theta"])
    elif architecture.startswith("qwen"):
        if architecture == "qwen3":
            writer.add_key_length(config.head_dim)
            writer.add_value_length(config.head_dim)
        writer.add_rope_freq_base(rope["rope_theta"])
    else:
        writer.add_key_length(config.head_dim)
        writer.add_value_length(config.head_dim)
        writer.add_rope_freq_base(rope["full_attention"]["rope_theta"])
        writer.add_sliding_window(config.sliding_window)


def tensors(model, config, architecture):
    """(name in the file, values in the file's layout) of every tensor, in the order of the model."""
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH[architecture.upper()], config.num_hidden_layers)
    for name, weight in model.named_parameters():
        if architecture == "llama" and name.endswith("q_proj.weight"):
            weight = rotary_pairs(weight, config.num_attention_heads)
        elif architecture == "llama" and name.endswith("k_proj.weight"):
            weight = rotary_pairs(weight, config.num_key_value_heads)
        elif architecture == "gemma3" and name.endswith("norm.weight"):
            weight = weight + 1.0
        yield names.get_name(name, try_suffixes=(".weight", ".bias")), weight
    if architecture == "llama" and config.rope_parameters["rope_type"] == "llama3":
        yield "rope_freqs.weight", llama3_factors(config)


def write_gguf(path, name, model, config, architecture, dtype):
    writer = gguf.GGUFWriter(path, architecture)
    add_config(writer, name, config, architecture)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16 if dtype == torch.float16
                         else gguf.LlamaFileType.ALL_F32)
    add_tokenizer(writer, architecture)
    for tensor_name, weight in tensors(model, config, architecture):
        stored = weight.to(dtype) if weight.dim() == 2 else weight
        writer.add_tensor(tensor_name, numpy.ascontiguousarray(stored.numpy()))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


# --- the record ----------------------------------------------------------------------------------------


def sequence_record(model, ids):
    """Log-probabilities of the tokens of one sequence, and whole rows of logits at a few positions."""
    logits = model(torch.tensor([ids]), use_cache=False).logits[0].double()
    rows = torch.log_softmax(logits, dim=-1)
    best = torch.topk(logits, 2, dim=-1)
    last = len(ids) - 1
    positions = sorted({0, last // 3, 2 * last // 3, last})
    return {"ids": ids,
            "logprobs": [None] + [round(rows[i, ids[i + 1]].item(), 8) for i in range(last)],
            "top_ids": best.indices[:, 0].tolist(),
            "margins": rounded((best.values[:, 0] - best.values[:, 1]).tolist(), 6),
            "logits": [{"position": p, "values": rounded(logits[p].tolist(), 8)} for p in positions]}


@torch.no_grad()
def record(directory, name, config, seed, dtype):
    architecture = config.model_type.removesuffix("_text")
    model = random_model(config, seed, dtype)
    write_gguf(os.path.join(directory, name + ".gguf"), name, model, config, architecture, dtype)
    generator = torch.Generator().manual_seed(seed + 100)
    sequences = []
    for length in PROMPT_LENGTHS:
        ids = torch.randint(4, VOCAB, (length,), generator=generator).tolist()
        sequences.append(sequence_record(model, ids))
    longest = sequences[-1]
    noise = differences(longest["logprobs"], sequence_record(model.double(), longest["ids"])["logprobs"])
    write(os.path.join(directory, name + ".json"), {
        "made_by": "tests/oracles/record_tiny_models.py", "versions": versions(), "model": name + ".gguf",
        "architecture": architecture, "seed": seed, "matrices": str(dtype).removeprefix("torch."),
        "delta_to_float64": noise, "sequences": sequences})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory")
    options = parser.parse_args()
    torch.set_num_threads(1)
    for name, (config, seed, dtype) in MODELS.items():
        record(options.directory, name, config, seed, dtype)


if __name__ == "__main__":
    main()
