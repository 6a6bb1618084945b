"""partita chat, on a terminal and with pipes."""

import os
import signal
import statistics
import time

from chat_terminal import CTRL_C, CTRL_D, Terminal
from program import PATIENCE, ProgramTest, main, run, start


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
        chat.wait_for(b"  ")  # the prompt of a continued line
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

    def test_blanks_around_a_command(self):
        done = run("chat", "-m", "bundled", stdin="/help \n/undo\t\n/help me\n")
        self.assertEqual(done.returncode, 0)
        self.assertIn("/redo", done.stderr.decode())
        self.assertIn("nothing to undo", done.stderr.decode())
        self.assertIn("no command /help me", done.stderr.decode())

    def test_a_line_that_is_too_long_is_refused(self):
        for text in ("a" * (16 << 20) + "a\n", ("a" * (9 << 20) + "\\\n") * 2):
            done = run("chat", "-m", "bundled", "-q", stdin=text + "Hi\n")
            self.check_sentence(done, 1, "16777216 bytes")

    def test_a_full_context_differs_from_the_limit_of_an_answer(self):
        # The bundled model's context has 512 tokens.
        done = run("chat", "-m", "bundled", "--greedy", "-n", -1, "--no-repeat-ngram-size", 1, stdin="word " * 490)
        self.assertEqual(done.returncode, 0, done.stderr)
        for word in ("512 tokens", "/undo", "/reset", "--attention-window"):
            self.assertIn(word, done.stderr.decode())
        done = run("chat", "-m", "bundled", "-q", stdin="word " * 600)
        self.check_sentence(done, 1, "context holds 512", "/undo", "/reset")

    def test_an_answer_that_the_model_is_too_unsure_of(self):
        done = run("chat", "-m", "bundled", "--greedy", "--abstain-probability", 0.99, stdin="Hi, what is blue?\n")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stderr.decode(), "too unsure.*0\\.99")

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


if __name__ == "__main__":
    main()
