"""partita tokenize, detokenize, template, inspect, score, bench."""

import json
import math
import os
import pty
import re
import struct

from gguf_file import STRING
from odd_models import sound
from program import (
    FRANCE,
    MODEL,
    SOURCE,
    ProgramTest,
    environment,
    gguf_of_family,
    main,
    run,
    run_json,
    start,
    write_checkpoint,
)


def gguf_string(data):
    return struct.pack("<Q", len(data)) + data


class Text(ProgramTest):
    AWKWARD = ["", " ", "\n", "no newline", "ends with one\n", "\r\n\t  two  spaces", "naïve café — 日本語 🎉👨‍👩‍👧",
               "العربية", "e\u0301 combining", "\u00a0nbsp", "<|im_start|>user\n", "1234567890 3.14"]

    def test_there_and_back(self):
        for text in self.AWKWARD:
            with self.subTest(text):
                ids = run("tokenize", stdin=text).stdout
                self.assertEqual(run("detokenize", stdin=ids).stdout.decode(), text)

    def test_json(self):
        out = run_json("tokenize", stdin="Hello, world")
        self.assertEqual(list(out), ["ids", "pieces", "offsets"])
        self.assertEqual(out["offsets"], [[0, 5], [5, 6], [6, 12]])
        self.assertEqual(out["pieces"], ["Hello", ",", "Ġworld"])
        plain = run("tokenize", stdin="Hello, world").stdout.decode()
        self.assertEqual(plain, " ".join(map(str, out["ids"])) + "\n")
        back = run_json("detokenize", *out["ids"])
        self.assertEqual(back, {"ids": out["ids"], "pieces": out["pieces"], "text": "Hello, world"})
        self.assertEqual(run("detokenize", ",".join(map(str, out["ids"]))).stdout, b"Hello, world")

    def test_specials(self):
        self.assertEqual(len(run_json("tokenize", stdin="<|im_start|>")["ids"]), 1)
        self.assertGreater(len(run_json("tokenize", "--no-special", stdin="<|im_start|>")["ids"]), 1)

    def test_ids_outside_the_vocabulary(self):
        self.check_sentence(run("detokenize", 1, 99999999), 1, "99999999", "49152")

    def test_bytes_without_a_token_are_reported(self):
        done = run("tokenize", stdin="a\x04b")
        self.assertEqual(done.returncode, 0)
        self.assertIn(b"1 bytes", done.stderr)


class Offsets(ProgramTest):
    def check(self, text, *args):
        """Offsets follow one another, and their bytes are the tokens."""
        data = text.encode()
        out = run_json("tokenize", *args, stdin=text)
        self.assertEqual(len(out["offsets"]), len(out["ids"]))
        at = 0
        for token, (begin, end) in zip(out["ids"], out["offsets"]):
            self.assertGreaterEqual(begin, at)
            spelled = run("detokenize", *args[:2], token).stdout
            self.assertEqual(data[begin:end].strip(), spelled.strip())
            at = end
        self.assertEqual(at, len(data))

    def test_bytes_and_control_tokens(self):
        for text in ("naïve 日本 🎉", "<|im_start|>user\n", "  two  spaces "):
            with self.subTest(text):
                self.check(text, "-m", MODEL)

    def test_a_bos_stands_for_no_byte(self):
        out = run_json("tokenize", "-m", "bundled", "-p", "ab")
        bos = len(out["ids"]) - len(run_json("tokenize", "-m", "bundled", "--no-bos", "-p", "ab")["ids"])
        for begin, end in out["offsets"][:bos]:
            self.assertEqual((begin, end), (0, 0))

    def test_bytes_without_a_token_are_stepped_over(self):
        out = run_json("tokenize", "-p", "a\x04b")
        self.assertEqual(out["offsets"], [[0, 1], [2, 3]])

    def test_what_a_normalizer_changes_has_none(self):
        write_word_tokenizer(self.dir / "tokenizer.json", ["hello", "world"], {"type": "Lowercase"})
        out = run_json("tokenize", "--tokenizer", self.dir / "tokenizer.json", "-p", "hello Hello world")
        self.assertEqual(out["ids"], [0, 0, 1])
        self.assertEqual(out["offsets"], [[0, 5], None, None])


