#!/usr/bin/env python3
"""Records what transformers' beam search finds, and what diverse groups and contrastive search find.

    record_beams.py OUT_DIRECTORY [SMOLLM2.gguf]

Writes beams_toy.json (random tables instead of a model, where answers end often), beams_tiny.json (the
random models of record_tiny_models.py) and, given the model, beams_smollm2.json. README.md beside this
file describes them.

Plain beams are transformers' own `generate`. transformers 5 has neither group beam search nor contrastive
search any more (`custom_generate` on its hub took them over), so both are written down here from their
papers, in float64 and without a cache: Vijayakumar et al. 2016 with the Hamming penalty as transformers 4
computed it, each group under the rules of the plain search; Su et al. 2022. The same code with one group
must find what `generate` finds, or nothing is recorded.
"""

import argparse
import json
import math
import os
import random

import torch
import transformers

from record_scores import byte_level_tokenizer, metadata, sha256, versions
from record_tiny_models import MODELS, VOCAB, random_model

THREADS = 2
EARLY = (False, True, "never")


# --- the references ------------------------------------------------------------------------------------


def better(candidate):
    """Sorts by falling score, then by beam and id."""
    score, beam, token = candidate[:3]
    return -score, beam, token


def reference_beams(next_logprobs, *, beams, max_new, eos, length_penalty, early, groups=1, diversity=0.0):
    """Group beam search; with one group, plain beam search. next_logprobs(list of ids so far): one float64
    row each. Returns (score, ids) of complete answers, best first."""
    size = beams // groups
    keep = max(2, 1 + len(eos)) * size
    running = [[(0.0, [])] for _ in range(groups)]
    complete = [[] for _ in range(groups)]
    for length in range(1, max_new + 1):
        taken = []
        for g in range(groups):
            if not running[g]:
                continue
            rows = next_logprobs([ids for _, ids in running[g]])
            candidates = []
            for beam, ((score, ids), row) in enumerate(zip(running[g], rows.tolist())):
                for token, logprob in enumerate(row):
                    if logprob > -math.inf:
                        candidates.append((score + logprob - diversity * taken.count(token), beam, token))
            candidates = sorted(candidates, key=better)[:keep]
            live = []
            for place, (score, beam, token) in enumerate(candidates):
                ids = running[g][beam][1] + [token]
                if token in eos or length == max_new:
                    if place < size:
                        complete[g].append((score / length ** length_penalty, ids))
                elif len(live) < size:
                    live.append((score, ids))
            complete[g] = sorted(complete[g], key=lambda c: -c[0])[:size]
            running[g] = live
            taken += [ids[-1] for _, ids in live]
            if live and len(complete[g]) == size:
                reach = max_new if early == "never" and length_penalty > 0 else length
                if early is True or live[0][0] / reach ** length_penalty <= complete[g][-1][0]:
                    running[g] = []
    return sorted((c for group in complete for c in group), key=lambda c: -c[0])


def reference_contrastive(states, ids, *, top_k, alpha, max_new, eos):
    """states(batch of ids): hidden states and log-probabilities after the last, [batch][n][width] and
    [batch][vocab]. Returns the ids, the sum of their log-probabilities, and the least lead of a choice."""
    found, total, lead = [], 0.0, math.inf
    while len(found) < max_new and (not found or found[-1] not in eos):
        hidden, logprobs = states([ids + found])
        best = torch.topk(logprobs[0], top_k)
        tried, _ = states([ids + found + [token] for token in best.indices.tolist()])
        past = torch.nn.functional.normalize(hidden[0], dim=-1)
        next_states = torch.nn.functional.normalize(tried[:, -1], dim=-1)
        closest = (next_states @ past.T).max(dim=-1).values
        values = (1 - alpha) * best.values.exp() - alpha * closest
        order = values.sort(descending=True)
        lead = min(lead, (order.values[0] - order.values[1]).item())
        found.append(best.indices[order.indices[0]].item())
        total += best.values[order.indices[0]].item()
    return found, total, lead


# --- transformers --------------------------------------------------------------------------------------


def generate(model, ids, *, beams, max_new, eos, length_penalty, early, repetition=1.0):
    """(score, ids) of all the answers that transformers' own beam search returns, best first."""
    out = model.generate(
        torch.tensor([ids]), attention_mask=torch.ones((1, len(ids)), dtype=torch.long), do_sample=False,
        num_beams=beams, num_return_sequences=beams, max_new_tokens=max_new, length_penalty=length_penalty,
        early_stopping=early, eos_token_id=eos, pad_token_id=eos[0], repetition_penalty=repetition,
        top_k=None, top_p=None, temperature=None, return_dict_in_generate=True, output_scores=True)
    answers = []
    for score, sequence in zip(out.sequences_scores.tolist(), out.sequences[:, len(ids):].tolist()):
        end = next((i + 1 for i, token in enumerate(sequence) if token in eos), len(sequence))
        answers.append((score, sequence[:end]))
    return answers


