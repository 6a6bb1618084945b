#!/usr/bin/env python3
"""Draws docs/performance.svg: every row in tokens/s of the first table of docs/performance.md, as ratios.

    bench/table_picture.py

The table is the record. After a new measurement (bench/compare.py) change the table and run this again.
"""

import math
import pathlib

from picture import MARGIN, STYLE, WIDTH, text

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs/performance.md"
UNIT = ", tokens/s"
LINE = 22                       # from row to row
LEFT, RIGHT = 270, WIDTH - 40   # of the axis
TICKS = (0.5, 1, 2, 4, 8)
MARKS = {"llama.cpp": "peer0", "OpenVINO GenAI": "peer1"}
MORE_STYLE = """
  .axis { stroke: #d0d7de } .one { stroke: #0b7285; stroke-width: 2 } .tick { text-anchor: middle } .left { text-anchor: end }
  .peer1 { fill: none; stroke: #8c959f; stroke-width: 2 }
  @media (prefers-color-scheme: dark) { .axis { stroke: #30363d } .one { stroke: #3bc9db } .peer1 { fill: none } }
"""


def first_table(page):
    """The rows of the first table of a page, the heading first, each a list of its cells."""
    rows = []
    for line in page.splitlines():
        if line.startswith("|"):
            rows.append([cell.strip() for cell in line.strip("|").split("|")])
        elif rows:
            break
    return [row for row in rows if not set("".join(row)) <= set("-:")]


def number(cell):
    """The value of a cell; None where nothing was measured."""
    plain = cell.replace(",", "")
    return float(plain) if plain.replace(".", "", 1).isdigit() else None


def measurements(rows):
    """[(model, measurement, tokens/s of partita, {peer: tokens/s})]"""
    (_, own, *peers), *rest = rows
    found, model = [], ""
    for title, *cells in rest:
        if title.startswith("**"):
            model, title = title[2:].split("**: ", 1)
        value, *others = [number(cell) for cell in cells]
        if title.endswith(UNIT) and value is not None:
            measured = {peer: other for peer, other in zip(peers, others) if other is not None}
            found.append((model, title.removesuffix(UNIT), value, measured))
    return found


def place(ratio):
    low, high = math.log2(TICKS[0]), math.log2(TICKS[-1])
    return LEFT + (math.log2(ratio) - low) / (high - low) * (RIGHT - LEFT)


def mark(x, y, peer):
    return f'<circle cx="{x:.1f}" cy="{y}" r="5" class="{MARKS[peer]}"/>'


def draw(found):
    head = [text(MARGIN, 34, "Partita's tokens/s over those of its peers", "title"),
            text(MARGIN, 54, "Right of the line at 1, Partita is faster. Zen 4 (AVX-512, VNNI), 2 threads; the table is in "
                 "docs/performance.md.", "soft")]
    x = MARGIN + 6
    for peer in MARKS:
        head += [mark(x, 72, peer), text(x + 12, 76, f"over {peer}", "soft")]
        x += 150
    rows, y, previous = [], 92, None
    for model, title, own, peers in found:
        if model != previous:
            y += LINE + 4
            rows.append(text(MARGIN, y + 4, model, "what"))
            previous = model
        y += LINE
        rows.append(text(MARGIN + 12, y + 4, f"{title}: {own:,.4g} tokens/s"))
        for peer, other in peers.items():
            # Of two ratios the lesser has its number on the left, so that they never overlap.
            lesser = other == max(peers.values()) and len(peers) > 1
            at = place(own / other)
            rows.append(mark(at, y, peer))
            rows.append(text(round(at - 9 if lesser else at + 9, 1), y + 4, f"{own / other:.2f}",
                             "soft left" if lesser else "soft"))
    axis = []
    for tick in TICKS:
        style = "one" if tick == 1 else "axis"
        axis += [f'<line x1="{place(tick):.1f}" y1="104" x2="{place(tick):.1f}" y2="{y + 12}" class="{style}"/>',
                 text(round(place(tick), 1), 98, f"{tick:g} x", "tick")]
    height = y + MARGIN
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        'role="img" aria-label="Tokens per second of Partita over those of llama.cpp and OpenVINO GenAI">',
        f"<style>{STYLE}{MORE_STYLE}</style>", f'<rect width="{WIDTH}" height="{height}" class="page"/>',
        *head, *axis, *rows, "</svg>"]) + "\n"


def main():
    (ROOT / "docs/performance.svg").write_text(draw(measurements(first_table(PAGE.read_text()))))


if __name__ == "__main__":
    main()