def write_word_tokenizer(path, words, normalizer=None, split={"type": "Whitespace"}):  # noqa: B006 (not changed)
    """A tokenizer.json whose tokens are words."""
    path.write_text(json.dumps({
        "version": "1.0", "added_tokens": [], "normalizer": normalizer, "pre_tokenizer": split,
        "post_processor": None, "decoder": None,
        "model": {"type": "WordLevel", "vocab": {w: i for i, w in enumerate([*words, "[UNK]"])}, "unk_token": "[UNK]"}}))


class ManyTexts(ProgramTest):
    def setUp(self):
        super().setUp()
        self.paths = [self.dir / "a.txt", self.dir / "b.txt"]
        for path, text in zip(self.paths, ("Hello, world", "")):
            path.write_text(text)

    def test_ids(self):
        one = run("tokenize", "-f", self.paths[0]).stdout.decode()
        self.assertEqual(run("tokenize", self.paths[0]).stdout.decode(), one)
        for args in ((*self.paths,), ("-f", self.paths[0], "-f", self.paths[1]), ("-f", self.paths[0], self.paths[1])):
            self.assertEqual(run("tokenize", *args).stdout.decode(), one + "\n")
        out = run_json("tokenize", *self.paths)
        alone = run_json("tokenize", self.paths[0])
        self.assertEqual(out, {"files": [{**alone, "path": str(self.paths[0])},
                                         {"ids": [], "pieces": [], "offsets": [], "path": str(self.paths[1])}]})

    def test_counts(self):
        self.assertEqual(run("tokenize", "--count", "-p", "Hello, world").stdout, b"3\n")
        self.assertEqual(run_json("tokenize", "--count", "-p", "Hello, world"), {"count": 3})
        a, b = self.paths
        self.assertEqual(run("tokenize", "--count", a, b).stdout.decode(), f"3 {a}\n0 {b}\n3 total\n")
        self.assertEqual(run_json("tokenize", "--count", a, b),
                         {"files": [{"count": 3, "path": str(a)}, {"count": 0, "path": str(b)}], "count": 3})

    def test_what_cannot_be(self):
        self.check_sentence(run("tokenize", self.dir / "none", "-q"), 1, "none")
        self.check_usage(run("tokenize", "-p", "x", self.paths[0]), "-p excludes files")
        self.check_usage(run("tokenize", "--count", "--compare", "bundled", "-p", "x"), "--compare")


