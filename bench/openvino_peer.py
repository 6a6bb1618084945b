#!/usr/bin/env python3
"""One process of OpenVINO GenAI, for compare.py; run by a Python that has openvino_genai and numpy.

    openvino_peer.py MODEL.gguf THREADS [--cold] JOB...

A JOB is PROMPTxCOUNT or PROMPTxCOUNTxSEQUENCES. Prints one line of JSON. Prompts are random and never repeat, for
it keeps the beginnings of those that it has seen. --cold: without doing
each job once before it counts.
"""

import json
import random
import sys
import time

import numpy
import openvino
import openvino_genai


def measure(pipe, words, prompt, count, sequences=1):
    ids = numpy.array([[random.randrange(words) for _ in range(prompt)] for _ in range(sequences)], dtype=numpy.int64)
    config = openvino_genai.GenerationConfig()
    config.max_new_tokens = count
    config.ignore_eos = True
    config.do_sample = False
    begin = time.monotonic()
    out = pipe.generate(openvino_genai.TokenizedInputs(openvino.Tensor(ids), openvino.Tensor(numpy.ones_like(ids))),
                        config)
    seconds = time.monotonic() - begin
    metrics = out.perf_metrics
    return {"first_s": metrics.get_ttft().mean / 1e3,  # to the first token
            "each_s": metrics.get_tpot().mean / 1e3 if count > 1 else None,  # of those after it
            "seconds": seconds}


def main():
    model, threads, *jobs = sys.argv[1:]
    pipe = openvino_genai.LLMPipeline(model, "CPU", INFERENCE_NUM_THREADS=int(threads))
    words = len(pipe.get_tokenizer().get_vocab())
    cold = jobs[0] == "--cold"
    results = []
    for job in jobs[cold:]:
        size = [int(number) for number in job.split("x")]
        if not cold:
            measure(pipe, words, *size)  # primitives are created when a size is first used
        results.append(measure(pipe, words, *size))
    print(json.dumps({"version": openvino_genai.__version__.split("-")[0], "jobs": results}))


if __name__ == "__main__":
    main()
