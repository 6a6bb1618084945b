#!/usr/bin/env python3
"""The savings of the prefix cache: rows with one system prompt, with and without sharing, alternately, and
whether the answers are the same.

    bench/prefixes.py [-m MODEL] [--rows 500] [--system 1500] [--tokens 16]
"""

import argparse
import json
import pathlib
import random
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-m", "--model")
    parser.add_argument("--partita", default=str(ROOT / "build/release/partita"))
    parser.add_argument("--rows", type=int, default=500)
    parser.add_argument("--system", type=int, default=1500, help="tokens")
    parser.add_argument("--tokens", type=int, default=16)
    parser.add_argument("--sequences", type=int, default=16)
    options = parser.parse_args()

    chance = random.Random(3)
    system = [chance.randint(1000, 40000) for _ in range(options.system)]
    with tempfile.TemporaryDirectory() as work:
        rows = pathlib.Path(work) / "rows.jsonl"
        rows.write_text("".join(json.dumps({
            "id": i, "ids": system + [chance.randint(1000, 40000) for _ in range(20)], "n": options.tokens,
            "greedy": True}) + "\n" for i in range(options.rows)))
        seconds, answers = {}, {}
        for name, more in (("shared", []), ("each its own", ["--prefix-bytes", "0"])):
            out = pathlib.Path(work) / f"{len(answers)}.jsonl"
            command = [options.partita, "batch", "-q", "--json", "-i", rows, "-o", out, "--sequences",
                       str(options.sequences), *(["-m", options.model] if options.model else []), *more]
            start = time.monotonic()
            report = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
            seconds[name] = time.monotonic() - start
            answers[name] = out.read_bytes()
            timing = report["timing"]
            print(f"{name:12} {seconds[name]:7.1f} s, {timing['prefill_tokens']} tokens of prompts read, "
                  f"{timing['shared_tokens']} reused", flush=True)
    print(f"x {seconds['each its own'] / seconds['shared']:.1f}; "
          + ("the same bytes" if len(set(answers.values())) == 1 else "the answers DIFFER"))
    return 0 if len(set(answers.values())) == 1 else 1


if __name__ == "__main__":
    sys.exit(main())