class Compare(ProgramTest):
    def test_the_same(self):
        done = run("tokenize", "--compare", MODEL, "-p", "Hello, world")
        self.assertEqual((done.returncode, done.stdout), (0, b"the same: 3 tokens\n"))
        self.assertEqual(run_json("tokenize", "--compare", MODEL, "-p", "Hello, world"),
                         {"same": True, "counts": [3, 3], "differences": []})

    def tokenizers(self, *vocabularies, splits=({"type": "Whitespace"},) * 2):
        """Paths of two tokenizers of words."""
        for name, words, split in zip("ab", vocabularies, splits):
            (self.dir / name).mkdir()
            write_word_tokenizer(self.dir / name / "tokenizer.json", words, split=split)
            yield self.dir / name / "tokenizer.json"

    def test_another_vocabulary(self):
        a, b = self.tokenizers(["one", "two", "three"], ["one", "three", "two"])
        args = ("tokenize", "--tokenizer", a, "--compare", b, "-p", "one two  one three")
        done = run(*args, "--json")
        self.assertEqual(done.returncode, 1)
        self.assertEqual(json.loads(done.stdout),
                         {"same": False, "counts": [4, 4], "differences": [
                             {"offset": 3, "ids": [[1], [2]], "pieces": [["two"], ["two"]]},
                             {"offset": 12, "ids": [[2], [1]], "pieces": [["three"], ["three"]]}]})
        self.assertEqual(run(*args).stdout.decode(),
                         f"different: 4 tokens, with {b} 4\nbyte 3: 1 'two'; there 2 'two'\n"
                         "byte 12: 2 'three'; there 1 'three'\n")

    def test_pieces_of_other_lengths(self):
        """A difference is a run of tokens of the same bytes."""
        letters = {"type": "Split", "pattern": {"Regex": "."}, "behavior": "Isolated", "invert": False}
        a, b = self.tokenizers(["ab", "cd"], list("abcd "), splits=({"type": "Whitespace"}, letters))
        done = run("tokenize", "--tokenizer", a, "--compare", b, "-p", "ab cd", "--json")
        self.assertEqual(done.returncode, 1)
        self.assertEqual(json.loads(done.stdout),
                         {"same": False, "counts": [2, 5], "differences": [
                             {"offset": 0, "ids": [[0], [0, 1]], "pieces": [["ab"], ["a", "b"]]},
                             {"offset": 2, "ids": [[1], [4, 2, 3]], "pieces": [["cd"], [" ", "c", "d"]]}]})

    def test_many_differences_are_counted(self):
        a, b = self.tokenizers(["y", "x"], ["x", "y"])
        said = run("tokenize", "--tokenizer", a, "--compare", b, "-p", "x " * 13).stdout.decode()
        self.assertEqual(said.count("\nbyte "), 10)
        self.assertTrue(said.endswith("and 3 more differences\n"))

    def test_a_tokenizer_that_is_not_there(self):
        self.check_sentence(run("tokenize", "-q", "-p", "x", "--compare", self.dir / "none"), 1, "none")


class Colours(ProgramTest):
    def shown(self, **changes):
        """stdout of a tokenization on a terminal."""
        keeper, terminal = pty.openpty()
        with start("tokenize", "-p", "Hi\n\x1b<|im_end|>", stdout=terminal, env=environment(**changes)) as process:
            os.close(terminal)
            process.wait(60)
        with open(keeper, "rb", buffering=0) as seen:
            return seen.read(4096).decode().replace("\r\n", "\n")

    def test_on_a_terminal(self):
        ids = run("tokenize", "-p", "Hi\n\x1b<|im_end|>").stdout.decode().split()
        lines = self.shown(TERM="xterm", NO_COLOR="").splitlines()
        self.assertEqual([line.split()[:2] for line in lines[:-1]],
                         [list(pair) for pair in zip(("0", "2", "3", "4"), ids)])
        colours = [re.search(r"\x1b\[(30;\d+)m(.*)\x1b\[0m$", line).groups() for line in lines[:-1]]
        self.assertEqual([text for _, text in colours], ["Hi", "\\x0a", "\\x1b", "<|im_end|>"])
        self.assertEqual([colour for colour, _ in colours], ["30;46", "30;43"] * 2)
        self.assertEqual(lines[-1], "4 tokens, 14 bytes")

    def test_elsewhere_ids_alone(self):
        plain = run("tokenize", "-p", "Hi\n\x1b<|im_end|>").stdout.decode()
        for changes in ({"TERM": "dumb"}, {"TERM": "xterm", "NO_COLOR": "1"}, {"TERM": ""}):
            self.assertEqual(self.shown(**changes), plain)


