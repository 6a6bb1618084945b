"""partita quantize: a model file with fewer bits, whole or not at all."""

import hashlib
import os
import pathlib
import resource
import signal
import struct
import time

from program import MODEL, SOURCE, ProgramTest, environment, main, run, run_json, start, write_checkpoint

TEXT = (SOURCE / "tests" / "data" / "engine" / "mixed_text.txt").read_text()[:4000]


def write_importance(path, tensors, kind="imatrix"):
    """An importance file as llama.cpp writes it; tensors: name -> (columns of sums, count)."""
    def text(s):
        return struct.pack("<Q", len(s.encode())) + s.encode()
    keys = text("general.type") + struct.pack("<I", 8) + text(kind)
    keys += text("imatrix.chunk_count") + struct.pack("<II", 4, 3)
    table, data = b"", b""
    for name, (sums, count) in tensors.items():
        for suffix, shape, values in ((".in_sum2", (len(sums), 1), sums), (".counts", (1, 1), [count])):
            table += text(name + suffix) + struct.pack("<IQQIQ", 2, *shape, 0, len(data))
            data += struct.pack(f"<{len(values)}f", *values)
            data += bytes(-len(data) % 32)
    head = b"GGUF" + struct.pack("<IQQ", 3, 2 * len(tensors), 2) + keys + table
    path.write_bytes(head + bytes(-len(head) % 32) + data)


def write_gguf(path, tensors):
    """A file of the family llama; tensors: name -> (shape, fastest first, F32 values)."""
    def text(s):
        return struct.pack("<Q", len(s.encode())) + s.encode()
    table, data = b"", b""
    for name, (shape, values) in tensors.items():
        table += text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, 0, len(data))
        data += struct.pack(f"<{len(values)}f", *values)
        data += bytes(-len(data) % 32)
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), 1)
    head += text("general.architecture") + struct.pack("<I", 8) + text("llama") + table
    path.write_bytes(head + bytes(-len(head) % 32) + data)


