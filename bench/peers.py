"""The programs that compare.py measures, each as a list of steps.

A step is a fresh process or two and returns {measurement: value}; measurements are those of compare.py, what
else it returns is kept beside them. Every program times itself where it can; time from start to exit and the
peak of resident memory are the operating system's.
"""

import json
import os
import subprocess
import tempfile
import time

SEQUENCE_PROMPT, SEQUENCE_DECODE = 128, 32  # tokens of each of --sequences


class Failed(Exception):
    pass


def run(command):
    """Runs one process: (stdout, seconds from start to exit, peak resident megabytes)."""
    command = [str(word) for word in command]
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        begin = time.monotonic()
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=err)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        if process.returncode != 0:
            lines = err.read().decode(errors="replace").strip().splitlines() or ["it said nothing"]
            raise Failed(f"{os.path.basename(command[0])}: exit code {process.returncode}: {lines[-1].strip()}")
        return out.read().decode(), seconds, usage.ru_maxrss * 1024 / 1e6


def partita(options, model, program=None):
    program = program or options.partita
    common = ["-m", model, "-t", options.threads, "--json"]

    def bench(prefill, decode, depth=0, sequences=1):
        out, _, _ = run([program, "bench", *common, "-p", prefill, "-n", decode, "--depth", depth,
                         "--sequences", sequences, "--repeat", 1])
        return json.loads(out)

    def generate(tokens, count):
        prompt = ",".join(str(300 + i % 200) for i in range(tokens))
        return run([program, "generate", *common, "--ids", "-p", prompt, "--greedy", "-n", count])

    def both():
        report = bench(options.prefill, options.decode)
        return {"prefill": report["prefill"]["tps"][0], "decode": report["decode"]["tps"][0],
                "version": report["isa"] + " kernels", "read_GBps": report["read_GBps"],
                "bytes_per_token": report["bytes_per_token"],
                "bound_fraction": report["decode"]["bound_fraction"]}

    def deep():
        report = bench(0, options.decode, depth=options.depth)
        return {"deep": report["decode"]["tps"][0]}

    def sequences():
        count = options.sequences
        read = bench(SEQUENCE_PROMPT, 0, sequences=count)["prefill"]["tps"][0]
        written = bench(0, SEQUENCE_DECODE, SEQUENCE_PROMPT, count)["decode"]["tps"][0]
        return {"sequences": (SEQUENCE_PROMPT + SEQUENCE_DECODE) /
                             (SEQUENCE_PROMPT / read + SEQUENCE_DECODE / written)}

    # `bench` also keeps an area to measure the memory with, so that the peak is that of a plain generation.
    return [both, *([deep] if options.depth else []), *([sequences] if options.sequences else []),
            lambda: {"start": generate(1, 1)[1]},
            lambda: {"memory": generate(options.prefill, options.decode)[2]}]


def llama_cpp(options, model):
    def bench(*more):
        out, seconds, memory = run([options.llama_bench, "-m", model, "-t", options.threads, "-r", 1, "-o", "json",
                                    *more])
        return json.loads(out), seconds, memory

    def both():
        tests, _, memory = bench("-p", options.prefill, "-n", options.decode)
        rates = {"decode" if test["n_gen"] else "prefill": test["avg_ts"] for test in tests}
        build = tests[0].get("build_number")  # 0 in packages built outside its repository
        return {**rates, "memory": memory, "version": f"b{build}" if build else "of unknown version"}

    def deep():
        tests, _, _ = bench("-p", 0, "-n", options.decode, "-d", options.depth)
        return {"deep": tests[0]["avg_ts"]}

    def sequences():
        program = os.path.join(os.path.dirname(options.llama_bench), "llama-batched-bench")
        if not os.path.exists(program):
            raise Failed("there is no llama-batched-bench beside llama-bench")
        context = options.sequences * (SEQUENCE_PROMPT + SEQUENCE_DECODE)
        out, _, _ = run([program, "-m", model, "-t", options.threads, "-c", context, "-npp", SEQUENCE_PROMPT,
                         "-ntg", SEQUENCE_DECODE, "-npl", options.sequences, "--output-format", "jsonl"])
        reports = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
        if not reports:
            raise Failed("llama-batched-bench reported nothing")
        return {"sequences": reports[-1]["speed"]}

    return [both, *([deep] if options.depth else []), *([sequences] if options.sequences else []),
            lambda: {"start": bench("-p", 1, "-n", 0, "--no-warmup")[1]}]


def openvino(options, model):
    helper = os.path.join(os.path.dirname(os.path.abspath(__file__)), "openvino_peer.py")

    def jobs(*sizes, warm=True):
        out, seconds, memory = run([options.openvino, "-B", helper, model, options.threads,
                                    *([] if warm else ["--cold"]),
                                    *("x".join(map(str, size)) for size in sizes)])
        return json.loads(out.splitlines()[-1]), seconds, memory

    def both():
        report, _, memory = jobs((options.prefill, 1), (1, options.decode + 1))
        read, written = report["jobs"]
        return {"prefill": options.prefill / read["first_s"], "decode": 1 / written["each_s"], "memory": memory,
                "version": report["version"]}

    def deep():
        return {"deep": 1 / jobs((options.depth, options.decode + 1))[0]["jobs"][0]["each_s"]}

    def sequences():
        job = jobs((SEQUENCE_PROMPT, SEQUENCE_DECODE, options.sequences))[0]["jobs"][0]
        return {"sequences": options.sequences * (SEQUENCE_PROMPT + SEQUENCE_DECODE) / job["seconds"]}

    return [both, *([deep] if options.depth else []), *([sequences] if options.sequences else []),
            lambda: {"start": jobs((1, 1), warm=False)[1]}]