class Template(ProgramTest):
    def test_the_models_own(self):
        context = {"messages": [{"role": "system", "content": "S"}, {"role": "user", "content": "Hi"}],
                   "add_generation_prompt": True}
        want = "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
        self.assertEqual(run("template", stdin=json.dumps(context)).stdout.decode(), want)
        self.assertEqual(run_json("template", stdin=json.dumps(context)), {"text": want})

    def test_a_file(self):
        (self.dir / "t.jinja").write_text("{% for m in messages %}{{ m.content|upper }}{% endfor %}")
        done = run("template", "--file", self.dir / "t.jinja", "-m", "/nonexistent",
                   stdin='{"messages":[{"content":"a"},{"content":"b"}]}')
        self.assertEqual(done.stdout, b"AB")

    def test_another_template(self):
        """--chat-template is a built-in one, or a file; a file knows the model's special tokens."""
        context = json.dumps({"messages": [{"role": "user", "content": "Hi"}], "add_generation_prompt": True})
        self.assertEqual(run("template", "--chat-template", "alpaca", stdin=context).stdout,
                         b"### Instruction:\nHi\n\n### Response:\n")
        (self.dir / "t.jinja").write_text("{{ eos_token }}{{ messages[0].content }}")
        self.assertEqual(run("template", "--chat-template", self.dir / "t.jinja", stdin=context).stdout, b"<|im_end|>Hi")
        self.check_usage(run("template", "--chat-template", "alpaca", "--file", "x", stdin=context), "--file")
        self.check_sentence(run("template", "--chat-template", "nope", "-q", stdin=context), 1, "nope", "llama3, chatml")

    def test_a_name_is_no_file(self):
        """A file called like a built-in template is taken as ./NAME alone."""
        (self.dir / "chatml").write_text("{{ 'mine' }}")
        def shown(name):
            return run("template", "--chat-template", name, cwd=self.dir, stdin='{"messages":[]}').stdout
        self.assertEqual((shown("chatml"), shown("./chatml")), (b"", b"mine"))
        (self.dir / "empty.jinja").write_text(" \n")
        self.check_sentence(run("template", "--chat-template", "empty.jinja", cwd=self.dir, stdin="{}"), 1, "empty.jinja", "is empty")
        self.check_sentence(run("template", "--chat-template", "none.jinja", cwd=self.dir, stdin="{}"), 1, "none.jinja")

    def test_several_templates_of_a_model(self):
        """tool_use is taken where there are tools; each is there by name."""
        path = self.dir / "m.gguf"
        file = sound()
        for name, text in (("", "usual"), (".tool_use", "tools: {{ tools[0].name }}"), (".rag", "rag")):
            file.set("tokenizer.chat_template" + name, STRING, text)
        file.write(path)
        def shown(*args, **context):
            return run("template", "-m", path, *args, stdin=json.dumps({"messages": [], **context}))
        tools = [{"name": "f"}]
        self.assertEqual(shown().stdout, b"usual")
        self.assertEqual(shown(tools=[]).stdout, b"usual")
        self.assertEqual(shown(tools=tools).stdout, b"tools: f")
        self.assertEqual(shown("--chat-template", "tool_use", tools=tools).stdout, b"tools: f")
        self.assertEqual(shown("--chat-template", "default", tools=tools).stdout, b"usual")
        self.assertEqual(shown("--chat-template", "rag").stdout, b"rag")
        self.check_sentence(shown("--chat-template", "rage"), 1, "rage", "the file's own are tool_use, rag")

    def test_what_goes_wrong(self):
        self.check_sentence(run("template", stdin="{"), 1, "JSON")
        self.check_sentence(run("template", "--file", self.dir / "missing", stdin="{}"), 1, "missing")
        (self.dir / "bad.jinja").write_text("\n{{ a")
        self.check_sentence(run("template", "--file", self.dir / "bad.jinja", stdin="{}"), 1, "line 2")


