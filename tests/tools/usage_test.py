"""Help texts, usage errors (mistyped names, wrong values), and text output about tokens."""

import json
import os
import pty
import re
import subprocess

from program import FRANCE, PROGRAM, SOURCE, ProgramTest, main, read_until, run, run_json, start

COMMON = {"--model", "--vocabulary", "--quiet", "--help", "--help-all"}
ENGINE = {"--threads", "--exact", "--cache", "--cache-bytes", "--attention-window", "--attention-sinks", "--head",
          "--head-budget", "--trace-nan", "--verbose"}
SAMPLING = {"--" + name for name in """
    logit-bias repeat-penalty penalty-last-n presence-penalty frequency-penalty no-repeat-ngram-size dry-multiplier
    dry-base dry-allowed-length dry-last-n dry-sequence-breakers banned-strings min-tokens temperature greedy
    dynatemp-range dynatemp-exponent top-n-sigma top-k top-p min-p typical-p epsilon-cutoff eta-cutoff xtc-probability
    xtc-threshold mirostat mirostat-tau mirostat-eta samplers preset guidance-scale negative-prompt stop
    abstain-probability abstain-margin abstain-entropy mark-unsure seed speculation draft""".split()}
SEARCH = {"--beams", "--length-penalty", "--early-stopping", "--beam-groups", "--diversity-penalty", "--n-best",
          "--best-of", "--penalty-alpha"}
# All options, which scripts rely on: add to them, do not rename them.
OPTIONS = {
    "generate": ENGINE | SAMPLING | SEARCH | {"--json", "--no-special", "--prompt", "--file", "--max-tokens", "--chat",
                                              "--system", "--ids", "--logprobs", "--confidence", "--explain",
                                              "--explain-top", "--with", "--weight", "--ensemble", "--lora",
                                              "--chat-template", "--template-arg", "--tools", "--prefill"},
    "chat": ENGINE | SAMPLING | {"--max-tokens", "--system", "--session", "--lora", "--chat-template", "--template-arg",
                                 "--tools"},
    "batch": ENGINE | SAMPLING | {"--json", "--no-special", "--input", "--output", "--order", "--retry-errors",
                                  "--ignore-unknown", "--strict", "--progress-every", "--sequences", "--max-tokens",
                                  "--logprobs", "--confidence", "--prefix-bytes", "--chat", "--system", "--lora",
                                  "--chat-template", "--template-arg", "--tools"},
    "score": ENGINE | {"--json", "--no-special", "--prompt", "--file", "--ids", "--totals", "--against", "--lora"},
    "tokenize": {"--json", "--no-special", "--prompt", "--file", "--no-bos", "--tokenizer", "--compare", "--count",
                 "FILE"},
    "detokenize": {"--json", "ids", "--tokenizer"},
    "template": {"--json", "--file", "--chat-template"},
    "inspect": {"--json", "--array-limit", "MODEL"},
    "doctor": {"--json", "--threads", "MODEL", "--context", "--no-data", "--strict"},
    "convert": {"--json", "CHECKPOINT", "--output", "--type", "--lora"},
    "quantize": {"--json", "--threads", "IN", "OUT", "--type", "--imatrix", "--tensor-type", "--embedding-type",
                 "--output-type", "--allow-requantize", "--budget", "--max-kl", "--file"},
    "imatrix": {"--json", "--threads", "--file", "--output", "--chunk"},
    "bench": ENGINE | {"--json", "--prefill", "--decode", "--depth", "--sequences", "--repeat"},
    "prepare": {"--json", "--seed", "--threads", "--output", "--states"},
}
# Options that a command takes and does not use; its help hides them.
UNUSED = {"quantize": {"--model", "--vocabulary"}}
HEADINGS = ["Model", "Conversion", "Batch", "Measurement", "Prompt", "Sampling", "Search", "Speculative decoding",
            "Ensemble", "Output", "Help"]
BUNDLED = ("generate", "-m", "bundled", "-t", 1, "-p", FRANCE)
CONTEXT = 512  # of the bundled model


