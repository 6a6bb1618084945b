"""partita batch: rows in, rows out, whatever happens in between."""

import json
import signal
import time

from program import COUNTING, FRANCE, ProgramTest, main, run, run_json, start


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


class Batch(ProgramTest):
    def setUp(self):
        super().setUp()
        self.input, self.output = self.dir / "in.jsonl", self.dir / "out.jsonl"

    def batch(self, rows, *args, code=0):
        """Runs these rows (objects, or lines as they are); what was written."""
        self.input.write_text("".join((r if isinstance(r, str) else json.dumps(r)) + "\n" for r in rows))
        done = run("batch", "-i", self.input, "-o", self.output, *args)
        self.assertEqual(done.returncode, code, done.stderr.decode())
        self.stderr = done.stderr.decode()
        return lines(self.output)

    def test_rows_are_as_if_alone_and_in_order(self):
        rows = [{"id": f"r{i}", "prompt": FRANCE + " not" * i, "n": 12 - i, "temperature": 0.8, "seed": i}
                for i in range(9)]
        out = self.batch(rows, "--sequences", 4)
        self.assertEqual([r["id"] for r in out], [r["id"] for r in rows])
        for i in (0, 4, 8):
            alone = run_json("generate", "-p", rows[i]["prompt"], "-n", rows[i]["n"], "--temperature", 0.8, "--seed", i)
            self.assertEqual(out[i]["text"], alone["text"])
            self.assertEqual(out[i]["ids"], alone["ids"])
            self.assertEqual(out[i]["finish"], alone["finish"])
            self.assertIsNone(out[i]["error"])

    def test_every_form_of_prompt_and_option(self):
        ids = run_json("tokenize", stdin=FRANCE)["ids"]
        out = self.batch([
            {"id": 1, "prompt": FRANCE, "n": 6, "greedy": True},
            {"id": 2, "ids": ids, "n": 6, "temperature": 0},
            {"id": 3, "messages": [{"role": "user", "content": "Say hello."}], "n": 3, "greedy": True},
            {"id": 4, "prompt": "Say hello.", "chat": True, "n": 3, "greedy": True},
            {"id": 5, "prompt": FRANCE, "n": 20, "greedy": True, "stop": "Paris"},
            {"id": 6, "prompt": FRANCE, "n": 2, "greedy": True, "logprobs": 2},
            {"prompt": FRANCE, "n": 0},
            {"id": 8, "prompt": FRANCE, "n": 6, "preset": "llama.cpp", "seed": 3},
            {"id": 9, "prompt": FRANCE, "n": 6, "temperature": 0.8, "top_k": 40, "top_p": 0.95, "min_p": 0.05, "seed": 3,
             "samplers": ["top_k", "top_p", "min_p", "temperature"]},
            {"id": 10, "prompt": FRANCE, "n": 6, "preset": "llama.cpp", "temperature": 0, "typical_p": 0.9},
        ])
        self.assertEqual(out[0]["ids"], out[1]["ids"])
        self.assertEqual(out[2]["ids"], out[3]["ids"])
        self.assertEqual(out[4]["finish"], "stop")
        self.assertNotIn("Paris", out[4]["text"])
        self.assertEqual([t["id"] for t in out[5]["logprobs"]], out[5]["ids"])
        self.assertEqual(len(out[5]["logprobs"][0]["top"]), 2)
        self.assertEqual(out[7]["ids"], out[8]["ids"])
        self.assertEqual(out[9]["ids"], out[0]["ids"])
        self.assertEqual(out[6], {"id": 7, "text": "", "ids": [], "finish": "length", "error": None})

    def test_rows_without_a_seed_draw_on_their_own_and_alike_every_time(self):
        rows = [{"id": i, "prompt": "Once upon a time", "n": 12} for i in range(3)]
        first = self.batch(rows)
        self.assertEqual(len({tuple(r["ids"]) for r in first}), 3)
        self.output.unlink()
        turned = self.batch(list(reversed(rows)), "--sequences", 1)
        self.assertEqual(sorted(turned, key=lambda r: r["id"]), first)

    def test_an_error_stays_in_its_row(self):
        good = {"prompt": FRANCE, "n": 2, "greedy": True}
        out = self.batch([
            {"id": "a", **good},
            "{not json",
            "[1, 2]",
            {"id": "b", "prompt": "x", "ids": [1]},
            {"id": "c"},
            {"id": "d", **good, "temperature": "hot"},
            {"id": "e", **good, "temperature": -1},
            {"id": "f", "ids": [99999999]},
            {"id": "g", "prompt": "word " * 9000},
            {"id": {"no": "id"}, **good},
            {"id": "h", **good, "beams": 4},
            {"id": "i", **good, "preset": "nonsense"},
            {"id": "j", "prompt": FRANCE, "n": 2, "top_k": 1.5},
            {"id": "a", **good},
            "",
            {"id": "z", **good},
        ])
        self.assertEqual([r["id"] for r in out], ["a", 2, 3, "b", "c", "d", "e", "f", "g", 10, "h", "i", "j", "a", "z"])
        bad = [r for r in out if r["error"] is not None]
        self.assertEqual(len(bad), 13)
        for row in bad:
            self.assertEqual(set(row), {"id", "error"})
        errors = {r["id"]: r["error"] for r in bad}
        self.assertIn("line 2", errors[2])
        self.assertIn("temperature", errors["d"])
        self.assertIn("temperature", errors["e"])
        self.assertIn("8192", errors["g"])
        self.assertIn("beams", errors["h"])
        self.assertIn("llama.cpp", errors["i"])
        self.assertIn("top_k", errors["j"])
        self.assertIn("repeats", errors["a"])
        self.assertEqual(out[0]["ids"], out[-1]["ids"])
        self.assertIn("15 rows, 13 errors", self.stderr)

    def test_an_unknown_key_is_told_once(self):
        out = self.batch([{"id": i, "prompt": "x", "n": 1, "reference": "y"} for i in range(3)])
        self.assertTrue(all(r["error"] is None for r in out))
        self.assertEqual(self.stderr.count("reference"), 1)

    def test_it_goes_on_where_it_stopped(self):
        rows = [{"id": i, "prompt": f"{FRANCE} {i}", "n": 40 + i % 7} for i in range(40)] + [{"id": 3, "prompt": "x"}]
        whole = self.batch(rows)
        self.output.unlink()
        process = start("batch", "-i", self.input, "-o", self.output, "--sequences", 3, "-q")
        with process:
            while not (self.output.exists() and self.output.read_text().count("\n") >= 5):
                time.sleep(0.01)
                self.assertIsNone(process.poll())
            process.kill()
        part = self.output.read_text()
        self.assertLess(part.count("\n"), len(rows))
        self.output.write_text(part + '{"id":99,"te')  # a torn line
        done = run_json("batch", "-i", self.input, "-o", self.output)
        self.assertEqual(done["skipped"], part.count("\n"))
        self.assertEqual(done["rows"], len(rows) - done["skipped"])
        self.assertTrue(self.output.read_text().startswith(part))
        self.assertEqual(lines(self.output), whole)
        again = run_json("batch", "-i", self.input, "-o", self.output)
        self.assertEqual((again["rows"], again["skipped"]), (0, len(rows)))
        self.assertEqual(lines(self.output), whole)

    def test_an_interrupt_keeps_what_is_finished(self):
        rows = [{"id": 0, "prompt": COUNTING, "n": 4000, "greedy": True}] + [{"id": i, "prompt": FRANCE, "n": 3} for i in range(1, 400)]
        self.input.write_text("".join(json.dumps(r) + "\n" for r in rows))
        process = start("batch", "-i", self.input, "-o", self.output, "--sequences", 2)
        with process:
            time.sleep(2.5)
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130)
        kept = lines(self.output)
        self.assertGreater(len(kept), 0)
        self.assertNotIn(0, [r["id"] for r in kept])  # it was not finished; those behind it were

    def test_pipes(self):
        row = json.dumps({"id": "é", "prompt": FRANCE, "n": 2, "greedy": True}, ensure_ascii=False)
        done = run("batch", stdin=row)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(json.loads(done.stdout)["id"], "é")

    def test_what_cannot_be_done(self):
        self.input.write_text("")
        self.check_sentence(run("batch", "-i", self.dir / "missing", "-o", self.output), 1, "missing")
        self.check_sentence(run("batch", "-i", self.dir, "-o", self.output), 1, "directory")
        self.check_sentence(run("batch", "-i", self.input, "-o", self.input), 1, "input")
        self.check_sentence(run("batch", "-i", self.input, "-o", self.dir / "no" / "where"), 1, "where")
        self.output.write_text("precious words of another program\n")
        self.check_sentence(run("batch", "-i", self.input, "-o", self.output), 1, "line 1")
        self.assertEqual(self.output.read_text(), "precious words of another program\n")
        self.check_usage(run("batch", "--sequences", 0))
        self.check_usage(run("batch", "--json"))


if __name__ == "__main__":
    main()
