"""Perplexity of held-out texts by kind, and answers of the finished model, in a model card.

    build/train/venv/bin/python tools/train/evaluate.py --data build/train \
        --checkpoint adaptive=build/train/adaptive/checkpoint.pt --checkpoint dense=build/train/dense/checkpoint.pt \
        --gguf build/train/bundled/partita-small.gguf --partita build/release/partita -o build/train/bundled/README.md

Perplexities are of hard labels: the words of the teacher's answers, every word of plain texts. The teacher's own are of
the log-probabilities that `partita batch` gave for them; its words were drawn at a temperature, so that these are lower
than those of texts by others. The first checkpoint is the model of the card. Without --gguf there are no samples.
"""

import argparse
import json
import math
import pathlib
import subprocess

import numpy as np
import torch
from data import PLAIN, Data
from export import load
from prompts import kind_of
from texts import is_held_out, is_varied, read_rows

README = pathlib.Path(__file__).resolve().parent / "README.md"
ROWS = 4  # together
QUESTIONS = ["Hello!", "What is the capital of France?", "Write a short story about a brave mouse.",
             "Why is friendship important?", "List three things one finds in a kitchen.",
             "I feel sad. What should I do?"]


def losses_by_kind(network, data):
    """(sums, counts) [kinds] of cross-entropy over the learned positions."""
    sums, counts = torch.zeros(len(data.kind_names)), torch.zeros(len(data.kind_names))
    rows = data.pack(range(len(data.kinds)), network.sizes.context, seed=0)
    for begin in range(0, len(rows), ROWS):
        batch = data.batch(rows[begin:begin + ROWS], network.sizes.context)
        with torch.no_grad():
            hidden = network.hidden(batch.places, batch.positions, batch.texts)[batch.learn]
            loss = -network.log_probs(hidden, batch.targets[batch.learn, None])[:, 0]
        kinds = batch.kinds[batch.learn]
        sums.index_add_(0, kinds, loss)
        counts.index_add_(0, kinds, torch.ones_like(loss))
    return sums.numpy(), counts.numpy()


def teacher_losses(folder, kind_names):
    """(sums, counts) [kinds] of minus the log-probability that the teacher gave the words of held-out answers."""
    sums, counts = np.zeros(len(kind_names)), np.zeros(len(kind_names))
    for name in ("answers.jsonl", "dialogues.jsonl"):
        for row in read_rows(folder / name):
            if is_held_out(row["id"]) and is_varied(row):
                kind = kind_names.index(kind_of(row["id"]))
                sums[kind] -= sum(place["logprob"] for place in row["logprobs"])
                counts[kind] += len(row["logprobs"])
    return sums, counts


def perplexity(sums, counts, which):
    """Over the kinds in `which`; None where there is nothing."""
    count = counts[which].sum()
    return math.exp(sums[which].sum() / count) if count else None


def groups_of(kind_names):
    """(name, mask of kinds) of the table's lines: all answers, each kind."""
    names = np.array(kind_names)
    plain = np.isin(names, PLAIN)
    return [("all answers", ~plain), *((name, names == name) for name in kind_names)]


def table(kind_names, columns):
    """Markdown; columns: dict name -> (sums, counts)."""
    counts = next(iter(columns.values()))[1]
    lines = ["| Kind of text | tokens | " + " | ".join(columns) + " |", "|---|---|" + "---|" * len(columns)]
    for name, which in groups_of(kind_names):
        values = [perplexity(*columns[column], which) for column in columns]
        cells = ["" if value is None else f"{value:.2f}" for value in values]
        if counts[which].sum():
            lines.append(f"| {name} | {int(counts[which].sum()):,} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def samples(partita, gguf):
    """Markdown of what the model answers to QUESTIONS."""
    out = []
    for question in QUESTIONS:
        done = subprocess.run([partita, "generate", "-m", gguf, "--chat", "-q", "-n", "120", "--temperature", "0.7",
                               "--seed", "1", "-p", question], stdout=subprocess.PIPE)
        if done.returncode:
            print(f"'{partita}' could not answer with '{gguf}': the card has no samples")
            return "None were made."
        out.append(f"> {question}\n\n" + done.stdout.decode(errors="replace").strip())
    return "\n\n".join(out)


def training_facts(checkpoint):
    saved = torch.load(checkpoint, weights_only=True)
    return {"steps": f"{saved['step']:,}", "tokens": f"{saved['tokens'] / 1e6:.2f} million",
            "minutes": f"{saved['seconds'] / 60:.0f}", "seed": str(saved["seed"])}


def sizes_text(sizes):
    head = (f"an adaptive softmax with cutoffs {', '.join(map(str, sizes.cutoffs))} and widths "
            f"{', '.join(map(str, sizes.widths))}" if sizes.head == "adaptive" else "a dense head")
    return (f"hidden size {sizes.hidden}, {sizes.layers} layers, feed-forward {sizes.ffn}, {sizes.heads} heads of "
            f"{sizes.head_dim} on {sizes.kv_heads} KV heads, context {sizes.context}, {head}")


def texts_table(kinds):
    lines = ["| Kind | texts | tokens |", "|---|---|---|"]
    return "\n".join(lines + [f"| {kind} | {count['texts']:,} | {count['tokens']:,} |"
                              for kind, count in kinds["train"].items()])


def fill_card(facts):
    """The template in README.md with its {names} replaced."""
    card = README.read_text().split("<!-- model card -->")[1].split("<!-- end -->")[0].strip()
    card = card.removeprefix("````markdown").removesuffix("````").strip()
    for name, value in facts.items():
        card = card.replace("{" + name + "}", value)
    return card + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=pathlib.Path, required=True)
    parser.add_argument("--checkpoint", action="append", required=True, metavar="NAME=FILE")
    parser.add_argument("--gguf")
    parser.add_argument("--made-by", default="tools/train/run", help="the command, for the card")
    parser.add_argument("--partita", default="build/release/partita")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("-o", "--output", type=pathlib.Path, required=True)
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    data = Data(options.data, "held_out")
    checkpoints = dict(pair.split("=", 1) for pair in options.checkpoint)
    networks = {name: load(path) for name, path in checkpoints.items()}
    columns = {f"{name}, {network.parameter_count() / 1e6:.1f} M": losses_by_kind(network, data)
               for name, network in networks.items()}
    columns["teacher"] = teacher_losses(options.data, data.kind_names)
    first, network = next(iter(networks.items()))
    facts = training_facts(checkpoints[first]) | {
        "parameters": f"{network.parameter_count() / 1e6:.1f} million", "sizes": sizes_text(network.sizes),
        "context": str(network.sizes.context),
        "perplexities": table(data.kind_names, columns),
        "texts": texts_table(json.loads((options.data / "kinds.json").read_text())),
        "samples": samples(options.partita, options.gguf) if options.gguf else "None were made.",
        "made_by": options.made_by}
    options.output.write_text(fill_card(facts))
    print(facts["perplexities"])


if __name__ == "__main__":
    main()