class Mistyped(ProgramTest):
    def check_says(self, args, *words):
        done = run(*args)
        self.check_usage(done, *words)
        self.assertEqual(done.stderr.count(b"\n"), 1, done.stderr)
        self.assertIn(b"--help", done.stderr)

    def test_commands(self):
        self.check_says(["genrate", "-p", "x"], 'no command "genrate"', "did you mean generate?")
        self.check_says(["tok"], 'no command "tok"', "did you mean tokenize?")
        self.check_says(["zzzzzz"], 'no command "zzzzzz"', "lists the commands")
        self.check_says(["zzzzzz", "--help"], 'no command "zzzzzz"', "lists the commands")
        self.assertNotIn(b"did you mean", run("zzzzzz").stderr)
        self.check_says([], "a command is needed")
        self.check_says(["--temperature", "1", "generate", "-p", "x"], "--temperature before a command")

    def test_help_as_a_command(self):
        self.assertEqual(run("help").stdout, run("--help").stdout)
        self.assertEqual(run("help", "score").stdout, run("score", "--help").stdout)

    def test_options(self):
        self.check_says(["generate", "-p", "x", "--temprature", 0.5], "no option --temprature", "did you mean --temperature?")
        self.check_says(["generate", "-p", "x", "--topk=40"], "no option --topk", "did you mean --top-k?")
        self.check_says(["generate", "-p", "x", "--temp", 1], "did you mean --temperature?")
        self.check_says(["batch", "--sequence", 4], "did you mean --sequences?")
        self.check_says(["generate", "-p", "x", "--zzzzzzzz"], "no option --zzzzzzzz")
        self.assertNotIn(b"did you mean", run("generate", "-p", "x", "--zzzzzzzz").stderr)
        self.check_says(["generate", "hello"], 'no use for "hello"', "-p TEXT")
        self.check_says(["generate", "-p"], "--prompt")
        self.check_says(["score", "model.gguf"], 'no use for "model.gguf"', "-m PATH")
        self.check_usage(run("inspect", "bundled", "-m", "bundled"), "not both")

    def test_samplers_and_presets(self):
        for command in (["generate", "-p", "x"], ["chat"], ["batch"]):
            with self.subTest(command):
                self.check_usage(run(*command, "--samplers", "top_k,temprature"), "'temprature' (did you mean temperature?); there are")
                self.check_usage(run(*command, "--preset", "lama.cpp"), "'lama.cpp'", "did you mean llama.cpp?")

    def test_values_that_cannot_be(self):
        for value in (-1, "1x", "", "18446744073709551616", 1.5):
            with self.subTest(value):
                self.check_usage(run("generate", "-p", "x", "--seed", value), "--seed", "18446744073709551615", str(value))
        self.assertEqual(run(*BUNDLED, "-n", 1, "--seed", "18446744073709551615").returncode, 0)
        for option in ("--cache-bytes", "--prefix-bytes"):
            self.check_usage(run("batch", option, -1), option, "-1")
            self.check_usage(run("batch", option, "lots"), option, "lots")
            self.assertEqual(run("batch", "-m", "bundled", option, "1GB").returncode, 0)
        self.check_usage(run("inspect", "--array-limit", -1), "--array-limit", "-1")
        self.check_usage(run("bench", "--depth", -1), "--depth", "-1")
        for command in (["generate", "-p", "x"], ["chat"], ["batch"]):
            self.check_usage(run(*command, "--stop", ""), "--stop")
        self.check_usage(run("generate", "-p", "x", "--speculation", "maybe"), "auto, off or always", "maybe")
        self.check_usage(run("bench", "--repeat", 0), "--repeat")
        self.check_usage(run("bench", "--sequences", 513), "--sequences")
        self.check_usage(run("bench", "-p", 0, "-n", 0), "nothing to measure")
        self.check_usage(run("generate", "-p", "x", "--abstain-margin", 2), "min_margin is 2")
        self.check_usage(run("generate", "-p", "x", "--guidance-scale", -1), "guidance_scale is -1")


