"""Bars of every program for every measurement, as one SVG for light and dark pages."""

import textwrap
from xml.sax.saxutils import escape

WIDTH, MARGIN = 760, 24
LABEL, BAR = 84, 440  # where bars begin, right of the program's name, and the longest of them
LINE, THICK = 20, 14   # from bar to bar, and their height

STYLE = """
  .page { fill: #ffffff } text { font: 13px system-ui, sans-serif; fill: #1f2328 } .name, .times { text-anchor: end }
  .title { font-size: 17px; font-weight: 600 } .what { font-weight: 600 } .soft { font-size: 12px; fill: #59636e }
  .own { fill: #0b7285 } .peer0 { fill: #8c959f } .peer1 { fill: #b6bec7 }
  @media (prefers-color-scheme: dark) {
    .page { fill: #0d1117 } text { fill: #e6edf3 } .soft { fill: #9198a1 }
    .own { fill: #3bc9db } .peer0 { fill: #6e7681 } .peer1 { fill: #484f58 }
  }
"""


def text(x, y, words, style="value"):
    return f'<text x="{x}" y="{y}" class="{style}">{escape(words)}</text>'


def group(y, title, unit, more_is_better, digits, values):
    """The bars of one measurement, partita's first; the longest takes the whole width. (elements, height)"""
    out = [text(MARGIN, y + 14, f"{title}, {unit}" + ("" if more_is_better else ", less is better"), "what")]
    own, longest = values["partita"], max(values.values())
    for i, (name, value) in enumerate(values.items()):
        top = y + 22 + i * LINE
        length = max(1.0, BAR * value / longest)
        times = f"partita {own / value if more_is_better else value / own:.2f} x" if name != "partita" else ""
        out += [text(MARGIN + LABEL - 8, top + 12, name, "name"),
                f'<rect x="{MARGIN + LABEL}" y="{top}" width="{length:.1f}" height="{THICK}" rx="2" '
                f'class="{"own" if name == "partita" else f"peer{(i - 1) % 2}"}"/>',
                text(f"{MARGIN + LABEL + length + 8:.1f}", top + 12, f"{value:,.{digits}f}"),
                text(WIDTH - MARGIN, top + 12, times, "times")]
    return out, 22 + len(values) * LINE + 14


def draw(panels):
    """panels: [(title, circumstances, [(measurement, unit, more is better, digits, {program: value})])]"""
    out, y = [], MARGIN
    for title, about, groups in panels:
        out.append(text(MARGIN, y + 16, title, "title"))
        y += 24
        for line in textwrap.wrap(about, 112):
            out.append(text(MARGIN, y + 14, line, "soft"))
            y += 17
        y += 14
        for one in groups:
            elements, height = group(y, *one)
            out += elements
            y += height
        y += MARGIN
    described = escape("Measurements of " + ", ".join(title for title, _, _ in panels))
    size = f'viewBox="0 0 {WIDTH} {y}" width="{WIDTH}" height="{y}"'
    return "\n".join([f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{described}">',
                      f"<style>{STYLE}</style>",
                      f'<rect width="{WIDTH}" height="{y}" class="page"/>', *out, "</svg>"]) + "\n"
