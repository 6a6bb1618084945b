#!/usr/bin/env python3
"""Kills `partita batch` many times, fills its disk twice, and checks that no row is lost or changed.

Rows have prompts of 10 to 2,000 tokens: a prefix of one of a few documents, and a different end. Some are OpenAI batch
lines, some repeat an id. The job runs once undisturbed, and then with SIGKILL at random moments and a disk that is
full twice. After the last run every row must be there exactly once, and all texts must be equal.

    tests/soak/kill_batch.py [--rows 10000] [--kills 30] [--full-disks 2] [--tokens 4] [-m MODEL] [--seed 1]

The full disk is a small tmpfs (as root), else a limit on the size of files. Takes minutes to hours: see --rows.
"""

import argparse
import json
import os
import pathlib
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
WORDS = ("the sea was calm and a boat went out before dawn with nets of blue rope while gulls followed it past an old "
         "tower where nobody lived but a keeper with two cats who wrote down every ship in a long green book").split()


def make_rows(options):
    chance = random.Random(options.seed)
    documents = [" ".join(chance.choice(WORDS) for _ in range(1900)).split(" ") for _ in range(5)]
    for i in range(options.rows):
        length = chance.randint(2, 1900)  # a word is about a token
        words = chance.choice(documents)[:length] + [chance.choice(WORDS) for _ in range(chance.randint(3, 12))]
        row = {"id": f"row-{i}", "prompt": " ".join(words), "n": chance.randint(1, options.tokens)}
        if i % 10 == 7:
            row = {"custom_id": row["id"], "url": "/v1/completions",
                   "body": {"prompt": row["prompt"], "max_tokens": row["n"]}}
        elif i % 3 == 0:
            row["greedy"] = True
        if i % 1000 == 999:
            row["temperature"] = "warm"  # an error row, which is a result as well
        if i % 100 == 50:
            row["id"] = f"row-{i - chance.randint(1, 40)}"  # which another row has: an error row, and it has a line
        yield row


class Job:
    def __init__(self, options, rows, out):
        self.command = [options.program, "batch", "-q", "-i", str(rows), "-o", str(out), "--order", options.order,
                        "--sequences", str(options.sequences), *(["-m", options.model] if options.model else [])]

    def start(self, limit=None):
        def before():
            if limit:
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        return subprocess.Popen(self.command, stderr=subprocess.PIPE, preexec_fn=before)

    def finish(self):
        process = self.start()
        message = process.communicate()[1].decode()
        if process.returncode != 0:
            sys.exit(f"the job failed: {message}")


def whole_lines(path):
    return path.read_bytes().count(b"\n") if path.exists() else 0


def results(path):
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return lines, {(line["id"], line.get("line")): line for line in lines}


def fill_disk(options, job, out, number, space):
    """Runs until writing fails; frees the space afterwards."""
    size = (out.stat().st_size if out.exists() else 0) + space
    mounted = options.tmpfs
    if mounted:
        subprocess.run(["mount", "-o", f"remount,size={size}", str(out.parent)], check=True)
    process = job.start(None if mounted else size)
    message = process.communicate()[1].decode()
    if mounted:
        subprocess.run(["mount", "-o", "remount,size=4g", str(out.parent)], check=True)
    if process.returncode != 1 or message.count("\n") != 1:
        sys.exit(f"a full disk ended it with {process.returncode}: {message}")
    print(f"full disk {number}: {whole_lines(out)} rows are there; {message.strip()}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10000)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--full-disks", type=int, default=2)
    parser.add_argument("--tokens", type=int, default=4, help="most tokens of an answer")
    parser.add_argument("--sequences", type=int, default=16)
    parser.add_argument("--order", default="input")
    parser.add_argument("--program", default=str(ROOT / "build/release/partita"))
    parser.add_argument("-m", "--model")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()

    work = pathlib.Path(tempfile.mkdtemp(prefix="kill_batch"))
    disk = work / "disk"
    disk.mkdir()
    options.tmpfs = os.geteuid() == 0 and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4g", "tmpfs", str(disk)], stderr=subprocess.DEVNULL).returncode == 0
    try:
        rows, undisturbed, out = work / "rows.jsonl", work / "undisturbed.jsonl", disk / "out.jsonl"
        rows.write_text("".join(json.dumps(row) + "\n" for row in make_rows(options)))
        start = time.monotonic()
        Job(options, rows, undisturbed).finish()
        seconds = time.monotonic() - start
        print(f"undisturbed: {whole_lines(undisturbed)} rows in {seconds:.0f} s", flush=True)

        chance = random.Random(options.seed + 1)
        job = Job(options, rows, out)
        step = undisturbed.stat().st_size // 40
        full_after = {round((i + 1) * options.kills / (options.full_disks + 1)) for i in range(options.full_disks)}
        disks = struck = 0
        # Kills at these numbers of rows, spread over the job, and at any moment of a step.
        moments = sorted(chance.randrange(round(0.95 * options.rows)) for _ in range(options.kills))
        for kill, moment in enumerate(moments, 1):
            process = job.start()
            while process.poll() is None and whole_lines(out) < moment:
                time.sleep(0.02)
            time.sleep(chance.random() * min(1, seconds / options.kills / 4))
            process.send_signal(signal.SIGKILL)
            process.communicate()
            struck += process.returncode == -signal.SIGKILL  # it was still running
            print(f"kill {kill}: {whole_lines(out)} rows are there", flush=True)
            if kill in full_after:
                disks += 1
                fill_disk(options, job, out, disks, step)
        job.finish()

        expected_lines, expected = results(undisturbed)
        lines, found = results(out)
        print(f"at the end: {len(lines)} rows, {len(found)} different; {options.rows} were asked for; {struck} of "
              f"{options.kills} kills struck before the end, and the disk was full {disks} times")
        different = [i for i in expected if expected[i] != found.get(i)]
        in_order = options.order != "input" or [l["id"] for l in lines] == [l["id"] for l in expected_lines]
        if len(lines) != options.rows or len(found) != options.rows or different:
            sys.exit(f"FAILED: {len(different)} rows differ, such as {different[:3]}")
        print("every row exactly once, and the same as undisturbed"
              + ("" if in_order else "; not in the order of the input, as after an interruption it may be"))
    finally:
        if options.tmpfs:
            subprocess.run(["umount", str(disk)], check=False)
        shutil.rmtree(work)


if __name__ == "__main__":
    main()
