"""partita convert: converts a checkpoint to a model file that runs."""

import os

from program import MODEL, ProgramTest, main, run, run_json, write_checkpoint


class Convert(ProgramTest):
    def setUp(self):
        super().setUp()
        self.checkpoint, self.model = self.dir / "checkpoint", self.dir / "model.gguf"
        write_checkpoint(self.checkpoint)

    def convert(self, *args):
        return run("convert", self.checkpoint, "-o", self.model, *args)

    def test_a_model_that_generates(self):
        report = run_json("convert", self.checkpoint, "-o", self.model, "--vocabulary", MODEL)
        self.assertEqual(list(report), ["path", "head", "layers", "vocab_size", "tensors", "parameters", "file_bytes",
                                        "in_f16", "left_out"])
        self.assertEqual(report["path"], str(self.model))
        self.assertEqual((report["head"], report["layers"], report["vocab_size"]), ("dense", 1, 49152))
        self.assertEqual(report["file_bytes"], os.path.getsize(self.model))
        self.assertEqual(report["in_f16"], [])
        answer = run_json("generate", "-m", self.model, "-p", "Hello", "-n", 5, "--greedy")
        self.assertEqual(len(answer["ids"]), 5)
        mine, base = (run_json("tokenize", "-m", model, stdin="Hello, world") for model in (self.model, MODEL))
        self.assertEqual(mine["ids"], base["ids"])
        conversation = '{"messages":[{"role":"user","content":"Hi"}]}'
        mine, base = (run("template", "-m", model, stdin=conversation) for model in (self.model, MODEL))
        self.assertEqual(mine.stdout, base.stdout)

    def test_text_and_types(self):
        done = self.convert("-q")  # the vocabulary of $PARTITA_MODEL
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        self.assertIn("1 layers, 49152 words, head dense", done.stdout.decode())
        size = os.path.getsize(self.model)
        self.assertEqual(self.convert("--type", "q4_0").returncode, 0)
        self.assertLess(os.path.getsize(self.model), size)
        types = {t["type"] for t in run_json("inspect", "-m", self.model)["tensors"]}
        self.assertEqual(types, {"F32", "Q4_0"})

    def test_what_is_refused(self):
        self.check_usage(run("convert", self.checkpoint), "--output")
        self.check_usage(run("convert", "-o", self.model), "CHECKPOINT")
        self.check_usage(self.convert("--type", "q4_k"), "q4_k")
        self.check_sentence(run("convert", self.dir, "-o", self.model), 1, "config.json")
        self.check_sentence(self.convert("--vocabulary", "nonsense"), 1, "nonsense")
        (self.checkpoint / "config.json").write_text('{"model_type": "t5"}')
        self.check_sentence(self.convert(), 1, "model_type", "t5")
        self.assertFalse(self.model.exists())


if __name__ == "__main__":
    main()
