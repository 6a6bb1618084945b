"""Kernels that fail their self-test: `-v` names them, and the next lower instruction set is used."""

import os
import subprocess
import unittest

from program import FRANCE, environment, run

WRONG = os.environ["PARTITA_WRONG_PROGRAM"]
ARGUMENTS = ["generate", "-m", "bundled", "--greedy", "-n", "24", "-p", FRANCE]
REFUSED = "kernels that failed their test and are not used: "


def run_wrong(*more, **changes):
    return subprocess.run([WRONG, *ARGUMENTS, *more], capture_output=True, timeout=300, env=environment(**changes))


def isa_of(done):
    """The instruction set that `-v` names: "2 threads, vnni kernels, the adaptive head, ..."."""
    line = next(line for line in done.stderr.decode().splitlines() if " kernels, the " in line)
    return line.split(" threads, ")[1].split(" kernels, ")[0]


@unittest.skipIf("PARTITA_ISA" in os.environ, "a table that is forced is never replaced")
class RefusedKernels(unittest.TestCase):
    def setUp(self):
        self.right = run(*ARGUMENTS, "-v")
        self.assertEqual(self.right.returncode, 0, self.right.stderr)
        if isa_of(self.right) == "scalar":
            self.skipTest("this processor has the definition alone")

    def test_are_named_with_what_they_compute_otherwise(self):
        self.assertNotIn(REFUSED.encode(), self.right.stderr)
        wrong = run_wrong("-v")
        self.assertEqual(wrong.returncode, 0, wrong.stderr)
        self.assertEqual(isa_of(wrong), "scalar")
        self.assertEqual(wrong.stderr.count(REFUSED.encode()), 1, wrong.stderr)
        line = next(line for line in wrong.stderr.decode().splitlines() if line.startswith(REFUSED))
        refused = line.removeprefix(REFUSED).split(", ")  # the best first
        self.assertIn(refused[-1], ("avx2 (rope)", "neon (rope)"))
        self.assertEqual([name for name in refused if not name.endswith(" (rope)")], [])

    def test_do_not_compute_the_answer(self):
        expected = run(*ARGUMENTS, env=environment(PARTITA_ISA="scalar"))
        self.assertEqual(expected.returncode, 0, expected.stderr)
        self.assertEqual(run_wrong().stdout, expected.stdout)

    def test_are_not_named_unasked(self):
        self.assertNotIn(b"failed their test", run_wrong().stderr)

    def test_are_an_error_where_they_are_forced(self):
        forced = run_wrong(PARTITA_ISA=isa_of(self.right))
        self.assertEqual(forced.returncode, 1)
        self.assertEqual(forced.stdout, b"")
        self.assertIn(b"were asked for, but they do not compute here what the definition does: rope", forced.stderr)


if __name__ == "__main__":
    unittest.main()
