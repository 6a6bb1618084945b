#!/usr/bin/env python3
"""Many sequences at once, beside peers: S unrelated prompts of P tokens, N tokens for each.

    bench/throughput.py --llama-batched-bench PATH --openvino PYTHON [-m MODEL] [--sequences 64] [--prompt 128]
                        [--tokens 128] [--rounds 3]

Tokens of prompts and answers per second, every program in turn in fresh processes, medians; and one sequence alone of
ours for comparison. Partita runs `partita batch`, with everything that it does for rows; llama.cpp its batched
benchmark, OpenVINO GenAI its continuous batching.
"""

import argparse
import json
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]


def partita(options, count):
    chance = random.Random(7)
    with tempfile.TemporaryDirectory() as work:
        rows, out = pathlib.Path(work) / "rows.jsonl", pathlib.Path(work) / "out.jsonl"
        ends = {str(i): "-inf" for i in (0, 2)}  # no answer stops early
        rows.write_text("".join(json.dumps({
            "id": i, "ids": [chance.randint(1000, 40000) for _ in range(options.prompt)], "n": options.tokens,
            "greedy": True, "logit_bias": ends}) + "\n" for i in range(count)))
        command = [options.partita, "batch", "-q", "--json", "-i", rows, "-o", out, "--sequences", str(count),
                   "-t", str(options.threads), "--speculation", "off", *(["-m", options.model] if options.model else [])]
        report = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
        if report["tokens"] != count * options.tokens:
            sys.exit(f"{report['tokens']} tokens came instead of {count * options.tokens}")
    timing = report["timing"]
    return count * (options.prompt + options.tokens) / (timing["prefill_s"] + timing["decode_s"])


def llama(options):
    n = options.sequences
    out = subprocess.run([options.llama_batched_bench, "-m", options.model, "-t", str(options.threads), "-c",
                          str(n * (options.prompt + options.tokens)), "-npp", str(options.prompt), "-ntg",
                          str(options.tokens), "-npl", str(n), "--output-format", "jsonl"], check=True,
                         capture_output=True, text=True).stdout
    return [json.loads(line) for line in out.splitlines() if line.startswith("{")][-1]["speed"]


def openvino(options):
    out = subprocess.run([options.openvino, "-B", str(ROOT / "bench/openvino_peer.py"), options.model,
                          str(options.threads), f"{options.prompt}x{options.tokens}x{options.sequences}"], check=True,
                         capture_output=True, text=True).stdout
    return options.sequences * (options.prompt + options.tokens) / json.loads(out.splitlines()[-1])["jobs"][0]["seconds"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-m", "--model", default=str(ROOT / "models/SmolLM2-135M-Instruct.Q4_1.gguf"))
    parser.add_argument("--partita", default=str(ROOT / "build/release/partita"))
    parser.add_argument("--llama-batched-bench")
    parser.add_argument("--openvino")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--sequences", type=int, default=64)
    parser.add_argument("--prompt", type=int, default=128)
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()

    programs = {"partita": lambda: partita(options, options.sequences), "partita, one alone": lambda: partita(options, 1)}
    if options.llama_batched_bench:
        programs["llama.cpp"] = lambda: llama(options)
    if options.openvino:
        programs["OpenVINO GenAI"] = lambda: openvino(options)
    rates = {name: [] for name in programs}
    for _ in range(options.rounds):
        for name, measure in programs.items():
            rates[name].append(measure())
    ours = statistics.median(rates["partita"])
    print(f"{options.sequences} x ({options.prompt} + {options.tokens}) tokens")
    for name, values in rates.items():
        middle = statistics.median(values)
        print(f"{name:20} {middle:7.0f} tokens/s ({min(values):.0f} .. {max(values):.0f}); partita x {ours / middle:.2f}")


if __name__ == "__main__":
    main()
