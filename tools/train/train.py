"""Trains a model of model.py on the sequences of texts.py.

    build/train/venv/bin/python tools/train/train.py --data build/train --out build/train/adaptive --minutes 70

What lies in --out: checkpoint.pt (weights, optimizer, step; renewed every --save-every seconds, and gone on from),
log.jsonl (a line for every --log-every steps), loss.svg (the curve of that), done (training is over).

With --minutes the learning rate falls with the time that is used, so that two runs end alike but not equal. With
--steps every run, interrupted or not, ends with the same weights for the same seed and number of threads.

The loss of a position is the cross-entropy of the word that follows; where the teacher's log-probabilities of its
likeliest words are known, SOFT of the loss is the divergence of the model's distribution from the teacher's, over these
words and one class for all others.
"""

import argparse
import dataclasses
import json
import math
import os
import pathlib
import time

import model
import torch
from data import PLAIN_SHARE, Data, Schedule

SOFT = 0.7
LEAST_REST = 1e-4  # probability of all other words that the divergence takes the model to leave at least
WARM_UP = 0.03  # of the run
LAST_RATE = 0.05  # of the highest
CLIP = 1.0
DECAY = 0.1  # of matrices


# --- losses ------------------------------------------------------------------------------------------------


def divergence(teacher, student):
    """Kullback-Leibler divergence [n] of log-probabilities [n][k] of the same words, the rest as one more class."""
    def with_rest(logprobs):
        rest = 1 - logprobs.exp().sum(1, keepdim=True)
        return torch.cat([logprobs, rest.clamp(min=LEAST_REST).log()], dim=1)
    p, q = with_rest(teacher), with_rest(student)
    return (p.exp() * (p - q)).sum(1)


def full_losses(network, hidden, targets, data, soft):
    """(cross-entropy [n], divergence [m]) of hidden [n][H], targets [n]; soft [n]: row of soft labels or -1, m not."""
    known = soft >= 0
    hard = torch.empty(len(targets))
    plain = network.log_probs(hidden[~known], targets[~known, None])[:, 0]
    top = data.top_places[soft[known]]
    both = network.log_probs(hidden[known], torch.cat([targets[known, None], top], dim=1))
    hard = hard.index_put((~known,), -plain).index_put((known,), -both[:, 0])
    return hard, divergence(data.top_logprobs[soft[known]], both[:, 1:])


def sampled_losses(network, hidden, targets, data, soft, count, generator):
    """As full_losses, by sampled softmax. The second is a cross-entropy: with the teacher's likeliest words as they
    share their probability, without a class for the rest, which samples do not tell."""
    known = soft >= 0
    words = network.words()
    one = targets[:, None]
    hard = model.sampled_loss(hidden, words, one, torch.ones(one.shape), count, generator)
    shares = torch.softmax(data.top_logprobs[soft[known]], dim=1)
    return hard, model.sampled_loss(hidden[known], words, data.top_places[soft[known]], shares, count, generator)


def losses(network, batch, data, sampled=0, generator=None):
    """What a step learns from: dict of "loss" (to be made smaller), mean "hard" and "soft", and "learned" positions."""
    hidden = network.hidden(batch.places, batch.positions, batch.texts)[batch.learn]
    targets, soft = batch.targets[batch.learn], batch.soft[batch.learn]
    if sampled:
        hard, divergences = sampled_losses(network, hidden, targets, data, soft, sampled, generator)
    else:
        hard, divergences = full_losses(network, hidden, targets, data, soft)
    weights = torch.where(soft >= 0, 1 - SOFT, 1.0)
    loss = ((hard * weights).sum() + SOFT * divergences.sum()) / len(targets)
    return {"loss": loss, "hard": hard.mean(), "soft": divergences.mean() if len(divergences) else torch.zeros(()),
            "learned": len(targets)}


# --- optimizer -----------------------------------------------------------------------------------------


def make_optimizers(network, rate):
    """Muon for the matrices of the layers, with steps as large as AdamW's; AdamW for words, projections, norms."""
    layers = [weight for weight in network.model.layers.parameters() if weight.dim() > 1]
    others = [weight for weight in network.parameters() if all(weight is not layer for layer in layers)]
    groups = [{"params": [weight for weight in others if weight.dim() > 1], "weight_decay": DECAY},
              {"params": [weight for weight in others if weight.dim() == 1], "weight_decay": 0.0}]
    return [torch.optim.Muon(layers, lr=rate, weight_decay=DECAY, adjust_lr_fn="match_rms_adamw"),
            torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.95), fused=True)]


def rate_at(progress, highest):
    """Rises over WARM_UP of the run, then falls along a cosine to LAST_RATE of the highest."""
    if progress < WARM_UP:
        return highest * (0.01 + 0.99 * progress / WARM_UP)
    part = min(1.0, (progress - WARM_UP) / (1 - WARM_UP))
    return highest * (LAST_RATE + (1 - LAST_RATE) * 0.5 * (1 + math.cos(math.pi * part)))