class Inspect(ProgramTest):
    def test_json(self):
        out = run_json("inspect")
        self.assertEqual(out["metadata"]["general.architecture"], "llama")
        tensors = {t["name"]: t for t in out["tensors"]}
        self.assertEqual(tensors["token_embd.weight"]["shape"], [49152, 576])
        self.assertGreater(tensors["token_embd.weight"]["bytes"], 0)
        self.assertEqual(out["metadata"]["tokenizer.ggml.tokens"]["length"], 49152)

    def test_summary(self):
        out = run_json("inspect")
        summary = out["summary"]
        self.assertEqual([summary["family"], summary["supported"], summary["context_length"], summary["vocabulary"],
                          summary["chat_template"]], ["llama", True, 8192, 49152, {"kind": "ChatML", "tools": False}])
        self.assertEqual(summary["parameters"], sum(math.prod(t["shape"]) for t in out["tensors"]))
        self.assertAlmostEqual(sum(t["share"] for t in summary["types"]), 1)
        self.assertEqual(sum(t["tensors"] for t in summary["types"]), len(out["tensors"]))
        # K and V of 30 layers, 3 heads of 64 numbers in f16
        self.assertEqual([(m["context"], m["cache_bytes"]) for m in summary["memory"]],
                         [(n, n * 30 * 3 * 64 * 2 * 2) for n in (2048, 8192)])
        self.assertIn("\n  template    ChatML\n", run("inspect").stdout.decode())

    def test_a_model_as_an_argument(self):
        self.assertEqual(run_json("inspect", "bundled"), run_json("inspect", "-m", "bundled"))

    def test_what_generation_config_recommends(self):
        """It is shown and not applied; other keys are left out."""
        directory = self.dir / "model"
        write_checkpoint(directory)
        (directory / "vocabulary.gguf").symlink_to(MODEL)
        self.assertIsNone(run_json("inspect", directory)["summary"]["sampling"])
        config = {"do_sample": True, "temperature": 0.6, "top_k": 20, "top_p": 0.95, "eos_token_id": [0, 2], "min_p": None}
        (directory / "generation_config.json").write_text(json.dumps(config))
        self.assertEqual(run_json("inspect", directory)["summary"]["sampling"],
                         {"do_sample": True, "temperature": 0.6, "top_k": 20, "top_p": 0.95})
        self.assertIn("\n  sampling    do_sample true, temperature 0.6, top_k 20, top_p 0.95 (generation_config.json",
                      run("inspect", directory).stdout.decode())
        self.assertIsNone(run_json("inspect")["summary"]["sampling"])

    def test_for_people(self):
        text = run("inspect").stdout.decode()
        self.assertIn("general.architecture", text)
        self.assertIn("token_embd.weight", text)
        self.assertLess(max(map(len, text.splitlines())), 200)

    def test_no_terminal_obeys_a_file(self):
        path = self.dir / "escapes.gguf"
        gguf_of_family(path, "red\x1b[31m\x7f\u009b1m é", key="general\x1b]0;title\x07")
        text = run("inspect", "-m", path).stdout.decode()
        self.assertIn("general\\x1b]0;title\\x07 = ", text)
        self.assertIn("\\x7f\\xc2\\x9b1m é", text)
        self.assertNotRegex(text, "[\x00-\x09\x0b-\x1f\x7f-\x9f]")


    def test_what_no_terminal_shows_is_escaped_everywhere(self):
        pairs = [(b"a\x1b[2Jkey", b"v\x1b]0;title\x07"), (b"b", "\u009b31m\u202e\x7fé".encode()),
                 (b"general.architecture", b"f\x1b[1m")]
        metadata = b"".join(gguf_string(key) + struct.pack("<I", 8) + gguf_string(value) for key, value in pairs)
        tensors = b"".join(gguf_string(name) + struct.pack("<IQIQ", 1, 256, kind, 0)  # Q8_0, Q8_K
                           for name, kind in ((b"t\x1b[31m", 8), (b"u\x1b[32m", 15)))
        path = self.dir / "m\x1b[1mé.gguf"
        path.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 2, len(pairs)) + metadata + tensors + bytes(32 + 272))
        done = run("inspect", "-m", path)
        self.assertEqual(done.returncode, 0, done.stderr)
        for shown in ("a\\x1b[2Jkey = ", "t\\x1b[31m", "u\\x1b[32m", "Q8_K", "\\xc2\\x9b31m\\xe2\\x80\\xae\\x7fé"):
            self.assertIn(shown, done.stdout.decode())
        refused = run("generate", "-m", path, "-p", "x")
        self.check_sentence(refused, 1, "f\\x1b[1m", "u\\x1b[32m", "Q8_K", "/m\\x1b[1mé.gguf")
        missing = run("generate", "-m", self.dir / "none\x1b[2J.gguf", "-p", "x")
        self.check_sentence(missing, 1, "none\\x1b[2J.gguf")
        for output in (done.stdout, refused.stderr, missing.stderr):
            text = output.decode().replace("\n", "")
            self.assertTrue(text.isprintable(), text)

    def test_a_tokenizer_that_does_not_say_how_it_splits_words_is_reported_once(self):
        path = self.dir / "m.gguf"
        file = (SOURCE / "weights/bundled/partita-small.gguf").read_bytes()
        path.write_bytes(file.replace(b"tokenizer.ggml.pre\x08", b"tokenizer.ggml.prx\x08"))
        for command in (("generate", "-p", "x", "-n", 1), ("tokenize", "-p", "x")):
            done = run(*command, "-m", path)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(done.stderr.count(b"tokenizer.ggml.pre is missing"), 1, done.stderr)
        self.assertNotIn(b"is missing", run("tokenize", "-p", "x", "-q", "-m", path).stderr)
        self.assertNotIn(b"is missing", run("tokenize", "-p", "x", "-m", "bundled").stderr)


