#!/usr/bin/env python3
"""The speedup of speculative decoding with prompt lookup (Request::speculation), and whether the answers
are the same: three sets of prompts, greedy and at temperature 0.8, alternately, in fresh processes.

    bench/speculation.py [-m MODEL] [--rounds N] [--tokens N] [--set NAME]
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]


def answer(options, prompt, extra):
    command = [options.partita, "generate", "--chat", "--json", "-q", "-p", prompt, "-n", str(options.tokens), *extra]
    if options.model:
        command += ["-m", options.model]
    out = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return out["ids"], out["timing"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-m", "--model")
    parser.add_argument("--partita", default=str(ROOT / "build/release/partita"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tokens", type=int, default=256)
    parser.add_argument("--set", dest="only")
    options = parser.parse_args()

    sets = json.loads((ROOT / "bench/prompts/speculation.json").read_text())
    different = 0
    for kind, sampling in (("greedy", ["--greedy"]), ("T 0.8", ["--temperature", "0.8", "--seed", "1"])):
        for name, prompts in sets.items():
            if options.only not in (None, name):
                continue
            ratios, rates, plain_rates, drafted, accepted, tokens = [], [], [], 0, 0, 0
            for _ in range(options.rounds):
                seconds = plain_seconds = count = 0
                for prompt in prompts:
                    ids, timing = answer(options, prompt, sampling)
                    plain, plain_timing = answer(options, prompt, [*sampling, "--speculation", "off"])
                    different += ids != plain
                    count += len(ids) - 1
                    seconds += timing["decode_s"]
                    plain_seconds += plain_timing["decode_s"]
                    drafted += timing["draft_tokens"]
                    accepted += timing["accepted_tokens"]
                    tokens += len(ids)
                ratios.append(plain_seconds / seconds)
                rates.append(count / seconds)
                plain_rates.append(count / plain_seconds)
            print(f"{kind:7} {name:10} x {statistics.median(ratios):.2f} ({min(ratios):.2f} .. {max(ratios):.2f}), "
                  f"{statistics.median(rates):.0f} against {statistics.median(plain_rates):.0f} tokens/s; "
                  f"{drafted / tokens:.2f} draft tokens a token, {accepted / max(drafted, 1):.0%} accepted", flush=True)
    print("the same ids in every answer" if different == 0 else f"{different} answers DIFFER")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
