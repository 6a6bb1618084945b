"""partita doctor: every fault is named, and sound models have none."""

import json

import odd_models
from program import MODEL, MODELS, ProgramTest, main, run, run_json

GEMMA = MODELS / "gemma-3-270m-q4_k_m.gguf"


def findings(path, *args):
    done = run("doctor", path, "--json", *args)
    out = json.loads(done.stdout)
    return out["findings"], done.returncode


class Doctor(ProgramTest):
    def write(self, file, name="model.gguf"):
        file.write(self.dir / name)
        return self.dir / name

    def the_finding(self, path, code, *args):
        """The only finding, which has this code."""
        found, _ = findings(path, *args)
        self.assertEqual([f["code"] for f in found], [code], found)
        return found[0]

    def test_odd_models(self):
        for path, severity, code, words in odd_models.write_all(self.dir):
            with self.subTest(path.parent.name):
                found, status = findings(path, "-t", "2")
                named = [f for f in found if f["code"] == code]
                self.assertEqual([f["severity"] for f in named], [severity], found)
                for word in words:
                    self.assertIn(word, named[0]["message"])
                self.assertTrue(all(f["message"] and f["remedy"] for f in found))
                self.assertEqual(status, 1 if "error" in [f["severity"] for f in found] else 0)

    def test_sound_models(self):
        for path in (self.write(odd_models.sound()), "bundled", MODEL):
            with self.subTest(str(path)):
                self.assertEqual(findings(path), ([], 0))
        self.assertEqual(run("doctor", self.dir / "model.gguf").stdout.decode().split(": ")[1], "nothing found\n")

    def test_gemma(self):
        if not GEMMA.exists():
            self.skipTest("gemma is not here")
        found, status = findings(GEMMA)
        self.assertEqual(status, 0, found)

    def test_strict(self):
        file = odd_models.sound()
        odd_models.zero_matrix(file)
        path = self.write(file)
        self.assertEqual([findings(path)[1], findings(path, "--strict")[1]], [0, 1])
        self.assertEqual(findings(path, "--strict", "--no-data"), ([], 0))

    def test_all_reasons_at_once(self):
        file = odd_models.sound()
        for change in (odd_models.unknown_family, odd_models.unknown_type, odd_models.unknown_pre_tokenizer,
                       odd_models.template_that_does_not_parse, odd_models.infinite):
            change(file)
        found, _ = findings(self.write(file))
        self.assertEqual([f["code"] for f in found],
                         ["family", "tensor-types", "pre-tokenizer", "template", "numbers"])

    def test_parts(self):
        first = odd_models.sound().split(self.dir, "parts", 3)
        self.assertEqual(findings(first), ([], 0))
        second = self.dir / "parts-00002-of-00003.gguf"
        found, status = findings(second)
        self.assertEqual(status, 1)
        self.assertEqual(found[0]["code"], "file")
        self.assertIn("part 2 of 3", found[0]["message"])
        self.assertIn(str(first), found[0]["remedy"])
        second.unlink()
        found, _ = findings(first)
        self.assertIn("parts-00002-of-00003.gguf", found[0]["message"])
        self.assertNotIn("not-a-model", [finding["code"] for finding in found])

    def test_a_file_that_is_cut(self):
        path = self.write(odd_models.sound())
        path.write_bytes(path.read_bytes()[:-1000])
        self.assertIn("blk.2.ffn_down.weight", self.the_finding(path, "file")["message"])

    def test_no_file(self):
        self.check_sentence(run("doctor", self.dir / "none.gguf"), 1, "none.gguf")
        self.check_usage(run("doctor", "--context", "-1"), "--context")
        self.check_usage(run("doctor", "bundled", "-m", "bundled"), "not both")

    def test_config_json(self):
        path = self.write(odd_models.sound())
        right = {"num_hidden_layers": 3, "hidden_size": 32, "num_attention_heads": 2, "vocab_size": 264,
                 "rope_theta": 10000.0, "eos_token_id": 2, "max_position_embeddings": 512}
        config = self.dir / "config.json"
        config.write_text(json.dumps(right))
        self.assertEqual(findings(path), ([], 0))
        config.write_text(json.dumps({"text_config": right}))
        self.assertEqual(findings(path), ([], 0))
        for key, wrong in (("num_hidden_layers", 4), ("hidden_size", 64), ("num_attention_heads", 4),
                           ("vocab_size", 265), ("rope_theta", 500000), ("eos_token_id", [2, 7]),
                           ("max_position_embeddings", 256)):
            with self.subTest(key):
                config.write_text(json.dumps({**right, key: wrong}))
                found = self.the_finding(path, "config-json")
                self.assertEqual(found["severity"], "warning")
                self.assertIn(str(wrong[1] if key == "eos_token_id" else wrong), found["message"])
        config.write_text("[1]")
        self.assertEqual(self.the_finding(path, "config-json")["severity"], "note")

    def test_generation_config(self):
        path = self.write(odd_models.sound())
        (self.dir / "generation_config.json").write_text('{"eos_token_id": [2, 0, 5]}')
        message = self.the_finding(path, "generation-config")["message"]
        self.assertIn("token 5", message)
        many = list(range(20, 200)) * 30
        (self.dir / "generation_config.json").write_text(json.dumps({"eos_token_id": many}))
        message = self.the_finding(path, "generation-config")["message"]
        self.assertIn("at token 20", message)
        self.assertIn(" and 176 more, ", message)
        self.assertLess(len(message), 400)

    def test_the_context(self):
        path = self.write(odd_models.sound())
        self.assertIn("1000", self.the_finding(path, "trained-context", "--context", "1000")["message"])

    def test_a_screen_of_another_model(self):
        path = self.write(odd_models.sound())
        (self.dir / "model.gguf.screen").write_bytes(b"PARTITAH" + bytes(100))
        self.assertIn("model.gguf.screen", self.the_finding(path, "screen")["message"])

    def test_generate_names_errors_in_one_line(self):
        file = odd_models.sound()
        odd_models.template_that_refuses_users(file)
        done = run("generate", "-m", self.write(file), "-p", "the", "-n", "1", "--greedy")
        self.assertEqual(done.returncode, 0, done.stderr)
        lines = [line for line in done.stderr.decode().splitlines() if "roles must alternate" in line]
        self.assertEqual(len(lines), 1, done.stderr)
        quiet = run("generate", "-m", self.dir / "model.gguf", "-p", "the", "-n", "1", "--greedy", "-q")
        self.assertEqual(quiet.stderr, b"")

    def test_other_commands_take_odd_files(self):
        file = odd_models.sound()
        odd_models.unknown_family(file)
        odd_models.unknown_type(file)
        path = self.write(file)
        self.assertEqual(run_json("tokenize", "-m", path, stdin="the")["pieces"], ["the"])
        context = '{"messages":[{"role":"user","content":"Hi"}]}'
        self.assertIn("Hi", run_json("template", "-m", path, stdin=context)["text"])
        tensors = {t["name"]: t for t in run_json("inspect", "-m", path)["tensors"]}
        self.assertIsNone(tensors["blk.1.ffn_up.weight"]["bytes"])



if __name__ == "__main__":
    main()
