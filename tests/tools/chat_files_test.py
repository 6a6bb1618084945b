"""Chats in files: contents on the disk, damage, caches, and /save, /load, /fork, /undo, /redo, /reset."""

import json
import os
import random
import resource
import signal
import stat
import struct
import subprocess

from chat_kills import Scenario, read_chat
from chat_terminal import CTRL_C, Terminal
from program import MODEL, SOURCE, ProgramTest, main, read_until, run, start

BUNDLED = ("-m", "bundled")


def cache_of(path):
    return path.with_name(path.name + ".cache")


def read_session(path):
    """The ids in a session file, and where its note begins and ends (docs/session_files.md)."""
    data, at = path.read_bytes(), 24

    def counted(size):
        nonlocal at
        count = struct.unpack_from("<Q", data, at)[0]
        begin, at = at + 8, at + 8 + count * size
        return begin, at

    counted(1)  # the model's path
    at += 8
    counted(8)
    begin, end = counted(4)
    ids = list(struct.unpack(f"<{(end - begin) // 4}i", data[begin:end]))
    at += 8
    counted(8)
    return ids, *counted(1)


def checksum(data):
    """The checksum of weights/hash.h."""
    def mix(state, word):
        state = (state ^ word) * 0x9E3779B97F4A7C15 & (1 << 64) - 1
        return state ^ state >> 32

    state, whole = 0x243F6A8885A308D3, len(data) // 8 * 8
    for (word,) in struct.iter_unpack("<Q", data[:whole]):
        state = mix(state, word)
    return mix(mix(state, int.from_bytes(data[whole:], "little")), len(data))


def as_older_programs_wrote_it(chat, note=None):
    """A session file with messages, as version 0.1 wrote it for this chat, or with another note."""
    cache = cache_of(chat).read_bytes()
    _, begin, end = read_session(cache_of(chat))
    note = note or json.dumps({"messages": [{"role": r, "content": c} for r, c in read_chat(chat)]}).encode()
    data = cache[:begin - 8] + struct.pack("<Q", len(note)) + note + cache[end:-8]
    return data + struct.pack("<Q", checksum(data))


class ChatFileTest(ProgramTest):
    def setUp(self):
        super().setUp()
        self.file = self.dir / "chat"

    def chat(self, *lines, session=None, more=(), model=BUNDLED, **options):
        where = ["--session", session] if session else []
        return run("chat", *model, "--greedy", "-n", 8, "-v", *where, *more,
                   stdin="".join(line + "\n" for line in lines), **options)

    def said(self, done):
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.decode()

    def begin(self, *lines, session=None):
        """Begins a chat in a file with these lines; returns the program's messages."""
        done = self.chat(*lines, session=session or self.file)
        self.said(done)
        return done.stderr.decode()

    def start(self, *more, **options):
        return start("chat", *BUNDLED, "--greedy", "-n", 8, *more, "--session", self.file, stdin=subprocess.PIPE,
                     **options)

    def prefilled(self, done):
        return [int(line.split()[1]) for line in done.stderr.decode().splitlines() if line.startswith("prefill")]

    def questions(self, file):
        return [content for role, content in read_chat(file) if role == "user"]

    def assert_messages(self, count, file):
        """The chat as the program reads it."""
        done = self.chat("/save", session=file)
        self.said(done)
        self.assertIn(f"; {count} messages)", done.stderr.decode())


