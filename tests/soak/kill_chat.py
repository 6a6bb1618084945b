#!/usr/bin/env python3
"""Kills a scripted `partita chat` at random moments, and checks that no complete turn is lost and no file unreadable.

The script forks the chat, switches between its files, undoes turns and starts again (tests/tools/chat_kills.py). Each
kill is SIGKILL at a random moment of a random step. Each file must then have its contents of before or after that step,
and the program must be able to continue the chat.

    tests/soak/kill_chat.py [--kills 100] [--program PROGRAM] [--seed 1]

Takes some minutes.
"""

import argparse
import os
import pathlib
import random
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--program", default=os.environ.get("PARTITA_PROGRAM", str(ROOT / "build/release/partita")))
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    os.environ["PARTITA_PROGRAM"] = options.program
    sys.path.insert(0, str(ROOT / "tests/tools"))
    from chat_kills import Scenario  # which takes the program from the environment

    chance = random.Random(options.seed)
    with tempfile.TemporaryDirectory(prefix="kill_chat") as directory:
        scenario = Scenario(pathlib.Path(directory))
        lost = []
        for number in range(1, options.kills + 1):
            if problem := scenario.kill(chance):
                lost.append(problem)
                print(problem, flush=True)
            if number % 10 == 0:
                print(f"{number} kills, {len(lost)} with a loss", flush=True)
    if lost:
        sys.exit("FAILED")
    print("no complete turn was lost, and every file was read")


if __name__ == "__main__":
    main()
