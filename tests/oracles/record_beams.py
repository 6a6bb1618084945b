#!/usr/bin/env python3
"""Records what transformers' beam search finds, and what diverse groups and contrastive search find.

    record_beams.py OUT_DIRECTORY [SMOLLM2.gguf] [--only toy|tiny|smollm2] [--prompts N]

Writes beams_toy.json (random tables instead of a model, where answers end often), beams_tiny.json (the
random models of record_tiny_models.py) and, given the model, beams_smollm2.json. README.md beside this
file describes them.

Plain beams are transformers' own `generate`. transformers 5 has neither group beam search nor contrastive
search any more (`custom_generate` on its hub took them over), so both are written down here from their
papers, in float64: Vijayakumar et al. 2016 with the Hamming penalty as transformers 4
computed it, each group under the rules of the plain search; Su et al. 2022. The same code with one group
must find what `generate` finds, or nothing is recorded.
"""

import argparse
import copy
import json
import math
import os
import random

import torch
import transformers
from record_scores import byte_level_tokenizer, metadata, sha256, versions
from record_tiny_models import MODELS, VOCAB, random_model

THREADS = 1
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
            for beam, ((score, _), row) in enumerate(zip(running[g], rows.tolist())):
                for token, logprob in enumerate(row):
                    if logprob > -math.inf:
                        candidates.append((score + logprob - diversity * taken.count(token), beam, token))
            candidates = sorted(candidates, key=better)[:keep]
            live = []
            for place, (score, beam, token) in enumerate(candidates):
                ids = running[g][beam][1] + [token]
                if place < size and (token in eos or length == max_new):
                    complete[g].append((score / length ** length_penalty, ids))
                if token not in eos and len(live) < size:
                    live.append((score, ids))
            complete[g] = sorted(complete[g], key=lambda c: -c[0])[:size]
            taken += [ids[-1] for _, ids in live]
            live = [] if length == max_new else live
            running[g] = live
            if live and len(complete[g]) == size:
                reach = max_new if early == "never" and length_penalty > 0 else length
                if early is True or live[0][0] / reach ** length_penalty <= complete[g][-1][0]:
                    running[g] = []
    return sorted((c for group in complete for c in group), key=lambda c: -c[0])


def reference_contrastive(prompt, *, top_k, alpha, max_new, eos):
    """Returns the ids, the sum of their log-probabilities, and the least lead of a choice over the next."""
    found, past, total, lead = [], prompt.hidden, 0.0, math.inf
    while len(found) < max_new and (not found or found[-1] not in eos):
        best = torch.topk(prompt.rows([found])[0], top_k)
        tried = prompt.states([found + [token] for token in best.indices.tolist()])[0][:, -1].double()
        unit = torch.nn.functional.normalize
        closest = (unit(tried, dim=-1) @ unit(past, dim=-1).T).max(dim=-1).values
        order = ((1 - alpha) * best.values.exp() - alpha * closest).sort(descending=True)
        lead = min(lead, (order.values[0] - order.values[1]).item())
        chosen = order.indices[0]
        found.append(best.indices[chosen].item())
        past = torch.cat([past, tried[chosen:chosen + 1]])
        total += best.values[chosen].item()
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


def searched(next_logprobs, model, ids, setting, tolerance=None):
    """The answers of one setting: plain ones by transformers, held against the reference where there is a
    tolerance; groups by the reference."""
    if setting.get("groups", 1) == 1:
        answers = generate(model, ids, **setting)
        if tolerance and "repetition" not in setting and not same(answers, reference_beams(next_logprobs, **setting), tolerance):
            raise SystemExit(f"the reference differs from transformers: {setting}\n{answers}\n"
                             f"{reference_beams(next_logprobs, **setting)}")
        return answers
    return reference_beams(next_logprobs, **setting)


class Prompt:
    """A model after a prompt, whose keys and values are computed once: float32, log-softmax in float64."""

    def __init__(self, model, ids):
        self.model = model
        out = model.model(torch.tensor([ids]), use_cache=True)
        self.cache, self.hidden = out.past_key_values, out.last_hidden_state[0].double()
        self.last = out.last_hidden_state[:, -1]

    def states(self, continuations):
        """Hidden states of the continuations, [batch][n][width], and log-probabilities after the last."""
        if not continuations[0]:
            hidden, last = None, self.last
        else:
            cache = copy.deepcopy(self.cache)
            cache.batch_repeat_interleave(len(continuations))
            hidden = self.model.model(torch.tensor(continuations), past_key_values=cache).last_hidden_state
            last = hidden[:, -1]
        return hidden, torch.log_softmax(self.model.lm_head(last).double(), dim=-1)

    def rows(self, continuations):
        return self.states(continuations)[1]


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

    def prepare_inputs_for_generation(self, input_ids, **kwargs):
        return {"input_ids": input_ids}

    def forward(self, input_ids, attention_mask=None, return_dict=True, use_cache=False, **_):
        logits = self.table[input_ids.shape[1] - 1][input_ids[:, -1:]]
        return transformers.modeling_outputs.CausalLMOutput(logits=logits)

    def rows(self, start):
        def rows(continuations):
            batch = torch.tensor([[start] + c for c in continuations])
            return torch.log_softmax(self(batch).logits[:, -1].double(), dim=-1)
        return rows

    def _init_weights(self, module):
        pass