class Saved(ChatFileTest):
    def test_a_chat_goes_on_in_another_process_as_if_it_had_not_ended(self):
        questions = ["What is the capital of France?", "And of Italy?", "Which is larger?"]
        whole = self.said(self.chat(*questions))
        first = self.chat(questions[0], session=self.file)
        rest = self.chat(*questions[1:], session=self.file)
        self.assertEqual(self.said(first) + self.said(rest), whole)
        # The question alone; where prompts and answers have different arithmetic, the answer before it as well.
        self.assertLess(self.prefilled(rest)[0], 40)
        # The messages are there and can be undone.
        again = self.chat("/undo", questions[2], session=self.file)
        self.assertEqual(self.said(again), whole[-len(self.said(again)):])

    def test_a_turn_is_on_the_disk_before_the_next_prompt(self):
        chat = Terminal(*BUNDLED, "--greedy", "-n", "8", "--session", str(self.file))
        chat.wait_for(b"> ")
        chat.ask("Hi")
        os.kill(chat.pid, signal.SIGKILL)
        chat.exit_code()
        self.assertEqual(self.questions(self.file), ["Hi"])
        with self.start() as process:
            process.stdin.write(b"What is 1 + 1?\n")
            process.stdin.flush()
            read_until(process.stdout, b"\n")  # the last byte of the answer
            process.kill()
            process.communicate()
        self.assertEqual(self.questions(self.file), ["Hi", "What is 1 + 1?"])
        self.assert_messages(4, self.file)

    def test_an_answer_that_was_stopped_is_kept_as_far_as_it_came(self):
        chat = Terminal("-m", MODEL, "--temperature", "0", "-n", "3000", "--session", str(self.file))
        chat.wait_for(b"> ")
        chat.type("Write a long story about the sea.\r")
        chat.wait_for(b"\n")
        chat.wait_for(b" ")
        chat.type(CTRL_C)
        chat.wait_for(b"> ")
        chat.type("/exit\r")
        self.assertEqual(chat.exit_code(), 0)
        answer = json.loads(self.file.read_text().splitlines()[-1])
        self.assertEqual((answer["role"], answer["finish"]), ("assistant", "cancelled"))
        self.assertGreater(len(answer["content"]), 0)

    def test_a_question_whose_answer_was_killed_is_reported(self):
        self.begin("Hi")
        with self.file.open("a") as file:
            file.write('{"id":3,"parent":2,"role":"user","content":"What is blue?"}\n')
        self.assertIn('not answered before the chat ended, and is no part of it: "What is blue?"', self.begin("And?"))
        self.assertEqual(self.questions(self.file), ["Hi", "And?"])
        self.assert_messages(4, self.file)

    def test_kills_at_any_moment(self):
        scenario, chance = Scenario(self.dir), random.Random(7)
        for _ in range(8):
            self.assertIsNone(scenario.kill(chance))

    def test_what_was_said_is_kept_when_a_chat_fails(self):
        done = self.chat("What is the capital of France?", "word " * 9000, session=self.file)
        self.assertEqual(done.returncode, 1)
        self.assert_messages(2, self.file)
        self.assertLess(self.file.stat().st_size, 2000)  # what was refused is not in the file

    def test_what_was_said_is_kept_when_a_chat_is_ended_from_outside(self):
        for end in (signal.SIGTERM, signal.SIGHUP, None):  # None: its output is not read
            self.file = self.dir / f"chat{end}"
            with self.start() as process:
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
                process.wait(timeout=60)
            self.assertEqual(process.returncode, 1 if end is None else 130)
            self.assert_messages(2, self.file)

    def test_a_full_disk(self):
        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (400, resource.RLIM_INFINITY))
        with self.start("-v", preexec_fn=limit) as process:
            def ask(line):
                process.stdin.write(line + b"\n")
                process.stdin.flush()
                return read_until(process.stderr, b"prefill")
            self.assertNotIn(b"cannot write", ask(b"Hi"))
            self.assertIn(b"cannot write", ask(b"A" * 300))
            self.assertEqual(len(read_chat(self.file)), 2)
            self.assertIn(b"the next turn tries again", ask(b"And?"))
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
            self.assertNotIn(b"cannot write", ask(b"Now?"))
            self.assertEqual(self.questions(self.file), ["Hi", "A" * 300, "And?", "Now?"])
            process.communicate()
            self.assertEqual(process.returncode, 0)
        # Messages that cannot be written until the end set the exit code; a chat that cannot be opened fails at once.
        done = self.chat("A" * 500, session=self.file, preexec_fn=lambda: resource.setrlimit(
            resource.RLIMIT_FSIZE, (self.file.stat().st_size, resource.RLIM_INFINITY)))
        self.assertEqual(done.returncode, 1)
        self.assertIn("cannot write", done.stderr.decode())
        self.assert_messages(8, self.file)
        done = run("chat", *BUNDLED, "--session", self.dir / "new", stdin="Hi\n",
                   preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (10, resource.RLIM_INFINITY)))
        self.check_sentence(done, 1, "cannot write")


