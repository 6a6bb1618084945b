"""Compares renderings with those of jinja2, set up as transformers sets it up: random templates, or files.

    python3 -m venv venv && venv/bin/pip install transformers==5.23.0 jinja2==3.1.6
    cmake --build --preset release --target render_lines
    venv/bin/python tests/oracles/fuzz_templates.py RENDER_LINES --seconds 600 --seed 1
    venv/bin/python tests/oracles/fuzz_templates.py RENDER_LINES --templates DIR

RENDER_LINES: the program build/release/render_lines. DIR: a folder of *.jinja, each of which meets
every conversation of template_cases.py. Texts must be equal, and raise_exception() must say the same; an error of
jinja2 must be an error here. What is not supported here is counted apart. Exit code 1 if anything differs.
"""

import argparse
import collections
import json
import pathlib
import random
import select
import subprocess
import sys
import time

from record_templates import result
from template_cases import CONVERSATIONS, EXTRAS, NOW, SNIPPETS, VALUES

UNSUPPORTED, INVALID, EXHAUSTED = "unsupported", "invalid argument", "exhausted"
TEXTS = ["", "a", "ab", "Hello, World", "x y  z", "<b>&'\"", "äß東🙂", "1", "-7", "2.5", "a,b,,c", "one\ntwo\n", " pad ", "%s-%d", "{}{0}",
         "<|im_end|>", "snake_case Word-two"]
FILTERS = ["upper", "lower", "capitalize", "title", "trim", "string", "e", "safe", "forceescape", "length", "count", "first", "last", "list", "reverse",
           "sort", "unique", "join", "join(', ')", "int", "float", "abs", "round", "round(1)", "round(2, 'floor')", "sum", "min", "max", "tojson",
           "tojson(indent=2)", "items", "dictsort", "wordcount", "indent", "indent(2, true)", "indent(2, true, true)", "center(9)", "default('D')",
           "default('D', true)", "replace('a', 'bb')", "replace('', '-', 2)", "batch(2)", "batch(2, 'f')", "slice(2)", "slice(3, 'f')",
           "truncate(5)", "truncate(5, true)", "truncate(9, false, '..', 0)", "wordwrap(5)", "wordwrap(3, false)", "wordwrap(4, true, '|')",
           "urlencode", "striptags", "filesizeformat", "filesizeformat(true)", "pprint", "xmlattr", "xmlattr(false)", "map('upper')", "map('string')",
           "map('length')", "select", "select('string')", "reject('number')", "reject('none')", "select('odd')", "map(attribute='name')",
           "groupby('age')", "groupby('name', default='n')", "selectattr('tags')", "rejectattr('age', 'gt', 26)", "sort(attribute='name')",
           "sort(reverse=true)", "attr('name')", "format(1, 2)", "format(n)", "map('first') | list", "list", "list", "join"]
METHODS = ["upper()", "lower()", "strip()", "lstrip()", "rstrip()", "strip('a ')", "split()", "split(',')", "split(' ', 1)", "rsplit(',', 1)",
           "splitlines()", "title()", "capitalize()", "swapcase()", "startswith('a')", "endswith(('a', 'b'))", "replace('a', 'b')", "find('l')",
           "rfind('l')", "index('l')", "count('l')", "isdigit()", "isalpha()", "isalnum()", "isspace()", "isupper()", "islower()", "istitle()",
           "isnumeric()", "isdecimal()", "isascii()", "isprintable()", "isidentifier()", "casefold()", "expandtabs(4)", "zfill(5)", "ljust(6, '.')",
           "rjust(6)", "center(7, '*')", "partition(',')", "rpartition(' ')", "removeprefix('a')", "removesuffix('c')", "join(words)",
           "format(n, f)", "keys()", "values()", "items()", "get('a')", "get('zz', 5)", "copy()", "encode()", "format_map(d)"]
