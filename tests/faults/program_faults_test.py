"""Every call of the system that a run makes fails once, or from then on: the run ends with one sentence, leaves no
half file under a final name, and what was finished before is kept."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

PROGRAM = os.environ["PARTITA_PROGRAM"]
SHIM = os.environ["PARTITA_FAULT_SHIM"]
WRITER = os.environ["PARTITA_TINY_WRITER"]
# Most positions of one kind of fault in one scenario; all where there are fewer.
POSITIONS = int(os.environ["PARTITA_FAULT_POSITIONS"])

# (kind of call, outcome, whether it lasts). What must not be seen at all is in HARMLESS.
FAULTS = [("read", "EIO", False), ("read", "EINTR", False), ("read", "short", False),
          ("write", "ENOSPC", False), ("write", "ENOSPC", True), ("write", "EINTR", False), ("write", "short", False),
          ("sync", "EIO", False), ("rename", "EIO", False), ("close", "EIO", False),
          ("new", "ENOMEM", False), ("new", "ENOMEM", True)]
HARMLESS = {("read", "EINTR"), ("read", "short"), ("write", "EINTR"), ("write", "short")}
SENTENCE = re.compile(rb"^partita: [^\n]+\n$")

FILES = tempfile.TemporaryDirectory()
MODEL = pathlib.Path(FILES.name) / "tiny.gguf"
CHECKPOINT = pathlib.Path(FILES.name) / "checkpoint"


def setUpModule():
    subprocess.run([WRITER, "[.files]"], env=dict(os.environ, PARTITA_TINY_FILES=FILES.name), check=True,
                   stdout=subprocess.DEVNULL)


def tearDownModule():
    FILES.cleanup()


def run(*args, stdin=b"", fault=None, counts=None, **options):
    env = {k: v for k, v in os.environ.items() if not k.startswith("PARTITA_")}
    env["PARTITA_MODEL"] = str(MODEL)
    if fault or counts:
        env["LD_PRELOAD"] = SHIM
    if fault:
        env["PARTITA_FAULT"] = fault
    if counts:
        env["PARTITA_FAULT_COUNTS"] = str(counts)
    if "stdin_from" in options:
        streams = {"stdin": options.pop("stdin_from")}
    else:
        streams = {"input": stdin}
    streams.setdefault("stdout", options.pop("stdout", subprocess.PIPE))
    return subprocess.run([PROGRAM, *map(str, args)], stderr=subprocess.PIPE, env=env, timeout=120, **streams, **options)


def json_lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


class Sweep(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.dir = pathlib.Path(directory.name)

    def sweep(self, scenario):
        """scenario: attempt(fault, counts) -> finished process, in a fresh place each time; check(done, fault) looks at
        what it left behind, complete or not."""
        name = type(scenario).__name__
        place, counts = self.dir / "counted", self.dir / "counts.json"
        shutil.rmtree(place, ignore_errors=True)
        scenario.begin(place)
        done = scenario.attempt(None, counts)
        self.assertEqual(done.returncode, 0, done.stderr)
        scenario.expect(done)
        totals = json.loads(counts.read_text())
        for kind, outcome, lasts in FAULTS:
            stride = totals[kind] // POSITIONS + 1
            failed = unharmed = 0
            for n in range(0, totals[kind], stride):
                fault = f"{kind}:{outcome}:{n}{'+' if lasts else ''}"
                place = self.dir / "place"
                shutil.rmtree(place, ignore_errors=True)
                scenario.begin(place)
                done = scenario.attempt(fault, None)
                with self.subTest(scenario=name, fault=fault, stderr=done.stderr, stdout=done.stdout[:200]):
                    self.assertIn(done.returncode, (0, 1))
                    if (kind, outcome) in HARMLESS:
                        self.assertEqual(done.returncode, 0)
                    if done.returncode == 1:
                        self.assertRegex(done.stderr, getattr(scenario, "SENTENCES", SENTENCE))
                    scenario.check(self, done)
                failed += done.returncode == 1
                unharmed += done.returncode == 0
            print(f"{name}, {kind} {outcome}{' from then on' if lasts else ''}: {totals[kind]} calls, "
                  f"{failed + unharmed} positions, {failed} failed, {unharmed} unharmed", file=sys.stderr)


class Generate:
    def begin(self, place):
        place.mkdir()
        self.prompt = place / "prompt.txt"
        self.prompt.write_text("hello hello")

    def attempt(self, fault, counts):
        return run("generate", "-f", self.prompt, "-n", 8, "--greedy", "-q", fault=fault, counts=counts)

    def expect(self, done):
        self.answer = done.stdout

    def check(self, test, done):
        if done.returncode == 0:
            test.assertEqual(done.stdout, self.answer)
        else:
            test.assertTrue(self.answer.startswith(done.stdout))


class GenerateJson(Generate):
    def attempt(self, fault, counts):
        return run("generate", "-p", "hello", "-n", 4, "--greedy", "-q", "--json", fault=fault, counts=counts)

    @staticmethod
    def without_times(stdout):
        answer = json.loads(stdout)
        del answer["timing"]
        return answer

    def expect(self, done):
        self.answer = self.without_times(done.stdout)

    def check(self, test, done):
        if done.returncode == 0:
            test.assertEqual(self.without_times(done.stdout), self.answer)


class MakesFile:
    """A command that makes one file: whole under its name, or not there; nothing beside it."""

    def begin(self, place):
        place.mkdir()
        self.place, self.out = place, place / "made"

    def expect(self, done):
        self.made = self.out.read_bytes()

    def same(self, test, made):
        test.assertEqual(made, self.made)

    def check(self, test, done):
        left = [path.name for path in self.place.iterdir()]
        if done.returncode == 0 or left:
            test.assertEqual(left, ["made"])
            self.same(test, self.out.read_bytes())


class Convert(MakesFile):
    def attempt(self, fault, counts):
        return run("convert", CHECKPOINT, "-o", self.out, "--type", "q8_0", "-q", fault=fault, counts=counts)


class Prepare(MakesFile):
    def attempt(self, fault, counts):
        return run("prepare", "-o", self.out, "-q", "-t", 1, fault=fault, counts=counts)


class Chat:
    """A chat that is kept in a file and goes on there: what the file holds afterwards is a whole chat, the one before
    or a later one."""
    BEFORE, NEW = b"hello\n", b"hello hello\nhell\n"
    SENTENCES = rb"^(partita: [^\n]+\n)+$"  # where a fault lasts, of the chat, of its cache and of stdout

    def begin(self, place):
        place.mkdir()
        self.place, self.file = place, place / "chat"
        done = self.talk(self.BEFORE)
        assert done.returncode == 0, done.stderr

    def talk(self, lines, **faults):
        return run("chat", "--session", self.file, "-n", 6, "--temperature", 0, "-q", stdin=lines, **faults)

    def attempt(self, fault, counts):
        return self.talk(self.NEW, fault=fault, counts=counts)

    def expect(self, done):
        self.answer = done.stdout

    def check(self, test, done):
        test.assertLessEqual({path.name for path in self.place.iterdir()}, {"chat", "chat.cache"})
        if done.returncode == 0:
            test.assertEqual(done.stdout, self.answer)
        again = self.talk(b"")
        test.assertEqual(again.returncode, 0)
        test.assertRegex(again.stderr, rb"^(partita: the last [^\n]+\n)?$")  # question: unanswered; line: torn


class Batch:
    """A batch: after a fault the same command goes on, and every row is there once, as without one."""
    ROWS = [{"id": i, "prompt": "hello " * (i + 1), "n": 4 + i % 3, "seed": i} for i in range(8)]

    def begin(self, place):
        place.mkdir()
        self.place, self.input, self.output = place, place / "in.jsonl", place / "out.jsonl"
        self.input.write_text("".join(json.dumps(row) + "\n" for row in self.ROWS))

    def attempt(self, fault, counts):
        return run("batch", "-i", self.input, "-o", self.output, "--sequences", 3, "-q", fault=fault, counts=counts)

    def expect(self, done):
        self.rows = {row["id"]: row for row in json_lines(self.output)}
        assert len(self.rows) == len(self.ROWS)

    def check(self, test, done):
        # Rows of errors that say that memory ran out run again.
        kept = [line for line in self.output.read_text().splitlines()] if self.output.exists() else []
        again = run("batch", "-i", self.input, "-o", self.output, "--sequences", 3, "-q", "--retry-errors")
        test.assertEqual((again.returncode, again.stderr), (0, b""))
        rows = json_lines(self.output)
        test.assertEqual(len(rows), len(self.rows))
        test.assertEqual({row["id"]: row for row in rows}, self.rows)
        test.assertEqual(sorted(path.name for path in self.place.iterdir()), ["in.jsonl", "out.jsonl"])
        # Whole rows that were there stay as they were.
        lines = self.output.read_text().splitlines()
        for line in kept:
            if is_answer(line):
                test.assertIn(line, lines)


def is_answer(line):
    try:
        return json.loads(line)["error"] is None
    except (json.JSONDecodeError, KeyError):
        return False


class Faults(Sweep):
    def test_generate(self):
        self.sweep(Generate())
        self.sweep(GenerateJson())

    def test_convert(self):
        self.sweep(Convert())

    def test_prepare(self):
        self.sweep(Prepare())

    def test_chat(self):
        self.sweep(Chat())

    def test_batch(self):
        self.sweep(Batch())


class Streams(Sweep):
    """stdin, stdout and files that cannot be read or written."""

    GENERATE = ("generate", "-p", "hello", "-n", 4, "--greedy", "-q")

    def fails(self, done, *words):
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertRegex(done.stderr, SENTENCE)
        for word in words:
            self.assertIn(word.encode(), done.stderr)

    def test_full_stdout(self):
        for command in [self.GENERATE, (*self.GENERATE, "--json"), ("inspect",), ("tokenize", "-p", "hello"),
                        ("score", "-p", "hello"), ("bench", "-p", 4, "-n", 2, "-q")]:
            with self.subTest(command=command), open("/dev/full", "wb") as full:
                self.fails(run(*command, stdout=full), "stdout", "No space left")

    def test_closed_streams(self):
        for command in [self.GENERATE, ("inspect",)]:
            done = subprocess.run(["sh", "-c", '"$0" "$@" >&-', PROGRAM, *map(str, command)], stderr=subprocess.PIPE,
                                  env=dict(os.environ, PARTITA_MODEL=str(MODEL)), stdin=subprocess.DEVNULL)
            self.fails(done, "stdout")
        done = subprocess.run(["sh", "-c", '"$0" generate -n 2 <&-', PROGRAM], stderr=subprocess.PIPE,
                              stdout=subprocess.PIPE, env=dict(os.environ, PARTITA_MODEL=str(MODEL)))
        self.fails(done, "stdin")
        # What is written to a closed stdout must not get into the file that took its number.
        rows, out = self.dir / "in.jsonl", self.dir / "out.jsonl"
        rows.write_text('{"id":1,"prompt":"hello","n":2}\n')
        done = subprocess.run(["sh", "-c", '"$0" batch -i "$1" -o "$2" -q --json >&-', PROGRAM, rows, out],
                              stderr=subprocess.PIPE, env=dict(os.environ, PARTITA_MODEL=str(MODEL)))
        self.fails(done, "stdout")
        self.assertEqual([row["id"] for row in json_lines(out)], [1])

    def test_unreadable_input(self):
        directory = os.open("/", os.O_RDONLY)
        self.addCleanup(os.close, directory)
        self.fails(run("generate", "-n", 2, stdin_from=directory), "stdin", "directory")
        self.fails(run("tokenize", stdin_from=directory), "stdin", "directory")
        self.fails(run("batch", "-i", "-", "-o", "-", "-q", stdin_from=directory), "stdin", "directory")
        self.fails(run("generate", "-f", self.dir), str(self.dir), "directory")
        self.fails(run("generate", "-f", self.dir / "none"), "none", "No such file")
        self.fails(run("batch", "-i", self.dir, "-o", self.dir / "out", "-q"), "directory")
        self.fails(run("generate", "-m", self.dir, "-p", "x"), str(self.dir))
        if os.geteuid() != 0:  # who may read everything
            secret = self.dir / "secret"
            secret.write_text("hello")
            secret.chmod(0)
            for args in [("generate", "-f", secret), ("generate", "-m", secret, "-p", "x"),
                         ("batch", "-i", secret, "-o", self.dir / "out")]:
                self.fails(run(*args), "secret", "Permission denied")

    def test_unwritable_output(self):
        rows = self.dir / "in.jsonl"
        rows.write_text('{"id":1,"prompt":"hello","n":2}\n')
        nowhere = "/proc/self/nothing/made"  # not writable
        self.fails(run("batch", "-i", rows, "-o", nowhere, "-q"), nowhere)
        self.fails(run("convert", CHECKPOINT, "-o", nowhere, "-q"), "/proc/self/nothing")
        self.fails(run("prepare", "-o", nowhere, "-q"), nowhere)
        if os.geteuid() != 0:
            locked = self.dir / "locked"
            locked.mkdir(mode=0o500)
            self.fails(run("convert", CHECKPOINT, "-o", locked / "made", "-q"), "Permission denied")
            self.fails(run("batch", "-i", rows, "-o", locked / "out", "-q"), "Permission denied")


if __name__ == "__main__":
    unittest.main(verbosity=2)
