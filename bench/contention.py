#!/usr/bin/env python3
"""The cost of threads beside other work: a batch of short rows with one thread and with several, alternately, while busy
loops compete for the processor, and whether the answers are the same.

    bench/contention.py [-m bundled] [--rows 300] [--threads 1 2] [--loops 0 1 2 8 16] [--rounds 5]

For each count of loops: seconds of the whole process, the median and the worst of the rounds, and the ratio of more
threads to one, of the medians and in the worst round.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
LOOP = "while True: pass"


class BusyLoops:
    """Processes that compute forever, at the default priority."""

    def __init__(self, count):
        self.processes = [subprocess.Popen([sys.executable, "-S", "-c", LOOP]) for _ in range(count)]

    def __enter__(self):
        time.sleep(0.3)  # until all of them run
        return self

    def __exit__(self, *_):
        for process in self.processes:
            process.kill()
        for process in self.processes:
            process.wait()


def write_rows(path, count, tokens):
    path.write_text("".join(json.dumps({"id": i, "prompt": f"Question {i}: what is {i} plus {i % 7}? Answer:",
                                        "n": tokens, "greedy": True}) + "\n" for i in range(count)))


def run_batch(options, rows, out, threads):
    """Seconds that a batch takes, and its answers."""
    out.unlink(missing_ok=True)
    start = time.monotonic()
    subprocess.run([options.partita, "batch", "-q", "-m", options.model, "-i", rows, "-o", out, "-t", str(threads),
                    "--sequences", str(options.sequences)], check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - start, out.read_bytes()


def measure(options, loops, work, answers):
    """Seconds by count of threads, one value per round."""
    seconds = {threads: [] for threads in options.threads}
    with BusyLoops(loops):
        for _ in range(options.rounds):
            for threads in options.threads:
                taken, text = run_batch(options, work / "rows.jsonl", work / "out.jsonl", threads)
                seconds[threads].append(taken)
                answers.add(text)
    return seconds


def table_row(loops, seconds, threads):
    one = seconds[threads[0]]
    cells = [str(loops)]
    for n in threads:
        cells.append(f"{statistics.median(seconds[n]):.2f} (worst {max(seconds[n]):.2f})")
    for n in threads[1:]:
        median = statistics.median(seconds[n]) / statistics.median(one)
        worst = max(several / alone for several, alone in zip(seconds[n], one))
        cells.append(f"{median:.2f} (worst round {worst:.2f})")
    return "| " + " | ".join(cells) + " |"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-m", "--model", default="bundled")
    parser.add_argument("--partita", default=str(ROOT / "build/release/partita"))
    parser.add_argument("--rows", type=int, default=300)
    parser.add_argument("--tokens", type=int, default=16, help="of each answer")
    parser.add_argument("--sequences", type=int, default=16)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2], help="the first is compared with")
    parser.add_argument("--loops", type=int, nargs="+", default=[0, 1, 2, 8, 16])
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()

    answers = set()
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        write_rows(work / "rows.jsonl", options.rows, options.tokens)
        heads = ["busy loops", *(f"-t {n}, s" for n in options.threads),
                 *(f"-t {n} / -t {options.threads[0]}" for n in options.threads[1:])]
        print("| " + " | ".join(heads) + " |\n|" + "---|" * len(heads), flush=True)
        for loops in options.loops:
            print(table_row(loops, measure(options, loops, work, answers), options.threads), flush=True)
    print("the same bytes" if len(answers) == 1 else "the answers DIFFER")
    return 0 if len(answers) == 1 else 1


if __name__ == "__main__":
    sys.exit(main())
