"""partita tokenize, detokenize, template, inspect, score, bench."""

import json
import math
import re
import struct

from program import FRANCE, MODEL, SOURCE, ProgramTest, environment, gguf_of_family, main, run, run_json


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
        self.assertEqual(list(out), ["ids", "pieces"])
        self.assertEqual(out["pieces"], ["Hello", ",", "Ġworld"])
        plain = run("tokenize", stdin="Hello, world").stdout.decode()
        self.assertEqual(plain, " ".join(map(str, out["ids"])) + "\n")
        back = run_json("detokenize", *out["ids"])
        self.assertEqual(back, {**out, "text": "Hello, world"})
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
