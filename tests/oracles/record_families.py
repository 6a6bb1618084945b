#!/usr/bin/env python3
"""Makes a tiny random model of every family, as GGUF files, and records what transformers computes with them in f32.

    record_families.py OUT_DIRECTORY --llama-cpp DIRECTORY [--only NAME...] [--keep DIRECTORY] [--checkpoints DIRECTORY]
    record_families.py OUT_DIRECTORY --list [--only NAME...]
    record_families.py OUT_DIRECTORY --missing

family_configs.py is the table of the models. Each is saved by transformers as a directory (safetensors), from which
llama.cpp's own converter writes OUT_DIRECTORY/NAME.gguf: the sources of llama.cpp are --llama-cpp. NAME.json is the
record. README.md beside this file describes both. --keep leaves the directories there;
--checkpoints writes what `partita convert` reads of them, with matrices in f16, which holds them exactly.
"""

import argparse
import copy
import json
import logging
import math
import os
import pathlib
import shutil
import sys
import tempfile
import traceback
import zlib

import family_configs
import gguf
import safetensors.torch
import sentencepiece.sentencepiece_model_pb2 as sentencepiece_model
import tokenizers
import torch
import transformers
from record_scores import differences, rounded, versions, write
from record_tiny_models import PROMPT_LENGTHS, VOCAB, byte_level_vocabulary, sentencepiece_vocabulary, sequence_record

EMBEDDINGS = ("embed_tokens", "lm_head", "wte", "word_embeddings", "embed_in", "embed_out", "embeddings.weight",
              "embed_tokens_per_layer", "wpe")
ATTENTION = ("q_proj", "k_proj", "qkv", "query_key_value", "c_attn", "q_b_proj", "kv_a_proj", "q_a_proj")
CORRECTIONS = ("correction_bias", "expert_bias", "correction.bias", "moe_statics")

TRIES, MOST_NOISE = 12, 2e-5  # seeds are tried until rounding moves no log-probability further

# control tokens that the converter looks for
CONTROLS = {"glm": ["<|endoftext|>", "<|user|>", "<|observation|>", "[gMASK]"],
            "solar": ["<|endoftext|>", "<|startoftext|>", "<|im_end|>", "<unk>"]}


# --- weights ---------------------------------------------------------------------------------------------


def constant(weight):
    return bool((weight == weight.flatten()[0]).all())


def new_values(name, weight, normal, uniform, config, embedding):
    """Values for one parameter, so that attention, logits and states are far from uniform, and stay finite."""
    last = name.rsplit(".", 1)[-1]
    if last == "A_log":
        return torch.log(0.5 + 3.5 * uniform(weight.shape))
    if last == "dt_bias" or name.endswith("dt_proj.bias"):
        return normal(weight.shape, 0.5) - (3.0 if "linear_attn" in name else 1.5)
    if last == "D":
        return 1.0 + normal(weight.shape, 0.3)
    if last == "sinks":
        return normal(weight.shape, 1.0)
    if any(part in name for part in CORRECTIONS):
        return normal(weight.shape, 0.2)
    if "correct_output_scale" in name:
        return 1.0 + normal(weight.shape, 0.25)
    if weight.dim() <= 1 or (last == "weight" and "norm" in name.rsplit(".", 2)[-2] and constant(weight)):
        middle = weight.flatten()[0] if constant(weight) and config.model_type != "nemotron" else 0.0
        return middle + normal(weight.shape, 0.25)  # nemotron: 1 + w, though transformers begins with w = 1
    if any(part in name for part in EMBEDDINGS):
        return normal(weight.shape, 0.2 if "wpe" in name else embedding)
    fan_in = weight.shape[0] if config.model_type == "gpt2" and ".c_" in name else weight.shape[-1]
    gain = 2.0 if "conv1d" in name else 1.5 if any(part in name for part in ATTENTION) else 1.0
    return normal(weight.shape, gain / math.sqrt(fan_in))


