"""partita chat, through a terminal and through pipes."""

import os
import pty
import select
import signal
import statistics
import subprocess
import time

from program import MODEL, PATIENCE, PROGRAM, ProgramTest, environment, main, run, start

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
        """Reads until `wanted` comes; what came before it. What comes after is kept."""
        end = time.monotonic() + timeout
        while wanted not in self.seen:
            if not select.select([self.fd], [], [], max(0, end - time.monotonic()))[0]:
                raise AssertionError(f"{wanted!r} did not come, but {self.seen[-800:]!r}")
            try:
                self.seen += os.read(self.fd, 4096)
            except OSError:
                raise AssertionError(f"the terminal closed before {wanted!r}, after {self.seen[-800:]!r}")
        before, _, self.seen = self.seen.partition(wanted)
        return before

    def ask(self, text):
        """Types a line at the prompt and waits for the next prompt; what was said in between."""
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


class Chat(ProgramTest):
    def open(self, *args, **env):
        terminal = Terminal("--temperature", "0", *args, **env)
        terminal.wait_for(b"> ")
        return terminal

    def test_a_conversation(self):
        chat = self.open("-n", "60")
        self.assertIn(b"Paris", chat.ask("What is the capital of France? Answer with one word."))
        self.assertIn(b"/undo", chat.ask("/help"))
        self.assertIn(b"/nonsense", chat.ask("/nonsense"))
        chat.ask("/undo")
        chat.ask("/reset")
        chat.ask("")
        chat.type("/exit\r")
        self.assertEqual(chat.exit_code(), 0)

    def test_it_remembers_undoes_and_forgets(self):
        # Greedy answers are a function of the conversation: the same question again differs only by what is remembered.
        chat = self.open("-n", "24")
        first = chat.ask("Name an animal.")
        chat.ask("/undo")
        self.assertEqual(chat.ask("Name an animal."), first)
        second = chat.ask("Name an animal.")
        chat.ask("/undo")
        self.assertEqual(chat.ask("Name an animal."), second)
        chat.ask("/reset")
        self.assertEqual(chat.ask("Name an animal."), first)
        chat.type(CTRL_D)
        self.assertEqual(chat.exit_code(), 0)

    def time_to_prompt(self, chat, question, before):
        chat.type(question + "\r")
        chat.wait_for(b"\n")
        before()
        sent = time.monotonic()
        chat.type(CTRL_C)
        chat.wait_for(b"> ")
        return time.monotonic() - sent

    def test_ctrl_c_stops_an_answer_and_keeps_the_chat(self):
        chat = self.open("-n", "3000", "--repeat-penalty", "1.3")
        took = [self.time_to_prompt(chat, "Write a long story about the sea.", lambda: chat.wait_for(b" "))
                for _ in range(3)]
        self.assertLess(statistics.median(took), PATIENCE, took)
        chat.ask("/reset")
        chat.type("/exit\r")
        self.assertEqual(chat.exit_code(), 0)

    def test_ctrl_c_stops_the_reading_of_a_long_conversation(self):
        story = "The sea was calm that day and the ships lay still. " * 580
        chat = self.open("-n", "20", "--system", story)
        took = [self.time_to_prompt(chat, f"Question {i}", lambda: time.sleep(0.15)) for i in range(3)]
        self.assertLess(statistics.median(took), PATIENCE, took)
        chat.type(CTRL_D)
        self.assertEqual(chat.exit_code(), 0)

    def test_ctrl_c_at_the_prompt(self):
        chat = self.open()
        chat.type("half a line" + CTRL_C.decode())
        chat.wait_for(b"> ")
        chat.type(CTRL_C)
        chat.wait_for(b"again")
        chat.wait_for(b"> ")
        chat.type(CTRL_C)
        self.assertEqual(chat.exit_code(), 0)

    def test_what_is_typed_at_once_after_the_prompt_is_not_lost(self):
        for _ in range(10):
            chat = self.open()
            chat.type(CTRL_D)
            self.assertEqual(chat.exit_code(), 0)

    def test_a_line_goes_on_after_a_backslash(self):
        chat = self.open("-n", "30")
        chat.type("What is the capital \\\r")
        chat.wait_for(b"  ")  # the prompt of a line that goes on
        self.assertIn(b"Paris", chat.ask("of France? Answer with one word."))
        chat.type(CTRL_D)
        self.assertEqual(chat.exit_code(), 0)

    def test_lines_are_edited_and_remembered(self):
        chat = self.open("-n", "30", LANG="C", LC_ALL="C")
        first = chat.ask("What is the capital of Franc\x08\x7fce? é")
        chat.ask("/reset")
        chat.type(b"\x1b[A\x1b[A")  # twice up: past /reset
        time.sleep(0.2)
        chat.type(b"\r")
        chat.wait_for(b"\n")
        self.assertEqual(chat.wait_for(b"> "), first)
        chat.type(CTRL_D)
        self.assertEqual(chat.exit_code(), 0)


