"""How soon Ctrl-C ends a prompt and an answer."""

import signal
import statistics
import subprocess
import time

from program import COUNTING, PATIENCE, ProgramTest, main, read_until, start


class Interrupt(ProgramTest):
    LONG = "The history of the world, told slowly. " * 850  # some 7,000 tokens

    def time_to_stop(self, during_prefill):
        prompt, n = (self.LONG, 100) if during_prefill else (COUNTING, 4000)
        process = start("generate", "-p", prompt, "-n", n, "--greedy", "-v", stdin=subprocess.DEVNULL)
        with process:
            read_until(process.stderr, b"samplers")
            if during_prefill:
                time.sleep(0.2)
            else:
                read_until(process.stdout, b" ")
            self.assertIsNone(process.poll(), "it was done before it could be interrupted")
            sent = time.monotonic()
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=60)
            took = time.monotonic() - sent
            self.assertEqual(process.returncode, 130)
        return took

    def test_prefill(self):
        took = [self.time_to_stop(True) for _ in range(3)]
        self.assertLess(statistics.median(took), PATIENCE, took)

    def test_decode(self):
        took = [self.time_to_stop(False) for _ in range(3)]
        self.assertLess(statistics.median(took), PATIENCE, took)


if __name__ == "__main__":
    main()
