"""partita batch after a kill, an interrupt or a full disk: which rows are kept, and how it resumes."""

import fcntl
import json
import random
import resource
import signal
import time

from program import COUNTING, FRANCE, BatchTest, json_lines, main, run, run_json, start


class Resume(BatchTest):
    def wait_for_rows(self, process, rows):
        while not (self.output.exists() and self.output.read_text().count("\n") >= rows):
            time.sleep(0.005)
            self.assertIsNone(process.poll())

    def test_it_goes_on_where_it_stopped(self):
        rows = [{"id": i, "prompt": f"{FRANCE} {i}", "n": 40 + i % 7} for i in range(40)] + [{"id": 3, "prompt": "x"}]
        whole = self.batch(rows)
        self.output.unlink()
        process = start("batch", "-i", self.input, "-o", self.output, "--sequences", 3, "-q")
        with process:
            self.wait_for_rows(process, 5)
            process.kill()
        part = self.output.read_text()
        self.assertLess(part.count("\n"), len(rows))
        self.output.write_text(part + '{"id":99,"te')  # a torn line
        done = run_json("batch", "-i", self.input, "-o", self.output)
        self.assertEqual(done["skipped"], part.count("\n"))
        self.assertEqual(done["rows"], len(rows) - done["skipped"])
        self.assertTrue(self.output.read_text().startswith(part))
        self.assertEqual(json_lines(self.output), whole)
        again = run_json("batch", "-i", self.input, "-o", self.output)
        self.assertEqual((again["rows"], again["skipped"]), (0, len(rows)))
        self.assertEqual(json_lines(self.output), whole)

    def test_an_interrupt_keeps_what_is_finished(self):
        rows = [{"id": 0, "prompt": COUNTING, "n": 4000, "greedy": True}] + [{"id": i, "prompt": FRANCE, "n": 3} for i in range(1, 400)]
        self.input.write_text("".join(json.dumps(r) + "\n" for r in rows))
        process = start("batch", "-i", self.input, "-o", self.output, "--sequences", 2)
        with process:
            time.sleep(2.5)
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130)
        kept = json_lines(self.output)
        self.assertGreater(len(kept), 0)
        self.assertNotIn(0, [r["id"] for r in kept])  # it was not finished; those behind it were

    def mixed_rows(self):
        """Rows of both kinds, repeated ids, lines without ids, and lines that are no rows."""
        rows = []
        for i in range(40):
            rows.append({"id": i, "prompt": f"{FRANCE} {i}", "n": 4 + 3 * (i % 9)})
            if i % 5 == 0:
                rows.append({"id": i // 2, "prompt": "again"})
            if i % 7 == 0:
                rows.append("{no row")
            if i % 6 == 0:
                rows.append({"custom_id": f"c{i}", "url": "/v1/completions", "body": {"prompt": FRANCE, "max_tokens": i}})
            if i % 11 == 0:
                rows.append({"custom_id": "c0", "url": "/v1/completions", "body": {"prompt": FRANCE}})
        return rows + [{"body": {}}, {"id": "bad", "temperature": -1, "prompt": "x"}]

    def kill_until_done(self, *args, seed):
        """Runs the job with SIGKILL at random moments until it ends; returns the number of kills."""
        draws, kills = random.Random(seed), 0
        while True:
            process = start("batch", "-q", "-i", self.input, "-o", self.output, "--sequences", 4, *args)
            with process:
                before = self.output.read_bytes() if self.output.exists() else b""
                if kills < 6:
                    self.wait_for_rows(process, before.count(b"\n") + draws.randrange(1, 8))
                    time.sleep(draws.uniform(0, 0.05))
                    process.kill()
                    kills += process.wait() == -signal.SIGKILL
                elif process.wait() == 0:
                    return kills
            self.assertTrue(self.output.read_bytes().startswith(before))

    def test_every_row_is_there_once_after_any_number_of_kills(self):
        rows = self.mixed_rows()
        whole = self.batch(rows)
        self.assertEqual(len(whole), len(rows))
        for order in ("input", "finished"):
            with self.subTest(order):
                self.output.unlink()
                self.assertEqual(self.kill_until_done("--order", order, seed=len(order)), 6)
                out = json_lines(self.output)
                if order == "input":
                    self.assertEqual(out, whole)
                self.assertEqual(sorted(map(json.dumps, out)), sorted(map(json.dumps, whole)))

    def test_a_repeated_id_that_was_refused_before_its_owner_was_answered(self):
        rows = [{"id": "a", "prompt": FRANCE, "n": 30}, {"id": "a", "prompt": "x"}, {"id": "b", "prompt": FRANCE, "n": 200},
                {"id": "b", "prompt": "x"}]
        self.write_rows(rows)
        process = start("batch", "-q", "-i", self.input, "-o", self.output, "--order", "finished")
        with process:
            self.wait_for_rows(process, 2)
            process.kill()
        cut = json_lines(self.output)
        self.assertEqual([(r["id"], r.get("line")) for r in cut[:2]], [("a", 2), ("b", 4)])
        self.output.write_text("".join(self.output.read_text().splitlines(True)[:2]))
        self.assertEqual(self.batch_json("--order", "finished")["skipped"], 2)
        out = json_lines(self.output)
        self.assertEqual([(r["id"], r["error"] is None) for r in out], [("a", False), ("b", False), ("a", True), ("b", True)])

    def test_many_ids(self):
        rows = [{"id": f"row {i % 5000}", "prompt": FRANCE, "n": 0} for i in range(5500)]
        whole = self.batch(rows)
        self.assertEqual([r["id"] for r in whole], [r["id"] for r in rows])
        self.assertEqual([r["error"] is None for r in whole], [True] * 5000 + [False] * 500)
        text = self.output.read_text().splitlines(True)
        kept = random.Random(1).sample(text, 4000)
        self.output.write_text("".join(kept))
        done = self.batch_json()
        self.assertEqual((done["rows"], done["skipped"]), (1500, 4000))
        self.assertEqual(sorted(self.output.read_text().splitlines(True)), sorted(text))

    def test_torn_last_lines_are_cut_off(self):
        rows = [{"id": i, "prompt": FRANCE, "n": 2} for i in range(4)]
        self.batch(rows)
        text = self.output.read_bytes()
        lines = text.splitlines(True)
        start_of_third = len(lines[0]) + len(lines[1])
        for kept in (start_of_third + 1, start_of_third + 20, start_of_third + len(lines[2]) - 1):
            for tail in (b"", bytes(100)):  # zeros: a file that had grown when the power went
                self.output.write_bytes(text[:kept] + tail)
                self.assertEqual(self.batch_json()["skipped"], 2)
                self.assertEqual(self.output.read_bytes(), text)

    def test_no_other_file_is_cut_or_added_to(self):
        self.write_rows([{"id": 1, "prompt": FRANCE, "n": 1}])
        for words in ("precious words\n", "precious words", '{"id":1,"prompt":"of another batch"}', '{"id":1,"prompt":"x"}\n',
                      '{"id":1,"text":"","error":null}\nprecious', '{"id":1,"text":"","error":null}\n{"id":2}\n'):
            with self.subTest(words):
                self.output.write_text(words)
                self.check_sentence(run("batch", "-i", self.input, "-o", self.output), 1, "line ", "is not a row of a batch")
                self.assertEqual(self.output.read_text(), words)

    def test_what_holds_too_much_or_too_deep_is_no_row(self):
        self.write_rows([{"id": 1, "prompt": FRANCE, "n": 1}])
        many = '{"id":1,"error":null,"text":[' + "0," * (1 << 24) + "0]}\n"
        deep = '{"id":1,"error":null,"text":' + "[" * 100 + "]" * 100 + "}\n"
        for words in (many, deep):
            self.output.write_text(words)
            done = run("batch", "-i", self.input, "-o", self.output)
            self.check_sentence(done, 1, "line 1", "is not a row of a batch")
            self.assertEqual(self.output.read_text(), words)

    def test_a_limit_on_the_size_of_files(self):
        rows = [{"id": i, "prompt": f"{FRANCE} {i}", "n": 6} for i in range(30)]
        self.batch(rows)
        text = self.output.read_bytes()
        self.output.unlink()
        for limit in (1, len(text) // 3, len(text) // 2, len(text) - 1):
            process = start("batch", "-i", self.input, "-o", self.output, "--json", "--order", "input",
                            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
            before = self.output.read_bytes().count(b"\n") if self.output.exists() else 0
            summary, message = process.communicate(timeout=300)
            self.assertEqual(process.returncode, 1, message)
            kept = self.output.read_bytes()
            self.assertEqual(kept, text[:text.rfind(b"\n", 0, limit) + 1])  # whole rows, as many as fit
            self.assertEqual(json.loads(summary)["rows"], kept.count(b"\n") - before)
            last = message.decode().splitlines()[-1]
            for words in (f'"{self.output}"', "File too large", f"the {kept.count(10)} rows", "same command again"):
                self.assertIn(words, last)
        self.batch_json()
        self.assertEqual(self.output.read_bytes(), text)

    def test_outputs_that_are_no_files(self):
        self.write_rows([{"id": i, "prompt": FRANCE, "n": 1} for i in range(3)])
        self.check_sentence(run("batch", "-q", "-i", self.input, "-o", "/dev/full"), 1, '"/dev/full"', "No space left")
        self.assertEqual(run("batch", "-q", "-i", self.input, "-o", "/dev/null").returncode, 0)
        self.assertEqual(run("batch", "-q", "-i", self.input, "-o", "/dev/stdout").stdout.count(b"\n"), 3)

    def test_a_second_process_is_kept_out(self):
        self.write_rows([{"id": 1, "prompt": FRANCE, "n": 1}])
        with open(self.output, "w") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            self.check_sentence(run("batch", "-i", self.input, "-o", self.output), 1, "another process", str(self.output))

    def test_errors_run_again_when_asked_to(self):
        good = {"prompt": FRANCE, "n": 3, "greedy": True}
        rows = [good | {"id": 1}, good | {"id": 2, "top_p": 7}, "{no row", good | {"id": 1},
                {"custom_id": "c", "url": "/v1/completions", "body": {"prompt": "x", "n": 2}}, good | {"id": 5}]
        first = self.batch(rows)
        self.assertEqual(sum(r["error"] is not None for r in first), 4)
        self.assertEqual(self.batch_json()["skipped"], 6)  # unless asked
        self.write_rows([rows[0], good | {"id": 2}, rows[2], rows[3], rows[4], rows[5]])
        link = self.dir / "link.jsonl"
        link.symlink_to(self.output)
        self.output.chmod(0o640)
        done = run_json("batch", "-i", self.input, "-o", link, "--retry-errors")
        self.assertEqual((done["rows"], done["errors"], done["skipped"]), (4, 3, 2))
        out = json_lines(self.output)
        self.assertTrue(link.is_symlink())
        self.assertEqual(self.output.stat().st_mode & 0o777, 0o640)
        self.assertEqual(out, [first[0], first[5], {**first[0], "id": 2}, first[2], first[3], first[4]])
        self.assertEqual(self.batch_json()["skipped"], 6)
        self.assertEqual(sorted(p.name for p in self.dir.iterdir()), ["in.jsonl", "link.jsonl", "out.jsonl"])

    def test_errors_stay_where_there_is_no_room_for_a_copy(self):
        self.batch([{"id": i, "prompt": FRANCE, "n": 1} for i in range(20)] + [{"id": "bad"}])
        before = self.output.read_bytes()
        process = start("batch", "-q", "-i", self.input, "-o", self.output, "--retry-errors",
                        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100)))
        _, message = process.communicate(timeout=300)
        self.assertEqual(process.returncode, 1)
        self.assertIn(b"File too large", message)
        self.assertEqual(self.output.read_bytes(), before)
        self.assertEqual(sorted(p.name for p in self.dir.iterdir()), ["in.jsonl", "out.jsonl"])


if __name__ == "__main__":
    main()
