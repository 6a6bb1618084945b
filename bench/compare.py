#!/usr/bin/env python3
"""Compares partita with its peers, or with an earlier build of itself.

The same files, the same threads, alternating fresh processes, medians.

    bench/compare.py [--llama-bench PATH] [--openvino PYTHON] [--before PARTITA] [-m MODEL.gguf ...] [-t 2]
                     [--rounds 5] [--out DIR]

In a round every program takes its turn (the order is turned around from round to round) and does the steps of
peers.py. A program or step that fails is left out with a note. Ratios are of medians; above 1, partita is better.
"""

import argparse
import functools
import json
import os
import statistics
import sys

import peers
import picture

ROOT = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

# name: (title, unit, more is better, digits); those without a measurement are omitted.
MEASUREMENTS = {
    "prefill": ("prefill {prefill}", "tokens/s", True, 0),
    "decode": ("decode {decode}", "tokens/s", True, 1),
    "deep": ("decode {decode} at depth {depth}", "tokens/s", True, 1),
    "sequences": (f"{{sequences}} x ({peers.SEQUENCE_PROMPT} + {peers.SEQUENCE_DECODE})", "tokens/s", True, 0),
    "start": ("start to one token", "s", False, 2),
    "memory": ("peak memory", "MB", False, 0),
}


def measure(options, model, programs):
    """All rounds of one model: ({program: {what: [value of each round]}}, notes)."""
    steps = {name: list(make(options, model)) for name, make in programs.items()}
    samples = {name: {} for name in programs}
    notes = []
    for number in range(options.rounds):
        for name in list(programs)[::-1 if number % 2 else 1]:
            print(f"\r{os.path.basename(model)}: round {number + 1}/{options.rounds}, {name:12}", end="",
                  file=sys.stderr, flush=True)
            for step in list(steps[name]):
                try:
                    values = step()
                except (peers.Failed, OSError) as error:
                    if name == "partita":
                        raise
                    if not samples[name]:  # it cannot run, or cannot load this model
                        notes.append(f"{name} is left out: {error}")
                        steps[name] = []
                        break
                    notes.append(f"one measurement of {name} is left out: {error}")
                    steps[name].remove(step)
                    continue
                for what, value in values.items():
                    samples[name].setdefault(what, []).append(value)
    print(file=sys.stderr)
    return {name: values for name, values in samples.items() if values}, notes


def rows_of(options, samples):
    """[(title, unit, more is better, {program: [values]})] of the measurements that partita and at least one peer have."""
    words = vars(options)
    return [(title.format(**words), unit, more, digits, {name: values[what] for name, values in samples.items()
                                                         if what in values})
            for what, (title, unit, more, digits) in MEASUREMENTS.items() if what in samples["partita"]]


def spread(values, digits):
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f} .. {max(values):.{digits}f})"


def ratio(own, peer, more_is_better):
    """The ratio by which the median of `own` is better."""
    times = statistics.median(own) / statistics.median(peer)
    return times if more_is_better else 1 / times


def table(rows, names):
    """Markdown, aligned for the terminal: each program's median (lowest .. highest), then the ratios."""
    others = [name for name in names if name != "partita"]
    cells = [["", *names, *(f"x {name}" for name in others)]]
    for title, unit, more, digits, values in rows:
        cells.append([f"{title}, {unit}",
                      *(spread(values[name], digits) if name in values else "" for name in names),
                      *(f"{ratio(values['partita'], values[name], more):.2f}" if name in values else ""
                        for name in others)])
    widths = [max(len(row[i]) for row in cells) for i in range(len(cells[0]))]
    lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |" for row in cells]
    return "\n".join([lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]])


def processor():
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as handle:
            return next(line.split(":", 1)[1].strip() for line in handle if line.startswith("model name"))
    except (OSError, StopIteration):
        return "unknown processor"


def circumstances(options, samples):
    versions = ", ".join(f"{name} {values['version'][0]}" for name, values in samples.items() if "version" in values)
    return f"{processor()}, threads: {options.threads}, {versions}; medians of the rounds, {options.rounds} in all"