def mxfp4(weight):
    """Rounds experts [n, in, out] to MXFP4: their values, and blocks and scales as published files have them."""
    table = torch.tensor([0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0])
    table = torch.cat([table, -table])
    rows = weight.transpose(1, 2).unflatten(2, (-1, 32))
    exponents = torch.floor(torch.log2(rows.abs().amax(-1, keepdim=True))) - 2
    codes = (rows[..., None] / 2 ** exponents[..., None] - table).abs().argmin(-1)
    values = (table[codes] * 2 ** exponents).flatten(2).transpose(1, 2)
    blocks = (codes[..., ::2] + 16 * codes[..., 1::2]).to(torch.uint8)
    return values, blocks, (exponents[..., 0] + 127).to(torch.uint8)


def random_model(config, seed, options):
    """A random model whose matrices are exact in f16."""
    torch.manual_seed(seed)
    model = transformers.AutoModelForCausalLM.from_config(config, dtype=torch.float32,
                                                         attn_implementation="eager").eval()
    for part in model.modules():
        if getattr(part, "config", None) is not None and hasattr(part.config, "_experts_implementation"):
            part.config._experts_implementation = "eager"
    generator = torch.Generator().manual_seed(seed)

    def normal(shape, std):
        return torch.randn(shape, generator=generator) * std

    def uniform(shape):
        return torch.rand(shape, generator=generator)

    saved = set(model.state_dict())
    places = dict(model.named_parameters())
    places |= {name: buffer for name, buffer in model.named_buffers()
               if name in saved and (any(part in name for part in CORRECTIONS) or name.endswith("layer_scalar"))}
    for name, weight in sorted(places.items()):
        values = new_values(name, weight, normal, uniform, config, options["embedding"])
        if options["mxfp4"] and weight.dim() == 3:
            values = mxfp4(values)[0]
        weight.copy_(values.half().float() if weight.dim() >= 2 and not name.endswith("A_log") else values)
    return model


# --- the directory ---------------------------------------------------------------------------------------


def byte_level_tokenizer(kind):
    tokens, _, merges = byte_level_vocabulary()
    controls = CONTROLS.get(kind, tokens[:3])
    more = len(controls) - 3  # in the place of the last merges
    tokens = controls[:3] + tokens[3:len(tokens) - more] + controls[3:]
    merges = merges[:len(merges) - more]
    result = tokenizers.Tokenizer(tokenizers.models.BPE({token: i for i, token in enumerate(tokens)},
                                                        [tuple(merge.split(" ")) for merge in merges]))
    result.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    result.decoder = tokenizers.decoders.ByteLevel()
    result.add_special_tokens([tokenizers.AddedToken(t, special=True, normalized=False) for t in controls])
    return result, {"bos_token": tokens[1], "eos_token": tokens[2], "unk_token": tokens[0], "pad_token": tokens[2]}


def sentencepiece_tokenizer(directory):
    """Writes tokenizer.model; the same vocabulary as merges with byte_fallback, as transformers converts it."""
    tokens, kinds, scores = sentencepiece_vocabulary()
    model = sentencepiece_model.ModelProto()
    for token, kind, score in zip(tokens, kinds, scores):
        model.pieces.add(piece=token, score=score, type=int(kind))
    model.trainer_spec.model_type = sentencepiece_model.TrainerSpec.BPE
    model.trainer_spec.vocab_size = len(tokens)
    for name in ("pad", "eos", "bos", "unk"):
        setattr(model.trainer_spec, name + "_id", tokens.index(f"<{name}>"))
    (directory / "tokenizer.model").write_bytes(model.SerializeToString())
    known = set(tokens)
    merges = [(token[:i], token[i:]) for token, kind in zip(tokens, kinds) if kind == gguf.TokenType.NORMAL
              for i in range(1, len(token)) if token[:i] in known and token[i:] in known]
    result = tokenizers.Tokenizer(tokenizers.models.BPE({token: i for i, token in enumerate(tokens)}, merges,
                                                        unk_token="<unk>", byte_fallback=True))
    result.normalizer = tokenizers.normalizers.Replace(" ", "\u2581")
    result.decoder = tokenizers.decoders.Sequence([tokenizers.decoders.Replace("\u2581", " "),
                                                   tokenizers.decoders.Fuse()])
    result.add_special_tokens([tokenizers.AddedToken(t, special=True, normalized=False) for t in tokens[:4]])
    return result, {"bos_token": "<bos>", "eos_token": "<eos>", "unk_token": "<unk>", "pad_token": "<pad>"}


