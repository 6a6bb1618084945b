"""Writes a checkpoint of train.py as config.json, model.safetensors and chat_template.jinja, for `partita convert`
(docs/convert.md).

    build/train/venv/bin/python tools/train/export.py build/train/adaptive/checkpoint.pt \
        --order build/train/order.npy -o build/train/checkpoint

An adaptive model keeps its words in the order of places, which config.json lists; a dense one gets them by token ids.
"""

import argparse
import json
import pathlib
import shutil

import model
import numpy as np
import torch
from safetensors.torch import save_file
from texts import TEMPLATE


def load(path):
    """The Transformer of a checkpoint."""
    saved = torch.load(path, weights_only=True)
    network = model.Transformer(model.Sizes(**saved["sizes"]))
    network.load_state_dict(saved["weights"])
    return network


def config(sizes, order):
    """What config.json says."""
    adaptive = sizes.head == "adaptive"
    out = {"model_type": "llama", "hidden_size": sizes.hidden, "intermediate_size": sizes.ffn,
           "num_hidden_layers": sizes.layers, "num_attention_heads": sizes.heads,
           "num_key_value_heads": sizes.kv_heads, "head_dim": sizes.head_dim, "vocab_size": sizes.vocab,
           "max_position_embeddings": sizes.context, "rms_norm_eps": sizes.norm_eps, "rope_theta": sizes.rope_theta,
           "hidden_act": "silu", "tie_word_embeddings": not adaptive, "torch_dtype": "float32"}
    if not adaptive:
        return out | {"architectures": ["LlamaForCausalLM"]}
    cutoffs = list(sizes.cutoffs)
    return out | {"partita_head": {"kind": "adaptive", "cutoffs": cutoffs, "order": order.tolist()},
                  "partita_embedding": {"cutoffs": cutoffs}}


def tensors(network, order):
    """dict name -> tensor. What embedding and head share is written twice, but for dense models, which are tied."""
    out = {name: weight.detach().clone().contiguous() for name, weight in network.state_dict().items()}
    if network.sizes.head == "dense":
        by_id = torch.empty_like(out["model.embed_tokens.weight"])
        by_id[torch.from_numpy(order).long()] = out["model.embed_tokens.weight"]
        out["model.embed_tokens.weight"] = by_id
    else:
        for i, words in enumerate(network.words()):
            out[f"model.embed_tokens.{i}.0.weight"] = words.detach().clone()
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=pathlib.Path)
    parser.add_argument("--order", type=pathlib.Path, required=True)
    parser.add_argument("-o", "--output", type=pathlib.Path, required=True)
    options = parser.parse_args()
    network, order = load(options.checkpoint), np.load(options.order)
    options.output.mkdir(parents=True, exist_ok=True)
    save_file(tensors(network, order), options.output / "model.safetensors")
    (options.output / "config.json").write_text(json.dumps(config(network.sizes, order)) + "\n")
    shutil.copyfile(TEMPLATE, options.output / TEMPLATE.name)
    print(f"build/release/partita convert {options.output} -o {options.output}.gguf --type q8_0 "
          "--vocabulary models/SmolLM2-135M-Instruct.Q4_1.gguf")


if __name__ == "__main__":
    main()
