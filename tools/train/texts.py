"""Training texts: `partita batch` answers the prompts, a second time as dialogues of two turns; verses and glosses.

    python3 tools/train/texts.py --prompts build/train/prompts.jsonl --out build/train --minutes 75

What lies in --out afterwards:

    answers.jsonl, dialogues.jsonl    rows of partita batch, as they were finished
    *.seconds, *.done                 how long it ran, that its time is up: run again, it goes on where it stopped
    train.npz, held_out.npz           sequences, see save()
    order.npy                         int32 [vocabulary], the token id at each place: most frequent first
    kinds.json                        the names of kinds of text, and what there is of each

A batch is stopped when its time is up; every row that is finished counts. With --rows it runs until the first so many
prompts are answered instead: then the result is the same every time.
"""

import argparse
import collections
import json
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
from data import PLAIN, PLAIN_SHARE
from prompts import TOP, WORDNET, follow_up_row, kind_of, stable_hash, turn

END_OF_TEXT = 0  # <|endoftext|>: begins and ends plain texts
TOGETHER = 64  # answers that advance together: a third more tokens a second than 16
DIALOGUE_SHARE = 0.2  # of the time
DIALOGUE_ROWS = 0.35  # of the answered rows that ended by themselves
HELD_OUT = 0.02
LEAST_VARIETY = 0.75  # share of an answer's runs of four words that differ: others go round in circles
TEMPLATE = pathlib.Path(__file__).with_name("chat_template.jinja")  # the student's own
PASSAGE = 8  # verses in one text
MARKS = ("\x01", "\x02", "\x03")  # stand for the contents of a conversation while the template is rendered
CHUNK = 1 << 21  # characters tokenized by one process


# --- the program -------------------------------------------------------------------------------------------


class Partita:
    """`partita` with a model."""

    def __init__(self, program, model, threads):
        self.program, self.model, self.threads = program, model, threads

    def command(self, name, *arguments):
        return [self.program, name, "-m", self.model, *map(str, arguments)]

    def output(self, name, *arguments, text):
        done = subprocess.run(self.command(name, *arguments), input=text.encode(), stdout=subprocess.PIPE, check=True)
        return done.stdout.decode()

    def vocabulary(self):
        """How many tokens the model has."""
        return json.loads(self.output("inspect", "--json", text=""))["metadata"]["tokenizer.ggml.tokens"]["length"]

    def tokenize(self, texts):
        """A list of ids for each of the texts; none may contain <|endoftext|>."""
        out, batch, size = [], [], 0
        for text in texts:
            batch.append(text)
            size += len(text)
            if size > CHUNK:
                out += self.tokenize_together(batch)
                batch, size = [], 0
        return out + (self.tokenize_together(batch) if batch else [])

    def tokenize_together(self, texts):
        """Special tokens cut a text before anything else does, so that the parts are tokenized as if alone."""
        ids = np.fromstring(self.output("tokenize", "--no-bos", text="<|endoftext|>".join(texts)), np.int32, sep=" ")
        parts = np.split(ids, np.flatnonzero(ids == END_OF_TEXT))
        parts = [parts[0], *(part[1:] for part in parts[1:])]
        assert len(parts) == len(texts), "a text has <|endoftext|> in it"
        return parts

    def render(self, messages):
        """The student's chat template's text, ready for the answer."""
        context = json.dumps({"messages": messages, "add_generation_prompt": True})
        return self.output("template", "--file", TEMPLATE, text=context)

    def batch(self, rows, output, seconds):
        """Answers rows for at most so many seconds, earlier runs' included; None: until all are answered."""
        spent, done = output.with_suffix(".seconds"), output.with_suffix(".done")
        if done.exists():
            return
        before = float(spent.read_text()) if spent.exists() else 0.0
        begin = time.monotonic()
        # Should this program be killed, the batch ends too: it would hold the lock on its output.
        guard = ["setpriv", "--pdeathsig", "INT"] if shutil.which("setpriv") else []
        process = subprocess.Popen([*guard, *self.command("batch", "-t", self.threads, "-i", rows, "-o", output,
                                                          "--order", "finished", "--sequences", TOGETHER)])
        in_time = True
        try:
            while in_time and process.poll() is None:
                time.sleep(0.5)
                used = before + time.monotonic() - begin
                spent.write_text(f"{used:.1f}")
                in_time = seconds is None or used < seconds
        finally:
            stop(process)
        if in_time and process.returncode != 0:
            sys.exit(f"partita batch ended with {process.returncode}: what it finished is kept")
        done.touch()


def stop(process):
    """Ends a batch: what it has finished is on the disk."""
    if process.poll() is not None:
        return
    process.send_signal(signal.SIGINT)
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def read_rows(path):
    """The whole lines of a JSONL file that have no error."""
    if not path.exists():
        return []
    with open(path, encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines if line.endswith("\n")]
    return [row for row in rows if not row.get("error")]


