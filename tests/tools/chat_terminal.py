"""`partita chat` on a pseudo-terminal."""

import os
import pty
import select
import signal
import time

from program import PROGRAM, environment

CTRL_C, CTRL_D = b"\x03", b"\x04"


class Terminal:
    """`partita chat` on a pseudo-terminal."""

    def __init__(self, *args, **env):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execve(PROGRAM, [PROGRAM, "chat", *args], environment(TERM="xterm", **env))
        self.seen = b""

    def type(self, data):
        os.write(self.fd, data if isinstance(data, bytes) else data.encode())

    def wait_for(self, wanted, timeout=60):
        """Reads until `wanted` appears; returns the text before it. The text after it is kept."""
        end = time.monotonic() + timeout
        while wanted not in self.seen:
            if not select.select([self.fd], [], [], max(0, end - time.monotonic()))[0]:
                raise AssertionError(f"{wanted!r} did not come, but {self.seen[-800:]!r}")
            try:
                self.seen += os.read(self.fd, 4096)
            except OSError:
                raise AssertionError(f"the terminal closed before {wanted!r}, after {self.seen[-800:]!r}") from None
        before, _, self.seen = self.seen.partition(wanted)
        return before

    def ask(self, text):
        """Types a line at the prompt and waits for the next prompt; returns the text in between."""
        self.type(text + "\r")
        self.wait_for(b"\n")  # the echo
        return self.wait_for(b"> ")

    def exit_code(self, timeout=20):
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid != 0:
                os.close(self.fd)
                return os.waitstatus_to_exitcode(status)
            if select.select([self.fd], [], [], 0.02)[0]:
                try:
                    os.read(self.fd, 4096)
                except OSError:
                    time.sleep(0.02)
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        raise AssertionError("it did not leave")
