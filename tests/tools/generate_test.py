"""partita generate, and what every command has in common."""

import json
import signal
import statistics
import subprocess
import time

from program import (COUNTING, FRANCE, MODEL, PATIENCE, PROGRAM, ProgramTest, environment, gguf_of_family, main, read_until, run,
                     run_json, start)

# The common options that --help of each command shows, besides --model and --quiet; it takes the others too.
ENGINE = {"--threads", "--exact", "--cache", "--head", "--verbose"}
COMMANDS = {
    "generate": ENGINE | {"--json", "--no-special", "--seed"},
    "chat": ENGINE | {"--seed"},
    "batch": ENGINE | {"--json", "--no-special", "--seed"},
    "score": ENGINE | {"--json", "--no-special"},
    "tokenize": {"--json", "--no-special"},
    "detokenize": {"--json"},
    "template": {"--json"},
    "inspect": {"--json"},
    "bench": ENGINE | {"--json"},
}


class Generate(ProgramTest):
    def test_answers(self):
        done = run("generate", "-p", FRANCE, "-n", 8, "--greedy")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("Paris", done.stdout.decode())
        self.assertIn("tokens/s", done.stderr.decode())
        self.assertIn("GB/s", done.stderr.decode())
        quiet = run("generate", "-p", FRANCE, "-n", 8, "--greedy", "-q")
        self.assertEqual(quiet.stdout, done.stdout)
        self.assertEqual(quiet.stderr, b"")

    def test_json(self):
        out = run_json("generate", "-p", FRANCE, "-n", 8, "--greedy", "--logprobs", 3)
        self.assertEqual(list(out), ["model", "prompt_ids", "ids", "text", "finish", "logprobs", "timing"])
        self.assertEqual(out["model"], MODEL)
        self.assertEqual(out["finish"], "length")
        self.assertEqual(len(out["ids"]), 8)
        self.assertEqual([t["id"] for t in out["logprobs"]], out["ids"])
        for token in out["logprobs"]:
            self.assertLessEqual(token["logprob"], 0)
            self.assertEqual(len(token["top"]), 3)
            self.assertEqual(token["top"][0], [token["id"], token["logprob"]])  # greedy: the likeliest
        self.assertEqual(set(out["timing"]), {"load_s", "prefill_tokens", "prefill_s", "decode_tokens", "decode_s"})
        self.assertEqual(out["timing"]["prefill_tokens"], len(out["prompt_ids"]))
        plain = run("generate", "-p", FRANCE, "-n", 8, "--greedy")
        self.assertEqual(plain.stdout.decode(), out["text"] + "\n")
        self.assertNotIn("logprobs", run_json("generate", "-p", FRANCE, "-n", 2, "--greedy"))

    def test_prompt_from_anywhere_is_the_same_prompt(self):
        want = run_json("generate", "-p", FRANCE, "-n", 4, "--greedy")
        (self.dir / "prompt.txt").write_text(FRANCE)
        from_file = run_json("generate", "-f", self.dir / "prompt.txt", "-n", 4, "--greedy")
        from_stdin = run_json("generate", "-n", 4, "--temperature", 0, stdin=FRANCE)
        ids = " ".join(map(str, want["prompt_ids"]))
        as_ids = run_json("generate", "-p", ids, "--ids", "-n", 4, "--greedy")
        with_commas = run_json("generate", "-p", ids.replace(" ", ","), "--ids", "-n", 4, "--greedy")
        for other in (from_file, from_stdin, as_ids, with_commas):
            self.assertEqual(other["prompt_ids"], want["prompt_ids"])
            self.assertEqual(other["ids"], want["ids"])

    def test_seed_and_threads(self):
        def ids(*args):
            return run_json("generate", "-p", "Once upon a time", "-n", 24, "--temperature", 0.9, *args)["ids"]
        self.assertEqual(ids("--seed", 5, "-t", 1), ids("--seed", 5, "-t", 2))
        self.assertNotEqual(ids("--seed", 5), ids("--seed", 6))

    def test_stop(self):
        whole = run_json("generate", "-p", FRANCE, "-n", 30, "--greedy")["text"]
        for stop in (whole[3:9], whole[20:26], "Paris"):
            out = run_json("generate", "-p", FRANCE, "-n", 30, "--greedy", "--stop", "never!", "--stop", stop)
            self.assertEqual(out["text"], whole[:whole.index(stop)])
            self.assertEqual(out["finish"], "stop")
            plain = run("generate", "-p", FRANCE, "-n", 30, "--greedy", "--stop", stop)
            self.assertEqual(plain.stdout.decode(), out["text"] + "\n")

    def test_chat_template(self):
        out = run_json("generate", "--chat", "-p", "What is 2 + 2? <|im_end|>", "-n", 40, "--greedy")
        text = run("detokenize", *out["prompt_ids"]).stdout.decode()
        self.assertTrue(text.startswith("<|im_start|>system\n"), text)
        self.assertTrue(text.endswith("<|im_end|><|im_end|>\n<|im_start|>assistant\n"), text)
        end = run_json("tokenize", stdin="<|im_end|>")["ids"]
        self.assertEqual(len(end), 1)
        self.assertEqual(out["prompt_ids"].count(end[0]), 2)  # system and user; the typed one is text
        self.assertEqual(out["finish"], "eos")
        self.assertEqual(out["ids"][-1], end[0])
        self.assertNotIn("<|im_end|>", out["text"])
        system = run_json("generate", "--chat", "--system", "Be brief.", "-p", "Hi", "-n", 1, "--greedy")
        self.assertIn("Be brief.", run("detokenize", *system["prompt_ids"]).stdout.decode())

    def test_special_tokens_in_a_raw_prompt(self):
        parsed = run_json("generate", "-p", "<|im_start|>", "-n", 1, "--greedy")["prompt_ids"]
        as_text = run_json("generate", "-p", "<|im_start|>", "-n", 1, "--greedy", "--no-special")["prompt_ids"]
        self.assertEqual(len(parsed), 1)
        self.assertGreater(len(as_text), 1)

    def test_exact_and_verbose(self):
        done = run("generate", "-p", FRANCE, "-n", 3, "--temperature", 0.8, "--top-p", 0.95, "--exact", "-v")
        self.assertEqual(done.returncode, 0)
        self.assertIn("exact", done.stderr.decode())
        self.assertIn("temperature", done.stderr.decode())
        self.assertIn("top_p", done.stderr.decode())

    def test_nothing_wanted(self):
        out = run_json("generate", "-p", FRANCE, "-n", 0)
        self.assertEqual((out["ids"], out["text"], out["finish"]), ([], "", "length"))

    def test_a_prompt_beyond_the_context_is_refused_with_both_lengths(self):
        done = run("generate", "-f", "-", "-n", 1, stdin="word " * 9000)
        self.check_sentence(done, 1, "900", "8192")