# --- chats -------------------------------------------------------------------------------------------------


def is_varied(answer):
    runs = list(zip(*(answer["ids"][i:] for i in range(4))))
    return len(set(runs)) >= LEAST_VARIETY * len(runs)


def make_dialogues(prompts, answers, path):
    """Writes rows of a second turn for some of the answers that ended by themselves."""
    lines = []
    for answer in sorted(answers, key=lambda row: row["id"]):
        chosen = stable_hash("dialogue " + answer["id"]) % 1000 < DIALOGUE_ROWS * 1000
        if chosen and answer["finish"] == "eos" and answer["text"].strip() and is_varied(answer):
            lines.append(json.dumps(follow_up_row(prompts[answer["id"]], answer["text"])) + "\n")
    part = path.with_suffix(".part")
    part.write_text("".join(lines))
    part.replace(path)


def chat_texts(partita, conversations):
    """The rendered text of each conversation of one or three messages, the system's left out: what it asks for becomes
    the student's way. All through two calls of the template."""
    shapes = {1: [turn("user", MARKS[0])],
              3: [turn("user", MARKS[0]), turn("assistant", MARKS[1]), turn("user", MARKS[2])]}
    rendered = {size: partita.render(messages) for size, messages in shapes.items()}
    texts = []
    for conversation in conversations:
        messages = [message for message in conversation if message["role"] != "system"]
        contents = {mark: message["content"] for mark, message in zip(MARKS, messages)}
        texts.append(re.sub("[\x01-\x03]", lambda found: contents[found[0]], rendered[len(messages)]))
    return texts


def chats(partita, prompts, answers):
    """Sequences of (id, prompt's ids, answer's ids, top [n][TOP] pairs of id and log-probability)."""
    answers = sorted(filter(is_varied, answers), key=lambda row: row["id"])
    ids = partita.tokenize(chat_texts(partita, [prompts[row["id"]]["messages"] for row in answers]))
    return [(row["id"], start, row["ids"], [place["top"] for place in row.get("logprobs", [])])
            for row, start in zip(answers, ids)]


# --- plain texts -------------------------------------------------------------------------------------------


def verses():
    """(id, text) of passages of the King James Bible, as Debian's bible-kjv prints them; none without it."""
    if not shutil.which("bible"):
        print("no program 'bible' (Debian's bible-kjv and bible-kjv-text): no verses")
        return []
    lines = subprocess.run(["bible", "-f", "Gen1:1-Rev22:21"], stdout=subprocess.PIPE, check=True).stdout
    chapters = collections.defaultdict(list)
    for line in lines.decode("ascii", "replace").splitlines():
        place, _, text = line.partition(" ")
        if ":" in place and text:
            chapters[place.split(":")[0]].append(text.strip())
    return [(f"verse-{chapter}-{i // PASSAGE}", " ".join(text[i:i + PASSAGE]))
            for chapter, text in chapters.items() for i in range(0, len(text), PASSAGE)]


def glosses(folder):
    """(id, text) "word: meaning; examples" of WordNet's meanings; none without it."""
    found = []
    for part in ("noun", "verb", "adj", "adv"):
        path = folder / f"data.{part}"
        if not path.exists():
            continue
        for line in path.read_text(encoding="latin-1").splitlines():
            if line.startswith(" ") or "|" not in line:
                continue
            fields, gloss = line.split(" | ", 1)
            words = fields.split(" ")
            word = re.sub(r"\(.*\)$", "", words[4]).replace("_", " ")
            found.append((f"gloss-{part}{words[0]}", f"{word}: {gloss.strip()}"))
    if not found:
        print(f"no WordNet in {folder} (Debian's wordnet-base): no glosses")
    return found


# --- sequences ---------------------------------------------------------------------------------------------


class Sequences:
    """Texts one after the other, in flat arrays."""

    def __init__(self):
        self.ids, self.learn, self.soft, self.kinds, self.starts = [], [], [], [], [0]
        self.top_ids, self.top_logprobs = [], []

    def add(self, kind, ids, learn):
        self.ids.append(np.asarray(ids, np.int32))
        self.learn.append(np.asarray(learn, bool))
        self.soft.append(np.full(len(ids), -1, np.int32))
        self.kinds.append(kind)
        self.starts.append(self.starts[-1] + len(ids))

    def add_chat(self, kind, prompt, answer, top):
        self.add(kind, [*prompt, *answer], [False] * len(prompt) + [True] * len(answer))
        for place, pairs in enumerate(top):
            if len(pairs) == TOP:
                self.soft[-1][len(prompt) + place] = len(self.top_ids)
                self.top_ids.append([token for token, _ in pairs])
                self.top_logprobs.append([logprob for _, logprob in pairs])

    def add_plain(self, kind, ids):
        self.add(kind, [END_OF_TEXT, *ids, END_OF_TEXT], [False] + [True] * (len(ids) + 1))

    def save(self, path):
        """Arrays of a file: tokens `ids` [n]; `learn` [n], whether it is to be predicted; `soft` [n], its row in
        `top_ids` and `top_logprobs` [s][TOP], or -1; text i is [starts[i], starts[i + 1]) and of kind kinds[i]."""
        part = path.with_suffix(".part")
        with open(part, "wb") as file:
            np.savez(file, ids=np.concatenate(self.ids), learn=np.concatenate(self.learn),
                     soft=np.concatenate(self.soft), kinds=np.array(self.kinds, np.uint8),
                     starts=np.array(self.starts, np.int64),
                     top_ids=np.array(self.top_ids, np.int32).reshape(-1, TOP),
                     top_logprobs=np.array(self.top_logprobs, np.float32).reshape(-1, TOP))
        part.replace(path)


