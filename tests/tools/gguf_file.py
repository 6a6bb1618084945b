"""Reads and writes GGUF files, with Python's standard library alone: damaged and odd ones too."""

import dataclasses
import math
import pathlib
import struct

# Metadata types: number, format of struct.
NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
STRING, ARRAY, U16, U32, I32, F32, BOOL = 8, 9, 2, 4, 5, 6, 7
# Tensor types: number, elements and bytes of a block.
BLOCKS = {0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34), 12: (256, 144),
          13: (256, 176), 14: (256, 210), 30: (1, 2)}
ALIGNMENT = 32


@dataclasses.dataclass
class Tensor:
    shape: list  # fastest first, as in the file
    type: int
    data: bytes


@dataclasses.dataclass
class Gguf:
    """keys: name to (type, value); an array's value is (type of its elements, list)."""
    keys: dict = dataclasses.field(default_factory=dict)
    tensors: dict = dataclasses.field(default_factory=dict)

    def set(self, key, kind, value):
        self.keys[key] = (kind, value)

    def value(self, key):
        kind, value = self.keys[key]
        return value[1] if kind == ARRAY else value

    def write(self, path):
        out = bytearray(b"GGUF" + struct.pack("<IQQ", 3, len(self.tensors), len(self.keys)))
        for key, (kind, value) in self.keys.items():
            out += text(key) + struct.pack("<I", kind) + encoded(kind, value)
        offset = 0
        for name, tensor in self.tensors.items():
            out += text(name) + struct.pack("<I", len(tensor.shape))
            out += struct.pack(f"<{len(tensor.shape)}Q", *tensor.shape) + struct.pack("<IQ", tensor.type, offset)
            offset += padded(len(tensor.data))
        out += bytes(padded(len(out)) - len(out))
        for tensor in self.tensors.values():
            out += tensor.data + bytes(padded(len(tensor.data)) - len(tensor.data))
        pathlib.Path(path).write_bytes(out)

    def split(self, directory, name, count):
        """Writes `count` files as llama-gguf-split does; returns the path of the first."""
        names = list(self.tensors)
        each = math.ceil(len(names) / count)
        paths = [pathlib.Path(directory) / f"{name}-{i + 1:05d}-of-{count:05d}.gguf" for i in range(count)]
        for i, path in enumerate(paths):
            part = Gguf(dict(self.keys) if i == 0 else {},
                        {n: self.tensors[n] for n in names[i * each:(i + 1) * each]})
            part.set("split.no", U16, i)
            part.set("split.count", U16, count)
            part.set("split.tensors.count", I32, len(names))
            part.write(path)
        return paths[0]


def padded(size):
    return -(-size // ALIGNMENT) * ALIGNMENT


def text(value):
    data = value if isinstance(value, bytes) else value.encode()
    return struct.pack("<Q", len(data)) + data


def encoded(kind, value):
    if kind == STRING:
        return text(value)
    if kind != ARRAY:
        return struct.pack("<" + NUMBERS[kind], value)
    element, values = value
    head = struct.pack("<IQ", element, len(values))
    if element == STRING:
        return head + b"".join(map(text, values))
    return head + struct.pack(f"<{len(values)}{NUMBERS[element]}", *values)


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def number(self, kind):
        value, = struct.unpack_from("<" + NUMBERS[kind], self.data, self.at)
        self.at += struct.calcsize(NUMBERS[kind])
        return value

    def text(self):
        size = self.number(10)
        self.at += size
        return self.data[self.at - size:self.at].decode("utf-8", "surrogateescape")

    def value(self, kind):
        if kind == STRING:
            return self.text()
        if kind != ARRAY:
            return self.number(kind)
        element, count = self.number(U32), self.number(10)
        if element == STRING:
            return element, [self.text() for _ in range(count)]
        form = f"<{count}{NUMBERS[element]}"
        self.at += struct.calcsize(form)
        return element, list(struct.unpack_from(form, self.data, self.at - struct.calcsize(form)))


def read(path):
    """A valid little-endian file of version 3."""
    reader = Reader(pathlib.Path(path).read_bytes())
    reader.at = 8
    tensors, keys = reader.number(10), reader.number(10)
    file = Gguf()
    for _ in range(keys):
        key, kind = reader.text(), reader.number(U32)
        file.keys[key] = (kind, reader.value(kind))
    places = []
    for _ in range(tensors):
        name = reader.text()
        shape = [reader.number(10) for _ in range(reader.number(U32))]
        places.append((name, shape, reader.number(U32), reader.number(10)))
    start = padded(reader.at)
    for name, shape, kind, offset in places:
        elements, size = BLOCKS[kind]
        count = math.prod(shape) // elements * size
        file.tensors[name] = Tensor(shape, kind, reader.data[start + offset:start + offset + count])
    return file
