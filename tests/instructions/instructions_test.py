#!/usr/bin/env python3
"""Counts the instructions of a prompt and of its continuation, and compares them with those on record.

    tests/instructions/instructions_test.py build/release/instructions --compiler 'GNU 12.2.0' [--record]

Unlike times, counts hardly differ from run to run and from machine to machine: valgrind shows every program the
same processor (with AVX2, without AVX-512), and callgrind counts only between the entry and the return of
partita_counted_PHASE. --record writes tests/data/instructions.json anew.
"""

import argparse
import concurrent.futures
import json
import os
import pathlib
import re
import subprocess
import sys

RECORD = pathlib.Path(__file__).resolve().parents[1] / "data" / "instructions.json"
PHASES = ("prefill", "decode")
TYPES = ("Q4_1", "Q8_0", "Q4_K", "Q6_K")  # of the weights; kTypes of instructions.cc
TOLERANCE = 0.05
NOT_COMPARED = 77  # ctest's "skipped"


class Failed(Exception):
    pass


def count(program, phase, dtype):
    """Instructions of one phase with weights of one type."""
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null",
               f"--toggle-collect=partita_counted_{phase}", program, phase, "--section", dtype]
    # Nothing of the caller's environment: it moves the stack, and may choose kernels and memory.
    # The C library sets and copies memory in loops: "rep" counts each byte, and when it is used differs by cache.
    environment = {"PATH": os.environ.get("PATH", os.defpath), "PARTITA_ISA": "avx2",
                   "GLIBC_TUNABLES": "glibc.cpu.x86_rep_stosb_threshold=1000000000:"
                                     "glibc.cpu.x86_rep_movsb_threshold=1000000000"}
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    except FileNotFoundError:
        raise Failed("valgrind is not installed; scripts/install-packages installs it") from None
    collected = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode != 0 or not collected or int(collected[1]) == 0:
        raise Failed(f"{' '.join(command)}: exit code {done.returncode}, nothing counted\n"
                     + done.stdout[-2000:] + done.stderr[-2000:])
    return int(collected[1])


def verdict(name, now, before):
    """A line about one count, and whether it may stay."""
    change = now / before - 1
    line = f"{name:14} {now:>13,} instructions, {change:+.2%} from the {before:,} on record"
    if change > TOLERANCE:
        return line + f": a regression of more than {TOLERANCE:.0%}", False
    if change < -TOLERANCE:
        return line + f": more than {TOLERANCE:.0%} fewer; renew the record with --record", False
    return line, True


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", help="the program instructions of the release preset")
    parser.add_argument("--compiler", required=True, help="what built it")
    parser.add_argument("--record", action="store_true", help="write the counts to the record instead")
    options = parser.parse_args()

    record = {} if options.record else json.loads(RECORD.read_text(encoding="utf-8"))
    if not options.record and record["compiler"] != options.compiler:
        print(f"instructions: recorded with {record['compiler']}, built with {options.compiler}; not compared")
        return NOT_COMPARED

    cases = [(phase, dtype) for phase in PHASES for dtype in TYPES]
    try:
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            counts = list(pool.map(lambda case: count(options.program, *case), cases))
    except (Failed, subprocess.TimeoutExpired) as error:
        print(f"instructions: {error}", file=sys.stderr)
        return 1
    found = {f"{phase} {dtype}": n for (phase, dtype), n in zip(cases, counts)}
    if options.record:
        RECORD.write_text(json.dumps({"compiler": options.compiler, "instructions": found}, indent=1) + "\n",
                          encoding="utf-8")
        print(f"recorded {len(found)} counts in {RECORD}")
        return 0
    verdicts = [verdict(name, n, record["instructions"][name]) for name, n in found.items()]
    print("\n".join(line for line, _ in verdicts))
    return 0 if all(good for _, good in verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
