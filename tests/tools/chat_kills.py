"""A scripted chat with /fork, /load and /undo that is killed at any moment: checks its files.

Shared by chat_test.py, which kills a few times, and tests/soak/kill_chat.py, which kills many times.
"""

import json
import os
import signal
import subprocess
import time

from program import environment, start

CHAT = ("chat", "-m", "bundled", "--greedy", "-n", 8, "-v")
SCRIPT = ("Hi, who are you?", "What is 1 + 1?", "/fork b", "And of Italy?", "/undo", "Name a fish.", "/load a",
          "Tell me more.", "/undo", "/undo", "/load b", "/redo", "And now?", "/reset", "What is red?", "/fork dir/c",
          "/load a", "Bye.", None)  # None: the end of the input
FILES = ("a", "b", "dir/c")


def read_chat(path):
    """The messages of a chat's file as (role, content), by docs/session_files.md; None: there is no chat."""
    if not path.exists():
        return None
    nodes, head = {}, 0
    lines = path.read_bytes().split(b"\n")
    for number, line in enumerate(lines):
        try:
            record = json.loads(line)
        except ValueError:
            assert number == len(lines) - 1, f"line {number + 1} of {path} is damaged: {line[:200]!r}"
            continue
        if "role" in record:
            if record["parent"] not in (0, *nodes):  # its line was damaged
                record["parent"] = max(nodes, default=0)
            head = record["id"]
            nodes[head] = record
        head = record.get("head", head)
    if head and nodes[head]["role"] == "user":  # not answered
        head = nodes[head]["parent"]
    messages = []
    while head:
        messages.insert(0, (nodes[head]["role"], nodes[head]["content"]))
        head = nodes[head]["parent"]
    return messages


class Run:
    """One run of the script in its own directory."""

    def __init__(self, directory):
        self.directory = directory
        directory.mkdir()
        self.process = start(*CHAT, "--session", "a", stdin=subprocess.PIPE, cwd=directory)
        self.wait_for(b"samplers")

    def wait_for(self, *starts):
        for line in self.process.stderr:
            if line.startswith(starts):
                return
        raise AssertionError(f"the chat ended: {self.process.wait()}")

    def send(self, line):
        if line is None:
            self.process.stdin.close()
        else:
            self.process.stdin.write(line.encode() + b"\n")
            self.process.stdin.flush()

    def do(self, line):
        """Runs a step, and waits until the program says that it is done."""
        self.send(line)
        if line is None:
            self.process.stderr.read()
            assert self.process.wait() == 0
        else:
            self.wait_for(b"(the chat" if line.startswith("/") else b"prefill")

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.stdout.close()
        self.process.stderr.close()
        if not self.process.stdin.closed:
            self.process.stdin.close()
        self.process.wait()

    def state(self):
        return {name: read_chat(self.directory / name) for name in FILES}


class Scenario:
    """One undisturbed run of the script: the contents of its files after each step, and the steps' durations."""

    def __init__(self, directory):
        self.directory = directory
        self.kills = 0
        undisturbed = Run(directory / "undisturbed")
        self.states, self.seconds = [], []
        for line in SCRIPT:
            began = time.monotonic()
            undisturbed.do(line)
            self.seconds.append(time.monotonic() - began)
            self.states.append(undisturbed.state())
        undisturbed.kill()

    def kill(self, chance):
        """Kills a new run at a random moment of a random step; returns a sentence about lost messages, or nothing."""
        self.kills += 1
        step = chance.randrange(len(SCRIPT))
        killed = Run(self.directory / f"kill{self.kills}")
        for line in SCRIPT[:step]:
            killed.do(line)
        killed.send(SCRIPT[step])
        time.sleep(chance.random() * 1.2 * self.seconds[step])
        killed.kill()
        where = f"kill {self.kills}, in step {step + 1} ({SCRIPT[step]!r})"
        found = killed.state()
        before = self.states[step - 1] if step else dict.fromkeys(FILES)
        for name in FILES:
            # None: a file without a chat is one in which it has not begun.
            if (found[name] or []) not in [before[name] or [], self.states[step][name] or []]:
                return f"{where}: {name} holds {found[name]}, and before that step {before[name]}"
        name = chance.choice([n for n in FILES if found[n] is not None] or ["a"])
        return self.go_on(killed.directory, name, found[name] or [], where)

    def go_on(self, directory, name, messages, where):
        """The program itself resumes the chat."""
        done = subprocess.run([os.environ["PARTITA_PROGRAM"], *map(str, CHAT), "--session", name], cwd=directory,
                              input=b"/save\nAnd?\n", capture_output=True, env=environment(), timeout=120)
        if done.returncode != 0 or f"; {len(messages)} messages)" not in done.stderr.decode():
            return f"{where}: {name} resumes with exit code {done.returncode}: {done.stderr.decode()}"
        if read_chat(directory / name)[:len(messages)] != messages:
            return f"{where}: {name} lost messages when the chat went on"
        return None