class Score(ProgramTest):
    TEXT = "The quick brown fox jumps over the lazy dog.\n\ndef f(x):\n    return x * 2\n"

    def test_json(self):
        out = run_json("score", stdin=self.TEXT)
        n = len(out["ids"])
        self.assertEqual(len(out["logprobs"]), n)
        self.assertIsNone(out["logprobs"][0])
        self.assertTrue(all(p <= 0 for p in out["logprobs"][1:]))
        nll = -sum(out["logprobs"][1:]) / (n - 1)
        self.assertAlmostEqual(out["nll"], nll, places=5)
        self.assertAlmostEqual(out["perplexity"], math.exp(nll), places=3)
        self.assertLess(out["perplexity"], 60)
        self.assertEqual(out["ids"], run_json("tokenize", stdin=self.TEXT)["ids"])
        by_ids = run_json("score", "--ids", stdin=" ".join(map(str, out["ids"])))
        self.assertEqual(by_ids["logprobs"], out["logprobs"])
        self.assertIn("perplexity", run("score", stdin=self.TEXT).stdout.decode())

    def test_it_is_what_generate_says(self):
        answer = run_json("generate", "-p", FRANCE, "-n", 10, "--greedy", "--logprobs", 0)
        self.assertEqual(len(answer["ids"]), 10)
        ids = answer["prompt_ids"] + answer["ids"]
        scored = run_json("score", "--ids", "-p", " ".join(map(str, ids)))["logprobs"][-10:]
        # Tiles multiply what is scored in another arithmetic than what is generated; without them it is one.
        tiles = re.search(rb"amx\S* kernels", run("generate", "-p", "x", "-n", 1, "-v").stderr)
        for token, logprob in zip(answer["logprobs"], scored):
            self.assertAlmostEqual(token["logprob"], logprob, delta=0.05 if tiles else 1e-5)

    def test_against(self):
        exact = run_json("score", "--against", "exact", stdin=self.TEXT)
        self.assertLess(exact["kl_mean"], 3e-4)
        self.assertGreaterEqual(exact["kl_max"], exact["kl_mean"])
        self.assertGreater(exact["same_top"], 0.95)
        itself = run_json("score", "--against", MODEL, stdin=self.TEXT)
        self.assertEqual((itself["kl_mean"], itself["same_top"]), (0, 1))

    def test_attention_window(self):
        text = " ".join(f"{n} sheep went over the hill." for n in range(60))
        full = run_json("score", stdin=text)
        self.assertGreater(len(full["ids"]), 400)
        flags = ("--attention-window", 100)
        out = run_json("score", *flags, stdin=text)
        self.assertAlmostEqual(out["full"]["nll"], full["nll"], places=5)
        self.assertAlmostEqual(out["full"]["perplexity"], full["perplexity"], places=4)
        self.assertNotEqual(out["nll"], full["nll"])
        self.assertEqual(out["logprobs"][:100], full["logprobs"][:100])
        self.assertGreater(out["kl_mean"], 1e-5)
        self.assertIn("without the attention window: nll", run("score", *flags, stdin=text).stdout.decode())
        # Against something else the divergence is from that, which has the same window.
        itself = run_json("score", *flags, "--against", MODEL, stdin=text)
        self.assertEqual((itself["kl_mean"], itself["nll"]), (0, out["nll"]))
        self.assertAlmostEqual(itself["full"]["nll"], full["nll"], places=5)
        wide = run_json("score", "--attention-window", 4096, "--attention-sinks", 0, stdin=text)
        self.assertEqual((wide["logprobs"], wide["kl_mean"]), (full["logprobs"], 0))

    def test_attention_windows_that_cannot_be(self):
        self.check_usage(run("score", "--attention-window", "-1", stdin="x y"), "--attention-window")
        self.check_usage(run("score", "--attention-window", "16777217", stdin="x y"), "16777216")
        self.check_usage(run("score", "--attention-window", 64, "--attention-sinks", 100, stdin="x y"),
                         "--attention-sinks", "multiple of 64", "100")
        self.check_usage(run("score", "--attention-sinks", 64, stdin="x y"), "--attention-window")

    def test_what_cannot_be_scored(self):
        self.check_sentence(run("score", "-q", stdin=""), 1, "no token")
        self.assertIsNone(run_json("score", "-p", "a")["nll"])
        self.check_sentence(run("score", "-q", "--against", "nonsense", stdin="x y"), 1, "nonsense")


