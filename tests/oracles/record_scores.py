#!/usr/bin/env python3
"""Records what transformers computes, in f32 on the dequantized weights of a GGUF file.

    record_scores.py MODEL.gguf TEXT OUT.json [--dump-ids IDS.json]

The record holds the log-probability of every token of TEXT, scored as one sequence, the most
probable token and its lead at every position, and greedy continuations of three prompts. The fields
are described in README.md beside this file; the versions in use are printed into the record.
"""

import argparse
import hashlib
import json
import math
import os
import platform

import gguf
import numpy
import tokenizers
import torch
import transformers

THREADS = 2
GREEDY_STEPS = 64
HEAD_ROWS = 128  # positions per product with the output matrix, which bounds the logits held at once

CHAT = "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n" \
       "<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n"

PROMPTS = {
    "llama": ["The capital of France is", "def fibonacci(n):\n", CHAT.format("What is the capital of Italy?")],
    "gemma3": ["The capital of France is", "def fibonacci(n):\n", "Once upon a time, in a village by the sea,"],
}


def metadata(path):
    """The metadata of a GGUF file as a dictionary."""
    return {key: field.contents() for key, field in gguf.GGUFReader(path).fields.items()}


def byte_level_tokenizer(meta):
    """The tokenizer of a `smollm` vocabulary: digits one by one, then GPT-2's split, then merges.

    transformers' own conversion of GGUF vocabularies leaves out the split at digits, so that
    "\\n\\n1" becomes other tokens than in the model's tokenizer.json.
    """
    if meta["tokenizer.ggml.pre"] != "smollm":
        raise SystemExit("only the smollm pre-tokenizer is known here, found " + meta["tokenizer.ggml.pre"])
    tokens = meta["tokenizer.ggml.tokens"]
    merges = [tuple(merge.split(" ")) for merge in meta["tokenizer.ggml.merges"]]
    result = tokenizers.Tokenizer(tokenizers.models.BPE({t: i for i, t in enumerate(tokens)}, merges))
    result.pre_tokenizer = tokenizers.pre_tokenizers.Sequence([
        tokenizers.pre_tokenizers.Digits(individual_digits=True),
        tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
    ])
    result.decoder = tokenizers.decoders.ByteLevel()
    control = [t for t, kind in zip(tokens, meta["tokenizer.ggml.token_type"]) if kind == gguf.TokenType.CONTROL]
    result.add_special_tokens([tokenizers.AddedToken(t, special=True, normalized=False) for t in control])
    return (lambda text: result.encode(text, add_special_tokens=False).ids,
            lambda ids: result.decode(ids, skip_special_tokens=False))


def sentencepiece_tokenizer(directory, name):
    """The tokenizer of a Gemma vocabulary as transformers derives it from the file; BOS comes first."""
    result = transformers.AutoTokenizer.from_pretrained(directory, gguf_file=name)
    return (lambda text: result(text)["input_ids"],
            lambda ids: result.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False))


def hidden_states(model, ids):
    """The final, normed hidden state of every position: [len(ids), hidden size]."""
    return model.model(torch.tensor([ids]), use_cache=False).last_hidden_state[0]


def score(model, ids):
    """Log-probability of each token after the first; top-1 id and its lead in logits at every position."""
    hidden = hidden_states(model, ids)
    logprobs, top_ids, margins = [None], [], []
    for begin in range(0, len(ids), HEAD_ROWS):
        logits = model.lm_head(hidden[begin:begin + HEAD_ROWS]).double()
        rows = torch.log_softmax(logits, dim=-1)
        best = torch.topk(logits, 2, dim=-1)
        top_ids += best.indices[:, 0].tolist()
        margins += (best.values[:, 0] - best.values[:, 1]).tolist()
        for row, position in enumerate(range(begin, min(begin + HEAD_ROWS, len(ids)))):
            if position + 1 < len(ids):
                logprobs.append(rows[row, ids[position + 1]].item())
    return logprobs, top_ids, margins


