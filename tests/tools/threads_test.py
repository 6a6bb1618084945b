"""If the system creates fewer threads than asked for, the program says so and computes the same answer."""

import os
import pathlib
import resource
import shutil
import subprocess
import tempfile
import unittest

from program import FRANCE, PROGRAM, environment, run

ARGUMENTS = ["generate", "-m", "bundled", "-t", "2", "--greedy", "-n", "24", "-p", FRANCE]
NOBODY = 65534
SANITIZERS = os.environ.get("PARTITA_SANITIZE", "")


MIB = 1 << 20


def allow_no_more_tasks():
    """Limits the process to the number of its user's tasks. Root has no such limit."""
    resource.setrlimit(resource.RLIMIT_NPROC, (1, 1))
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)


@unittest.skipIf("thread" in SANITIZERS, "ThreadSanitizer needs a thread of its own")
class NoThreads(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        os.chmod(self.folder.name, 0o755)  # another user starts the program from there
        self.program = str(pathlib.Path(self.folder.name) / "partita")
        shutil.copy(PROGRAM, self.program)
        self.addCleanup(self.folder.cleanup)

    def run_limited(self, *more):
        return subprocess.run([self.program, *ARGUMENTS, *more], capture_output=True, timeout=300, cwd="/",
                              env=environment(ASAN_OPTIONS="detect_leaks=0"), preexec_fn=allow_no_more_tasks)

    def test_gives_the_same_answer(self):
        expected = run(*ARGUMENTS)
        self.assertEqual(expected.returncode, 0, expected.stderr)
        done = self.run_limited("-v")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stdout, expected.stdout)
        self.assertIn(b"1 threads, ", done.stderr)

    @unittest.skipIf(len(os.sched_getaffinity(0)) < 2, "one core: no second thread is asked for")
    def test_says_once_what_is_missing_and_what_to_do(self):
        warning = (b"partita: asked for 2 threads, 1 could be made (limit: ulimit -u 1); answers are the same but "
                   b"slower: raise the limit, or ask for fewer with --threads\n")
        self.assertEqual(self.run_limited().stderr.count(warning), 1)
        several = self.run_limited("--with", "bundled")  # opens two models
        self.assertEqual(several.returncode, 0, several.stderr)
        self.assertEqual(several.stderr.count(b"asked for 2 threads"), 1)
        self.assertNotIn(b"asked for", self.run_limited("-q").stderr)
        self.assertNotIn(b"asked for", self.run_limited("-t", "1").stderr)


@unittest.skipIf(SANITIZERS, "sanitizers want all addresses")
class LittleMemory(unittest.TestCase):
    """ulimit -v: a thread's stack or a later allocation fails; the answer never changes."""

    def run_within(self, mib):
        def limit():
            resource.setrlimit(resource.RLIMIT_AS, (mib * MIB, mib * MIB))
        return run(*ARGUMENTS, "-v", preexec_fn=limit)

    def test_gives_the_same_answer_or_says_why_not(self):
        expected = run(*ARGUMENTS)
        most, step = 400, 12
        done = self.run_within(most)
        self.assertEqual((done.returncode, done.stdout), (0, expected.stdout), done.stderr)
        answered = refused = 0
        for mib in range(most, 0, -step):
            done = self.run_within(mib)
            if done.returncode == 0:
                answered += 1
                self.assertEqual(done.stdout, expected.stdout, mib)
                continue
            if b"error while loading shared libraries" in done.stderr or done.returncode < 0 and not done.stderr:
                break  # not even the program's own code fits
            refused += 1
            self.assertEqual(done.returncode, 1, (mib, done.stderr))
            self.assertRegex(done.stderr, rb"partita: .*(memory|cannot give)", mib)
            self.assertEqual(done.stdout, b"", mib)
        self.assertGreater(answered, 0)
        self.assertGreater(refused, 0)


if __name__ == "__main__":
    unittest.main()
