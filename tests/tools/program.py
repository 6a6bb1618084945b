"""Helpers of the whole-program tests: running `partita`, and its model."""

import array
import json
import math
import os
import pathlib
import random
import select
import struct
import subprocess
import tempfile
import time
import unittest

PROGRAM = os.environ["PARTITA_PROGRAM"]
SOURCE = pathlib.Path(__file__).resolve().parents[2]
MODELS = pathlib.Path(os.environ.get("PARTITA_TEST_MODELS") or SOURCE / "models")
MODEL = str(MODELS / "SmolLM2-135M-Instruct.Q4_1.gguf")
# How soon Ctrl-C must take effect, in seconds; builds with sanitizers are given more by their test command.
PATIENCE = float(os.environ.get("PARTITA_TEST_PATIENCE", "0.2"))
FRANCE = "The capital of France is"
COUNTING = "1 2 3 4 5 6 7 8 9 10 11 12 13"  # the model continues this until it is stopped


def environment(**changes):
    env = {k: v for k, v in os.environ.items() if k not in ("PARTITA_MODEL", "PARTITA_MODELS")}
    env["PARTITA_MODEL"] = MODEL
    env.update(changes)
    return env


def run(*args, stdin=b"", env=None, timeout=300, **options):
    """Runs `partita ARGS` to its end; returns the process. stdout and stderr are bytes."""
    data = stdin.encode() if isinstance(stdin, str) else stdin
    return subprocess.run([PROGRAM, *map(str, args)], input=data, capture_output=True,
                          env=env or environment(), timeout=timeout, **options)


def run_json(*args, stdin=b""):
    """Runs `partita ARGS --json`; returns its stdout, which must be one JSON value."""
    done = run(*args, "--json", stdin=stdin)
    if done.returncode != 0:
        raise AssertionError(f"exit code {done.returncode}: {done.stderr.decode()}")
    return json.loads(done.stdout)


def start(*args, **options):
    """Starts `partita ARGS`; stdout and stderr are pipes unless options say otherwise."""
    settings = dict(stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())
    settings.update(options)
    return subprocess.Popen([PROGRAM, *map(str, args)], **settings)


def read_until(stream, wanted, timeout=60):
    """Reads a pipe until `wanted` appears; returns everything read."""
    seen = b""
    end = time.monotonic() + timeout
    while wanted not in seen:
        ready, _, _ = select.select([stream], [], [], max(0, end - time.monotonic()))
        if not ready:
            raise AssertionError(f"{wanted!r} did not come within {timeout} s, but {seen[-500:]!r}")
        piece = os.read(stream.fileno(), 4096)
        if not piece:
            raise AssertionError(f"the stream ended before {wanted!r}, after {seen[-500:]!r}")
        seen += piece
    return seen


def gguf_of_family(path, family, key="general.architecture"):
    """A well-formed GGUF file without tensors, of a family that may not exist."""
    def text(s):
        return struct.pack("<Q", len(s.encode())) + s.encode()
    head = b"GGUF" + struct.pack("<IQQ", 3, 0, 1)
    path.write_bytes(head + text(key) + struct.pack("<I", 8) + text(family) + bytes(64))


def write_checkpoint(path, **changes):
    """A checkpoint of a tiny Llama with the model's vocabulary, its tensors F32; keys of config.json to change."""
    hidden, ffn, vocab = 32, 64, 49152
    config = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": hidden,
              "intermediate_size": ffn, "num_hidden_layers": 1, "num_attention_heads": 2, "vocab_size": vocab,
              "tie_word_embeddings": True, **changes}
    layer = "model.layers.0."
    shapes = {"model.embed_tokens.weight": [vocab, hidden], "model.norm.weight": [hidden],
              layer + "input_layernorm.weight": [hidden], layer + "post_attention_layernorm.weight": [hidden],
              layer + "mlp.gate_proj.weight": [ffn, hidden], layer + "mlp.up_proj.weight": [ffn, hidden],
              layer + "mlp.down_proj.weight": [hidden, ffn]}
    shapes |= {f"{layer}self_attn.{name}_proj.weight": [hidden, hidden] for name in "qkvo"}
    header, data, draw = {}, array.array("f"), random.Random(1)
    for name, shape in shapes.items():
        begin = 4 * len(data)
        data.extend(draw.uniform(-1, 1) for _ in range(math.prod(shape)))
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [begin, 4 * len(data)]}
    text = json.dumps(header).encode()
    path.mkdir()
    (path / "config.json").write_text(json.dumps(config))
    (path / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + data.tobytes())


class ProgramTest(unittest.TestCase):
    """A test with its own temporary directory."""

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.dir = pathlib.Path(directory.name)

    def check_sentence(self, done, code, *words):
        """Checks the exit code, an empty stdout, and one line on stderr with these words."""
        message = done.stderr.decode()
        self.assertEqual(done.returncode, code, message)
        self.assertEqual(done.stdout, b"")
        self.assertEqual(message.count("\n"), 1, message)
        for word in words:
            self.assertIn(word, message)

    def check_usage(self, done, *words):
        message = done.stderr.decode()
        self.assertEqual(done.returncode, 2, message)
        self.assertEqual(done.stdout, b"")
        for word in words:
            self.assertIn(word, message)


def json_lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


class BatchTest(ProgramTest):
    """A test of `partita batch`, with its own input and output."""

    def setUp(self):
        super().setUp()
        self.input, self.output = self.dir / "in.jsonl", self.dir / "out.jsonl"

    def write_rows(self, rows):
        """Writes the input: objects, or lines of text."""
        self.input.write_text("".join((r if isinstance(r, str) else json.dumps(r)) + "\n" for r in rows))

    def batch(self, rows, *args, code=0):
        """Runs these rows; returns the output rows."""
        self.write_rows(rows)
        done = run("batch", "-i", self.input, "-o", self.output, *args)
        self.assertEqual(done.returncode, code, done.stderr.decode())
        self.stderr = done.stderr.decode()
        return json_lines(self.output)

    def batch_json(self, *args):
        """Runs the present input; returns the summary."""
        return run_json("batch", "-i", self.input, "-o", self.output, *args)


def main():
    unittest.main(verbosity=2)
