#!/usr/bin/env python3
"""Measures partita beside llama-bench: the same files, the same threads, in turn, fresh processes, medians.

    bench/compare.py --llama-bench PATH [-m MODEL.gguf ...] [-t 2] [--rounds 5] [--markdown]

A round is four processes: llama-bench and partita for prefill and decode (as each program times itself), then
each for one job of the same size and for one token, where time from start to exit and the peak of resident
memory are taken from the operating system. Ratios are of medians; above 1, partita is better.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time


class Failed(Exception):
    pass


def run(command):
    """Runs one process: (stdout, seconds from start to exit, peak resident bytes)."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        begin = time.monotonic()
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=err)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        if process.returncode != 0:
            tail = err.read().decode(errors="replace").strip().splitlines()[-3:]
            raise Failed(f"{' '.join(command)}: exit code {process.returncode}\n" + "\n".join(tail))
        return out.read().decode(), seconds, usage.ru_maxrss * 1024


# Each measurement of a program gives {column: value}; columns are those of COLUMNS.
COLUMNS = {
    # name: (title, unit, more is better, digits)
    "prefill": ("prefill {p}", "tokens/s", True, 0),
    "decode": ("decode {n}", "tokens/s", True, 1),
    "start": ("start to one token", "s", False, 2),
    "memory": ("peak memory", "MB", False, 0),
}


def peer_round(options, model):
    base = [options.llama_bench, "-m", model, "-t", str(options.threads), "-r", "1", "-d", str(options.depth),
            "-o", "json"]
    out, _, memory = run(base + ["-p", str(options.prefill), "-n", str(options.decode)])
    rates = {"decode" if test["n_gen"] else "prefill": test["avg_ts"] for test in json.loads(out)}
    _, seconds, _ = run([options.llama_bench, "-m", model, "-t", str(options.threads), "-r", "1", "-p", "1",
                         "-n", "0", "--no-warmup", "-o", "json"])
    return {**rates, "start": seconds, "memory": memory / 1e6}, None


def own_round(options, model):
    common = ["-m", model, "-t", str(options.threads), "--json"]
    out, _, _ = run([options.partita, "bench", *common, "-p", str(options.prefill), "-n", str(options.decode),
                     "--depth", str(options.depth), "--repeat", "1"])
    report = json.loads(out)
    # `bench` also keeps an area to measure the memory with, so that the peak is that of a plain generation.
    prompt = ",".join(str(300 + i % 200) for i in range(options.depth + options.prefill))
    _, _, memory = run([options.partita, "generate", *common, "--ids", "-p", prompt, "--greedy",
                        "-n", str(options.decode)])
    _, seconds, _ = run([options.partita, "generate", *common, "--ids", "-p", "300", "--greedy", "-n", "1"])
    values = {"prefill": statistics.median(report["prefill"]["tps"]),
              "decode": statistics.median(report["decode"]["tps"]), "start": seconds, "memory": memory / 1e6}
    return values, report


def measure(options, model):
    """All rounds of one model: ({program: {column: [value per round]}}, the last report of `partita bench`)."""
    values = {"llama.cpp": {name: [] for name in COLUMNS}, "partita": {name: [] for name in COLUMNS}}
    report = None
    for number in range(options.rounds):
        for program, one_round in (("llama.cpp", peer_round), ("partita", own_round)):
            print(f"\r{os.path.basename(model)}: round {number + 1}/{options.rounds}, {program}    ", end="",
                  file=sys.stderr, flush=True)
            row, own_report = one_round(options, model)
            report = own_report or report
            for name, value in row.items():
                values[program][name].append(value)
    print(file=sys.stderr)
    return values, report


def table(options, values):
    """Rows of text: what, unit, median (lowest .. highest) of both, ratio."""
    rows = [["", "llama.cpp", "partita", "ratio"]]
    for name, (title, unit, more_is_better, digits) in COLUMNS.items():
        peer, own = values["llama.cpp"][name], values["partita"][name]
        ratio = statistics.median(own) / statistics.median(peer)
        rows.append([title.format(p=options.prefill, n=options.decode) + ", " + unit,
                     spread(peer, digits), spread(own, digits),
                     f"{ratio if more_is_better else 1 / ratio:.2f} x"])
    return rows


def spread(samples, digits):
    return (f"{statistics.median(samples):.{digits}f} "
            f"({min(samples):.{digits}f} .. {max(samples):.{digits}f})")


def as_text(rows):
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows)


def as_markdown(rows):
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([lines[0], "|---" * len(rows[0]) + "|"] + lines[1:])


def processor():
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as handle:
            names = [line.split(":", 1)[1].strip() for line in handle if line.startswith("model name")]
        return names[0] if names else "unknown processor"
    except OSError:
        return "unknown processor"


def heading(options, model, report):
    return (f"{os.path.basename(model)}: {processor()}, {options.threads} threads, {report['isa']} kernels, "
            f"depth {options.depth}, medians of {options.rounds} rounds (lowest .. highest); "
            f"decode at {report['decode']['bound_fraction']:.0%} of {report['read_GBps']:.1f} GB/s read")


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
    parser.add_argument("--llama-bench", required=True, help="the peer's program")
    parser.add_argument("--partita", default=os.path.normpath(os.path.join(root, "build/release/partita")))
    parser.add_argument("-m", "--model", action="append", help="a GGUF file; may be repeated (default: SmolLM2)")
    parser.add_argument("-t", "--threads", type=int, default=2)
    parser.add_argument("-p", "--prefill", type=int, default=512, help="tokens of the prompt")
    parser.add_argument("-n", "--decode", type=int, default=64, help="tokens generated")
    parser.add_argument("--depth", type=int, default=0, help="tokens in the cache before either")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--markdown", action="store_true", help="print the table in markdown")
    parser.add_argument("--json", metavar="FILE", help="also write every sample there")
    options = parser.parse_args(arguments)
    options.model = options.model or [os.path.normpath(
        os.path.join(root, "models/SmolLM2-135M-Instruct.Q4_1.gguf"))]
    for name in ("threads", "prefill", "decode", "rounds"):
        if getattr(options, name) < 1:
            parser.error(f"--{name} is {getattr(options, name)}, but must be at least 1")
    return options


def main():
    options = parse(sys.argv[1:])
    samples = {}
    for model in options.model:
        try:
            values, report = measure(options, model)
        except (Failed, OSError) as error:
            print(f"\ncompare.py: {error}", file=sys.stderr)
            return 1
        rows = table(options, values)
        print(heading(options, model, report) + "\n")
        print((as_markdown if options.markdown else as_text)(rows) + "\n", flush=True)
        samples[os.path.basename(model)] = {"samples": values, "partita_bench": report}
    if options.json:
        with open(options.json, "w", encoding="utf-8") as handle:
            json.dump(samples, handle, indent=1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
