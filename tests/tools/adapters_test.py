"""--lora of generate, batch, score, convert; what inspect and doctor say of adapters."""

import json
import math
import shutil
import struct

from program import SOURCE, ProgramTest, main, run, run_json

DATA = SOURCE / "tests/data"
MODEL = DATA / "families/llama3.gguf"
PEFT, GGUF, OTHER = (DATA / "adapters" / name for name in ("llama3/plain", "llama3/plain.gguf", "llama3/patterns"))
ANSWER = ("-m", MODEL, "--ids", "-p", "5 6 7 8 9", "-n", 6, "--greedy", "--logprobs", 0)


def answer(*lora):
    out = run_json("generate", *ANSWER, *(part for one in lora for part in ("--lora", one)))
    return out["logprobs"], out.get("applied", {}).get("lora")


def read_tensors(path):
    """The header of a safetensors file, without its metadata, and its data."""
    whole = path.read_bytes()
    size, = struct.unpack_from("<Q", whole)
    header = json.loads(whole[8:8 + size])
    header.pop("__metadata__", None)
    return header, whole[8 + size:]


def write_tensors(path, header, data):
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


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

    def test_scales_and_paths_that_are_none(self):
        for scale in ("abc", "", "1e39", "inf"):
            for name in ("generate", "convert"):
                args = ANSWER if name == "generate" else (DATA / "checkpoints/llama3", "-o", self.dir / "new.gguf")
                done = run(name, *args, "--lora", f"{PEFT}={scale}")
                self.check_sentence(done, 1, f"={scale}", "is not a number from")
        for scale in ("1e30", "-1001"):
            self.check_sentence(run("generate", *ANSWER, "-q", "--lora", f"{PEFT}={scale}"), 1, "from -1000 to 1000")
        self.check_sentence(run("generate", *ANSWER, "--lora", "missing=abc"), 1, "missing=abc", "no file")
        self.check_sentence(run("generate", *ANSWER, "--lora", DATA / "checkpoints/llama3"), 1, "adapter_config.json")
        self.check_sentence(run("generate", *ANSWER, "--lora", PEFT / "adapter_model.safetensors"), 1,
                            "give its directory")

    def copied(self, name="copy"):
        return shutil.copytree(OTHER, self.dir / name)

    def test_copies_of_the_base_weights_are_left_alone(self):
        copy = self.copied("patterns")
        file = copy / "adapter_model.safetensors"
        header, data = read_tensors(file)
        for module in ("lm_head", "model.embed_tokens"):
            header[f"base_model.model.{module}.base_layer.weight"] = {
                "dtype": "F32", "shape": [128, 32], "data_offsets": [len(data), len(data) + 4 * 128 * 32]}
            data += bytes(4 * 128 * 32)
        write_tensors(file, header, data)
        self.assertEqual(answer(copy), answer(OTHER))
        for ending, word in (("norm.base_layer.weight", "no matrices of LoRA"),
                             ("norm.weight", "save_embedding_layers=False")):
            wrong = {**header, f"base_model.model.{ending}": header["base_model.model.lm_head.base_layer.weight"]}
            del wrong["base_model.model.lm_head.base_layer.weight"]
            write_tensors(file, wrong, data)
            self.check_sentence(run("generate", *ANSWER, "--lora", copy), 1, "norm.weight", word)

    def convert(self, output, *lora):
        return run("convert", DATA / "checkpoints/llama3", "-o", output, "--vocabulary", MODEL, "--type", "f32",
                   *(part for one in lora for part in ("--lora", one)))

    def test_convert_keeps_the_files_of_adapters(self):
        copy, gguf = self.copied(), self.dir / "plain.gguf"
        shutil.copy(GGUF, gguf)
        for lora, file in ((gguf, gguf), (copy, copy / "adapter_model.safetensors"),
                           (copy, copy / "adapter_config.json")):
            before = file.read_bytes()
            self.check_sentence(self.convert(file, lora), 1, file.name, "a file of an adapter that is read")
            self.assertEqual(file.read_bytes(), before)

    def test_convert_checks_adapters_as_requests_do(self):
        bad, output = self.copied("bad"), self.dir / "new.gguf"
        file = bad / "adapter_model.safetensors"
        header, data = read_tensors(file)
        one = next(iter(header.values()))
        begin = one["data_offsets"][0]
        nan = struct.pack("<f", math.nan)[-{"F32": 4, "BF16": 2}[one["dtype"]]:]
        write_tensors(file, header, data[:begin] + nan + data[begin + len(nan):])
        said = [run("generate", *ANSWER, "--lora", bad), self.convert(output, bad)]
        self.check_sentence(said[0], 1, str(bad), "numbers that are not finite")
        self.assertEqual(said[0].stderr, said[1].stderr)
        self.check_sentence(self.convert(output, PEFT, GGUF), 1, "'plain'", "rename one of them")
        self.check_sentence(self.convert(output, *[PEFT] * 17), 1, "17 adapters; the limit is 16")
        self.assertFalse(output.exists())

    def test_rows_choose_among_those_that_were_loaded(self):
        secret = self.dir / "secret.gguf"
        secret.write_bytes(GGUF.read_bytes())
        choices = [None, [], [{"name": "plain", "scale": 0.5}], [{"path": f"{OTHER}/./"}], [{"name": "secret"}],
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