def roof(own):
    """How close decode is to the memory bandwidth bound."""
    middle = {what: statistics.median(own[what]) for what in ("read_GBps", "bytes_per_token", "bound_fraction")}
    bound = middle["read_GBps"] * 1e9 / middle["bytes_per_token"]
    return (f"read bandwidth {middle['read_GBps']:.1f} GB/s, {middle['bytes_per_token'] / 1e6:.1f} MB a token: "
            f"at most {bound:.0f} tokens/s, of which partita's decode reaches {middle['bound_fraction']:.0%}")


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--llama-bench", metavar="PATH", help="llama.cpp's, with llama-batched-bench beside it")
    parser.add_argument("--openvino", metavar="PYTHON", help="a Python that has openvino_genai")
    parser.add_argument("--partita", metavar="PATH", default=os.path.join(ROOT, "build/release/partita"))
    parser.add_argument("--before", metavar="PATH", help="the program of an earlier build, as another peer")
    parser.add_argument("-m", "--model", action="append", help="a GGUF file; may be repeated (default: SmolLM2)")
    parser.add_argument("-t", "--threads", type=int, default=2)
    parser.add_argument("-p", "--prefill", type=int, default=512, help="tokens of the prompt (%(default)s)")
    parser.add_argument("-n", "--decode", type=int, default=64, help="tokens generated (%(default)s)")
    parser.add_argument("--depth", type=int, default=0, help="also decode with this many tokens in the cache")
    parser.add_argument("--sequences", type=int, default=0, help="also this many sequences at once")
    parser.add_argument("--rounds", type=int, default=5, help="(%(default)s)")
    parser.add_argument("--out", metavar="DIR", help="write results.json, table.md and ratios.svg there")
    options = parser.parse_args(arguments)
    options.model = options.model or [os.path.join(ROOT, "models/SmolLM2-135M-Instruct.Q4_1.gguf")]
    least_of = {"threads": 1, "prefill": 1, "decode": 1, "depth": 0, "sequences": 0, "rounds": 1}
    for name, least in least_of.items():
        if getattr(options, name) < least:
            parser.error(f"--{name} is {getattr(options, name)}, but must be at least {least}")
    return options


def write(directory, results, text, panels):
    os.makedirs(directory, exist_ok=True)
    for name, content in (("results.json", json.dumps(results, indent=1) + "\n"), ("table.md", text + "\n"),
                          ("ratios.svg", picture.draw(panels))):
        with open(os.path.join(directory, name), "w", encoding="utf-8") as handle:
            handle.write(content)


def main():
    options = parse(sys.argv[1:])
    programs = {"partita": peers.partita}
    if options.before:
        programs["before"] = functools.partial(peers.partita, program=options.before)
    if options.llama_bench:
        programs["llama.cpp"] = peers.llama_cpp
    if options.openvino:
        programs["OpenVINO"] = peers.openvino
    results = {"processor": processor(), "models": {},
               "options": {key: value for key, value in vars(options).items() if isinstance(value, int)}}
    texts, panels = [], []
    for model in options.model:
        try:
            samples, notes = measure(options, model, programs)
        except (peers.Failed, OSError) as error:
            print(f"\ncompare.py: {error}", file=sys.stderr)
            return 1
        name = os.path.basename(model)
        rows, about, bound = rows_of(options, samples), circumstances(options, samples), roof(samples["partita"])
        texts.append("\n".join([f"### {name}\n", f"{about}; {bound}.\n", table(rows, list(samples)),
                                *(f"\nNote: {note}" for note in notes)]))
        print(texts[-1] + "\n", flush=True)
        panels.append((name, about, [(title, unit, more, digits, {program: statistics.median(values)
                                                                 for program, values in by.items()})
                                     for title, unit, more, digits, by in rows]))
        results["models"][name] = {"samples": samples, "notes": notes}
    if options.out:
        write(options.out, results, "\n\n".join(texts), panels)
    return 0


if __name__ == "__main__":
    sys.exit(main())