# --- log and curve ---------------------------------------------------------------------------------------


def read_log(path):
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines() if line.endswith("}")]


def write_whole(path, text):
    """A file that is there whole or not at all."""
    part = path.with_name(path.name + ".part")
    part.write_text(text)
    os.replace(part, path)


def svg_curve(lines, keys, colors, width=720, height=360, margin=48):
    """An SVG of lines of the log: their `keys` over the tokens seen."""
    points = {key: [(line["tokens"], line[key]) for line in lines if line.get(key) is not None] for key in keys}
    every = [point for key in keys for point in points[key]]
    if not every:
        return "<svg xmlns='http://www.w3.org/2000/svg'/>\n"
    right, low, top = max(x for x, _ in every), min(y for _, y in every), max(y for _, y in every)
    low, top = math.floor(low), max(math.ceil(top), math.floor(low) + 1)
    x_of = lambda x: margin + (width - 2 * margin) * x / max(right, 1)
    y_of = lambda y: height - margin - (height - 2 * margin) * (y - low) / (top - low)
    out = [f"<svg xmlns='http://www.w3.org/2000/svg' width='{width}' height='{height}' font-family='sans-serif' "
           f"font-size='11'><rect width='100%' height='100%' fill='white'/>"]
    for y in range(low, top + 1):
        out.append(f"<path d='M{margin} {y_of(y):.1f}H{width - margin}' stroke='#ddd'/>"
                   f"<text x='{margin - 8}' y='{y_of(y) + 4:.1f}' text-anchor='end'>{y}</text>")
    for i in range(5):
        x = right * i / 4
        out.append(f"<text x='{x_of(x):.1f}' y='{height - margin + 16}' text-anchor='middle'>{x / 1e6:.2f} M</text>")
    out.append(f"<text x='{width / 2}' y='{height - 10}' text-anchor='middle'>tokens</text>")
    for i, (key, color) in enumerate(zip(keys, colors)):
        path = " ".join(f"{x_of(x):.1f},{y_of(y):.1f}" for x, y in points[key])
        out.append(f"<polyline points='{path}' fill='none' stroke='{color}' stroke-width='1.5'/>"
                   f"<text x='{width - margin}' y='{margin + 14 * i}' text-anchor='end' fill='{color}'>{key}</text>")
    return "\n".join(out) + "\n</svg>\n"


# --- a run -------------------------------------------------------------------------------------------------


