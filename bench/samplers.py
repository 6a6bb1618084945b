#!/usr/bin/env python3
"""Times chains of samplers on a model's own logits, one thread, beside llama.cpp's through its C interface.

    bench/samplers.py --llama LLAMA.CPP [-m MODEL.gguf] [--text FILE] [--rows 100] [--rounds 5]

LLAMA.CPP is its source with a build in build/ (bench/README.md says how; as shared libraries). The logits are those
of the model after each of the last tokens of the text. In a round both programs take their turn over all rows; a
row's time is the median of the rounds. Times in microseconds; ratios above 1: partita is faster.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

ROOT = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))


def build_peer(source, folder):
    """The program of llama_samplers.cc, linked with that build's libraries."""
    program = os.path.join(folder, "llama_samplers")
    libraries = os.path.join(source, "build", "bin")
    subprocess.run(["g++", "-O2", "-std=c++17", os.path.join(ROOT, "bench", "llama_samplers.cc"), "-o", program,
                    "-I" + os.path.join(source, "include"), "-I" + os.path.join(source, "ggml", "include"),
                    "-L" + libraries, "-Wl,-rpath," + libraries, "-lllama", "-lggml", "-lggml-base"], check=True)
    return program


def times_of(command):
    out = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
    return json.loads(out)


def percentile(values, fraction):
    return sorted(values)[min(len(values) - 1, int(fraction * len(values)))]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--llama", metavar="FOLDER")
    parser.add_argument("-m", "--model", default=os.path.join(ROOT, "models", "gemma-3-270m-q4_k_m.gguf"))
    parser.add_argument("--samplers", default=os.path.join(ROOT, "build", "release", "samplers"))
    parser.add_argument("--text", default=os.path.join(ROOT, "docs", "performance.md"))
    parser.add_argument("--rows", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        dump = os.path.join(folder, "logits.f32")
        subprocess.run([options.samplers, "dump", options.model, options.text, str(options.rows), dump], check=True)
        vocab = os.path.getsize(dump) // 4 // options.rows
        programs = {"partita": [options.samplers, "time", dump, str(vocab)]}
        if options.llama:
            programs["llama.cpp"] = [build_peer(options.llama, folder), dump, str(vocab)]
        rounds = {name: [] for name in programs}
        for number in range(options.rounds):
            for name in list(programs)[::-1 if number % 2 else 1]:
                print(f"\rround {number + 1}/{options.rounds}, {name:10}", end="", file=sys.stderr, flush=True)
                rounds[name].append(times_of(programs[name]))
        print(file=sys.stderr)

    medians = {name: {chain: [statistics.median(row) for row in zip(*(r[chain] for r in runs))]
                      for chain in runs[0]} for name, runs in rounds.items()}
    print(f"{os.path.basename(options.model)}: {options.rows} rows of {vocab} logits, microseconds, mean (p95)\n")
    print("| Chain | partita | llama.cpp | ratio of means | of p95 |\n|---|---|---|---|---|")
    for chain, ours in medians["partita"].items():
        mean, late = statistics.mean(ours), percentile(ours, 0.95)
        line = f"| {chain} | {mean:.1f} ({late:.1f}) |"
        peer = medians.get("llama.cpp", {}).get(chain.split(";")[0])
        if peer:
            peer_mean, peer_late = statistics.mean(peer), percentile(peer, 0.95)
            line += f" {peer_mean:.0f} ({peer_late:.0f}) | {peer_mean / mean:.1f} | {peer_late / late:.1f} |"
        else:
            line += " | | |"
        print(line)


if __name__ == "__main__":
    main()
