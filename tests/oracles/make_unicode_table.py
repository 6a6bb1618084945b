"""Writes tokenizer/pre/unicode_table.cc: the classes of all characters as Hugging Face's `tokenizers` sees them.

    python3.11 -m venv venv && venv/bin/pip install tokenizers==0.23.3
    venv/bin/python tests/oracles/make_unicode_table.py

The properties are asked of its regular expressions (Oniguruma). What they have beyond Unicode 14, which is that of
PCRE2 10.42 and of Python 3.11, is listed apart, to be added to PCRE2's own classes.
"""

import pathlib
import unicodedata

from tokenizers import Regex, pre_tokenizers

OUT = pathlib.Path(__file__).resolve().parents[2] / "tokenizer" / "pre" / "unicode_table.cc"
CODES = [c for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF]
TEXT = "".join(map(chr, CODES))
BLOCK = 128
END = 0x32400  # behind it, marks E0100-E01EF alone have a class of their own
CATEGORIES = ["C", "Lu", "Ll", "Lt", "Lm", "Lo", "M", "Nd", "Nl", "No", "P", "S", "Z"]
# The letter that stands for a class in the table: tokenizer/pre/unicode.h has the same.
LETTERS = {"C": "a", "Lu": "b", "Ll": "c", "Lt": "d", "Lm": "e", "Lo": "f", "M": "g", "Nd": "h", "Nl": "i", "No": "i", "P": "k",
           "S": "l", "Z": "m"}
HAN = {"Lo": "n", "Lm": "o", "M": "p", "Nl": "q", "S": "r", "P": "t"}


def members(prop):
    splitter = pre_tokenizers.Split(Regex(prop + "+"), behavior="removed", invert=True)
    return {c for _, (first, end) in splitter.pre_tokenize_str(TEXT) for c in CODES[first:end]}


def numbers_of_digits():
    """Characters that the pre-tokenizer Digits splits off: those of Rust's char::is_numeric."""
    digits = pre_tokenizers.Digits(individual_digits=True)
    return {c for c in CODES if len(digits.pre_tokenize_str("a" + chr(c))) == 2}


def letters():
    """The letter of each class, by code point."""
    spaces, han = members(r"\s"), members(r"\p{Han}")
    table = {c: LETTERS[category] for category in CATEGORIES for c in members(r"\p{%s}" % category)}
    for c in han:
        table[c] = HAN[category_of(table[c])]
    for c in spaces:
        table[c] = "m"
    table[ord("\r")] = table[ord("\n")] = "u"
    table[ord(" ")] = "v"
    for c in numbers_of_digits():
        if table[c] not in "hiq":
            assert table[c] == "a"
            table[c] = "w"
    return table


def category_of(letter):
    return next(category for category, other in LETTERS.items() if other == letter)


def is_old(c, prop):
    """Whether Unicode 14 has the property. The scripts of its characters are not in Python: all are listed."""
    return prop != "Han" and unicodedata.category(chr(c)).startswith(prop)


def additions(prop):
    runs = []
    for c in sorted(c for c in members(r"\p{%s}" % prop) if not is_old(c, prop)):
        if runs and runs[-1][1] == c - 1:
            runs[-1][1] = c
        else:
            runs.append([c, c])
    return "".join(rf"\x{{{a:x}}}" + (rf"-\x{{{b:x}}}" if b > a else "") for a, b in runs)


def wrapped(text, width=100):
    """C++ string literals, one a line."""
    pieces, line = [], ""
    for part in text.replace("\\x", "\0\\x").split("\0"):
        if len(line) + len(part) > width:
            pieces.append(line)
            line = ""
        line += part
    return "\n".join(f'     R"({piece})"' for piece in pieces + [line])


def main():
    assert unicodedata.unidata_version == "14.0.0"
    table = letters()
    rest = {c for c in range(END, 0x110000) if table.get(c, "a") != "a"}
    assert rest == set(range(0xE0100, 0xE01F0)) and all(table[c] == "g" for c in rest)
    blocks, index = [], []
    for first in range(0, END, BLOCK):
        block = "".join(table.get(c, "a") for c in range(first, first + BLOCK))
        if block not in blocks:
            blocks.append(block)
        index.append(blocks.index(block))
    rows = [", ".join(map(str, index[i : i + 22])) for i in range(0, len(index), 22)]
    props = ["L", "Lu", "Ll", "Lt", "Lm", "Lo", "M", "N", "Nd", "P", "S", "Han"]
    added = "\n".join('    {"%s",\n%s},' % (p, wrapped(additions(p))) for p in props if additions(p))
    OUT.write_text(f"""// Made by tests/oracles/make_unicode_table.py: classes of characters. Not to be edited.
#include "tokenizer/pre/unicode.h"

// clang-format off
namespace partita::internal {{

const char kClassBlocks[] =
{chr(10).join('    "' + block + '"' for block in blocks)};

const std::uint8_t kClassIndex[] = {{
    {("," + chr(10) + "    ").join(rows)}}};

const Addition kAdditions[] = {{
{added}
}};
const std::size_t kAdditionCount = sizeof kAdditions / sizeof *kAdditions;

}}  // namespace partita::internal
""")
    print(len(blocks), "blocks")


if __name__ == "__main__":
    main()