def same(a, b, tolerance):
    return [ids for _, ids in a] == [ids for _, ids in b] and all(
        abs(x - y) <= tolerance for (x, _), (y, _) in zip(a, b))


def searched(next_logprobs, model, ids, setting, tolerance):
    """The answers of one setting: plain ones by transformers, checked against the reference; groups by the
    reference."""
    if setting.get("groups", 1) == 1:
        answers = generate(model, ids, **{k: v for k, v in setting.items() if k not in ("groups", "diversity")})
        if "repetition" not in setting and not same(answers, reference_beams(next_logprobs, **setting), tolerance):
            raise SystemExit(f"the reference differs from transformers: {setting}\n{answers}\n"
                             f"{reference_beams(next_logprobs, **setting)}")
        return answers
    return reference_beams(next_logprobs, **setting)


def rows_of(model, ids):
    """next_logprobs of a model after a prompt: float32 logits, log-softmax in float64."""
    def rows(continuations):
        batch = torch.tensor([ids + c for c in continuations])
        return torch.log_softmax(model(batch, use_cache=False).logits[:, -1].double(), dim=-1)
    return rows


def states_of(model):
    def states(batch):
        hidden = model.model(torch.tensor(batch), use_cache=False).last_hidden_state
        return hidden.double(), torch.log_softmax(model.lm_head(hidden[:, -1]).double(), dim=-1)
    return states


def answers_json(answers):
    return [{"ids": ids, "score": round(score, 7)} for score, ids in answers]


def write_record(path, record):
    """One case a line."""
    cases = record.pop("cases")
    with open(path, "w", encoding="utf-8") as handle:
        handle.write("{\n")
        for key, value in record.items():
            handle.write(f" {json.dumps(key)}: {json.dumps(value, ensure_ascii=False)},\n")
        lines = [" " + json.dumps(case, ensure_ascii=False) for case in cases]
        handle.write(' "cases": [\n' + ",\n".join(lines) + "\n]}\n")


# --- tables --------------------------------------------------------------------------------------------

TOY_VOCAB, TOY_POSITIONS = 16, 12


class ToyConfig(transformers.PretrainedConfig):
    model_type = "toy"

    def __init__(self, **kwargs):
        self.vocab_size, self.num_hidden_layers, self.hidden_size = TOY_VOCAB, 1, 1
        super().__init__(**kwargs)


class Toy(transformers.PreTrainedModel, transformers.GenerationMixin):
    """Logits that depend on the last id and on how many there are, so that no two answers tie."""

    config_class = ToyConfig

    def __init__(self, table):
        super().__init__(ToyConfig())
        self.table = torch.nn.Parameter(table)  # [positions][vocab][vocab]
        self.post_init()

    def prepare_inputs_for_generation(self, input_ids, **_):
        return {"input_ids": input_ids}

    def forward(self, input_ids, return_dict=True, **_):
        logits = self.table[input_ids.shape[1] - 1][input_ids[:, -1:]]
        return transformers.modeling_outputs.CausalLMOutput(logits=logits)

    def _init_weights(self, module):
        pass


def toy_settings(draw):
    """Three ids may end an answer in one of three cases: it then happens at once."""
    settings = []
    for beams in (2, 3, 4):
        for length_penalty in (-1.0, 0.0, 0.5, 1.0, 2.0):
            for early in EARLY:
                for eos in ([0], [0, 5], [3, 7, 11]):
                    settings.append({"beams": beams, "length_penalty": length_penalty, "early": early, "eos": eos,
                                     "max_new": draw.choice((1, 2, 5, 9, TOY_POSITIONS))})
    for beams, groups in ((2, 2), (4, 2), (6, 3), (4, 4)):
        for diversity in (0.3, 1.5):
            for early in EARLY:
                settings.append({"beams": beams, "groups": groups, "diversity": diversity, "early": early,
                                 "length_penalty": draw.choice((0.5, 1.0, 2.0)), "eos": draw.choice(([0], [0, 5])),
                                 "max_new": draw.choice((5, 9, TOY_POSITIONS))})
    for repetition in (1.2, 2.0):
        for early in EARLY:
            settings.append({"beams": 3, "length_penalty": 1.0, "early": early, "eos": [0], "max_new": 9,
                             "repetition": repetition})
    return settings