def is_held_out(name):
    """By the first turn's id, so that a dialogue lies where its beginning does."""
    return stable_hash("held out " + name.removeprefix("dialogue-")) % 10000 < HELD_OUT * 10000


def frequency_order(sequences, kinds, vocabulary):
    """int32 [vocabulary]: ids by how often training meets them, PLAIN_SHARE of it in plain texts; then by number."""
    ids, is_plain = np.concatenate(sequences.ids), np.isin(kinds, PLAIN)[sequences.kinds]
    of_plain = np.repeat(is_plain, np.diff(sequences.starts))
    counts = np.zeros(vocabulary)
    for part, share in ((ids[~of_plain], 1 - PLAIN_SHARE), (ids[of_plain], PLAIN_SHARE)):
        if len(part):
            counts += np.bincount(part, minlength=vocabulary) * (share / len(part))
    return np.argsort(-counts, kind="stable").astype(np.int32)


def build(partita, prompts, answers, plain, out):
    """Writes the sequences and the order of words."""
    kinds = sorted({kind_of(row["id"]) for row in answers} | {kind_of(name) for name, _ in plain})
    parts = {False: Sequences(), True: Sequences()}
    for name, start, answer, top in chats(partita, prompts, answers):
        parts[is_held_out(name)].add_chat(kinds.index(kind_of(name)), start, answer, top)
    for (name, _), ids in zip(plain, partita.tokenize([text for _, text in plain])):
        parts[is_held_out(name)].add_plain(kinds.index(kind_of(name)), ids)
    for held_out, name in ((False, "train"), (True, "held_out")):
        if not parts[held_out].kinds:
            sys.exit(f"there is no text for {name}.npz: more rows are needed")
        parts[held_out].save(out / f"{name}.npz")
    np.save(out / "order.npy", frequency_order(parts[False], kinds, partita.vocabulary()))
    (out / "kinds.json").write_text(json.dumps(summary(kinds, parts), indent=1) + "\n")


def summary(kinds, parts):
    """Names of kinds in their order, and texts and tokens of each in both parts."""
    counts = {}
    for held_out, name in ((False, "train"), (True, "held_out")):
        part = parts[held_out]
        lengths, numbers = np.diff(part.starts), np.array(part.kinds)
        counts[name] = {kind: {"texts": int((numbers == i).sum()), "tokens": int(lengths[numbers == i].sum())}
                        for i, kind in enumerate(kinds)}
    return {"kinds": kinds, **counts}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prompts", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--partita", default="build/release/partita")
    parser.add_argument("--model", default="models/SmolLM2-135M-Instruct.Q4_1.gguf")
    parser.add_argument("--threads", type=int, default=0, help="0: all")
    parser.add_argument("--minutes", type=float, default=75, help="for the answers")
    parser.add_argument("--rows", type=int, help="number of prompts to answer, however long it takes")
    parser.add_argument("--no-plain", action="store_true", help="chats alone")
    parser.add_argument("--wordnet", type=pathlib.Path, default=WORDNET)
    options = parser.parse_args()
    out = options.out
    if (out / "kinds.json").exists():
        return
    partita = Partita(options.partita, options.model, options.threads)

    first = options.prompts
    if options.rows:
        first = out / "prompts_first.jsonl"
        first.write_text("".join(options.prompts.read_text().splitlines(keepends=True)[:options.rows]))
    seconds = None if options.rows else options.minutes * 60
    answers, dialogues, second = out / "answers.jsonl", out / "dialogues.jsonl", out / "dialogue_prompts.jsonl"
    partita.batch(first, answers, seconds and seconds * (1 - DIALOGUE_SHARE))
    prompts = {row["id"]: row for row in read_rows(first)}
    if not second.exists():
        make_dialogues(prompts, read_rows(answers), second)
    if second.stat().st_size:
        partita.batch(second, dialogues, seconds and seconds * DIALOGUE_SHARE)
        prompts |= {row["id"]: row for row in read_rows(second)}
    plain = [] if options.no_plain else verses() + glosses(options.wordnet)
    build(partita, prompts, read_rows(answers) + read_rows(dialogues), plain, out)


if __name__ == "__main__":
    main()
