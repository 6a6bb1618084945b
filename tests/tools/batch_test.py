"""partita batch: rows, errors, options, progress."""

import json
import os
import pty
import subprocess

from odd_models import sound
from program import FRANCE, BatchTest, main, read_until, run, run_json, start


class Batch(BatchTest):
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

    def test_a_full_context_differs_from_a_limit(self):
        row = {"ids": [253] * 509, "greedy": True, "logit_bias": {"0": "-inf", "2": "-inf"}}  # of the bundled model's 512
        out = self.batch([row | {"id": 1, "n": -1}, row | {"id": 2, "n": 2}, row | {"id": 3, "n": 3}, row | {"id": 4, "n": 4}],
                         "-m", "bundled")
        self.assertEqual([r["finish"] for r in out], ["length"] * 4)
        self.assertEqual([r.get("context_full") for r in out], [True, None, None, True])

    def test_rows_that_abstain(self):
        row = {"prompt": FRANCE, "n": 8, "greedy": True}
        out = self.batch([row | {"id": 1, "confidence": True}, row | {"id": 2, "abstain_margin": 0.9},
                          row | {"id": 3, "abstain_entropy": 0.1, "mark_unsure": True},
                          row | {"id": 4, "abstain_probability": 7}])
        self.assertEqual(len(out[0]["confidence"]), 8)
        self.assertEqual(out[1]["finish"], "abstain")
        stop = next(i for i, c in enumerate(out[0]["confidence"]) if c["margin"] < 0.9)
        self.assertEqual(out[1]["ids"], out[0]["ids"][:stop + 1])
        self.assertEqual(out[2]["ids"], out[0]["ids"])
        self.assertEqual([c["unsure"] for c in out[2]["confidence"]],
                         [c["entropy"] > 0.1 for c in out[0]["confidence"]])
        self.assertIn("min_probability is 7", out[3]["error"])
        self.assertIn("1 too unsure to be completed", self.stderr)

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
            duplicate = row["id"] in (2, 3, 10) or row is out[13]  # rows that own no id
            self.assertEqual(set(row), {"id", "error"} | ({"line"} if duplicate else set()))
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

    def test_null_is_as_if_absent(self):
        out = self.batch([{"id": 1, "prompt": FRANCE, "n": 3, "greedy": True},
                          {"id": 2, "prompt": FRANCE, "messages": None, "ids": None, "n": 3, "greedy": True, "temperature": None},
                          {"id": 3, "prompt": None, "messages": [{"role": "user", "content": "Hi"}], "n": 1}])
        self.assertEqual([row["error"] for row in out], [None, None, None])
        self.assertEqual(out[1]["ids"], out[0]["ids"])

    def test_an_unknown_key_is_reported_once(self):
        out = self.batch([{"id": i, "prompt": "x", "n": 1, "reference": "y"} for i in range(3)])
        self.assertTrue(all(r["error"] is None for r in out))
        self.assertEqual(self.stderr.count("reference"), 1)

    def test_a_key_that_looks_like_an_option_is_an_error(self):
        good = {"prompt": FRANCE, "n": 1, "greedy": True}
        strange = {"temprature": 0.5, "topK": 4, "max-tokens": 4, "entmax": 1.5, "repetition_penalty": 1.2, "json_schema": {}}
        rows = [{"id": key, **good, key: value} for key, value in strange.items()]
        data = {"idx": 3, "category": "capitals", "reference": "Paris", "step": 1, "metadata": {"a": 1}, "tools": [],
                "chat_template_kwargs": {}, "temprature": None}
        rows.append({"id": "data", **good, **data})
        rows.append({"custom_id": "body", "url": "/v1/completions", "body": {"prompt": "x", "max_tokens": 1, "tempreture": 1}})
        out = self.batch(rows)
        errors = {r["id"]: r["error"] for r in out[:-1]}
        self.assertIsNone(errors.pop("data"))
        for key in ("json_schema",):  # an empty object is treated as absent
            self.assertIsNone(errors.pop(key))
        for key, error in errors.items():
            self.assertIn(f'"{key}" is not an option of a row', error)
            self.assertIn("--ignore-unknown", error)
        for key, meant in (("temprature", "temperature"), ("topK", "top_k"), ("max-tokens", "max_tokens"),
                           ("repetition_penalty", "repeat_penalty")):
            self.assertIn(f'did you mean "{meant}"?', errors[key])
        self.assertIn('did you mean "temperature"?', out[-1]["error"]["message"])
        self.assertNotIn("metadata", self.stderr)
        self.output.unlink()
        out = self.batch(rows, "--ignore-unknown")
        self.assertTrue(all(r["error"] is None for r in out))
        self.assertIn("temprature", self.stderr)

    def test_what_a_chat_template_is_given(self):
        (self.dir / "t.jinja").write_text(
            "{% for m in messages %}[{{ m.role }}: {{ m.content }}{% for c in m.tool_calls or [] %}{{ c.function.arguments | tojson }}"
            "{% endfor %}]{% endfor %}{{ tools | tojson if tools else '-' }}{{ city }}{{ documents | length }}"
            "{{ 'A:' if add_generation_prompt }}")
        tool = {"type": "function", "function": {"name": "f", "description": "d", "arguments": {"z": 1, "a": 2}}}
        messages = [{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
                    {"role": "assistant", "content": None, "tool_calls": [tool]}, {"role": "tool", "content": "r", "name": "f"}]
        rows = [{"id": "all", "messages": messages, "tools": [tool], "documents": [{"text": "x"}], "n": 1,
                 "chat_template_kwargs": {"city": "Rome"}},
                {"id": "line", "messages": [{"role": "user", "content": "q"}], "n": 1},
                {"id": "begun", "messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "It is "}],
                 "continue_final_message": True, "n": 1},
                {"id": "raw", "prompt": "x", "tools": [tool], "n": 1},
                {"id": "bos", "messages": messages, "chat_template_kwargs": {"bos_token": "<|im_end|>"}, "n": 1},
                {"id": "tools", "messages": messages, "tools": [{"function": {}}], "n": 1},
                {"id": "image", "messages": [{"role": "user", "content": [{"type": "image"}]}], "n": 1}]
        calls = json.dumps(tool["function"]["arguments"])
        wanted = [f"[user: ab][assistant: {calls}][tool: r]{json.dumps([tool])}Rome1A:", "[user: q]-Bonn0A:",
                  "[user: q][assistant: It is "]
        plain = [{"id": text, "prompt": text, "n": 1, "logprobs": 3} for text in wanted]
        out = self.batch([{**row, "logprobs": 3} for row in rows] + plain, "--greedy", "--chat-template",
                         self.dir / "t.jinja", "--template-arg", 'city="Bonn"')
        for row, alone in zip(out, out[len(rows):]):
            self.assertEqual(row["logprobs"], alone["logprobs"])
        for row, words in zip(out[3:], ('"tools" is for the chat template', '"bos_token"', '"function"', '"image"')):
            self.assertIn(words, row["error"])

    def test_the_built_in_template_is_named_once(self):
        file = sound()
        del file.keys["tokenizer.chat_template"]
        file.write(self.dir / "m.gguf")
        rows = [{"id": i, "messages": [{"role": "user", "content": "the"}], "n": 1} for i in range(2)]
        self.batch(rows, "-m", self.dir / "m.gguf")
        self.assertEqual(self.stderr.count('built-in one "chatml"'), 1)

    def test_names_and_seeds_of_rows(self):
        good = {"prompt": FRANCE, "n": 1}
        out = self.batch([{"id": "samplers", **good, "samplers": ["top_k", "temprature"]},
                          {"id": "preset", **good, "preset": "lama.cpp"}, {"id": "seed", **good, "seed": -1},
                          {"id": "role", "messages": [{"role": "robot", "content": "x"}], "n": 1},
                          {"id": "stop", **good, "stop": ""}])
        errors = [r["error"] for r in out]
        for error, words in zip(errors, ("did you mean temperature?", "did you mean llama.cpp?", "18446744073709551615",
                                         '"robot"', "stop string is empty")):
            self.assertIn(words, error)

    def test_strict(self):
        good, bad = {"id": 1, "prompt": "x", "n": 1}, {"id": 2}
        self.batch([good, bad])
        self.batch([good, bad], "--strict", code=1)  # the error row of the run before
        self.assertIn("1 rows are errors, 1 of them from earlier runs", self.stderr)
        self.output.unlink()
        self.batch([good, bad], "--strict", code=1)
        self.batch([good, bad, {"id": 3}], "--strict", code=1)
        self.assertIn("2 rows are errors, 1 of them from earlier runs", self.stderr)
        self.output.unlink()
        self.batch([good], "--strict")
        self.batch([good], "--strict", "--retry-errors")

    def test_what_a_row_has_at_most(self):
        good = {"prompt": FRANCE, "n": 2, "greedy": True}
        out = self.batch([
            {"id": None, **good},
            {"id": "logprobs", **good, "logprobs": 101},
            {"id": "system", **good, "system": "Be rude."},
            {"id": "chat", "ids": [1, 2], "n": 2, "chat": True},
            {"id": "keys", **good, **{f"x{i}": 0 for i in range(1000)}},
            {"id": "biases", **good, "logit_bias": {str(i): 0 for i in range(40000)}},  # not a key at a time
            {"custom_id": "body", "url": "/v1/completions", "body": {"prompt": "x", **{f"x{i}": 0 for i in range(1000)}}},
            {"id": "strange", **good, **{f"y{i}\x1b[2J": 0 for i in range(150)}},
        ])
        self.assertEqual([r.get("id") for r in out[:6]], [1, "logprobs", "system", "chat", "keys", "biases"])
        self.assertEqual([r["error"] is None for r in out], [True, False, False, False, False, True, False, True])
        self.assertIn("at most 100", out[1]["error"])
        self.assertIn('"chat": true', out[2]["error"])
        self.assertIn("as they are", out[3]["error"])
        self.assertIn("1004 keys", out[4]["error"])
        self.assertEqual(out[5]["ids"], out[0]["ids"])
        self.assertIn("1001 keys", json.dumps(out[6]))
        self.assertEqual(self.stderr.count("is not an option of a row"), 100)
        self.assertNotIn("\x1b", self.stderr)

    def test_rows_as_they_are_finished(self):
        rows = [{"id": "long", "prompt": FRANCE, "n": 60}] + [{"id": i, "prompt": f"{FRANCE} {i}", "n": 2} for i in range(12)]
        ordered = self.batch(rows, "--sequences", 3)
        self.assertEqual([r["id"] for r in ordered], [r["id"] for r in rows])
        self.output.unlink()
        out = self.batch(rows, "--sequences", 3, "--order", "finished")
        self.assertEqual(out[-1]["id"], "long")
        self.assertEqual(sorted(map(json.dumps, out)), sorted(map(json.dumps, ordered)))

    def test_the_summary(self):
        self.write_rows([{"id": 1, "prompt": FRANCE, "n": 5, "greedy": True}, {"id": 2}])
        done = self.batch_json()
        self.assertEqual((done["rows"], done["errors"], done["skipped"], done["abstained"], done["tokens"]), (2, 1, 0, 0, 5))
        self.assertAlmostEqual(done["tokens_per_s"], done["tokens"] / done["seconds"])
        self.assertGreater(done["timing"]["prefill_tokens"], 0)
        again = self.batch_json()
        self.assertEqual((again["rows"], again["skipped"], again["tokens"], again["tokens_per_s"]), (0, 2, 0, 0))

    def test_progress_as_lines(self):
        self.write_rows([{"id": i, "prompt": FRANCE, "n": 20, "greedy": True} for i in range(30)])
        args = ("batch", "-i", self.input, "--sequences", 2, "--progress-every", 0.05)
        told = run(*args).stderr.decode().splitlines()
        lines = [line for line in told if line.startswith("partita: ")]
        self.assertGreater(len(lines), 1)
        for line in lines:
            self.assertRegex(line, r"^partita: \d+ of 30 rows, \d+ tokens/s(, \d+:\d\d left)?$")
        self.assertLessEqual(int(lines[-1].split()[1]), 30)
        self.assertEqual(run(*args, "-q").stderr, b"")

    def test_progress_where_rows_grow_and_some_are_done(self):
        short = [{"id": i, "prompt": "x", "n": 0} for i in range(20)]
        long = [{"id": 20 + i, "prompt": FRANCE + " not" * 200, "n": 100, "greedy": True} for i in range(20)]
        self.batch(short)
        self.write_rows([*short, "", *long, " "])  # blank lines are no rows
        done = run("batch", "-m", "bundled", "-i", self.input, "-o", self.output, "--sequences", 2, "--progress-every", 0.01)
        told = [line for line in done.stderr.decode().splitlines() if line.startswith("partita: ")]
        self.assertGreater(len(told), 1)
        for line in told:
            self.assertRegex(line, r"^partita: \d+ of 40 rows")
            self.assertGreaterEqual(int(line.split()[1]), 20)

    def test_progress_on_a_terminal(self):
        self.write_rows([{"id": i, "prompt": FRANCE, "n": 30, "greedy": True} for i in range(20)])
        keeper, terminal = pty.openpty()
        process = start("batch", "-i", self.input, "-o", self.output, "--sequences", 2, stderr=terminal)
        os.close(terminal)
        seen = b""
        while piece := self.read_terminal(keeper):
            seen += piece
        os.close(keeper)
        self.assertEqual(process.wait(timeout=60), 0)
        process.stdout.close()
        self.assertRegex(seen.decode(), r"\r\[#*\.*\] \d+ of 20 rows, \d+ tokens/s")
        bar, _, summary = seen.decode().rpartition("20 rows, 0 errors")
        self.assertTrue(bar.endswith(" \r"), bar)  # erased before the summary
        self.assertNotIn("\x1b", seen.decode())

    @staticmethod
    def read_terminal(fd):
        try:
            return os.read(fd, 4096)
        except OSError:  # what Linux says when the other side has closed it
            return b""

    def test_a_writer_that_waits_for_each_answer(self):
        with start("batch", "-q", stdin=subprocess.PIPE) as process:
            for i in range(3):
                process.stdin.write(json.dumps({"id": i, "prompt": FRANCE, "n": 2}).encode() + b"\n")
                process.stdin.flush()
                self.assertEqual(json.loads(read_until(process.stdout, b"\n"))["id"], i)
            process.stdin.close()
            self.assertEqual(process.wait(timeout=60), 0)

    def test_a_reader_that_leaves(self):
        self.write_rows([{"id": i, "prompt": FRANCE, "n": 2} for i in range(40)])
        with start("batch", "-q", "-i", self.input, "--sequences", 2) as process:
            read_until(process.stdout, b"\n")
            process.stdout.close()
            message = process.stderr.read().decode()
            self.assertEqual(process.wait(timeout=60), 1)
        self.assertEqual(message.count("\n"), 1, message)
        self.assertIn("stdout: Broken pipe", message)

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
        self.check_usage(run("batch", "--retry-errors"), "-o FILE")
        self.check_usage(run("batch", "--order", "random"), "finished")


if __name__ == "__main__":
    main()