TESTS = ["defined", "undefined", "none", "string", "number", "integer", "float", "boolean", "mapping", "iterable", "sequence", "callable", "odd",
         "even", "true", "false", "lower", "upper", "divisibleby(3)", "eq(7)", "ne('a')", "lt(5)", "ge(2)", "in(l)", "sameas(none)", "escaped",
         "filter", "test"]
FORMATS = ["{}", "{0}{0}", "{:>5}", "{:<5}|", "{:^7}|", "{:*^9}", "{:05}", "{:+}", "{:,}", "{:_}", "{:.2f}", "{:8.3f}", "{:e}", "{:g}", "{:x}",
           "{:#x}", "{:b}", "{:o}", "{:%}", "{:.3}", "{!r}", "{!s:>6}", "{0[0]}", "{:d}", "{:c}", "{:n}", "{:=+6}", "{{}}", "{:{}}", "{a}", "{",
           "{:.1%}", "{:G}", "{:10}|", "{:<}", "{: }"]
PERCENTS = ["%s", "%r", "%d", "%5d|", "%-5d|", "%05d", "%+d", "% d", "%x", "%X", "%o", "%#x", "%#o", "%e", "%.2E", "%g", "%G", "%.3f", "%8.2f|",
            "%c", "%%", "%s %s", "%(a)s", "%*d", "%i", "%u", "%a", "%.2s", "%5s|", "%-5s|", "%z"]