class Help(ProgramTest):
    def sections(self, *args):
        """The help's opening, its options as {heading: {name: line}}, and the text after them."""
        done = run(*args)
        self.assertEqual(done.returncode, 0, done.stderr)
        text = done.stdout.decode().replace(PROGRAM, "partita")
        for line in text.splitlines():
            self.assertLessEqual(len(line), 100, line)
        opening, *rest = re.split(r"\n\n(?=[A-Z][a-z ]+:\n)", text)
        options, after = {}, ""
        for section in rest:
            heading, _, lines = section.partition(":\n")
            if heading == "Example":
                after = lines
                continue
            options[heading] = {}
            for line in lines.partition("\n\n")[0].splitlines():
                names = re.match(r"  ((?:-\w, )?(--[\w-]+)|\w+)", line)
                options[heading][names[2] or names[1]] = line
        return opening, options, after

    def test_every_option_is_listed_under_its_heading(self):
        for command, own in OPTIONS.items():
            with self.subTest(command):
                opening, options, after = self.sections(command, "--help-all")
                self.assertEqual(list(options), [heading for heading in HEADINGS if heading in options])
                names = [name for lines in options.values() for name in lines]
                self.assertEqual(sorted(names), sorted((COMMON | own) - UNUSED.get(command, set())))
                self.assertRegex(opening, rf"^Usage: partita {command} \[OPTIONS\].*\n\n[^\n]+$")
                self.assertNotIn("--help-all", after)

    def test_every_option_in_the_sources_is_listed(self):
        listed = set.union(COMMON, *OPTIONS.values())
        for path in (SOURCE / "tools").rglob("*.cc"):
            for names in re.findall(r'add_(?:option|flag)\(\s*"([^"]+)"', path.read_text()):
                self.assertIn(names.split(",")[-1], listed, path)

    def test_help_lists_the_options_that_are_used_most(self):
        for command, own in OPTIONS.items():
            with self.subTest(command):
                opening, options, after = self.sections(command, "--help")
                all_opening, all_options, example = self.sections(command, "--help-all")
                self.assertEqual(opening, all_opening)
                if len(own) < 12:
                    self.assertEqual((options, after), (all_options, example))
                    continue
                self.assertLessEqual(sum(map(len, options.values())), 16)
                for heading, lines in options.items():
                    self.assertLessEqual(lines.items(), all_options[heading].items())
                count = len((COMMON | own) - UNUSED.get(command, set()))
                self.assertEqual(after, example + f"\npartita {command} --help-all lists all {count} options\n")

    def test_the_program_lists_its_commands(self):
        _, sections, _ = self.sections("--help")
        self.assertEqual(run("--help").stdout, run("--help-all").stdout)
        listed = run("--help").stdout.decode().split("Commands:\n")[1].split("\n\n")[0]
        self.assertEqual([line.split()[0] for line in listed.splitlines()],
                         ["generate", "chat", "batch", "score", "tokenize", "detokenize", "template", "inspect", "doctor",
                          "convert", "quantize", "imatrix", "prepare", "bench"])
        self.assertEqual(set(sections["Help"]), {"--help", "--help-all", "--version"})


class Input(ProgramTest):
    def test_bytes_without_a_token_are_reported(self):
        for command in (["generate", "-n", 1], ["score", "--totals"], ["tokenize"]):
            with self.subTest(command):
                self.assertIn(b"1 bytes of the text have no token", run(*command, "-m", "bundled", stdin="a\x04b").stderr)

    def test_input_without_an_end(self):
        self.check_sentence(run("tokenize", "-m", "bundled", "-f", "/dev/zero"), 1, "/dev/zero", "1 GiB")

    def test_a_terminal_is_told_that_it_is_read(self):
        keeper, terminal = pty.openpty()
        with start("tokenize", "-m", "bundled", stdin=terminal, stderr=terminal) as process:
            os.close(terminal)
            with open(keeper, "rb", buffering=0) as seen:
                read_until(seen, b"reading from the terminal; Ctrl-D")
                process.kill()

    def test_help_that_cannot_be_written(self):
        for args in (["--help"], ["generate", "--help"], ["generate", "--help-all"], ["--version"]):
            with open("/dev/full", "wb") as full:
                done = subprocess.run([PROGRAM, *args], stdout=full, stderr=subprocess.PIPE)
            self.assertEqual(done.returncode, 1)
            self.assertIn(b"cannot write", done.stderr)