def toy_settings(draw):
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
    tables = [(torch.randn((TOY_POSITIONS, TOY_VOCAB, TOY_VOCAB), generator=generator) * 4000).round().int()
              for _ in range(2)]
    cases = []
    for number, table in enumerate(tables):
        model = Toy(table.float() / 2000).eval()
        for setting in toy_settings(draw):
            start = draw.randrange(TOY_VOCAB)
            answers = searched(model.rows(start), model, [start], setting, 1e-5)
            cases.append({"table": number, "start": start, **setting, "answers": answers_json(answers)})
    write_record(os.path.join(directory, "beams_toy.json"), {
        "made_by": "tests/oracles/record_beams.py", "versions": versions(), "logits_are": "tables / 2000",
        "tables": [table.flatten().tolist() for table in tables], "cases": cases})


# --- models --------------------------------------------------------------------------------------------


def model_settings(beams):
    plain = [{"length_penalty": a, "early": early} for a in (0.5, 1.0, 2.0) for early in (False, True)]
    return [{"beams": beams, **setting} for setting in plain + [
        {"length_penalty": 1.0, "early": False, "groups": 2, "diversity": 0.5}]]


def more_settings(beams):
    return [{"beams": beams, "length_penalty": 1.0, "early": "never"},
            {"beams": beams, "length_penalty": 1.0, "early": True, "groups": beams, "diversity": 1.0}]


def model_cases(name, model, ids, settings, eos, max_new):
    prompt = Prompt(model, ids)
    cases = []
    for setting in settings:
        setting = {**setting, "max_new": max_new, "eos": eos}
        answers = searched(prompt.rows, model, ids, setting)
        cases.append({"model": name, "prompt": ids, **setting, "answers": answers_json(answers)})
    print(name, ids[:5], flush=True)
    return cases


def contrastive_case(name, model, ids, eos, max_new):
    found, total, lead = reference_contrastive(Prompt(model, ids), top_k=4, alpha=0.6, max_new=max_new, eos=eos)
    return {"model": name, "prompt": ids, "top_k": 4, "alpha": 0.6, "max_new": max_new, "eos": eos,
            "lead": round(lead, 7), "answers": answers_json([(total / len(found), found)])}


def record_tiny(directory):
    cases = []
    for name, (config, seed, dtype) in MODELS.items():
        model = random_model(config, seed, dtype)
        eos = [0, 2] if config.model_type == "llama" else [1]
        generator = torch.Generator().manual_seed(seed + 200)
        for length in (1, 14, 70):
            ids = torch.randint(4, VOCAB, (length,), generator=generator).tolist()
            cases += model_cases(name, model, ids, model_settings(4) + more_settings(4), eos, 16)
            cases.append(contrastive_case(name, model, ids, eos, 16))
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


def record_smollm2(directory, path, texts):
    folder, name = os.path.split(os.path.abspath(path))
    meta = metadata(path)
    encode, _ = byte_level_tokenizer(meta)
    model = transformers.AutoModelForCausalLM.from_pretrained(
        folder, gguf_file=name, dtype=torch.float32, attn_implementation="eager").eval()
    tokens = meta["tokenizer.ggml.tokens"]
    eos = sorted(tokens.index(end) for end in ENDS)
    cases = []
    for text in texts:
        cases += model_cases(name, model, encode(text), model_settings(4), eos, 20)
    write_record(os.path.join(directory, "beams_smollm2.json"), {
        "made_by": "tests/oracles/record_beams.py", "versions": versions(), "model": name,
        "model_sha256": sha256(path), "texts": texts, "cases": cases})


@torch.no_grad()
def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory")
    parser.add_argument("model", nargs="?")
    parser.add_argument("--prompts", type=int, default=len(TEXTS), help="number of prompts for SmolLM2")
    parser.add_argument("--only", choices=("toy", "tiny", "smollm2"))
    options = parser.parse_args()
    torch.set_num_threads(THREADS)
    if options.only in (None, "toy"):
        record_toy(options.directory)
    if options.only in (None, "tiny"):
        record_tiny(options.directory)
    if options.model and options.only in (None, "smollm2"):
        record_smollm2(options.directory, options.model, TEXTS[:options.prompts])


if __name__ == "__main__":
    main()
