#!/usr/bin/env python3
"""Stops `partita quantize` and `partita convert` at many moments, and checks that they leave a whole file or none.

Each runs once undisturbed. Then it is stopped by SIGKILL, SIGTERM, SIGHUP or SIGINT at random moments, and by a full
disk (a limit on the size of files) at random sizes. Its directory must then be empty, or hold the old file unchanged
where there was one, or the whole new one.

    tests/soak/kill_writers.py [--stops 50] [--program build/release/partita] [--seed 1]
"""

import argparse
import json
import pathlib
import random
import resource
import signal
import struct
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
VOCABULARY, HIDDEN, INNER, HEADS, LAYERS = 49152, 256, 1024, 4, 8  # the vocabulary is that of the bundled model


def tensors():
    yield "model.embed_tokens.weight", (VOCABULARY, HIDDEN)
    yield "model.norm.weight", (HIDDEN,)
    for i in range(LAYERS):
        for name in ("q_proj", "k_proj", "v_proj", "o_proj"):
            yield f"model.layers.{i}.self_attn.{name}.weight", (HIDDEN, HIDDEN)
        yield f"model.layers.{i}.mlp.gate_proj.weight", (INNER, HIDDEN)
        yield f"model.layers.{i}.mlp.up_proj.weight", (INNER, HIDDEN)
        yield f"model.layers.{i}.mlp.down_proj.weight", (HIDDEN, INNER)
        for name in ("input_layernorm", "post_attention_layernorm"):
            yield f"model.layers.{i}.{name}.weight", (HIDDEN,)


def make_checkpoint(directory, chance):
    """A Llama of BF16 numbers between 1/8 and 1/4."""
    directory.mkdir()
    (directory / "config.json").write_text(json.dumps({
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": HIDDEN, "vocab_size": VOCABULARY,
        "intermediate_size": INNER, "num_attention_heads": HEADS, "num_key_value_heads": HEADS, "rms_norm_eps": 1e-5,
        "num_hidden_layers": LAYERS, "max_position_embeddings": 2048, "rope_theta": 10000.0, "hidden_act": "silu",
        "tie_word_embeddings": True, "torch_dtype": "bfloat16"}))
    header, at = {}, 0
    for name, shape in tensors():
        size = 2 * shape[0] * (shape[1] if len(shape) > 1 else 1)
        header[name] = {"dtype": "BF16", "shape": list(shape), "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    with open(directory / "model.safetensors", "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        data = bytearray(chance.randbytes(at))
        data[1::2] = b"\x3e" * (at // 2)
        file.write(data)


class Writer:
    """One command, whose last word is the file that it writes."""

    def __init__(self, name, command, out):
        self.name, self.command, self.out = name, [*command, str(out)], out
        self.whole = b""

    def start(self, limit=None):
        def before():
            if limit is not None:
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        return subprocess.Popen(self.command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, preexec_fn=before)

    def run_whole(self):
        began = time.monotonic()
        process = self.start()
        message = process.communicate()[1].decode()
        if process.returncode != 0:
            sys.exit(f"{self.name} failed: {message}")
        self.whole = self.out.read_bytes()
        self.seconds = time.monotonic() - began
        print(f"{self.name}: {len(self.whole) / 1e6:.1f} MB in {self.seconds:.2f} s")

    def check(self, how, old):
        """Exits unless the directory holds what was there before, or the whole file."""
        there = sorted(path.name for path in self.out.parent.iterdir())
        content = self.out.read_bytes() if self.out.exists() else None
        if content not in (old, self.whole) or len(there) != (content is not None):
            sys.exit(f"{self.name}: {how} left {there}, {content and len(content)} bytes")
        return content == self.whole and content != old

    def stop_often(self, stops, chance):
        finished = 0
        for i in range(2 * stops):
            old = None if chance.random() < 0.5 else b"an older file"
            self.out.unlink(missing_ok=True)
            if old:
                self.out.write_bytes(old)
            if i % 2 == 0:
                which = SIGNALS[i // 2 % len(SIGNALS)]
                process = self.start()
                time.sleep(chance.random() * self.seconds)
                process.send_signal(which)
                how = which.name
            else:
                limit = chance.randrange(len(self.whole))
                process = self.start(limit)
                how = f"a disk of {limit} bytes"
            message = process.communicate()[1].decode()
            finished += self.check(how, old)
            if i % 2 == 1 and (process.returncode == 0 or not message.startswith("partita: cannot write")):
                sys.exit(f"{self.name}: {how}: exit code {process.returncode}, {message!r}")
        print(f"{self.name}: stopped {stops} times by a signal, {finished} of them too late; {stops} full disks: "
              "no half file, nothing beside it")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stops", type=int, default=50)
    parser.add_argument("--program", default=str(ROOT / "build/release/partita"))
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    chance = random.Random(options.seed)
    with tempfile.TemporaryDirectory(prefix="partita-writers") as name:
        directory = pathlib.Path(name)
        checkpoint, out = directory / "checkpoint", directory / "out"
        make_checkpoint(checkpoint, chance)
        out.mkdir()
        f16 = directory / "f16.gguf"
        convert = Writer("convert", [options.program, "convert", "-q", str(checkpoint), "-o"], out / "converted.gguf")
        convert.run_whole()
        f16.write_bytes(convert.whole)
        convert.stop_often(options.stops, chance)
        convert.out.unlink(missing_ok=True)
        quantize = Writer("quantize", [options.program, "quantize", "-q", "--type", "Q4_K_M", str(f16)],
                          out / "quantized.gguf")
        quantize.run_whole()
        quantize.stop_often(options.stops, chance)


if __name__ == "__main__":
    main()
