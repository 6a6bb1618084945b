"""Sequences of texts.py as rows of the model's length, several texts in a row."""

import bisect
import dataclasses
import json

import numpy as np
import torch

PLAIN = ("verse", "gloss")  # kinds that are no chats
PLAIN_SHARE = 0.125  # of the rows of a step
OPEN_ROWS = 64  # rows that a text may still go into, while they are filled


@dataclasses.dataclass
class Batch:
    """Tensors [B][T]; a position predicts the next word where `learn` is set."""

    places: torch.Tensor  # of the words, 0 where the row is not full
    positions: torch.Tensor  # in their texts
    texts: torch.Tensor  # a number for each text of the row
    targets: torch.Tensor  # places of the next words
    learn: torch.Tensor
    soft: torch.Tensor  # the next word's row in Data.top_places and top_logprobs, or -1
    kinds: torch.Tensor


class Data:
    """train.npz or held_out.npz, words as places."""

    def __init__(self, folder, name):
        arrays = np.load(folder / f"{name}.npz")
        self.order = np.load(folder / "order.npy")
        place_of = np.empty_like(self.order)
        place_of[self.order] = np.arange(len(self.order), dtype=np.int32)
        self.kind_names = json.loads((folder / "kinds.json").read_text())["kinds"]
        self.places = place_of[arrays["ids"]]
        self.learn, self.soft, self.kinds = arrays["learn"], arrays["soft"], arrays["kinds"]
        self.starts = arrays["starts"]
        self.top_places = torch.from_numpy(place_of[arrays["top_ids"]]).long()  # [s][TOP]
        self.top_logprobs = torch.from_numpy(arrays["top_logprobs"])  # [s][TOP]
        self.is_plain = np.isin(self.kinds, [i for i, kind in enumerate(self.kind_names) if kind in PLAIN])

    def pack(self, texts, length, seed):
        """Lists of texts that fit together into `length` tokens; longer texts are cut there. Every text goes into the
        fullest open row that has room for it."""
        sizes = np.minimum(np.diff(self.starts), length).tolist()
        rows, rooms = [], []  # rooms: (tokens that are free, row), sorted, of rows that are still open
        for text in np.random.default_rng(seed).permutation(texts).tolist():
            tightest = bisect.bisect_left(rooms, (sizes[text], -1))
            if tightest < len(rooms):
                room, row = rooms.pop(tightest)
            else:
                room, row = length, len(rows)
                rows.append([])
            rows[row].append(text)
            bisect.insort(rooms, (room - sizes[text], row))
            if len(rooms) > OPEN_ROWS:
                rooms.pop(0)
        return rows

    def batch(self, rows, length):
        """The Batch of rows, each a list of texts."""
        shape = (len(rows), length)
        arrays = {name: np.zeros(shape, np.int64) for name in ("places", "positions", "targets", "kinds")}
        texts, soft, learn = np.full(shape, -1, np.int64), np.full(shape, -1, np.int64), np.zeros(shape, bool)
        for r, row in enumerate(rows):
            at = 0
            for text in row:
                begin = self.starts[text]
                size = int(min(self.starts[text + 1] - begin, length))
                here, last = slice(at, at + size), slice(at, at + size - 1)
                following = slice(begin + 1, begin + size)
                arrays["places"][r, here] = self.places[begin:begin + size]
                arrays["positions"][r, here] = np.arange(size)
                arrays["kinds"][r, here] = self.kinds[text]
                texts[r, here] = text
                arrays["targets"][r, last] = self.places[following]
                learn[r, last], soft[r, last] = self.learn[following], self.soft[following]
                at += size
        tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
        return Batch(texts=torch.from_numpy(texts), learn=torch.from_numpy(learn), soft=torch.from_numpy(soft),
                     **tensors)


class Schedule:
    """Which rows each step sees: a function of seed and step alone, so that nothing of it need be kept."""

    def __init__(self, data, length, batch, plain_share, seed):
        self.data, self.length, self.seed = data, length, seed
        texts = np.arange(len(data.kinds))
        self.parts = [data.pack(texts[~data.is_plain], length, seed), data.pack(texts[data.is_plain], length, seed)]
        plain = max(1, round(batch * plain_share)) if self.parts[0] else batch
        self.counts = [batch - plain, plain] if self.parts[1] else [batch, 0]
        self.orders = {}

    def order(self, part, epoch):
        """The rows' order in an epoch; the last one made is kept."""
        if self.orders.get(part, (None,))[0] != epoch:
            chance = np.random.default_rng([self.seed, part, epoch])
            self.orders[part] = (epoch, chance.permutation(len(self.parts[part])))
        return self.orders[part][1]

    def rows(self, step):
        """The texts of each row of a step."""
        rows = []
        for part, count in enumerate(self.counts):
            for number in range(step * count, (step + 1) * count):
                epoch, place = divmod(number, len(self.parts[part]))
                rows.append(self.parts[part][self.order(part, epoch)[place]])
        return rows

    def batch(self, step):
        return self.data.batch(self.rows(step), self.length)