def greedy(model, ids, eos):
    """Continues `ids` by GREEDY_STEPS tokens, each the most probable; does not stop at `eos`."""
    cache, feed, chosen, margins, logprobs = None, ids, [], [], []
    for _ in range(GREEDY_STEPS):
        out = model(torch.tensor([feed]), past_key_values=cache, use_cache=True, logits_to_keep=1)
        logits = out.logits[0, -1].double()
        best = torch.topk(logits, 2)
        chosen.append(best.indices[0].item())
        margins.append((best.values[0] - best.values[1]).item())
        logprobs.append(torch.log_softmax(logits, -1)[chosen[-1]].item())
        cache, feed = out.past_key_values, chosen[-1:]
    return {"ids": chosen, "margins": rounded(margins, 5), "logprobs": rounded(logprobs, 7),
            "eos_at": chosen.index(eos) if eos in chosen else None}


def rounded(values, digits):
    return [None if value is None else round(value, digits) for value in values]


def sha256(path):
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def versions():
    return {"python": platform.python_version(), "torch": torch.__version__,
            "transformers": transformers.__version__, "gguf": gguf_version(),
            "tokenizers": tokenizers.__version__, "numpy": numpy.__version__}


def gguf_version():
    from importlib.metadata import version
    return version("gguf")


def differences(a, b):
    deltas = [abs(x - y) for x, y in zip(a, b) if x is not None]
    return {"mean": float(f"{sum(deltas) / len(deltas):.3g}"), "max": float(f"{max(deltas):.3g}")}


def write(path, record):
    """One field a line, so that the record can be read and compared."""
    with open(path, "w", encoding="utf-8") as handle:
        lines = [f" {json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}" for key, value in record.items()]
        handle.write("{\n" + ",\n".join(lines) + "\n}\n")


@torch.no_grad()
def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("text")
    parser.add_argument("out")
    parser.add_argument("--dump-ids", help="also write the ids alone, to compare with other tokenizers")
    options = parser.parse_args()
    torch.set_num_threads(THREADS)

    directory, name = os.path.split(os.path.abspath(options.model))
    meta = metadata(options.model)
    architecture = meta["general.architecture"]
    encode, decode = (byte_level_tokenizer(meta) if meta["tokenizer.ggml.model"] == "gpt2"
                      else sentencepiece_tokenizer(directory, name))
    with open(options.text, encoding="utf-8", newline="") as handle:
        text = handle.read()
    ids = encode(text)
    if options.dump_ids:
        with open(options.dump_ids, "w", encoding="utf-8") as handle:
            json.dump(ids, handle)

    model = transformers.AutoModelForCausalLM.from_pretrained(
        directory, gguf_file=name, dtype=torch.float32, attn_implementation="eager").eval()
    logprobs, top_ids, margins = score(model, ids)
    eos = meta["tokenizer.ggml.eos_token_id"]
    continuations = []
    for prompt in PROMPTS[architecture]:
        prompt_ids = encode(prompt)
        continuation = greedy(model, prompt_ids, eos)
        continuations.append({"prompt": prompt, "prompt_ids": prompt_ids, **continuation,
                              "text": decode(continuation["ids"])})

    # The same in float64 (transformers still norms in f32): how far rounding alone moves the f32 figures.
    noise = differences(logprobs, score(model.double(), ids)[0])
    scored = logprobs[1:]
    write(options.out, {
        "made_by": "tests/oracles/record_scores.py", "versions": versions(),
        "model": name, "model_sha256": sha256(options.model), "architecture": architecture,
        "text": os.path.basename(options.text), "text_sha256": sha256(options.text),
        "perplexity": round(math.exp(-sum(scored) / len(scored)), 6),
        "delta_to_float64": noise,
        "ids": ids, "logprobs": rounded(logprobs, 7), "top_ids": top_ids, "margins": rounded(margins, 5),
        "greedy": continuations})


if __name__ == "__main__":
    main()