class Quantize(ProgramTest):
    def setUp(self):
        super().setUp()
        self.out = self.dir / "out.gguf"

    def quantize(self, *args):
        return run("quantize", MODEL, self.out, "--allow-requantize", *args)

    def test_a_model_that_scores_as_well(self):
        report = run_json("quantize", MODEL, self.out, "--allow-requantize")
        self.assertEqual(list(report), ["path", "tensors", "bytes_in", "bytes_out", "types", "error",
                                        "without_importance", "fallbacks"])
        self.assertEqual((report["tensors"], sum(report["types"].values())), (272, 272))
        self.assertEqual((report["bytes_in"], report["bytes_out"]), (os.path.getsize(MODEL), os.path.getsize(self.out)))
        self.assertEqual(report["types"], {"F32": 61, "Q4_K": 16, "Q5_0": 166, "Q6_K": 14, "Q8_0": 15})
        self.assertEqual(set(report["error"]), {"Q4_K", "Q5_0", "Q6_K", "Q8_0"})
        self.assertTrue(all(0 < error < 0.02 for error in report["error"].values()), report["error"])
        inspected = run_json("inspect", "-m", self.out)["metadata"]
        self.assertEqual((inspected["general.file_type"], inspected["general.quantization_version"]), (15, 2))
        before = run_json("inspect", "-m", MODEL)["metadata"]
        changed = {"general.file_type", "general.quantization_version"}
        self.assertEqual({k: v for k, v in before.items() if k not in changed},
                         {k: v for k, v in inspected.items() if k not in changed})
        scores = [run_json("score", "-m", model, stdin=TEXT)["nll"] for model in (MODEL, self.out)]
        self.assertAlmostEqual(scores[0], scores[1], delta=0.1)

    def test_threads_and_importance(self):
        digests = set()
        for threads in (1, 2):
            self.assertEqual(self.quantize("-t", threads, "--type", "q4_0").returncode, 0)
            digests.add(hashlib.sha256(self.out.read_bytes()).digest())
        self.assertEqual(len(digests), 1)
        name = "blk.3.ffn_up.weight"
        write_importance(self.dir / "imatrix", {name: ([(i % 7) ** 2 / 7 for i in range(576)], 4)})
        report = run_json("quantize", MODEL, self.out, "--allow-requantize", "--type", "Q4_0", "--imatrix",
                          self.dir / "imatrix")
        self.assertNotIn(name, report["without_importance"])
        self.assertIn("blk.4.ffn_up.weight", report["without_importance"])
        self.assertNotIn(hashlib.sha256(self.out.read_bytes()).digest(), digests)
        metadata = run_json("inspect", "-m", self.out)["metadata"]
        self.assertEqual(metadata["quantize.imatrix.entries_count"], 1)
        self.assertEqual(metadata["quantize.imatrix.chunks_count"], 3)

    def test_measured_importance(self):
        text, importance = self.dir / "text.txt", self.dir / "imatrix.gguf"
        text.write_text(TEXT)
        report = run_json("imatrix", "-m", MODEL, "-f", text, "-o", importance, "--chunk", 256)
        self.assertEqual((report["tensors"], report["chunks"], report["tokens"]), (210, 6, 1536))
        report = run_json("quantize", MODEL, self.out, "--allow-requantize", "--imatrix", importance)
        self.assertEqual(report["without_importance"], [])
        scores = [run_json("score", "-m", model, stdin=TEXT)["nll"] for model in (MODEL, self.out)]
        self.assertAlmostEqual(scores[0], scores[1], delta=0.05)
        self.check_usage(run("imatrix", "-f", text), "--output")
        checkpoint = self.dir / "checkpoint"
        write_checkpoint(checkpoint)
        measure = ("imatrix", "-m", checkpoint, "-f", text, "-o", importance, "--chunk", 64, "--vocabulary")
        self.check_sentence(run(*measure, self.dir / "none.gguf"), 1, "none.gguf")
        self.assertRegex(run(*measure, MODEL).stdout.decode(), r"7 tensors, measured on \d+ tokens in \d+ chunks")
        odd = run("imatrix", "-m", MODEL, "-f", text, "-o", self.dir / "a\x1b.gguf", "--chunk", 1024)
        self.assertRegex(odd.stdout.decode(), r"a\\x1b\.gguf: 210 tensors, measured on 1024 tokens in 1 chunk\n$")
        self.check_sentence(run("imatrix", "-m", MODEL, "-f", text, "-o", importance, "--chunk", 5000), 1, "5000")

    def test_reports_for_people(self):
        model = self.dir / "m.gguf"
        write_gguf(model, {"blk.0.\x1b[31mffn\x07_up.weight": ((32, 4), [0.5] * 128)})
        done = run("quantize", model, self.out, "--type", "Q4_K_S")
        self.assertEqual(done.returncode, 0, done.stderr)
        first, second, last = done.stdout.decode().splitlines()
        self.assertRegex(first, r"out\.gguf: 1 tensor, 0\.\d kB of 0\.\d kB$")
        self.assertRegex(second, r"^Q5_0 +1 tensor, root mean square error")
        self.assertTrue(last.endswith(r"blk.0.\x1b[31mffn\x07_up.weight"), last)

    def test_known_names_and_directories(self):
        env = environment(PARTITA_MODELS=os.path.dirname(MODEL))
        done = run("quantize", os.path.basename(MODEL), self.out, env=env)
        self.check_sentence(done, 1, "--allow-requantize")
        (self.dir / "bundled").mkdir()
        done = run("quantize", "bundled", self.out, "--allow-requantize", cwd=self.dir)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.check_usage(run("quantize", "", self.dir / "o.gguf"), "IN is empty")
        self.check_sentence(run("quantize", self.dir, self.dir / "o.gguf"), 1, "is a directory", "partita convert")

    def test_what_is_refused(self):
        self.check_sentence(run("quantize", MODEL, self.out), 1, "Q4_1 already", "--allow-requantize")
        self.check_sentence(self.quantize("--type", "Q9"), 1, "Q9", "Q4_K_M")
        self.check_sentence(self.quantize("--output-type", "IQ1_S"), 1, "IQ1_S", "Q6_K")
        self.check_usage(self.quantize("--tensor-type", "attn_v"), "attn_v", "NAME=TYPE")
        self.check_sentence(self.quantize("--tensor-type", "nosuch=q6_k"), 1, "no tensor that is quantized has 'nosuch'")
        self.check_usage(run("quantize", MODEL), "OUT")
        self.check_sentence(run("quantize", MODEL, MODEL, "--allow-requantize"), 1, "name another file")
        self.check_sentence(run("quantize", self.dir / "none.gguf", self.out), 1, "none.gguf")
        self.check_sentence(self.quantize("--imatrix", MODEL), 1, "importance")
        for sums, count, word in (([1.0] * 5, 1, "5 columns"), ([-1.0] * 576, 1, "negative"),
                                  ([float("nan")] * 576, 1, "finite")):
            write_importance(self.dir / "imatrix", {"blk.0.ffn_up.weight": (sums, count)})
            self.check_sentence(self.quantize("--imatrix", self.dir / "imatrix"), 1, word)
        self.assertFalse(self.out.exists())

    def test_no_input_is_overwritten(self):
        importance, text, parts = self.dir / "imatrix", self.dir / "text.txt", []
        write_importance(importance, {"blk.0.ffn_up.weight": ([1.0] * 576, 1)})
        text.write_text(TEXT)
        for i in (1, 2):
            parts.append(self.dir / f"a-0000{i}-of-00002.gguf")
            parts[-1].write_bytes(b"part")
        kept = {path: path.read_bytes() for path in self.dir.iterdir()}
        for args, what in ((("quantize", MODEL, importance, "--allow-requantize", "--imatrix", importance), "importance"),
                           (("quantize", parts[0], parts[1]), "model"),
                           (("imatrix", "-m", parts[0], "-f", text, "-o", parts[1]), "model"),
                           (("imatrix", "-m", MODEL, "-f", text, "-o", text), "text")):
            self.check_sentence(run(*args), 1, f"the {what} that is read", "name another file")
        self.assertEqual({path: path.read_bytes() for path in self.dir.iterdir()}, kept)

    def is_writing(self, process):
        """Whether a process has a file of the directory open, with a name or without."""
        try:
            files = [os.readlink(file) for file in pathlib.Path(f"/proc/{process.pid}/fd").iterdir()]
        except OSError:  # a file was closed, or the process ended
            return False
        return any(file.startswith(f"{self.dir}/") for file in files)

    def test_no_half_file(self):
        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (20_000_000, 20_000_000))
        full = run("quantize", MODEL, self.out, "--allow-requantize", preexec_fn=limit)
        self.check_sentence(full, 1, "cannot write", "out.gguf")
        self.assertEqual(list(self.dir.iterdir()), [])
        for ending, code in ((signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)):
            process = start("quantize", MODEL, self.out, "--allow-requantize", "-t", 1)
            while process.poll() is None and not self.is_writing(process):
                time.sleep(0.01)
            process.send_signal(ending)
            process.communicate()
            self.assertEqual(process.returncode, code)
            self.assertFalse(self.out.exists())
        self.assertEqual(self.quantize().returncode, 0)


if __name__ == "__main__":
    main()