class Generator:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.loops = 0

    def pick(self, *choices):
        return self.random.choice(choices)

    def number(self):
        return str(self.pick(0, 1, 2, 3, 7, -1, -3, 10, 100, 1.5, 0.1, -2.5, 1e3, 1e20, 2**31, 2**63 - 1, 2**70))

    def literal(self, depth):
        kind = self.random.randrange(9)
        if kind < 2:
            return self.number()
        if kind < 5:
            return json.dumps(self.random.choice(TEXTS), ensure_ascii=False).replace("\\n", "\\n")
        if kind == 5:
            return "[" + ", ".join(self.expression(depth - 1) for _ in range(self.random.randrange(4))) + "]"
        if kind == 6:
            return "{" + ", ".join(f"{self.literal(0)}: {self.expression(depth - 1)}" for _ in range(self.random.randrange(3))) + "}"
        if kind == 7:
            return "(" + self.expression(depth - 1) + ", " + self.expression(depth - 1) + ")"
        return self.pick("true", "false", "none", "missing")

    def name(self):
        names = [*VALUES, "x", "y", "ns", "missing"]
        if self.loops:
            names += ["x", "y", "loop.index", "loop.index0", "loop.first", "loop.last", "loop.length", "loop.revindex", "loop.previtem", "loop.nextitem",
                      "loop.depth", "loop.cycle('a', 'b')", "loop.changed(x)", "loop"]
        return self.random.choice(names)

    def expression(self, depth=3):
        if depth <= 0:
            return self.name() if self.random.random() < 0.5 else self.literal(0) if depth == 0 else self.number()
        sub = lambda: self.expression(depth - 1)  # noqa: E731
        kind = self.random.randrange(24)
        if kind < 2:
            return self.literal(depth)
        if kind < 4:
            return self.name()
        if kind < 8:
            return f"{self.operand(depth)} | {self.random.choice(FILTERS)}"
        if kind < 10:
            return f"{self.operand(depth)}.{self.random.choice(METHODS)}"
        if kind < 12:
            if self.random.random() < 0.2:  # by small numbers alone: Python has no limits
                return f"({sub()}) {self.pick('*', '**')} ({self.pick(0, 1, 2, 3, -1, 0.5)})"
            return f"({sub()}) {self.pick('+', '-', '/', '//', '%', '~', '~', '+')} ({sub()})"
        if kind == 12:
            return f"({sub()}) {self.pick('==', '!=', '<', '<=', '>', '>=', 'in', 'not in')} ({sub()})"
        if kind == 13:
            return f"({sub()}) {self.pick('and', 'or')} ({sub()})"
        if kind == 14:
            return f"{self.pick('not', '-', '+')} ({sub()})"
        if kind == 15:
            return f"({sub()}) if ({sub()})" + self.pick("", f" else ({sub()})")
        if kind == 16:
            return f"{self.operand(depth)} is {self.pick('', 'not ')}{self.random.choice(TESTS)}"
        if kind == 17:
            return f"{self.operand(depth)}[{self.pick('0', '-1', '1:', ':2', '::-1', '1:3', '::2', chr(39) + 'a' + chr(39), sub())}]"
        if kind == 18:
            return f"{self.operand(depth)}.{self.pick('a', 'name', 'x', 'items', '0', 'age')}"
        if kind == 19:
            return json.dumps(self.random.choice(FORMATS)) + f".format({sub()}, {sub()}{self.pick('', ', a=1')})"
        if kind == 20:
            return json.dumps(self.random.choice(PERCENTS)) + self.pick(f" % ({sub()})", f" % ({sub()}, {sub()})", f" | format({sub()})")
        if kind == 21:
            return self.pick("range(4)", "range(1, 9, 3)", "range(5, 0, -2)", "dict(a=1)", "namespace(a=1)", "cycler('a', 'b').next()", "joiner()()", "m(1)",
                             "m(x, b=2)", "range(3) | list", "self.k()")
        if kind == 22:
            return f"(({sub()}) | {self.random.choice(FILTERS)} | {self.random.choice(FILTERS)})"
        return f"({sub()})"

    def operand(self, depth):
        return self.name() if self.random.random() < 0.6 else f"({self.expression(depth - 1)})"

    def tag(self, text):
        return f"{{%{self.pick('', '', '', '-', '+')} {text} {self.pick('', '', '-')}%}}"

    def data(self):
        return self.random.choice(["", "a", " ", "\n", "  \n", "text\n", "\n\n  x", "{# c #}", "{#- c -#}\n", "<|x|>"])

    def body(self, depth):
        return "".join(self.data() + self.statement(depth) for _ in range(self.random.randrange(1, 4))) + self.data()

    def statement(self, depth=3):
        kind = self.random.randrange(20 if depth > 0 else 8)
        if kind < 6:
            return f"{{{{{self.pick('', '-')} {self.expression()} {self.pick('', '-')}}}}}"
        if kind < 8:
            return self.tag(f"set {self.pick('x', 'y', 'ns.a', 'x, y')} = {self.expression()}")
        if kind < 11:
            return (self.tag(f"if {self.expression(2)}") + self.body(depth - 1) + self.pick("", self.tag("else") + self.body(depth - 1),
                    self.tag(f"elif {self.expression(2)}") + self.body(depth - 1)) + self.tag("endif"))
        if kind < 15:
            head = f"for {self.pick('x', 'x', 'x, y')} in {self.pick(self.expression(2), 'l', 'words', 'd.items()', 'people', 'range(3)', 'lines')}"
            self.loops += 1
            body = self.body(depth - 1) + self.pick("", "", self.tag("break"), self.tag(f"if {self.expression(1)}") + self.tag("continue") + self.tag("endif"))
            head += self.pick("", "", f" if {self.expression(1)}", " recursive")
            if head.endswith("recursive"):
                body += "{{ loop(x) if loop.depth < 3 and x is iterable and x is not string }}"
            self.loops -= 1
            return self.tag(head) + body + self.pick("", self.tag("else") + "E") + self.tag("endfor")
        if kind == 15:
            return self.tag(f"set x{self.pick('', ' | upper', ' | trim')}") + self.body(depth - 1) + self.tag("endset")
        if kind == 16:
            return self.tag(f"filter {self.random.choice(FILTERS)}") + self.body(depth - 1) + self.tag("endfilter")
        if kind == 17:
            return self.tag(f"with x = {self.expression(2)}, y = x") + self.body(depth - 1) + self.tag("endwith")
        if kind == 18:
            return self.pick(
                self.tag("autoescape false") + self.body(depth - 1) + self.tag("endautoescape"),
                self.tag(f"block b{self.random.randrange(10**6)}{self.pick('', ' scoped')}") + self.body(depth - 1) + self.tag("endblock"))
        loops, self.loops = self.loops, 0
        macro = self.tag(self.pick("macro m(a, b=3)", "macro m(a)", "macro m(x, y='q')")) + self.body(depth - 1) + self.pick("", "{{ caller() if caller }}", "{{ varargs }}") + self.tag("endmacro")
        self.loops = loops
        return macro + self.pick("{{ m(x) }}", "{{ m(1, 2) }}", self.tag("call m(1)") + "inner" + self.tag("endcall"))

    def template(self):
        start = self.pick("", "{% set ns = namespace(a=1) %}", "{% set x = 5 %}{% set y = 'why' %}{% set ns = namespace(a=[]) %}")
        return start + self.body(3) + self.pick("", "", "{% block k %}{{ n }}{% endblock %}")


