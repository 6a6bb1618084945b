"""Where the system creates no threads, the program computes the same with the one it has."""

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


def allow_no_more_tasks():
    """For the process that is about to start: as many tasks as its user has. Root has no such limit."""
    resource.setrlimit(resource.RLIMIT_NPROC, (1, 1))
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)


@unittest.skipIf("TSAN_OPTIONS" in os.environ, "ThreadSanitizer needs a thread of its own")
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


if __name__ == "__main__":
    unittest.main()
