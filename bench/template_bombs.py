#!/usr/bin/env python3
"""Templates that try to exhaust time or memory: what the program says, its time and its peak memory.

    bench/template_bombs.py [--partita PROGRAM] [--seconds 1] [--megabytes 200]

Each must end with exit code 1 and one sentence within both limits, or render within them. Exit code 1 if one does not.
"""

import argparse
import os
import pathlib
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]


def nested(depth, count, body):
    return f"{{% for i in range({count}) %}}" * depth + body + "{% endfor %}" * depth


def doubled(expression):
    return "{% set ns = namespace(s='xy') %}{% for i in range(60) %}{% set ns.s = " + expression + " %}{% endfor %}{{ ns.s }}"


BOMBS = {
    "five nested loops of 100,000": nested(5, 100_000, "x"),
    "nested loops without output": nested(4, 1000, "{% set y = 1 %}"),
    "a macro that calls itself": "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
    "a macro that calls itself twice": "{% macro f(x) %}{{ f([x]) }}{{ f([x]) }}{% endmacro %}{{ f(1) }}",
    "deep macros, each another": "".join(f"{{% macro m{i}() %}}{{{{ m{i + 1}() }}}}{{{{ m{i + 1}() }}}}{{% endmacro %}}"
                                         for i in range(2000)) + "{% macro m2000() %}x{% endmacro %}{{ m0() }}",
    "a recursive loop": "{% for x in [1, 2] recursive %}{{ loop([1, 2]) }}{% endfor %}",
    "10 GB by multiplication": "{{ 'x' * 10000000000 }}",
    "10 GB by doubling": doubled("ns.s + ns.s"),
    "10 GB by replace": doubled("ns.s.replace('x', ns.s)"),
    "10 GB by join": "{{ (['x' * 100000] * 100000) | join('y' * 100000) }}",
    "10 GB by format": doubled("'%s%s' % (ns.s, ns.s)"),
    "a format width of 10 GB": "{{ '{:>10000000000}'.format(1) }}{{ '%10000000000d' % 1 }}",
    "10 GB by loops": "{% set s = 'x' * 1000000 %}" + nested(1, 10_000, "{{ s }}"),
    "10 GB by tojson": "{{ ([['x' * 100000] * 1000] * 100) | tojson }}",
    "10 GB by pprint": "{{ ([['x' * 100000] * 1000] * 100) | pprint }}",
    "10 GB by indent": "{{ ('a\\n' * 1000000) | indent(10000) }}",
    "lists of lists, doubled": "{% set ns = namespace(v=[1]) %}" + nested(1, 60, "{% set ns.v = [ns.v, ns.v] %}") + "{{ ns.v }}",
    "lists, nested 100,000 deep": "{% set ns = namespace(v=1) %}" + nested(1, 100_000, "{% set ns.v = [ns.v] %}") + "{{ ns.v }}",
    "a range of 10 billion": "{{ range(10000000000) | list | length }}",
    "a list of 10 billion": "{{ ([0] * 10000000000) | length }}",
    "batch of 10 billion": "{{ [1] | batch(10000000000, 'x') | list }}",
    "slice of 10 billion": "{{ [1] | slice(10000000000) | list }}",
    "a million brackets": "{{ " + "(" * 500_000 + "1" + ")" * 500_000 + " }}",
    "a million open brackets": "{{ " + "[" * 1_000_000,
    "a hundred thousand ifs": "{% if x %}" * 100_000,
    "a million operators": "{{ 1" + " + 1" * 250_000 + " }}",
    "a million filters": "{{ x" + "|e" * 500_000 + " }}",
    "a million comments": "{##}" * 250_000 + "{#",
    "a source of 10 MB": "x" * 10_000_000,
    "a sort of shared lists": "{% set x = range(100000) | list %}" + nested(1, 1000, "{{ x | sort | length }}"),
    "groups of groups": "{% set x = range(100000) | list %}" + nested(1, 1000, "{{ x | groupby(none) | length }}"),
    "searches": "{% set a = 'a' * 8000000 %}{% set b = 'a' * 4000000 ~ 'b' %}" + nested(1, 1000, "{{ b in a }}"),
    "a power": "{{ 10 ** 10 ** 10 }}",
    "namespaces": "{% set ns = namespace() %}" + nested(2, 1000, "{% set ns.a = namespace(b=ns.a) %}"),
    "errors that are never read": nested(3, 1000, "{% set x = 5 | map('upper') %}"),
}


def run(program, path):
    """Exit code, stderr, seconds, megabytes at the peak."""
    started = time.monotonic()
    process = subprocess.Popen([program, "template", "--file", path], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE)
    process.stdin.write(b'{"messages":[]}')
    process.stdin.close()
    said = process.stderr.read().decode()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, said, time.monotonic() - started, usage.ru_maxrss / 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--partita", default=str(ROOT / "build/release/partita"))
    parser.add_argument("--seconds", type=float, default=1)
    parser.add_argument("--megabytes", type=float, default=200)
    options = parser.parse_args()
    failed = False
    with tempfile.TemporaryDirectory() as work:
        path = pathlib.Path(work) / "bomb.jinja"
        for name, source in BOMBS.items():
            path.write_text(source)
            code, said, seconds, megabytes = run(options.partita, path)
            good = seconds <= options.seconds and megabytes <= options.megabytes
            good = good and (code == 0 and not said or code == 1 and said.count("\n") == 1)
            failed = failed or not good
            print(f"{'    ' if good else 'BAD '}{seconds:6.2f} s {megabytes:6.0f} MB  {name}: {said.strip()[:110] or 'renders'}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