class Moves(ChatFileTest):
    """/save, /load, /fork, /undo, /redo, /reset."""

    def test_save_load_and_fork(self):
        a, b = self.dir / "a", self.dir / "b"
        done = self.chat("What is the capital of France?", f"/save  {a} ", f"/fork {b}", "And of Italy?", "/save")
        self.said(done)
        self.assertIn("; 2 messages", done.stderr.decode())
        self.assertIn("; 4 messages", done.stderr.decode())
        alone = self.said(self.chat("What is the capital of France?", "And of Italy?"))
        first = self.said(self.chat("What is the capital of France?"))
        self.assertEqual(first + self.said(self.chat(f"/load {a}", "And of Italy?")), alone)
        done = self.chat("/save", "/load", f"/load {self.dir / 'missing'}", "/nonsense")
        self.assertEqual(done.returncode, 0)
        self.assertEqual(done.stderr.decode().count("needs the name of a file"), 2)
        self.assertIn("there is no chat", done.stderr.decode())
        self.assertNotIn("download", done.stderr.decode())
        self.assertFalse((self.dir / "missing").exists())

    def test_what_was_said_is_kept_where_it_was_saved_last(self):
        self.said(self.chat("Hi", f"/save {self.file}", "And of Italy?"))
        self.assert_messages(4, self.file)

    def test_no_answer_is_lost_between_two_chats(self):
        a, b = self.dir / "a", self.dir / "b"
        self.said(self.chat("Hi", f"/save {a}", f"/fork {b}", "And of Italy?", f"/load {a}", f"/load {b}", "More?",
                            f"/load {b}", f"/load {a}", f"/fork {b}", "Else?"))
        self.assertEqual(self.questions(a), ["Hi"])
        self.assertEqual(self.questions(b), ["Hi", "Else?"])
        self.assertEqual(self.questions(self.dir / "b.1"), ["Hi", "And of Italy?", "More?"])  # kept aside

    def test_a_chat_in_no_file_is_not_dropped_for_another(self):
        self.begin("Hi")
        done = self.chat("What is 1 + 1?", f"/load {self.file}", f"/save {self.dir / 'b'}")
        self.said(done)
        self.assertIn("would be lost", done.stderr.decode())
        self.assertEqual(self.questions(self.dir / "b"), ["What is 1 + 1?"])

    def test_undone_messages_can_be_redone(self):
        self.begin("Hi", "And?", "/undo", "/reset", "What is blue?")
        self.assertEqual(self.questions(self.file), ["What is blue?"])
        self.begin("/redo")
        self.assertEqual(self.questions(self.file), ["Hi"])
        self.begin("/redo")
        self.assertEqual(self.questions(self.file), ["Hi", "And?"])
        self.begin("/redo")
        self.assertEqual(self.questions(self.file), ["What is blue?"])
        self.begin("/undo", "/undo", "/reset")
        self.assertEqual(self.questions(self.file), [])
        self.begin("Hi again")
        self.assertEqual(self.questions(self.file), ["Hi again"])

    def test_undone_messages_are_in_no_cache(self):
        fork = self.dir / "fork"
        self.begin("Hi")
        before = self.ids_in_cache(self.file)
        self.assertGreater(len(before), 10)
        for ends in (["/undo"], ["/reset"], ["/undo", f"/fork {fork}", "/save"], ["/redo", "/undo", "/save"]):
            if ends[0] != "/redo":
                self.begin("My secret word is xylophone.")
                self.assertGreater(len(self.ids_in_cache(self.file)), len(before) + 10)
            self.begin(*ends)
            for chat in (self.file, fork):
                ids = self.ids_in_cache(chat)
                # The answer's last token and what the template has between it and the next message may follow.
                self.assertLessEqual(len(ids), len(before) + 4)
                self.assertEqual(ids[:len(before)], before[:len(ids)])
            if ends == ["/reset"]:
                self.begin("/redo", "/undo")  # the first turn is there again
        # Nor after a kill.
        self.begin("My secret word is xylophone.")
        with self.start() as process:
            process.stdin.write(b"/undo\n")
            process.stdin.flush()
            read_until(process.stderr, b"/redo")
            process.kill()
            process.communicate()
        self.assertEqual(self.ids_in_cache(self.file), [])
        self.assertEqual(self.questions(self.file), ["Hi"])

    def ids_in_cache(self, chat):
        return read_session(cache_of(chat))[0] if cache_of(chat).exists() else []

    def test_a_file_that_was_removed_is_reported(self):
        with self.start("-v") as process:
            process.stdin.write(b"Hi\n")
            process.stdin.flush()
            read_until(process.stderr, b"prefill")
            self.file.unlink()
            said = process.communicate(b"And?\n/save " + os.fsencode(self.dir / "other") + b"\n")[1]
            self.assertEqual(process.returncode, 0)
        self.assertIn(b"was removed or replaced", said)
        self.assertEqual(self.questions(self.dir / "other"), ["Hi", "And?"])

    def test_reset_begins_under_the_same_system_message(self):
        self.said(self.chat("Hi", "/reset", "And?", session=self.file, more=["--system", "Be brief."]))
        self.assertEqual(read_chat(self.file)[0], ("system", "Be brief."))
        self.begin("/reset", "Else?")
        self.assertEqual(read_chat(self.file)[0], ("system", "Be brief."))
        self.said(self.chat("/reset", "Else?", session=self.file, more=["--system", "Be long."]))
        self.assertEqual(read_chat(self.file)[0], ("system", "Be long."))

    def test_a_system_message_that_is_not_used_is_reported(self):
        self.begin("Hi")
        for quiet in ([], ["-q"]):
            done = self.chat("And?", session=self.file, more=["--system", "Be brief.", *quiet])
            self.assertIn("--system is not used", done.stderr.decode())
        self.assertNotIn(("system", "Be brief."), read_chat(self.file))