class Bench(ProgramTest):
    def test_json(self):
        out = run_json("bench", "-p", 64, "-n", 8, "--depth", 100, "--sequences", 2, "--repeat", 2)
        for key in ("isa", "threads", "model", "bytes_per_token", "read_GBps", "prefill", "decode", "load_s",
                    "peak_rss_bytes"):
            self.assertIn(key, out)
        self.assertEqual(out["prefill"]["tokens"], 64)
        self.assertEqual(len(out["prefill"]["tps"]), 2)
        self.assertEqual(len(out["decode"]["tps"]), 2)
        self.assertGreater(out["decode"]["GBps"], 0)
        self.assertGreater(out["decode"]["bound_fraction"], 0)
        self.assertGreater(out["bytes_per_token"], 90e6)
        self.assertGreater(out["peak_rss_bytes"], 90e6)

    def test_too_much(self):
        self.check_sentence(run("bench", "-p", 9000), 1, "9000", "8192")


class Kernels(ProgramTest):
    def verbose(self, **changes):
        return run("generate", "-p", "x", "-n", 1, "-v", env=environment(**changes)).stderr.decode()

    def test_verbose_names_what_is_used(self):
        self.assertIn("scalar kernels", self.verbose(PARTITA_ISA="scalar"))
        self.assertNotIn("failed their test", self.verbose())

    def test_the_route_of_processors_with_amx(self):
        said = self.verbose(PARTITA_ISA="amx-emulated")
        if "the best that this processor has is" in said:
            self.skipTest(said)
        self.assertIn("amx-emulated kernels", said)
        self.assertNotIn("failed their test", said)

    def test_that_route_where_onednn_has_no_such_products(self):
        done = run("generate", "-p", "x", "-n", 1, env=environment(PARTITA_ISA="amx-emulated", DNNL_MAX_CPU_ISA="AVX2"))
        if b"the best that this processor has is" in done.stderr:
            self.skipTest(done.stderr.decode())
        self.check_sentence(done, 1, "amx-emulated", "oneDNN has no such matrix product for this processor")


if __name__ == "__main__":
    main()
