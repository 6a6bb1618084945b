"""partita generate, and the options, help and errors that all commands share."""

import json
import os
import signal
import subprocess
import time

from gguf_file import STRING
from odd_models import sound
from program import (
    COUNTING,
    FRANCE,
    MODEL,
    MODELS,
    PROGRAM,
    SOURCE,
    ProgramTest,
    environment,
    gguf_of_family,
    main,
    read_until,
    run,
    run_json,
    start,
    write_checkpoint,
)

# The common options that --help-all of each command shows, besides --model and --quiet; it accepts the others too.
ENGINE = {"--threads", "--exact", "--cache", "--attention-window", "--attention-sinks", "--head", "--trace-nan",
          "--verbose"}
COMMANDS = {
    "generate": ENGINE | {"--json", "--no-special", "--seed"},
    "chat": ENGINE | {"--seed"},
    "batch": ENGINE | {"--json", "--no-special", "--seed"},
    "score": ENGINE | {"--json", "--no-special"},
    "tokenize": {"--json", "--no-special"},
    "detokenize": {"--json"},
    "template": {"--json"},
    "inspect": {"--json"},
    "convert": {"--json"},
    "bench": ENGINE | {"--json"},
    "prepare": {"--json", "--seed", "--threads"},
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

    def test_explain(self):
        flags = ("-p", FRANCE, "-n", 4, "--top-k", 20, "--top-p", 0.9, "--seed", 3)
        plain = run_json("generate", *flags)
        out = run_json("generate", *flags, "--explain", "--explain-top", 3)
        self.assertEqual(out["ids"], plain["ids"])
        self.assertEqual([e["id"] for e in out["explain"]], plain["ids"])
        for e in out["explain"]:
            self.assertEqual([s["stage"] for s in e["stages"]], ["model", "temperature 0.7", "top_k 20", "top_p 0.9"])
            left = [s["candidates"] for s in e["stages"]]
            self.assertEqual(left[:3], [49152, 49152, 20])
            self.assertLessEqual(left[3], 20)
            for stage in e["stages"]:
                self.assertLessEqual(len(stage["top"]), 3)
                probabilities = [p for _, _, p in stage["top"]]
                self.assertEqual(probabilities, sorted(probabilities, reverse=True))
            if left[3] == 1:
                self.assertEqual(e["removed_by"], "top_p 0.9")
            self.assertGreater(e["probability"], 0)
        first = out["explain"][0]["stages"]
        self.assertEqual(first[0]["top"][0][:2], [7042, " Paris"])
        text = run("generate", *flags, "--explain", "-q").stdout.decode()
        self.assertIn('1. " Paris", chosen with probability 1.0000 from every logit (30.1 MB', text)
        self.assertIn('runner-up " the" removed by top_p 0.9', text)
        self.assertTrue(text.endswith("\n" + plain["text"] + "\n"), text)

    def test_abstain(self):
        flags = ("-p", FRANCE, "-n", 8, "--greedy")
        free = run_json("generate", *flags, "--confidence")
        self.assertEqual(len(free["confidence"]), 8)
        self.assertFalse(any(c["unsure"] for c in free["confidence"]))
        sure = [c["probability"] for c in free["confidence"]]
        least = sorted(sure)[4]
        first = next(i for i, p in enumerate(sure) if p < least)
        out = run_json("generate", *flags, "--abstain-probability", repr(least))
        self.assertEqual(out["finish"], "abstain")
        self.assertEqual(out["ids"], free["ids"][:first + 1])
        self.assertTrue(out["confidence"][-1]["unsure"])
        marked = run_json("generate", *flags, "--abstain-probability", repr(least), "--mark-unsure")
        self.assertEqual(marked["ids"], free["ids"])
        self.assertEqual(sum(c["unsure"] for c in marked["confidence"]), 4)
        refused = run("generate", *flags, "--abstain-margin", 2)
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn("min_margin is 2", refused.stderr.decode())

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
        self.assertEqual(set(out["timing"]), {"load_s", "prefill_tokens", "prefill_s", "decode_tokens", "decode_s",
                                              "shared_tokens", "draft_tokens", "accepted_tokens"})
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

    def prompt_of(self, *args):
        out = run_json("generate", "--chat", "-p", "Hi", "-n", 1, "--greedy", *args)
        return run("detokenize", *out["prompt_ids"]).stdout.decode()

    def test_tools_of_a_file(self):
        template = self.dir / "t.jinja"
        template.write_text("{{ messages[0].content }}{% for t in tools or [] %}[{{ t.function.name }}]{% endfor %}{{ city }}")
        tools = self.dir / "tools.json"
        tools.write_text(json.dumps([{"type": "function", "function": {"name": n}} for n in ("weather", "clock")]))
        self.assertEqual(self.prompt_of("--chat-template", template, "--tools", tools, "--template-arg", 'city="Rome"'),
                         "Hi[weather][clock]Rome")
        asked = ("generate", "--chat", "-p", "Hi", "-n", 0)
        for text, words in (("{", "--tools"), ('{"name": "f"}', "it must be an array"), ('[{"type": "function"}]', '"function"'),
                            ("[1]", "it must be an array")):
            tools.write_text(text)
            self.check_usage(run(*asked, "--tools", tools), words)
        self.check_usage(run(*asked, "--tools", self.dir / "none"), "none")

    def test_a_template_without_tools_is_reported(self):
        tools = self.dir / "tools.json"
        tools.write_text('[{"type": "function", "function": {"name": "f"}}]')
        asked = ("generate", "--chat", "-p", "Hi", "-n", 0, "--tools", tools)
        self.assertIn(b"does not show tools", run(*asked).stderr)
        self.assertNotIn(b"does not show tools", run(*asked, "-q").stderr)
        shows = self.dir / "t.jinja"
        shows.write_text("{{ messages }}{{ tools }}")
        self.assertNotIn(b"does not show tools", run(*asked, "--chat-template", shows).stderr)

    def test_an_error_of_the_template_is_said_once(self):
        for template in ("{% for m in messages %}{{ m.content }", "{{ raise_exception('no users') }}", "{{ nothing.at.all }}"):
            file = sound()
            file.set("tokenizer.chat_template", STRING, template)
            file.write(self.dir / "m.gguf")
            with self.subTest(template):
                done = run("generate", "-m", self.dir / "m.gguf", "--chat", "-p", "Hi", "-n", 1)
                self.check_sentence(done, 1)
                self.assertLessEqual(done.stderr.count(b"chat template"), 1)
                raw = run("generate", "-m", self.dir / "m.gguf", "-p", "the", "-n", 1)
                self.assertEqual(raw.returncode, 0)
                self.assertEqual(raw.stderr.count(b"partita doctor says more"), 1, raw.stderr)

    def test_options_of_the_template_need_a_chat(self):
        for args in (("--chat-template", "chatml"), ("--template-arg", "a=1"), ("--tools", "f"), ("--prefill", "x")):
            with self.subTest(args):
                self.check_usage(run("generate", "-p", "x", *args), args[0], "--chat")

    def test_prefill(self):
        args = ("generate", "--chat", "-p", "What is the capital of France?", "-n", 12, "--greedy")
        out = run_json(*args, "--prefill", "The capital city is")
        prompt = run("detokenize", *out["prompt_ids"]).stdout.decode()
        self.assertTrue(prompt.endswith("<|im_start|>assistant\nThe capital city is"), prompt)
        self.assertEqual(out["prefill"], "The capital city is")
        self.assertTrue(out["text"].startswith(" Paris"), out["text"])
        self.assertEqual(run("detokenize", *out["ids"]).stdout.decode().removesuffix("<|im_end|>"), out["text"])
        shown = run(*args, "--prefill", "The capital city is").stdout.decode()
        self.assertEqual(shown, "The capital city is" + out["text"] + "\n")
        explained = run(*args, "--prefill", "The capital city is", "--explain").stdout.decode()
        self.assertTrue(explained.endswith("\nThe capital city is" + out["text"] + "\n"), explained)
        self.assertNotIn("prefill", run_json(*args))
        self.check_usage(run(*args, "--prefill", ""), "--prefill", "empty")
        self.check_usage(run(*args, "--prefill", "x", "--beams", 2), "--prefill")

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


class Ensembles(ProgramTest):
    ARGS = ("generate", "-p", "Once upon a time", "-n", 12, "--temperature", 0.9, "--seed", 3, "--logprobs", 2)

    def test_a_model_with_itself_is_the_model(self):
        alone = run_json(*self.ARGS)
        logit = run_json(*self.ARGS, "--with", MODEL, "--ensemble", "logit")
        for key in ("prompt_ids", "ids", "text", "finish", "logprobs"):
            self.assertEqual(logit[key], alone[key], key)
        self.assertEqual(list(logit), ["model", "ensemble", *list(alone)[1:]])
        self.assertEqual(logit["ensemble"], [{"model": MODEL, "weight": 1}, {"model": MODEL, "weight": 1}])
        mixed = run_json(*self.ARGS, "--with", f"{MODEL}=0.5", "--with", f"{MODEL}=2e-1", "--weight", 3)
        self.assertEqual(mixed["ids"], alone["ids"])
        self.assertEqual([m["weight"] for m in mixed["ensemble"]][:2], [3, 0.5])
        for ours, theirs in zip(mixed["logprobs"], alone["logprobs"]):
            self.assertAlmostEqual(ours["logprob"], theirs["logprob"], delta=1e-5)
        self.assertEqual(mixed["timing"]["prefill_tokens"], len(mixed["prompt_ids"]))

    def test_text_and_statistics(self):
        done = run("generate", "-p", FRANCE, "-n", 8, "--greedy", "--with", MODEL)
        self.assertEqual(done.stdout, run("generate", "-p", FRANCE, "-n", 8, "--greedy").stdout)
        self.assertIn("tokens/s", done.stderr.decode())

    def test_usage(self):
        def generate(*args):
            return run("generate", "-p", "x", "-n", 1, *args)
        self.check_usage(generate("--weight", 2), "--with")
        self.check_usage(generate("--ensemble", "logit"), "--with")
        self.check_usage(generate("--with", MODEL, "--ensemble", "median"), "median")
        self.check_usage(generate("--with", MODEL, "--guidance-scale", 2), "--with", "--guidance-scale")
        self.check_usage(generate("--with", f"{MODEL}=-1"), "-1")
        self.check_usage(generate("--with", f"{MODEL}=nan"), "nan")
        self.check_usage(generate("--with", MODEL, "--weight", "-2"), "--weight", "-2")
        self.check_usage(generate("--with", f"{MODEL}=0", "--weight", 0), "0")
        self.check_usage(generate(*["--with", MODEL] * 16), "16")

    def test_models_that_cannot_answer_together(self):
        self.check_sentence(run("generate", "-p", "x", "--with", self.dir / "missing.gguf"), 1, "missing.gguf")
        gemma = MODELS / "gemma-3-270m-q4_k_m.gguf"
        if gemma.exists():
            done = run("generate", "-p", "x", "--with", gemma, "-q")
            self.check_sentence(done, 1, "49152", "262144", str(gemma))


class Searches(ProgramTest):
    def test_beams(self):
        args = ("generate", "-p", FRANCE, "-n", 8)
        out = run_json(*args, "--beams", 4, "--n-best", 3, "--logprobs", 0)
        self.assertEqual(list(out),
                         ["model", "prompt_ids", "ids", "text", "finish", "logprobs", "answers", "timing"])
        self.assertEqual(len(out["answers"]), 3)
        best = out["answers"][0]
        self.assertEqual(set(best), {"ids", "text", "score", "finish"})
        for field in ("ids", "text", "finish"):
            self.assertEqual(out[field], best[field])
        scores = [answer["score"] for answer in out["answers"]]
        self.assertEqual(scores, sorted(scores, reverse=True))
        self.assertEqual([token["id"] for token in out["logprobs"]], out["ids"])
        mean = sum(token["logprob"] for token in out["logprobs"]) / len(out["ids"])
        self.assertAlmostEqual(best["score"], mean, places=5)
        self.assertIn("Paris", out["text"])
        self.assertEqual(run(*args, "--beams", 4).stdout.decode(), out["text"] + "\n")
        shown = run(*args, "--beams", 4, "--n-best", 3).stdout.decode()
        self.assertEqual(shown, "".join(f"[score {a['score']:.4f}]\n{a['text']}\n" for a in out["answers"]))
        diverse = run_json(*args, "--beams", 4, "--beam-groups", 4, "--diversity-penalty", 50, "--n-best", 4)
        self.assertEqual(len({answer["ids"][0] for answer in diverse["answers"]}), 4)

    def test_best_of_and_contrastive(self):
        args = ("generate", "-p", FRANCE, "-n", 8)
        drawn = run_json(*args, "--best-of", 3, "--n-best", 3, "--seed", 4)
        alone = run_json(*args, "--seed", 4)
        self.assertIn(alone["ids"], [answer["ids"] for answer in drawn["answers"]])
        contrastive = run_json(*args, "--penalty-alpha", 0.6, "--top-k", 4)
        self.assertEqual(len(contrastive["answers"]), 1)
        self.assertNotEqual(contrastive["ids"], run_json(*args, "--greedy")["ids"])

    def test_a_stop_string_is_in_no_answer(self):
        out = run_json("generate", "-p", FRANCE, "-n", 16, "--beams", 3, "--n-best", 3, "--stop", "aris")
        self.assertTrue(any(answer["finish"] == "stop" for answer in out["answers"]))
        for answer in out["answers"]:
            self.assertNotIn("aris", answer["text"])

    def test_what_does_not_go_together(self):
        def usage(*args):
            return run("generate", "-p", "x", *args)
        self.check_usage(usage("--beams", 4, "--temperature", 0.7), "temperature is 0.7")
        self.check_usage(usage("--beams", 4, "--top-p", 0.9), "top_p is 0.9")
        self.check_usage(usage("--beams", 4, "--best-of", 2), "not several")
        self.check_usage(usage("--beams", 4, "--beam-groups", 3), "divide")
        self.check_usage(usage("--beams", 4, "--diversity-penalty", 1), "one group")
        self.check_usage(usage("--beams", 4, "--n-best", 5), "n_best is 5")
        self.check_usage(usage("--beams", 4, "--early-stopping", "maybe"), "maybe")
        self.check_usage(usage("--beams", 4, "--logprobs", 2), "logprobs is 2")
        self.check_usage(usage("--beams", 0))
        self.check_usage(usage("--early-stopping", "true"), "--beams")
        self.check_usage(usage("--n-best", 2), "--beams")
        self.check_usage(usage("--penalty-alpha", 0.6), "top_k is 0")


class Heads(ProgramTest):
    def test_a_screen_beside_the_model(self):
        model = str(self.dir / "model.gguf")
        os.symlink(os.path.abspath(MODEL), model)
        screen = model + ".screen"
        flags = ["-m", model, "-p", FRANCE, "-n", 12, "--temperature", 0.9]
        missing = run("generate", *flags, "--head", "screened")
        self.check_sentence(missing, 1, screen, "partita prepare")
        made = run_json("prepare", "-m", model, "--states", 1500)
        self.assertEqual(made["path"], screen)
        self.assertGreaterEqual(made["states"], 1500)
        self.assertGreater(made["head_bytes"], 1.5 * made["screen_bytes"])
        full, screened = (run("generate", *flags, "--head", head, "-v") for head in ("full", "screened"))
        self.assertEqual(screened.stdout, full.stdout)
        self.assertIn(b"the full head", full.stderr)
        self.assertIn(b"the screened head", screened.stderr)
        measured = run_json("bench", "-m", model, "-p", 0, "-n", 16, "--repeat", 1)
        self.assertEqual(measured["head"], "screened")
        self.assertLess(measured["head_bytes"], made["head_bytes"])

        few = run_json("bench", "-m", model, "-p", 0, "-n", 4, "--repeat", 1, "--head-budget", 64)
        self.assertEqual(few["head"], "budgeted")
        self.assertGreater(few["head_kl"], 0)
        scored = run("score", "-m", model, "--head-budget", 64, stdin="The capital of France is Paris.")
        self.assertIn(b"with the full head: nll", scored.stdout)
        self.assertIn(b"kl_mean", scored.stdout)

        with open(screen, "r+b") as file:
            file.truncate(os.path.getsize(screen) - 1000)
        damaged = run("generate", *flags)
        self.assertEqual(damaged.returncode, 0)
        self.assertEqual(damaged.stdout, full.stdout)
        self.assertIn("is damaged", damaged.stderr.decode())
        self.assertIn("the full head is used", damaged.stderr.decode())
        self.check_sentence(run("generate", *flags, "--head", "screened"), 1, screen, "is damaged")


class Interrupts(ProgramTest):
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


class Cut(ProgramTest):
    def test_a_model_that_is_cut_while_it_is_loaded(self):
        file = (SOURCE / "weights/bundled/partita-small.gguf").read_bytes()
        path = self.dir / "m.gguf"
        codes = set()
        for delay in range(0, 60, 3):
            path.write_bytes(file)
            process = start("generate", "-m", path, "-p", "Hi", "-n", 1)
            with process:
                time.sleep(delay * 1e-3)
                os.truncate(path, len(file) // 9 if delay % 2 else 0)
                out, err = process.communicate(timeout=60)
            codes.add(process.returncode)
            self.assertIn(process.returncode, (0, 1), err)
            if process.returncode == 1:
                self.assertEqual((out, err.count(b"\n")), (b"", 1), err)
        self.assertIn(1, codes)


class Usage(ProgramTest):
    def test_help_and_its_example(self):
        write_checkpoint(self.dir / "checkpoint")  # for convert
        for command, used in COMMANDS.items():
            with self.subTest(command):
                options = run(command, "--help-all").stdout.decode().split("Example:\n")[0]
                for option in {"--model", "--quiet"} | used:
                    self.assertIn(option, options)
                for option in COMMANDS["generate"] - used:
                    self.assertNotIn(option, options)
                shown = run(command, "--help")
                self.assertEqual(shown.returncode, 0)
                lines = shown.stdout.decode().split("Example:\n")[1].splitlines()
                example = "\n".join(line.strip() for line in lines if line.startswith("  "))
                self.assertIn(PROGRAM, example)
                done = subprocess.run(["bash", "-o", "pipefail", "-c", example], stdin=subprocess.DEVNULL,
                                      capture_output=True, cwd=self.dir, env=environment(), timeout=300)
                self.assertEqual(done.returncode, 0, f"{example}\n{done.stderr.decode()}")
                if command != "chat":
                    self.assertGreater(len(done.stdout), 0, example)

    def test_common_options_that_a_command_does_not_use(self):
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
        self.check_usage(run("generate", "-p", "x", "--typical-p", 1.5), "typical_p")
        self.check_usage(run("generate", "-p", "x", "--typ-p", 0.5), "typ-p")
        self.check_usage(run("generate", "-p", "x", "--preset", "nonsense"), "llama.cpp")
        self.check_usage(run("generate", "-p", "x", "--logit-bias", "7"), "ID:NUMBER")
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
                self.check_sentence(attempt(family), 1, "mamba99", "docs/models.md")

    def test_no_model_at_all(self):
        env = environment(HOME=str(self.dir))
        del env["PARTITA_MODEL"]
        program = self.dir / "bin" / "partita"
        program.parent.mkdir()
        program.write_bytes(open(PROGRAM, "rb").read())
        program.chmod(0o755)
        def answer(*args):
            return subprocess.run([program, "generate", "--chat", "--greedy", "-n", "8", "-p", "Hello!", *args],
                                  capture_output=True, env=env, cwd=self.dir)
        done = answer()
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue(done.stdout.strip())
        for named in (b"small model", b"-m PATH"):
            self.assertIn(named, done.stderr)
        asked_for = answer("-m", "bundled")
        self.assertEqual(asked_for.stdout, done.stdout)
        self.assertNotIn(b"small model", asked_for.stderr)
        self.assertEqual(json.loads(answer("--json").stdout)["model"], "bundled")
        self.assertIn(b"small model", answer("-q").stderr)
        self.assertEqual(answer("-q", "-m", "bundled").stderr, b"")

    def test_a_full_disk_is_an_error(self):
        with open("/dev/full", "wb") as full:
            done = subprocess.run([PROGRAM, "generate", "-p", "x", "-n", "3", "-q"], stdout=full,
                                  stderr=subprocess.PIPE, env=environment())
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"cannot write", done.stderr)


if __name__ == "__main__":
    main()
