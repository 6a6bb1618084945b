"""A model in several files, written as llama-gguf-split writes them."""

import gguf_file
from program import SOURCE, ProgramTest, main, run, run_json

BUNDLED = SOURCE / "weights" / "bundled" / "partita-small.gguf"
PROMPT = ["-p", "Once upon a time", "-n", "12", "--greedy"]


class Split(ProgramTest):
    def setUp(self):
        super().setUp()
        self.first = gguf_file.read(BUNDLED).split(self.dir, "small", 3)

    def test_it_answers_as_the_whole(self):
        whole = run_json("generate", "-m", BUNDLED, *PROMPT)
        parts = run_json("generate", "-m", self.first, *PROMPT)
        self.assertEqual(parts["ids"], whole["ids"])
        self.assertEqual(len(run_json("inspect", "-m", self.first)["tensors"]),
                         len(run_json("inspect", "-m", BUNDLED)["tensors"]))

    def test_tokenize_and_template(self):
        self.assertEqual(run("tokenize", "-m", self.first, stdin="Hello").stdout,
                         run("tokenize", "-m", BUNDLED, stdin="Hello").stdout)

    def test_another_part(self):
        second = self.dir / "small-00002-of-00003.gguf"
        self.check_sentence(run("generate", "-m", second, *PROMPT), 1, "part 2 of 3", str(self.first))

    def test_a_missing_part(self):
        (self.dir / "small-00003-of-00003.gguf").unlink()
        self.check_sentence(run("generate", "-m", self.first, *PROMPT), 1, "small-00003-of-00003.gguf")


if __name__ == "__main__":
    main()