def save_directory(directory, model, options):
    model.save_pretrained(directory)
    made, names = (sentencepiece_tokenizer(directory) if options["tokenizer"] == "sentencepiece"
                   else byte_level_tokenizer(options["tokenizer"]))
    made.save(str(directory / "tokenizer.json"))
    kind = "GPT2Tokenizer" if options["tokenizer"] == "gpt2" else "PreTrainedTokenizerFast"
    (directory / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": kind, **names}, indent=1))
    path = directory / "config.json"
    config = as_published(json.loads(path.read_text()), options)
    path.write_text(json.dumps(config, indent=2) + "\n")
    if options["mtp"]:
        add_mtp(directory / "model.safetensors", config)
    if options["mxfp4"]:
        pack_experts(directory / "model.safetensors")


def as_published(config, options):
    """A configuration of transformers with the fields that published ones have."""
    return {key: value for key, value in (config | options["published"]).items()
            if key not in options["unpublished"]}


def save_small(directory, out):
    """config.json, and the weights with matrices in f16."""
    out.mkdir(parents=True, exist_ok=True)
    shutil.copy(directory / "config.json", out)
    weights = safetensors.torch.load_file(directory / "model.safetensors")
    for name, weight in weights.items():
        if weight.dim() >= 2 and torch.equal(weight.half().float(), weight):
            weights[name] = weight.half()
    safetensors.torch.save_file(weights, out / "model.safetensors", metadata={"format": "pt"})


def pack_experts(path):
    weights = safetensors.torch.load_file(path)
    for name in [name for name, weight in weights.items() if weight.dim() == 3]:
        values, blocks, scales = mxfp4(weights[name])
        assert torch.equal(values, weights.pop(name))
        weights |= {name + "_blocks": blocks.contiguous(), name + "_scales": scales.contiguous()}
    safetensors.torch.save_file(weights, path, metadata={"format": "pt"})


def add_mtp(path, config):
    """Adds the tensors of Qwen's multi-token-prediction head: a copy of the last layer, and what joins it."""
    weights = safetensors.torch.load_file(path)
    hidden, layer = config["hidden_size"], f"model.layers.{config['num_hidden_layers'] - 1}."
    weights |= {"mtp.layers.0." + name.removeprefix(layer): weight.clone()
                for name, weight in weights.items() if name.startswith(layer)}
    weights["mtp.fc.weight"] = torch.eye(hidden, 2 * hidden)
    for norm in ("pre_fc_norm_embedding", "pre_fc_norm_hidden", "norm"):
        weights[f"mtp.{norm}.weight"] = torch.full((hidden,), 0.125)
    safetensors.torch.save_file(weights, path, metadata={"format": "pt"})


# --- the converter ---------------------------------------------------------------------------------------


def load_converter(llama_cpp):
    """llama.cpp's conversion package with its own gguf; tiny vocabularies count as GPT-2's."""
    for name in [name for name in sys.modules if name.split(".")[0] == "gguf"]:
        del sys.modules[name]
    sys.path[:0] = [os.path.join(llama_cpp, "gguf-py"), llama_cpp]
    import conversion
    from conversion.base import TextModel
    TextModel.get_vocab_base_pre = lambda self, tokenizer: "gpt-2"
    logging.disable(logging.WARNING)
    return conversion


def convert(conversion, directory, path, options):
    import gguf as own_gguf
    hparams = as_published(conversion.ModelBase.load_hparams(directory, False), options)
    architecture = conversion.get_model_architecture(hparams, conversion.ModelType.TEXT)
    made = conversion.get_model_class(architecture)
    made.no_mtp = made.supports_mtp_export and not options["mtp"]  # as the option --no-mtp does
    with torch.inference_mode():
        made(directory, own_gguf.LlamaFileType.MOSTLY_F16, path, model_name=path.stem, hparams=hparams).write()


# --- the record ------------------------------------------------------------------------------------------


def sequences_of(config, seed, options):
    """The model, its sequences, and how far rounding moves the longest."""
    model = random_model(config, seed, options)
    generator = torch.Generator().manual_seed(seed + 100)
    sequences = [sequence_record(model, torch.randint(4, VOCAB, (length,), generator=generator).tolist())
                 for length in PROMPT_LENGTHS]
    for sequence in sequences:  # the whole row of the last position alone: the set is to stay small
        del sequence["logits"][:-1]
        sequence["margins"] = rounded(sequence["margins"], 4)
    longest = sequences[-1]
    exact = random_model(config, seed, options).double()
    return model, sequences, differences(longest["logprobs"], sequence_record(exact, longest["ids"])["logprobs"])


def record(conversion, out, scratch, entry):
    name, kind, arguments, options = entry
    first = zlib.crc32(name.encode()) % 100000
    for seed in range(first, first + TRIES):
        config = getattr(transformers, kind)(**copy.deepcopy(arguments))  # which changes dictionaries that it is given
        model, sequences, noise = sequences_of(config, seed, options)
        if noise["max"] <= MOST_NOISE:
            break
    directory = scratch / name
    directory.mkdir(parents=True)
    save_directory(directory, model, options)
    convert(conversion, directory, out / (name + ".gguf"), options)
    write(out / (name + ".json"), {
        "made_by": "tests/oracles/record_families.py", "versions": versions(), "model": name + ".gguf",
        "architecture": config.model_type, "seed": seed, "matrices": "float16", "gguf_lacks": options["lacks"],
        "delta_to_float64": noise, "sequences": sequences})
    margins = sorted(sequences[-1]["margins"])
    print(f"{name}: {(out / (name + '.gguf')).stat().st_size} bytes, delta {noise['max']}, median margin "
          f"{margins[len(margins) // 2]:.2f}, mean logprob {sum(sequences[-1]['logprobs'][1:]) / 299:.2f}, "
          f"seed {seed - first}", flush=True)


def list_file(path):
    """Prints architecture, metadata and the tensors of layer 0, of the last layer, and of none."""
    reader = gguf.GGUFReader(path)
    print(f"== {path.name} {path.stat().st_size}")
    for key, field in reader.fields.items():
        if not key.startswith(("tokenizer.", "GGUF.", "general.")) or key == "general.architecture":
            print(f"  {key} = {field.contents()}")
    layers = {int(t.name.split(".")[1]) for t in reader.tensors if t.name.startswith("blk.")}
    for tensor in reader.tensors:
        number = tensor.name.split(".")[1] if tensor.name.startswith("blk.") else None
        if number is None or int(number) in (0, max(layers)):
            print(f"  {tensor.name} {tensor.tensor_type.name} {[int(n) for n in tensor.shape]}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=pathlib.Path)
    parser.add_argument("--llama-cpp", help="the source tree of llama.cpp")
    parser.add_argument("--only", nargs="+", help="names of models")
    parser.add_argument("--keep", type=pathlib.Path, help="where to leave the directories that transformers saved")
    parser.add_argument("--checkpoints", type=pathlib.Path, help="where to write config.json and weights in f16")
    parser.add_argument("--list", action="store_true", help="print metadata and tensors of what is there")
    parser.add_argument("--missing", action="store_true", help="print the families that are left out, and why")
    options = parser.parse_args()
    entries = [e for e in family_configs.FAMILIES if not options.only or e[0] in options.only]
    if options.missing:
        for family, reason in family_configs.MISSING.items():
            print(f"{family}: {reason}")
        return
    if options.list:
        for entry in entries:
            list_file(options.directory / (entry[0] + ".gguf"))
        return
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    options.directory.mkdir(parents=True, exist_ok=True)
    conversion = load_converter(options.llama_cpp)
    scratch = options.keep or pathlib.Path(tempfile.mkdtemp())
    failed = []
    for entry in entries:
        shutil.rmtree(scratch / entry[0], ignore_errors=True)
        try:
            with torch.no_grad():
                record(conversion, options.directory, scratch, entry)
            if options.checkpoints:
                save_small(scratch / entry[0], options.checkpoints / entry[0])
        except Exception:  # the others are still worth having; the exit status tells
            traceback.print_exc()
            print(f"FAILED {entry[0]}", flush=True)
            failed.append(entry[0])
    if not options.keep:
        shutil.rmtree(scratch)
    if failed:
        raise SystemExit("failed: " + " ".join(failed))


if __name__ == "__main__":
    main()
