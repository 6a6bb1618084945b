#!/usr/bin/env python3
"""Makes random LoRA adapters of the tiny checkpoints, and records what PEFT computes with them in f32.

    record_adapters.py tests/data --llama-cpp DIRECTORY

Reads DATA/checkpoints/MODEL. Writes DATA/adapters/MODEL/ADAPTER as PEFT saves it, DATA/adapters/MODEL/ADAPTER.gguf
where llama.cpp's converter can say the same (one alpha / rank for all matrices), and DATA/adapters/MODEL.json: log-
probabilities of each adapter alone and of all at once.
"""

import argparse
import json
import pathlib
import shutil
import subprocess
import sys

import peft
import torch
import transformers
from record_scores import rounded, versions, write

VOCAB, LENGTH = 128, 60
ATTENTION = ["q_proj", "k_proj", "v_proj", "o_proj"]
LINEAR = ATTENTION + ["gate_proj", "up_proj", "down_proj"]

# model: {adapter: options of LoraConfig}
ADAPTERS = {
    "llama3": {
        "plain": {"r": 4, "lora_alpha": 8, "target_modules": LINEAR},
        "patterns": {"r": 6, "lora_alpha": 12, "use_rslora": True, "target_modules": [*LINEAR, "embed_tokens", "lm_head"],
                     "rank_pattern": {"q_proj": 2, "layers.1.mlp.up_proj": 9}, "alpha_pattern": {"down_proj": 3}}},
    "qwen2": {
        "plain": {"r": 3, "lora_alpha": 3, "target_modules": ATTENTION},
        "wide": {"r": 20, "lora_alpha": 10, "target_modules": ["q_proj", "down_proj"]}},
    "qwen3": {
        "plain": {"r": 8, "lora_alpha": 16, "target_modules": LINEAR},
        "embedding": {"r": 5, "lora_alpha": 5, "target_modules": ["embed_tokens", "v_proj"]}},
    "gemma3_linear": {
        "plain": {"r": 4, "lora_alpha": 4, "target_modules": LINEAR},
        "embedding": {"r": 3, "lora_alpha": 6, "use_rslora": True, "target_modules": ["embed_tokens", "o_proj"]}},
    "qwen2moe": {
        "plain": {"r": 4, "lora_alpha": 8,
                  "target_modules": r".*(q_proj|k_proj|v_proj|o_proj|shared_expert\.(gate|up|down)_proj)"},
        "gate": {"r": 2, "lora_alpha": 2, "target_modules": ["shared_expert_gate", "o_proj"]}},
    "phi3": {"plain": {"r": 4, "lora_alpha": 8, "target_modules": ["qkv_proj", "o_proj", "gate_up_proj", "down_proj"]}},
    "gpt2": {"plain": {"r": 4, "lora_alpha": 8, "fan_in_fan_out": True, "target_modules": ["c_attn", "c_fc"]}},
}
SIMPLE = {"r", "lora_alpha", "target_modules"}  # what llama.cpp's form of an adapter can say
NOT_CONVERTED = {"gpt2"}  # llama.cpp's converter does not know its matrices of inputs by outputs


def fill(model, seed):
    generator = torch.Generator().manual_seed(seed)
    for name, weight in sorted(model.named_parameters()):
        if "lora_" in name:
            weight.copy_(torch.randn(weight.shape, generator=generator) * 0.15)


def log_probabilities(model, ids):
    logits = model(torch.tensor([ids])).logits[0].double()
    rows = torch.log_softmax(logits, -1)
    return [rows[i, ids[i + 1]].item() for i in range(len(ids) - 1)]


def convert(llama_cpp, base, directory, out):
    subprocess.run([sys.executable, pathlib.Path(llama_cpp) / "convert_lora_to_gguf.py", "--base", base, "--outfile",
                    out, "--outtype", "f32", directory], check=True, capture_output=True)


def record(data, llama_cpp, name, adapters, seed):
    base, out = data / "checkpoints" / name, data / "adapters" / name
    shutil.rmtree(out, ignore_errors=True)
    model = transformers.AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32, attn_implementation="eager")
    for part in model.modules():
        if getattr(part, "config", None) is not None and hasattr(part.config, "_experts_implementation"):
            part.config._experts_implementation = "eager"
    wrapped = None
    for adapter, options in adapters.items():
        config = peft.LoraConfig(task_type="CAUSAL_LM", **options)
        if wrapped is None:
            wrapped = peft.get_peft_model(model, config, adapter_name=adapter)
        else:
            wrapped.add_adapter(adapter, config)
    wrapped = wrapped.float().eval()
    fill(wrapped, seed)
    ids = torch.randint(4, VOCAB, (LENGTH,), generator=torch.Generator().manual_seed(seed)).tolist()
    cases = []
    for chosen in [[a] for a in adapters] + ([list(adapters)] if len(adapters) > 1 else []):
        wrapped.base_model.set_adapter(chosen)
        cases.append({"adapters": chosen, "logprobs": rounded(log_probabilities(wrapped, ids), 7)})
    with wrapped.disable_adapter():
        plain = log_probabilities(wrapped, ids)
    wrapped.save_pretrained(out, save_embedding_layers=False)
    (out / "README.md").unlink(missing_ok=True)
    for adapter, options in adapters.items():
        directory = out / adapter
        (directory / "README.md").unlink(missing_ok=True)
        path = directory / "adapter_config.json"
        saved = json.loads(path.read_text())
        saved["base_model_name_or_path"] = name
        path.write_text(json.dumps(saved, indent=2, sort_keys=True) + "\n")
        if set(options) <= SIMPLE and name not in NOT_CONVERTED:
            convert(llama_cpp, base, directory, out / (adapter + ".gguf"))
    write(data / "adapters" / (name + ".json"), {
        "made_by": "tests/oracles/record_adapters.py", "versions": {**versions(), "peft": peft.__version__},
        "model": name, "ids": ids, "plain": rounded(plain, 7), "cases": cases})
    change = max(abs(a - b) for case in cases for a, b in zip(case["logprobs"], plain))
    print(f"{name}: {len(cases)} cases, changes up to {change:.2f}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("--llama-cpp", required=True, help="the source tree of llama.cpp")
    parser.add_argument("--only", nargs="+", help="names of models")
    options = parser.parse_args()
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    for seed, (name, adapters) in enumerate(ADAPTERS.items()):
        if options.only and name not in options.only:
            continue
        with torch.no_grad():
            record(options.data, options.llama_cpp, name, adapters, seed)


if __name__ == "__main__":
    main()