def record_toy(directory):
    generator = torch.Generator().manual_seed(21)
    draw = random.Random(22)
    tables = [(torch.randn((TOY_POSITIONS, TOY_VOCAB, TOY_VOCAB), generator=generator) * 64).round().int()
              for _ in range(2)]
    cases = []
    for number, table in enumerate(tables):
        model = Toy(table.float() / 32).eval()
        for setting in toy_settings(draw):
            start = draw.randrange(TOY_VOCAB)
            answers = searched(rows_of(model, [start]), model, [start], setting, 1e-5)
            cases.append({"table": number, "start": start, **setting, "answers": answers_json(answers)})
    write_record(os.path.join(directory, "beams_toy.json"), {
        "made_by": "tests/oracles/record_beams.py", "versions": versions(), "logits_are": "tables / 32",
        "tables": [table.flatten().tolist() for table in tables], "cases": cases})


# --- models --------------------------------------------------------------------------------------------


def model_settings(beams):
    plain = [{"length_penalty": a, "early": early} for a in (0.5, 1.0, 2.0) for early in (False, True)]
    plain.append({"length_penalty": 1.0, "early": "never"})
    grouped = [{"length_penalty": 1.0, "early": early, "groups": groups, "diversity": diversity}
               for groups, diversity, early in ((2, 0.5, False), (beams, 1.0, True))]
    return [{"beams": beams, **setting} for setting in plain + grouped]


def model_cases(name, model, prompts, eos, max_new, beams, tolerance):
    cases = []
    for ids in prompts:
        for setting in model_settings(beams):
            setting = {**setting, "max_new": max_new, "eos": eos}
            answers = searched(rows_of(model, ids), model, ids, setting, tolerance)
            cases.append({"model": name, "prompt": ids, **setting, "answers": answers_json(answers)})
        found, total, lead = reference_contrastive(states_of(model), ids, top_k=4, alpha=0.6, max_new=max_new, eos=eos)
        cases.append({"model": name, "prompt": ids, "top_k": 4, "alpha": 0.6, "max_new": max_new, "eos": eos,
                      "lead": round(lead, 7), "answers": answers_json([(total / len(found), found)])})
        print(name, len(cases), flush=True)
    return cases


def record_tiny(directory):
    cases = []
    for name, (config, seed, dtype) in MODELS.items():
        model = random_model(config, seed, dtype)
        eos = [0, 2] if config.model_type == "llama" else [1]
        generator = torch.Generator().manual_seed(seed + 200)
        prompts = [torch.randint(4, VOCAB, (n,), generator=generator).tolist() for n in (1, 5, 14, 40, 70)]
        cases += model_cases(name, model, prompts, eos, 20, 4, 1e-4)
    write_record(os.path.join(directory, "beams_tiny.json"), {
        "made_by": "tests/oracles/record_beams.py", "versions": versions(), "cases": cases})


CHAT = "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n" \
       "<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n"
TEXTS = [
    "The capital of France is", "def fibonacci(n):\n", "Once upon a time, in a village by the sea,",
    "Water boils at a temperature of", "The three primary colors are", "In 1969, the first man",
    "import numpy as np\n\ndef mean(values):\n", "My favourite season is autumn because", "SELECT name FROM users WHERE",
    "Roses are red, violets are", "The largest planet in the solar system", "To make a cup of tea, first",
    CHAT.format("What is the capital of Italy?"), CHAT.format("Say yes."), CHAT.format("What is 2 + 2?"),
    CHAT.format("Name one colour."), CHAT.format("Hello!"), CHAT.format("Is the sky blue? Answer in one word."),
    CHAT.format("Translate 'cat' into French."), CHAT.format("Finish the sentence: birds of a feather"),
]


ENDS = ("<|endoftext|>", "<|im_end|>", "<reponame>")  # what Partita ends an answer at, as llama.cpp does


def record_smollm2(directory, path):
    folder, name = os.path.split(os.path.abspath(path))
    meta = metadata(path)
    encode, _ = byte_level_tokenizer(meta)
    model = transformers.AutoModelForCausalLM.from_pretrained(
        folder, gguf_file=name, dtype=torch.float32, attn_implementation="eager").eval()
    tokens = meta["tokenizer.ggml.tokens"]
    eos = sorted(tokens.index(end) for end in ENDS)
    cases = model_cases(name, model, [encode(text) for text in TEXTS], eos, 20, 4, 1e-3)
    write_record(os.path.join(directory, "beams_smollm2.json"), {
        "made_by": "tests/oracles/record_beams.py", "versions": versions(), "model": name,
        "model_sha256": sha256(path), "texts": TEXTS, "cases": cases})


@torch.no_grad()
def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory")
    parser.add_argument("model", nargs="?")
    options = parser.parse_args()
    torch.set_num_threads(THREADS)
    record_toy(options.directory)
    record_tiny(options.directory)
    if options.model:
        record_smollm2(options.directory, options.model)


if __name__ == "__main__":
    main()
