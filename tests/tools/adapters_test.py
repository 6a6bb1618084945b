"""--lora of generate, batch, score, convert; what inspect and doctor say of adapters."""

import json

from program import SOURCE, ProgramTest, main, run, run_json

DATA = SOURCE / "tests/data"
MODEL = DATA / "families/llama3.gguf"
PEFT, GGUF, OTHER = (DATA / "adapters" / name for name in ("llama3/plain", "llama3/plain.gguf", "llama3/patterns"))
ANSWER = ("-m", MODEL, "--ids", "-p", "5 6 7 8 9", "-n", 6, "--greedy", "--logprobs", 0)


def answer(*lora):
    out = run_json("generate", *ANSWER, *(part for one in lora for part in ("--lora", one)))
    return out["logprobs"], out.get("applied", {}).get("lora")


class Adapters(ProgramTest):
    def test_generate(self):
        plain, none = answer()
        self.assertIsNone(none)
        adapted, applied = answer(PEFT)
        self.assertNotEqual(adapted, plain)
        self.assertEqual([(a["name"], a["scale"], len(a["digest"])) for a in applied], [("plain", 1.0, 16)])
        self.assertEqual(answer(GGUF), (adapted, applied))
        self.assertEqual(answer(f"{PEFT}=0"), (plain, None))
        both, applied = answer(f"{PEFT}=-0.5", f"{OTHER}/")
        self.assertEqual([(a["name"], a["scale"]) for a in applied], [("plain", -0.5), ("patterns", 1.0)])
        self.assertNotIn(both, (plain, adapted))

    def test_refusals(self):
        self.check_sentence(run("generate", *ANSWER, "--lora", self.dir / "missing"), 1, "missing")
        self.check_sentence(run("generate", *ANSWER, "--lora", MODEL), 1, "general.type", "'adapter' is expected")
        self.check_sentence(run("generate", *ANSWER, "--lora", DATA / "adapters/qwen3/plain"), 1, "another model")
        self.check_sentence(run("generate", *ANSWER, "--lora", PEFT, "--lora", GGUF), 1, '"plain"', "rename")
        self.check_usage(run("generate", *ANSWER, "--lora", PEFT, "--with", MODEL), "--lora")
        self.check_sentence(run("generate", "-m", PEFT, "-p", "x"), 1, "LoRA adapter", "--lora")

    def test_rows_choose_among_those_that_were_loaded(self):
        secret = self.dir / "secret.gguf"
        secret.write_bytes(GGUF.read_bytes())
        choices = [None, [], [{"name": "plain", "scale": 0.5}], [{"path": str(OTHER)}], [{"name": "secret"}],
                   [{"path": str(secret)}], [{"name": "plain", "path": "x"}], [{"scale": 1}], "plain", [{"name": 5}],
                   [{"name": "plain", "scale": "much"}], [{"name": "plain", "rank": 2}]]
        rows = [{"id": i, "ids": [5, 6, 7, 8, 9], "n": 6, "greedy": True, "logprobs": 0,
                 **({} if choice is None else {"lora": choice})} for i, choice in enumerate(choices)]
        done = run("batch", "-m", MODEL, "-q", "--lora", f"{PEFT}=2", "--lora", f"{OTHER}=0",
                   stdin="".join(json.dumps(row) + "\n" for row in rows))
        out = [json.loads(line) for line in done.stdout.splitlines()]
        alone = [answer(f"{PEFT}=2"), answer(), answer(f"{PEFT}=0.5"), answer()]
        for row, (logprobs, applied) in zip(out, alone):
            self.assertIsNone(row["error"])
            self.assertEqual((row["logprobs"], row.get("applied", {}).get("lora")), (logprobs, applied))
        for row in out[len(alone):]:
            self.assertIn('"lora" is ', row["error"])
        self.assertIn('that --lora loaded, and "secret" is none of them', out[4]["error"])

    def test_score_and_convert(self):
        record = json.loads((DATA / "adapters/llama3.json").read_text())
        text, expected = " ".join(map(str, record["ids"])), record["cases"][0]["logprobs"]
        merged = self.dir / "merged.gguf"
        report = run_json("convert", DATA / "checkpoints/llama3", "-o", merged, "--type", "f32", "--vocabulary", MODEL,
                          "--lora", PEFT)
        self.assertEqual([a["name"] for a in report["applied"]["lora"]], ["plain"])
        for args in (("-m", MODEL, "--lora", GGUF), ("-m", merged)):
            scored = run_json("score", *args, "--ids", "-p", text, "--exact")
            self.assertLess(max(abs(a - b) for a, b in zip(scored["logprobs"][1:], expected)), 1e-4)

    def test_inspect_and_doctor(self):
        self.assertEqual(run_json("inspect", "-m", GGUF)["summary"]["adapter"], {"matrices": 14, "rank": 4})
        self.assertIsNone(run_json("inspect", "-m", MODEL)["summary"]["adapter"])
        self.assertIn("LoRA, 14 matrices, rank 4", run("inspect", "-m", GGUF).stdout.decode())
        found = json.loads(run("doctor", GGUF, "--json").stdout)["findings"]
        self.assertEqual([f["code"] for f in found], ["not-a-model"])
        self.assertIn("a LoRA adapter for models of the family 'llama' (14 matrices, rank 4)", found[0]["message"])
        found = json.loads(run("doctor", PEFT, "--json").stdout)["findings"]
        self.assertIn("is a LoRA adapter of PEFT", found[0]["message"])


if __name__ == "__main__":
    main()