class Run:
    """A training that can be interrupted after any step."""

    def __init__(self, options):
        self.options, self.out = options, options.out
        self.out.mkdir(parents=True, exist_ok=True)
        self.data = Data(options.data, "train")
        self.sizes = dataclasses.replace(model.KINDS[options.kind], vocab=len(self.data.order))
        self.network = model.Transformer(self.sizes, options.seed)
        self.optimizers = make_optimizers(self.network, options.rate)
        self.precision = options.precision or faster_precision()
        length = options.length or self.sizes.context
        self.schedule = Schedule(self.data, length, options.batch, PLAIN_SHARE, options.seed)
        held_out = Data(options.data, "held_out")
        some = Schedule(held_out, length, options.held_out_rows, PLAIN_SHARE, options.seed)
        self.held_out = (held_out, some.batch(0))
        self.step, self.seconds, self.tokens = 0, 0.0, 0
        self.log = []
        self.resume()

    def resume(self):
        path = self.out / "checkpoint.pt"
        if not path.exists():
            return
        saved = torch.load(path, weights_only=True)
        if saved["sizes"] != dataclasses.asdict(self.sizes):
            raise SystemExit(f"'{path}' is of a model of other sizes: remove it or take another --out")
        self.network.load_state_dict(saved["weights"])
        for optimizer, state in zip(self.optimizers, saved["optimizers"], strict=True):
            optimizer.load_state_dict(state)
        self.step, self.seconds, self.tokens = saved["step"], saved["seconds"], saved["tokens"]
        self.precision = self.options.precision or saved["precision"]
        self.log = [line for line in read_log(self.out / "log.jsonl") if line["step"] <= self.step]
        print(f"going on after step {self.step}, {self.seconds:.0f} s")

    def save(self):
        """The checkpoint last: the log may say more than it, never less."""
        write_whole(self.out / "log.jsonl", "".join(json.dumps(line) + "\n" for line in self.log))
        write_whole(self.out / "loss.svg", svg_curve(self.log, ["hard", "soft", "held_out"],
                                                     ["#4477aa", "#ee6677", "#228833"]))
        part = self.out / "checkpoint.pt.part"
        optimizers = [optimizer.state_dict() for optimizer in self.optimizers]
        torch.save({"sizes": dataclasses.asdict(self.sizes), "weights": self.network.state_dict(),
                    "optimizers": optimizers, "step": self.step, "seconds": self.seconds, "tokens": self.tokens,
                    "precision": self.precision, "softmax": self.options.softmax, "seed": self.options.seed}, part)
        os.replace(part, self.out / "checkpoint.pt")

    def progress(self):
        if self.options.steps:
            return self.step / self.options.steps
        return self.seconds / (self.options.minutes * 60)

    def take_step(self):
        """One step; what it says of itself."""
        batch = self.schedule.batch(self.step)
        rate = rate_at(self.progress(), self.options.rate)
        for optimizer in self.optimizers:
            optimizer.zero_grad(set_to_none=True)
            for group in optimizer.param_groups:
                group["lr"] = rate
        sampled = self.options.samples if self.options.softmax == "sampled" else 0
        generator = torch.Generator().manual_seed((self.options.seed << 32) + self.step)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.precision == "bf16"):
            found = losses(self.network, batch, self.data, sampled, generator)
        found["loss"].backward()
        norm = torch.nn.utils.clip_grad_norm_(self.network.parameters(), CLIP)
        for optimizer in self.optimizers:
            optimizer.step()
        self.step += 1
        self.tokens += int((batch.texts >= 0).sum())
        return {"loss": found["loss"].item(), "hard": found["hard"].item(), "soft": found["soft"].item(),
                "norm": norm.item(), "rate": rate}

    def held_out_loss(self):
        data, batch = self.held_out
        with torch.no_grad():
            return losses(self.network, batch, data)["hard"].item()

    def note(self, said):
        """A line of the log: of this step, and where the model stands."""
        line = {"step": self.step, "seconds": round(self.seconds, 1), "tokens": self.tokens,
                **{key: round(value, 6) for key, value in said.items()}, "held_out": None}
        if len(self.log) % self.options.held_out_every == 0 or self.progress() >= 1:
            line["held_out"] = round(self.held_out_loss(), 5)
        self.log.append(line)
        print(" ".join(f"{key} {value:g}" for key, value in line.items() if value is not None), flush=True)

    def go(self):
        """Until steps or time are used up."""
        saved = time.monotonic()
        while self.progress() < 1:
            begin = time.monotonic()
            said = self.take_step()
            self.seconds += time.monotonic() - begin
            if self.step % self.options.log_every == 0 or self.progress() >= 1:
                begin = time.monotonic()
                self.note(said)
                self.seconds += time.monotonic() - begin
            if time.monotonic() - saved >= self.options.save_every:
                self.save()
                saved = time.monotonic()
        self.save()
        (self.out / "done").touch()


def faster_precision():
    """bf16 where that is clearly faster: there are processors with instructions for it that do no more with them."""
    def seconds(dtype):
        a, b = torch.ones(4096, 256, dtype=dtype), torch.ones(256, 1024, dtype=dtype)
        times = []
        for _ in range(10):
            begin = time.monotonic()
            a @ b
            times.append(time.monotonic() - begin)
        return min(times)

    return "bf16" if seconds(torch.bfloat16) < 0.75 * seconds(torch.float32) else "f32"


def read_options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--kind", choices=model.KINDS, default="adaptive")
    parser.add_argument("--softmax", choices=("full", "sampled"), default="full", help="of a dense model, in training")
    parser.add_argument("--samples", type=int, default=1024)
    parser.add_argument("--minutes", type=float, default=70)
    parser.add_argument("--steps", type=int, help="instead of --minutes")
    parser.add_argument("--batch", type=int, default=8, help="rows in a step")
    parser.add_argument("--length", type=int, help="tokens in a row; the model's context without it")
    parser.add_argument("--rate", type=float, default=5e-3, help="highest learning rate")
    parser.add_argument("--precision", choices=("f32", "bf16"),
                        help="of products; weights, sums and losses are f32. Without it, the faster one here")
    parser.add_argument("--threads", type=int, default=0, help="0: as many as there are processors")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--save-every", type=float, default=120, help="seconds")
    parser.add_argument("--log-every", type=int, default=10, help="steps")
    parser.add_argument("--held-out-every", type=int, default=10, help="lines of the log")
    parser.add_argument("--held-out-rows", type=int, default=16)
    options = parser.parse_args()
    if options.softmax == "sampled" and model.KINDS[options.kind].head != "dense":
        parser.error("--softmax sampled is for dense models")
    return options


def main():
    options = read_options()
    if (options.out / "done").exists():
        return
    torch.set_num_threads(options.threads or os.cpu_count())
    run = Run(options)
    print(f"products of {run.precision}")
    run.go()


if __name__ == "__main__":
    main()
