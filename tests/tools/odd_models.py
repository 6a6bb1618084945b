"""Writes damaged and odd models, each beside the finding that names its fault: python3 odd_models.py DIRECTORY."""

import copy
import json
import pathlib
import random
import struct
import sys

from gguf_file import ARRAY, BOOL, F32, I32, STRING, U32, Gguf, Tensor

HIDDEN, FFN, HEADS, LAYERS, CONTEXT = 32, 64, 2, 3, 512
CONTROL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
TEMPLATE = ("{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
            "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}")
MERGES = [("t", "h"), ("th", "e"), ("i", "n"), ("a", "n"), ("Ġ", "the")]


def byte_spellings():
    """GPT-2's characters for the 256 bytes."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = iter(range(256, 512))
    return [chr(byte) if byte in plain else chr(next(others)) for byte in range(256)]


def matrix(draw, rows, columns):
    return Tensor([columns, rows], 0, struct.pack(f"<{rows * columns}f",
                                                  *(draw.uniform(-1, 1) for _ in range(rows * columns))))


def vector(size, value=1.0):
    return Tensor([size], 0, struct.pack(f"<{size}f", *[value] * size))


def sound():
    """A tiny Llama that is right."""
    draw, file = random.Random(1), Gguf()
    tokens = CONTROL + byte_spellings() + ["".join(merge) for merge in MERGES]
    file.set("general.architecture", STRING, "llama")
    for name, value in (("block_count", LAYERS), ("context_length", CONTEXT), ("embedding_length", HIDDEN),
                        ("feed_forward_length", FFN), ("attention.head_count", HEADS),
                        ("attention.head_count_kv", HEADS), ("vocab_size", len(tokens))):
        file.set(f"llama.{name}", U32, value)
    file.set("llama.attention.layer_norm_rms_epsilon", F32, 1e-5)
    file.set("llama.rope.freq_base", F32, 10000.0)
    file.set("tokenizer.ggml.model", STRING, "gpt2")
    file.set("tokenizer.ggml.pre", STRING, "smollm")
    file.set("tokenizer.ggml.tokens", ARRAY, (STRING, tokens))
    file.set("tokenizer.ggml.token_type", ARRAY, (I32, [3] * len(CONTROL) + [1] * (len(tokens) - len(CONTROL))))
    file.set("tokenizer.ggml.merges", ARRAY, (STRING, [" ".join(merge) for merge in MERGES]))
    file.set("tokenizer.ggml.bos_token_id", U32, 1)
    file.set("tokenizer.ggml.eos_token_id", U32, 2)
    file.set("tokenizer.ggml.add_bos_token", BOOL, False)
    file.set("tokenizer.chat_template", STRING, TEMPLATE)
    file.tensors = {"token_embd.weight": matrix(draw, len(tokens), HIDDEN), "output_norm.weight": vector(HIDDEN)}
    for layer in range(LAYERS):
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            file.tensors[f"blk.{layer}.{name}.weight"] = matrix(draw, HIDDEN, HIDDEN)
        file.tensors[f"blk.{layer}.ffn_gate.weight"] = matrix(draw, FFN, HIDDEN)
        file.tensors[f"blk.{layer}.ffn_up.weight"] = matrix(draw, FFN, HIDDEN)
        file.tensors[f"blk.{layer}.ffn_down.weight"] = matrix(draw, HIDDEN, FFN)
        for name in ("attn_norm", "ffn_norm"):
            file.tensors[f"blk.{layer}.{name}.weight"] = vector(HIDDEN)
    return file


def with_floats(file, name, first, *values):
    """Overwrites elements of an F32 tensor."""
    data = bytearray(file.tensors[name].data)
    struct.pack_into(f"<{len(values)}f", data, 4 * first, *values)
    file.tensors[name].data = bytes(data)


# Each changes a sound model: name of the fault, severity and code of its finding, words of its message.
ODD = []


def odd(severity, code, *words):
    def add(change):
        ODD.append((change.__name__, severity, code, words, change))
        return change
    return add


@odd("error", "family", "'mystery'")
def unknown_family(file):
    file.set("general.architecture", STRING, "mystery")


@odd("error", "tensor-types", "blk.1.ffn_up.weight")
def unknown_type(file):
    file.tensors["blk.1.ffn_up.weight"].type = 200


@odd("error", "metadata", "feed_forward_length")
def missing_key(file):
    del file.keys["llama.feed_forward_length"]


@odd("error", "metadata", "attention.head_count")
def heads_that_do_not_divide(file):
    file.set("llama.attention.head_count_kv", U32, 3)


@odd("error", "tensors", "blk.2.ffn_down.weight")
def missing_tensor(file):
    del file.tensors["blk.2.ffn_down.weight"]


@odd("error", "tensors", "blk.1.attn_q.weight", "[32, 31]")
def wrong_shape(file):
    file.tensors["blk.1.attn_q.weight"] = matrix(random.Random(2), HIDDEN, HIDDEN - 1)


@odd("error", "tensors", "blk.0.attn_q.strange")
def tensor_without_use(file):
    file.tensors["blk.0.attn_q.strange"] = vector(HIDDEN)


@odd("warning", "window", "gemma2.attention.sliding_window", "4096")
def missing_window(file):
    for key in [k for k in file.keys if k.startswith("llama.")]:
        file.keys[key.replace("llama.", "gemma2.")] = file.keys.pop(key)
    file.set("general.architecture", STRING, "gemma2")
    for name in ("attn_logit_softcapping", "final_logit_softcapping"):
        file.set(f"gemma2.{name}", F32, 30.0)
    for layer in range(LAYERS):
        for name in ("post_attention_norm", "post_ffw_norm"):
            file.tensors[f"blk.{layer}.{name}.weight"] = vector(HIDDEN)


@odd("warning", "rope", "llama.rope.freq_base", "32768")
def missing_rope_base(file):
    del file.keys["llama.rope.freq_base"]
    file.set("llama.context_length", U32, 32768)


@odd("warning", "trained-context", "512", "256")
def context_beyond_training(file):
    file.set("llama.rope.scaling.type", STRING, "linear")
    file.set("llama.rope.scaling.factor", F32, 2.0)
    file.set("llama.rope.scaling.original_context_length", U32, 128)


@odd("error", "pre-tokenizer", "unheard-of")
def unknown_pre_tokenizer(file):
    file.set("tokenizer.ggml.pre", STRING, "unheard-of")


@odd("warning", "pre-tokenizer", "tokenizer.ggml.pre")
def missing_pre_tokenizer(file):
    del file.keys["tokenizer.ggml.pre"]


@odd("error", "tokenizer", "wordpiece")
def unknown_tokenizer(file):
    file.set("tokenizer.ggml.model", STRING, "wordpiece")


@odd("error", "tokenizer", "merges[5]")
def merge_of_no_token(file):
    file.set("tokenizer.ggml.merges", ARRAY, (STRING, [" ".join(merge) for merge in MERGES] + ["the the"]))


@odd("error", "vocabulary", "264", "263")
def vocabulary_of_another_size(file):
    file.set("llama.vocab_size", U32, 263)
    for key in ("tokenizer.ggml.tokens", "tokenizer.ggml.token_type"):
        element, values = file.keys[key][1]
        file.set(key, ARRAY, (element, values[:-1]))
    file.set("tokenizer.ggml.merges", ARRAY, (STRING, [" ".join(merge) for merge in MERGES[:-1]]))


@odd("warning", "vocabulary", "llama.vocab_size", "300")
def another_vocab_size(file):
    file.set("llama.vocab_size", U32, 300)


@odd("warning", "duplicate-tokens", "1 token", "'the'")
def duplicate_token(file):
    file.value("tokenizer.ggml.tokens")[-1] = "the"
    file.set("tokenizer.ggml.merges", ARRAY, (STRING, [" ".join(merge) for merge in MERGES[:-1]]))


@odd("note", "unreachable-tokens", "2 tokens", "'in'")
def tokens_without_merges(file):
    file.set("tokenizer.ggml.merges", ARRAY, (STRING, ["t h", "th e", "Ġ the"]))


@odd("warning", "end-tokens", "no token")
def no_end(file):
    del file.keys["tokenizer.ggml.eos_token_id"]
    file.value("tokenizer.ggml.tokens")[:3] = ["<a>", "<b>", "<c>"]


@odd("warning", "end-tokens", "tokenizer.ggml.eos_token_id", "'A'")
def end_that_is_text(file):
    file.set("tokenizer.ggml.eos_token_id", U32, file.value("tokenizer.ggml.tokens").index("A"))


@odd("warning", "template", "no chat template")
def missing_template(file):
    del file.keys["tokenizer.chat_template"]


@odd("error", "template", "line 1")
def template_that_does_not_parse(file):
    file.set("tokenizer.chat_template", STRING, "{% for m in messages %}{{ m.content }")


@odd("error", "template", "roles must alternate")
def template_that_refuses_users(file):
    file.set("tokenizer.chat_template", STRING, "{{ raise_exception('roles must alternate') }}")


@odd("error", "template", "does not contain")
def template_without_the_message(file):
    file.set("tokenizer.chat_template", STRING, "{% for m in messages %}{{ m.role }}{% endfor %}")


@odd("warning", "double-bos", "two BOS")
def template_with_two_bos(file):
    file.set("tokenizer.chat_template", STRING, "{{ bos_token }}" + TEMPLATE)


@odd("note", "double-bos", "add_bos_token")
def bos_by_template_and_metadata(file):
    file.set("tokenizer.ggml.add_bos_token", BOOL, True)


@odd("warning", "template-end", "'<|im_start|>'")
def template_with_another_end(file):
    file.set("tokenizer.chat_template", STRING, "{% for m in messages %}{{ m.content }}<|im_start|>{% endfor %}")


@odd("note", "template-end", "'<|im_end|>'", "which no key of the file names")
def template_with_an_end_that_no_key_names(file):
    file.set("tokenizer.ggml.eos_token_id", U32, 0)


@odd("warning", "template-end", "'</turn>'", "no control token")
def template_with_an_end_that_is_text(file):
    file.set("tokenizer.chat_template", STRING, TEMPLATE.replace("<|im_end|>", "</turn>"))


@odd("error", "numbers", "1 elements are NaN", "element 37 of 'blk.1.ffn_up.weight'")
def nan(file):
    with_floats(file, "blk.1.ffn_up.weight", 37, float("nan"))


@odd("error", "numbers", "2 infinite", "element 5 of 'output_norm.weight'")
def infinite(file):
    with_floats(file, "output_norm.weight", 5, float("inf"), float("-inf"))


@odd("warning", "constant", "zero", "blk.0.attn_v.weight")
def zero_matrix(file):
    file.tensors["blk.0.attn_v.weight"].data = bytes(4 * HIDDEN * HIDDEN)


@odd("warning", "constant", "zero", "blk.2.attn_norm.weight")
def zero_norm(file):
    file.tensors["blk.2.attn_norm.weight"] = vector(HIDDEN, 0.0)


@odd("warning", "repeated", "blk.0.attn_q.weight", "blk.1.attn_q.weight", "6 other")
def repeated_layer(file):
    for name, tensor in list(file.tensors.items()):
        if name.startswith("blk.0."):
            file.tensors[name.replace("blk.0.", "blk.1.")] = copy.deepcopy(tensor)


@odd("error", "not-a-model", "LoRA")
def adapter(file):
    file.set("general.type", STRING, "adapter")


@odd("error", "not-a-model", "vision projector")
def projector(file):
    file.set("general.architecture", STRING, "clip")


@odd("error", "not-a-model", "vocabulary")
def vocabulary_alone(file):
    file.tensors = {}


def write_all(directory):
    """Writes each into a directory of its own; returns (path, severity, code, words)."""
    rows = []
    for name, severity, code, words, change in ODD:
        file = sound()
        change(file)
        path = pathlib.Path(directory) / name / "model.gguf"
        path.parent.mkdir(parents=True)
        file.write(path)
        rows.append((path, severity, code, words))
    return rows


if __name__ == "__main__":
    for written, *finding in write_all(sys.argv[1]):
        print(written, json.dumps(finding))