class Interrupts(ProgramTest):
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

    def test_what_was_finished_is_printed(self):
        process = start("generate", "-p", COUNTING, "-n", 8000, "--greedy", "--json", "-v")
        with process:
            read_until(process.stderr, b"samplers")
            time.sleep(1.5)
            process.send_signal(signal.SIGINT)
            out, _ = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130)
        value = json.loads(out)
        self.assertEqual(value["finish"], "interrupted")
        self.assertGreater(len(value["ids"]), 0)
        self.assertIn("14", value["text"])


class Usage(ProgramTest):
    def test_help_and_its_example(self):
        for command, heeded in COMMANDS.items():
            with self.subTest(command):
                shown = run(command, "--help")
                self.assertEqual(shown.returncode, 0)
                options, example = shown.stdout.decode().split("Example:\n")
                for option in {"--model", "--quiet"} | heeded:
                    self.assertIn(option, options)
                for option in COMMANDS["generate"] - heeded:
                    self.assertNotIn(option, options)
                example = example.strip()
                self.assertIn(PROGRAM, example)
                done = subprocess.run(["bash", "-o", "pipefail", "-c", example], stdin=subprocess.DEVNULL,
                                      capture_output=True, env=environment(), timeout=300)
                self.assertEqual(done.returncode, 0, f"{example}\n{done.stderr.decode()}")
                if command != "chat":
                    self.assertGreater(len(done.stdout), 0, example)

    def test_options_that_a_command_has_no_use_for(self):
        common = ["-m", MODEL, "-t", 1, "--seed", 5, "--exact", "--cache", "i8", "--head", "full", "--no-special", "-q", "-v"]
        conversation = '{"messages":[{"role":"user","content":"Hi"}]}'
        for command, stdin in (("tokenize", "Hi"), ("detokenize", "1 2"), ("template", conversation), ("inspect", "")):
            with self.subTest(command):
                plain, given = run(command, stdin=stdin), run(command, *common, stdin=stdin)
                self.assertEqual(given.returncode, 0, given.stderr)
                self.assertEqual(given.stdout, plain.stdout)

    def test_program_help_and_version(self):
        shown = run("--help")
        self.assertEqual(shown.returncode, 0)
        for command in COMMANDS:
            self.assertIn(command, shown.stdout.decode())
        self.assertRegex(run("--version").stdout.decode(), r"^partita \d+\.\d+\.\d+\n$")

    def test_wrong_usage(self):
        self.check_usage(run())
        self.check_usage(run("nonsense"))
        self.check_usage(run("generate", "-p", "x", "--beams", 2), "beams")
        self.check_usage(run("generate", "-p", "x", "--typical-p", 1.5), "typical_p")
        self.check_usage(run("generate", "-p", "x", "--typ-p", 0.5), "typ-p")
        self.check_usage(run("generate", "-p", "x", "--preset", "nonsense"), "llama.cpp")
        self.check_usage(run("generate", "-p", "x", "--logit-bias", "7"), "ID:NUMBER")
        self.check_usage(run("generate", "-p", "x", "--head", "screened"), "screened")
        self.check_usage(run("generate", "-p", "x", "--head", "tail"), "tail")
        self.check_usage(run("generate", "-p", "x", "--cache", "q4"), "q4")
        self.check_usage(run("generate", "-p", "x", "-n", "many"))
        self.check_usage(run("generate", "-p", "x", "-t", -1))
        self.check_usage(run("generate", "-p", "x", "-f", "y"))
        self.check_usage(run("generate", "-p", "x", "--greedy", "--temperature", 1))
        self.check_usage(run("generate", "-p", "x", "--temperature", -1), "temperature")
        self.check_usage(run("generate", "-p", "x", "--top-p", 2), "top_p")
        self.check_usage(run("generate", "-p", "x", "--samplers", "top_k,nonsense"), "nonsense")
        self.check_usage(run("generate", "-p", "1 two 3", "--ids"), "two")
        self.check_usage(run("detokenize", "x"), "x")
        self.check_usage(run("chat", "--json"))

    def test_files_that_are_no_models(self):
        empty, text, family = self.dir / "empty.gguf", self.dir / "text.gguf", self.dir / "family.gguf"
        empty.write_bytes(b"")
        text.write_text("This is a letter to a friend, and no model at all.\n" * 20)
        gguf_of_family(family, "mamba99")
        for command in (["generate", "-p", "x"], ["score"], ["bench"], ["chat"], ["batch"]):
            with self.subTest(command):
                def attempt(path):
                    return run(*command, "-m", path, stdin="")
                self.check_sentence(attempt(self.dir / "missing.gguf"), 1, "missing.gguf")
                self.check_sentence(attempt(self.dir), 1, str(self.dir), "director")
                self.check_sentence(attempt(empty), 1, "empty")
                self.check_sentence(attempt(text), 1, "GGUF")
                self.check_sentence(attempt(family), 1, "mamba99", "llama", "gemma3")

    def test_no_model_at_all(self):
        env = environment(HOME=str(self.dir))
        del env["PARTITA_MODEL"]
        program = self.dir / "bin" / "partita"
        program.parent.mkdir()
        program.write_bytes(open(PROGRAM, "rb").read())
        program.chmod(0o755)
        done = subprocess.run([program, "generate", "-p", "x"], capture_output=True, env=env, cwd=self.dir)
        self.check_sentence(done, 1, "scripts/fetch-model", "-m")

    def test_a_full_disk_is_an_error(self):
        with open("/dev/full", "wb") as full:
            done = subprocess.run([PROGRAM, "generate", "-p", "x", "-n", "3", "-q"], stdout=full,
                                  stderr=subprocess.PIPE, env=environment())
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"cannot write", done.stderr)


if __name__ == "__main__":
    main()