class Pipes(ProgramTest):
    def test_lines_from_a_pipe(self):
        done = run("chat", "--temperature", 0, "-n", 40, "-q",
                   stdin="What is the capital of France? Answer with one word.\n/reset\nWhat is 1 + 1?")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("Paris", done.stdout.decode())
        self.assertNotIn("> ", done.stdout.decode())
        self.assertGreaterEqual(done.stdout.count(b"\n"), 2)

    def test_nothing_to_say(self):
        done = run("chat", "-q", stdin="")
        self.assertEqual((done.returncode, done.stdout), (0, b""))

    def test_interrupted_while_waiting(self):
        reader, writer = os.pipe()
        process = start("chat", "-v", stdin=reader)
        with process:
            os.close(reader)
            while b"samplers" not in os.read(process.stderr.fileno(), 4096):
                pass
            time.sleep(0.2)
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=20)
            os.close(writer)
        self.assertEqual(process.returncode, 130)


class ChatFiles(ProgramTest):
    def chat(self, *lines, session=None, more=()):
        where = ["--session", session] if session else []
        return run("chat", "--greedy", "-n", 24, "-v", *where, *more, stdin="".join(line + "\n" for line in lines))

    def said(self, done):
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.decode()

    def prefilled(self, done):
        return [int(line.split()[1]) for line in done.stderr.decode().splitlines() if line.startswith("prefill")]

    def test_a_chat_goes_on_in_another_process_as_if_it_had_not_ended(self):
        file = self.dir / "chat.partita"
        questions = ["What is the capital of France?", "And of Italy?", "Which is larger?"]
        whole = self.said(self.chat(*questions))
        first = self.chat(questions[0], session=file)
        rest = self.chat(*questions[1:], session=file)
        self.assertEqual(self.said(first) + self.said(rest), whole)
        # The question alone; where prompts and answers have different arithmetic, the answer before it as well.
        self.assertLess(self.prefilled(rest)[0], 50)
        # What was said is there to be taken back.
        again = self.chat("/undo", questions[2], session=file)
        self.assertEqual(self.said(again), whole[-len(self.said(again)):])

    def test_save_load_and_fork(self):
        a, b = self.dir / "a.partita", self.dir / "b.partita"
        done = self.chat("What is the capital of France?", f"/save {a}", f"/fork {b}", "And of Italy?", "/save")
        self.said(done)
        self.assertIn("2 messages", done.stderr.decode())
        self.assertIn("4 messages", done.stderr.decode())
        alone = self.said(self.chat("What is the capital of France?", "And of Italy?"))
        first = self.said(self.chat("What is the capital of France?"))
        self.assertEqual(first + self.said(self.chat(f"/load {a}", "And of Italy?")), alone)
        done = self.chat("/save", "/load", f"/load {self.dir / 'missing'}", "/nonsense")
        self.assertEqual(done.returncode, 0)
        self.assertEqual(done.stderr.decode().count("needs the name of a file"), 2)
        self.assertIn("missing", done.stderr.decode())

    def test_what_was_said_is_kept_when_a_chat_fails(self):
        file = self.dir / "chat.partita"
        done = self.chat("What is the capital of France?", "word " * 9000, session=file)
        self.assertEqual(done.returncode, 1)
        self.assertIn("2 messages", self.chat("/save", session=file).stderr.decode())

    def test_what_was_said_is_kept_where_it_was_saved_last(self):
        file = self.dir / "chat.partita"
        self.said(self.chat("Hi", f"/save {file}", "And of Italy?"))
        self.assertIn("4 messages", self.chat("/save", session=file).stderr.decode())

    def test_what_was_said_is_kept_when_a_chat_is_ended_from_outside(self):
        for end in (signal.SIGTERM, signal.SIGHUP, None):  # None: nobody reads what it says
            file = self.dir / f"chat{end}.partita"
            process = start("chat", "--greedy", "-n", 8, "--session", file, stdin=subprocess.PIPE)
            with process:
                process.stdin.write(b"Hi\n")
                process.stdin.flush()
                self.assertTrue(process.stdout.readline())
                if end is None:
                    process.stdout.close()
                    process.stdin.write(b"And now?\n")
                    process.stdin.flush()
                else:
                    process.send_signal(end)
                process.stderr.read()
                process.wait(timeout=20)
            self.assertEqual(process.returncode, 1 if end is None else 130)
            self.assertIn("2 messages", self.chat("/save", session=file).stderr.decode())

    def test_a_damaged_file_stops_the_chat_and_stays_as_it_is(self):
        file = self.dir / "chat.partita"
        self.said(self.chat("Hi", session=file))
        damaged = bytearray(file.read_bytes())
        damaged[len(damaged) // 2] ^= 1
        file.write_bytes(damaged)
        done = run("chat", "-q", "--session", file, stdin="Hi\n")
        self.check_sentence(done, 1, "damaged", "checksum")
        self.assertEqual(file.read_bytes(), damaged)
        file.write_text("not a session at all")
        self.check_sentence(run("chat", "-q", "--session", file, stdin="Hi\n"), 1, "not a session file")


if __name__ == "__main__":
    main()
