"""Ctrl-C during the rendering of a slow chat template."""

import json
import signal
import subprocess
import time

from program import PATIENCE, SOURCE, ProgramTest, main, read_until, start

# Runs into the limit of steps, which is an error, unless it is interrupted.
SLOW = "{% set x = 'é' * 400000 %}{% for i in range(100000) %}{% set z = x | upper %}{% endfor %}".encode()


class Cancel(ProgramTest):
    def slow_model(self):
        """The bundled model with another chat template of the same length."""
        file = (SOURCE / "weights/bundled/partita-small.gguf").read_bytes()
        key = b"tokenizer.chat_template\x08\0\0\0"
        begin = file.index(key) + len(key) + 8
        size = int.from_bytes(file[begin - 8:begin], "little")
        path = self.dir / "slow.gguf"
        path.write_bytes(file[:begin] + SLOW.ljust(size) + file[begin + size:])
        return path

    def interrupt(self, process):
        """Returns its stdout and the last line of stderr."""
        sent = time.monotonic()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130, err)
        self.assertLess(time.monotonic() - sent, 5 * PATIENCE)
        self.assertEqual(err.splitlines()[-1], b"partita: interrupted")
        return out

    def check_loaded(self, *args):
        process = start(*args, "-m", self.slow_model(), "-v")
        with process:
            read_until(process.stderr, b"loaded in")
            self.assertEqual(self.interrupt(process), b"")

    def test_template(self):
        (self.dir / "slow.jinja").write_bytes(SLOW)
        process = start("template", "--file", self.dir / "slow.jinja", stdin=subprocess.PIPE)
        with process:
            process.stdin.write(json.dumps({"text": "x" * 300_000}).encode())  # more than a pipe holds
            process.stdin.close()
            process.stdin = None
            time.sleep(0.1)
            self.assertEqual(self.interrupt(process), b"")

    def test_generate(self):
        self.check_loaded("generate", "--chat", "-p", "Hi")

    def test_chat(self):
        self.check_loaded("chat")

    def test_batch(self):
        rows, answers = self.dir / "in.jsonl", self.dir / "out.jsonl"
        rows.write_text(json.dumps({"id": 1, "messages": [{"role": "user", "content": "Hi"}]}) + "\n")
        self.check_loaded("batch", "-i", rows, "-o", answers)
        self.assertEqual(answers.read_text() if answers.exists() else "", "")  # the row is still to be answered


if __name__ == "__main__":
    main()