class Files(ChatFileTest):
    def test_a_path_that_cannot_be_written_is_reported_before_the_first_question(self):
        self.begin("Hi")
        for path, words in ((self.dir, ["is a directory", "file"]), (self.file / "x", ["Not a directory"]),
                            ("/dev/null", ["a device"]), ("/proc/none", ["cannot open"])):
            done = run("chat", *BUNDLED, "-q", "--session", path, stdin="Hi\n")
            self.check_sentence(done, 1, str(path), *words)
            self.assertNotIn("gguf", done.stderr.decode())

    def test_files_and_directories_are_their_owners_alone(self):
        file = self.dir / "new" / "directory" / "chat"
        self.said(self.chat("Hi", "/save", f"/fork {file}2", "And?", session=file, preexec_fn=lambda: os.umask(0)))
        for made in (file, cache_of(file), file.with_name("chat2"), file.with_name("chat2.cache")):
            self.assertEqual(stat.S_IMODE(made.stat().st_mode), 0o600, made)
        for made in (file.parent, file.parent.parent):
            self.assertEqual(stat.S_IMODE(made.stat().st_mode), 0o700, made)
        self.assertEqual({p.name for p in file.parent.iterdir()}, {"chat", "chat.cache", "chat2", "chat2.cache"})

    def test_a_chat_that_another_program_has_open(self):
        self.begin("Hi")
        before = self.file.read_bytes()
        with self.start() as process:
            process.stdin.write(b"/undo\n")
            process.stdin.flush()
            read_until(process.stderr, b"/redo")
            done = run("chat", *BUNDLED, "-q", "--session", self.file, stdin="Hi\n")
            self.check_sentence(done, 1, "another program", str(self.file))
            for command in ("/load", "/save", "/fork"):
                done = self.chat("What?", f"/save {self.dir / command[1:]}", f"{command} {self.file}")
                self.assertIn("another program", done.stderr.decode())
            process.communicate(b"/redo\n")
        self.assertEqual(self.questions(self.file), ["Hi"])
        self.assertTrue(self.file.read_bytes().startswith(before))

    def test_a_torn_end_is_dropped_and_reported(self):
        self.begin("Hi")
        whole = self.file.read_bytes()
        for torn in (b'{"id":3,"parent":2,"role":"us', b"\0" * 100, b"{"):
            self.file.write_bytes(whole + torn)
            self.assertIn("torn", self.begin("/save"))
            self.assertEqual(self.file.read_bytes(), whole)
        self.file.write_bytes(whole[:-1])  # whole but for its newline
        self.begin("And?")
        self.assertEqual(self.questions(self.file), ["Hi", "And?"])
        for torn in (b'{"partita_ch', b"", b"\0" * 50):  # a chat that was killed before it began
            self.file.write_bytes(torn)
            self.begin("Hi")
            self.assertEqual(self.file.read_bytes(), whole)

    def test_a_damaged_line_does_not_lose_the_rest(self):
        self.begin("Hi", "And?", "What is blue?")
        lines = self.file.read_bytes().split(b"\n")
        for damage in (b"\xff\xfe not JSON", b"[" * 5000, b'{"id":-1,"parent":"x","role":1,"content":[]}',
                       b'{"head":99}'):
            self.file.write_bytes(b"\n".join([*lines[:3], damage, *lines[4:]]))
            self.assertIn("1 damaged lines", self.begin("/save"))
            self.assertEqual(self.file.read_bytes().split(b"\n")[3], damage)
        self.assertIn("What is blue?", self.questions_of_program())

    def questions_of_program(self):
        self.chat(f"/fork {self.dir / 'copy'}", session=self.file)
        return self.questions(self.dir / "copy")

    def test_what_is_no_chat_is_refused_and_stays_as_it_is(self):
        for text in (b"My notes\n", b"{}\n", b"GGUF\0\0", b'{"partita_chat":2,"model":"x","fingerprint":"y"}\n', b"\n"):
            self.file.write_bytes(text)
            done = run("chat", *BUNDLED, "-q", "--session", self.file, stdin="Hi\n")
            self.check_sentence(done, 1, "version" if b":2" in text else "not a chat")
            done = self.chat("Hi", f"/save {self.file}")
            self.assertNotIn("is kept in", done.stderr.decode())
            self.assertEqual(self.file.read_bytes(), text)
        self.begin("Hi", session=self.dir / "other")
        done = run("chat", *BUNDLED, "-q", "--session", cache_of(self.dir / "other"), stdin="Hi\n")
        self.check_sentence(done, 1, "the cache of a chat")

    def test_a_damaged_or_stale_cache_costs_reading_anew(self):
        begun = self.said(self.chat("Hi, what is blue?", session=self.file))
        whole = self.said(self.chat("Hi, what is blue?", "And?"))
        chat, cache = self.file.read_bytes(), cache_of(self.file).read_bytes()

        def go_on(bytes_of_cache, chat=chat):
            self.file.write_bytes(chat)
            cache_of(self.file).write_bytes(bytes_of_cache)
            return self.chat("And?", session=self.file)

        damaged = bytearray(cache)
        damaged[len(damaged) // 2] ^= 1
        taken, empty, torn = go_on(cache), go_on(b"PARTITAS"), go_on(damaged)
        for done in (taken, empty, torn):
            self.assertEqual(begun + self.said(done), whole)
        self.assertIn("read anew", empty.stderr.decode())
        self.assertIn("checksum", torn.stderr.decode())
        self.assertEqual(self.prefilled(torn), self.prefilled(empty))
        self.assertGreater(self.prefilled(empty)[0], self.prefilled(taken)[0])
        stale = go_on(cache, chat.replace(b"blue", b"grey"))  # as many tokens, and its first are the same
        self.assertEqual(self.prefilled(stale), self.prefilled(empty))

    def test_another_model_reads_the_chat_anew(self):
        self.begin("Hi")
        done = self.chat("And?", session=self.file, model=("-m", MODEL))
        self.said(done)
        self.assertIn('with the model "bundled"', done.stderr.decode())
        self.assertEqual(self.questions(self.file), ["Hi", "And?"])
        models = [json.loads(line)["model"] for line in self.file.read_text().splitlines() if '"model"' in line]
        self.assertEqual(models, ["bundled", MODEL])


class OlderFiles(ChatFileTest):
    """Sessions with messages, the format of chats in version 0.1."""

    def test_a_recorded_one_loads_and_is_replaced_when_more_is_said(self):
        recorded = (SOURCE / "tests/data/chat/version_1.partita").read_bytes()  # of another model
        self.file.write_bytes(recorded)
        done = self.chat("/save", session=self.file)
        self.assertIn("; 5 messages", done.stderr.decode())
        self.assertIn('"tiny.gguf"', done.stderr.decode())
        self.assertEqual(self.file.read_bytes(), recorded)
        self.begin("Which is larger?")
        self.assertEqual(read_chat(self.file)[:-1], [
            ("system", "Be brief."), ("user", "Hi"), ("assistant", " morals antib"), ("user", "What is 1 + 1?"),
            ("assistant", "Frameribute"), ("user", "Which is larger?")])
        self.assertEqual(stat.S_IMODE(self.file.stat().st_mode), 0o600)
        self.assert_messages(7, self.file)

    def test_its_cache_is_loaded(self):
        self.begin("What is the capital of France?")
        old = as_older_programs_wrote_it(self.file)
        expected = self.chat("And of Italy?", session=self.file)
        older = self.dir / "older"
        older.write_bytes(old)
        done = self.chat("And of Italy?", session=older)
        self.assertEqual(self.said(done), self.said(expected))
        self.assertEqual(self.prefilled(done), self.prefilled(expected))
        self.assertEqual(read_chat(older), read_chat(self.file))
        # One line later it is replaced at once, by /undo as well, with all that it held.
        older.write_bytes(old)
        self.chat("/undo", session=older)
        self.assertEqual(read_chat(older), [])
        self.assertFalse(cache_of(older).exists())

    def test_a_note_beyond_the_limits_of_json_is_not_read(self):
        self.begin("Hi")
        deep = b'{"messages":[],"more":' + b"[" * 100 + b"]" * 100 + b"}"
        many = b'{"messages":[],"more":[' + b"0," * (1 << 22) + b"0]}"
        plain = b'{"messages":[],"more":[]}'
        for note in (deep, many, plain):
            session = as_older_programs_wrote_it(self.file, note)
            older = self.dir / "older"
            older.write_bytes(session)
            done = run("chat", *BUNDLED, "-q", "--session", older, stdin="")
            if note is plain:
                self.assertEqual(done.returncode, 0, done.stderr)
                continue
            self.check_sentence(done, 1, "is a session, but not one of a chat")
            self.assertEqual(older.read_bytes(), session)

    def test_a_damaged_one_stops_the_chat_and_stays_as_it_is(self):
        self.begin("Hi")
        damaged = bytearray(as_older_programs_wrote_it(self.file))
        damaged[len(damaged) // 2] ^= 1
        self.file.write_bytes(damaged)
        done = run("chat", *BUNDLED, "-q", "--session", self.file, stdin="Hi\n")
        self.check_sentence(done, 1, "damaged", "checksum")
        self.assertEqual(self.file.read_bytes(), damaged)


if __name__ == "__main__":
    main()