class Shown(ProgramTest):
    """Text output has the same numbers as the JSON."""

    def parts(self, *args):
        """The answer's text, the rows of the table after it without its header, and stderr."""
        done = run(*BUNDLED, *args)
        self.assertEqual(done.returncode, 0, done.stderr)
        text, _, table = done.stdout.decode().rpartition("\n\n")
        return text, table.splitlines()[1:], done.stderr.decode()

    def test_log_probabilities(self):
        flags = ("-n", 5, "--greedy", "--logprobs", 2)
        out = run_json(*BUNDLED, *flags)
        text, rows, _ = self.parts(*flags)
        self.assertEqual(text, out["text"])
        self.assertEqual(len(rows), 5)
        for i, (row, token) in enumerate(zip(rows, out["logprobs"])):
            fields = row.split()
            self.assertEqual(fields[:3], [str(i + 1), str(token["id"]), f"{token['logprob']:.4f}"])
            for _, logprob in token["top"]:
                self.assertIn(f" {logprob:.4f}", row)
            piece = run("detokenize", "-m", "bundled", token["id"]).stdout.decode()
            self.assertIn(json.dumps(piece, ensure_ascii=False), row)

    def test_log_probabilities_of_searches(self):
        flags = ("-n", 4, "--beams", 2, "--logprobs", 0)
        out = run_json(*BUNDLED, *flags)
        _, rows, _ = self.parts(*flags)
        self.assertEqual([row.split()[2] for row in rows], [f"{t['logprob']:.4f}" for t in out["logprobs"]])

    def test_confidence(self):
        flags = ("-n", 5, "--greedy", "--confidence")
        out = run_json(*BUNDLED, *flags)
        _, rows, _ = self.parts(*flags)
        shown = [[float(x) for x in row.split()[2:5]] for row in rows]
        for row, c in zip(shown, out["confidence"], strict=True):
            for a, b in zip(row, (c["probability"], c["margin"], c["entropy"])):
                self.assertAlmostEqual(a, b, delta=1e-4)

    def test_unsure_tokens(self):
        flags = ("-n", 8, "--greedy", "--abstain-margin", 0.3, "--mark-unsure")
        unsure = [i + 1 for i, c in enumerate(run_json(*BUNDLED, *flags)["confidence"]) if c["unsure"]]
        self.assertTrue(0 < len(unsure) < 8, unsure)
        _, rows, _ = self.parts(*flags)
        self.assertEqual([int(row.split()[0]) for row in rows], unsure)
        self.assertTrue(all(" unsure " in row for row in rows))
        everything = self.parts(*flags, "--confidence")[1]
        self.assertEqual([i + 1 for i, row in enumerate(everything) if " unsure " in row], unsure)
        self.assertIn("marks nothing", run(*BUNDLED, "-n", 1, "--mark-unsure").stderr.decode())

    def test_an_answer_that_was_given_up(self):
        for flag, limit, words in (("--abstain-probability", 0.999, "probability"), ("--abstain-margin", 0.999, "leads"),
                                   ("--abstain-entropy", 0.001, "nats")):
            done = run(*BUNDLED, "-n", 20, "--greedy", flag, limit)
            self.assertEqual(done.returncode, 0)
            self.assertRegex(done.stderr.decode(), f"too unsure.*{words}.*{limit}")
        self.assertEqual(run(*BUNDLED, "-n", 20, "--greedy", "--abstain-margin", 0.999, "-q").stderr, b"")
        self.assertNotIn(b"unsure", run(*BUNDLED, "-n", 2).stderr)

    def test_a_full_context(self):
        ids = ("generate", "-m", "bundled", "-t", 1, "--ids", "-p", " ".join(["253"] * (CONTEXT - 3)), "--greedy", "--logit-bias", "0:-inf,2:-inf")
        n = 100
        full = run_json(*ids, "-n", n)
        self.assertEqual(full["finish"], "length")
        self.assertTrue(full["context_full"])
        said = run(*ids, "-n", n).stderr.decode()
        self.assertIn(f"context is full: prompt and answer have {CONTEXT} tokens", said)
        self.assertIn("shorter prompt", said)
        searched = run_json(*ids[:-3], *ids[-2:], "--beams", 2, "-n", n)
        self.assertEqual((searched["finish"], searched["context_full"]), ("length", True))
        short = run_json(*ids, "-n", 1)
        self.assertEqual(short["finish"], "length")
        self.assertNotIn("context_full", short)
        self.assertNotIn(b"context is full", run(*ids, "-n", 1).stderr)

    def test_no_rate_of_nothing(self):
        self.assertNotIn(b"0.0 tokens/s", run(*BUNDLED, "-n", 0).stderr)
        self.assertIn(b"decode 0 tokens\n", run(*BUNDLED, "-n", 0).stderr)

    def test_a_score(self):
        text = "The cat sat on the mat.\nThe end."
        out = run_json("score", "-m", "bundled", "-t", 1, stdin=text)
        self.assertEqual(len(out["ranks"]), len(out["ids"]))
        self.assertEqual(out["ranks"][0], 0)
        self.assertEqual([rank == 1 for rank in out["ranks"][1:]],
                         [a == b for a, b in zip(out["top1"][1:], out["ids"][1:])])
        shown = run("score", "-m", "bundled", "-t", 1, stdin=text).stdout.decode()
        rows = [row.split()[:4] for row in shown.splitlines()[1:len(out["ids"]) + 1]]
        self.assertEqual(rows[0], ["1", str(out["ids"][0]), "-", "-"])
        self.assertEqual(rows[1:], [[str(i + 1), str(out["ids"][i]), f"{out['logprobs'][i]:.4f}", str(out["ranks"][i])]
                                    for i in range(1, len(out["ids"]))])
        totals = run("score", "-m", "bundled", "-t", 1, "--totals", stdin=text).stdout.decode()
        self.assertTrue(shown.endswith("\n\n" + totals))
        alone = run("score", "-m", "bundled", "-t", 1, "--totals", stdin="Hi").stdout.decode()
        self.assertEqual(alone, "tokens 1: the first token has no score, since nothing stands before it\n")
        self.assertRegex(totals, rf"^tokens {len(out['ids'])}  nll {re.escape(format(out['nll'], '.6f'))}  perplexity \S+\n$")


if __name__ == "__main__":
    main()