class Renderer:
    """The program that renders lines."""

    def __init__(self, program):
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8")

    def render(self, source, context):
        self.process.stdin.write(json.dumps({"source": source, "context": context}) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline() if select.select([self.process.stdout], [], [], 20)[0] else ""
        if not line:
            self.process.kill()
            raise SystemExit(f"the program died of, or hangs on, {source!r}")
        return json.loads(line)


def difference(theirs, ours):
    """None if they agree, else what differs; UNSUPPORTED and EXHAUSTED where this side gives up."""
    if ours.get("code") == "unsupported":
        return None if "error" in theirs else UNSUPPORTED
    if "text" in theirs:
        if " at 0x" in theirs["text"] or ours.get("text") == theirs["text"]:
            return None
        return EXHAUSTED if ours.get("code") == "out of memory" else "text"
    if "raised" in theirs:
        return None if ours.get("error") == theirs["raised"] else "raised"
    return None if "error" in ours else "no error"


class Tally:
    def __init__(self, shown):
        self.counts = collections.Counter()
        self.gaps = collections.Counter()
        self.shown = shown

    def add(self, label, theirs, ours):
        kind = difference(theirs, ours)
        self.counts[kind or "equal"] += 1
        if kind == UNSUPPORTED:
            self.gaps[ours["error"].split(": ", 1)[-1][:60]] += 1
        elif kind and kind != EXHAUSTED and self.shown > 0:
            self.shown -= 1
            print(f"--- {kind}\n{label}\n  jinja2: {theirs}\n  here:   {ours}")

    def report(self):
        print(dict(self.counts), "not supported:", self.gaps.most_common(20))
        return sum(n for kind, n in self.counts.items() if kind not in ("equal", UNSUPPORTED, EXHAUSTED))


def run_files(renderer, folder, tally):
    for path in sorted(pathlib.Path(folder).glob("*.jinja")):
        source = path.read_text(encoding="utf-8")
        for name, conversation in CONVERSATIONS.items():
            context = {**EXTRAS, **conversation}
            tally.add(f"{path.name}, {name}", result(source, context), renderer.render(source, {**context, "strftime_now": NOW}))


def run_random(renderer, seed, seconds, tally):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        source = Generator(seed).template()
        tally.add(f"seed {seed}: {source!r}", result(source, VALUES), renderer.render(source, {**VALUES, "strftime_now": NOW}))
        seed += 1
    print("the next seed is", seed)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--templates")
    parser.add_argument("--seconds", type=float, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--show", type=int, default=20)
    options = parser.parse_args()
    renderer, tally = Renderer(options.program), Tally(options.show)
    if options.templates:
        run_files(renderer, options.templates, tally)
    elif options.seconds:
        run_random(renderer, options.seed, options.seconds, tally)
    else:
        for source in SNIPPETS:
            tally.add(source, result(source, VALUES), renderer.render(source, {**VALUES, "strftime_now": NOW}))
    sys.exit(1 if tally.report() else 0)


if __name__ == "__main__":
    main()
