"""The order of rooms holds: no include against it, no cycle between units, no internal header in a public one."""

import pathlib
import re
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent

# What each room may include beside itself and the public headers.
ROOMS = {
    "weights": set(),
    "tokenizer": {"weights"},
    "engine": {"weights"},
    "sampling": {"weights", "engine"},
    "api": {"weights", "tokenizer", "engine", "sampling"},
    "tools": set(),
    "include": set(),
}
INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', re.MULTILINE)
GENERATED = {"models_table.inc", "stages_table.inc"}


def files_of(root):
    return sorted(path.relative_to(root) for room in ROOMS for end in ("*.cc", "*.h", "*.hpp")
                  for path in (root / room).rglob(end))


def included(root, file, known):
    """The files of the tree that `file` includes. A name is a path from the root, from include/ or from its folder."""
    for name in INCLUDE.findall((root / file).read_text()):
        for path in (pathlib.Path(name), pathlib.Path("include") / name, file.parent / name):
            if path in known:
                yield path
                break
        else:
            if name.split("/")[0] in ROOMS and name not in GENERATED:
                yield pathlib.Path(name)  # there is no such file: an order all the same


def graph_of(root):
    """What includes what."""
    known = set(files_of(root))
    return {str(file): {str(path) for path in included(root, file, known)} for file in known}


def units_of(graph):
    """What needs what: a unit is a header and the source file of its name, as a path without its ending."""
    units = {}
    for file, others in graph.items():
        unit = file.rsplit(".", 1)[0]
        units.setdefault(unit, set()).update({other.rsplit(".", 1)[0] for other in others} - {unit})
    return units


def cycle_in(graph):
    """Some cycle, as its units in order; empty if there is none."""
    done, path = set(), []

    def visit(unit):
        if unit in path:
            return path[path.index(unit):]
        if unit in done:
            return []
        path.append(unit)
        for other in sorted(graph.get(unit, ())):
            if found := visit(other):
                return found
        path.pop()
        done.add(unit)
        return []

    for unit in sorted(graph):
        if found := visit(unit):
            return found
    return []


def faults(root):
    """A sentence for each include against the order, and for a cycle."""
    known, found = set(files_of(root)), []
    for file in sorted(known):
        room = file.parts[0]
        for other in included(root, file, known):
            theirs = other.parts[0]
            if theirs not in {room, "include"} | ROOMS[room]:
                found.append(f"{file} includes {other}: {room} may not include {theirs}")
    if cycle := cycle_in(units_of(graph_of(root))):
        found.append("a cycle of units: " + " - ".join(cycle))
    return found


class Layering(unittest.TestCase):
    def test_the_tree(self):
        self.assertGreater(len(files_of(ROOT)), 300)
        self.assertEqual(faults(ROOT), [])

    def scratch(self, files):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        for name, text in files.items():
            path = pathlib.Path(folder.name) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return faults(pathlib.Path(folder.name))

    def test_an_include_against_the_order(self):
        found = self.scratch({"engine/model.h": '#include "sampling/chain/chain.h"\n', "sampling/chain/chain.h": ""})
        self.assertEqual(found, ["engine/model.h includes sampling/chain/chain.h: engine may not include sampling"])
        found = self.scratch({"tools/chat.cc": '#  include <api/model.h>\n'})
        self.assertEqual(found, ["tools/chat.cc includes api/model.h: tools may not include api"])

    def test_a_public_header_that_includes_an_internal_one(self):
        found = self.scratch({"include/partita/batch.hpp": '#include "weights/catch_all.h"\n', "weights/catch_all.h": ""})
        self.assertEqual(found, ["include/partita/batch.hpp includes weights/catch_all.h: include may not include weights"])

    def test_a_cycle_between_headers(self):
        found = self.scratch({"api/a.h": '#include "api/b.h"\n', "api/b.h": '#include "a.h"\n'})
        self.assertEqual(found, ["a cycle of units: api/a - api/b"])

    def test_a_cycle_through_a_source_file(self):
        found = self.scratch({"api/a.h": "", "api/a.cc": '#include "api/a.h"\n#include "api/b.h"\n',
                              "api/b.h": '#include "api/a.h"\n'})
        self.assertEqual(found, ["a cycle of units: api/a - api/b"])

    def test_what_is_allowed(self):
        self.assertEqual(self.scratch({
            "weights/catch_all.h": "#include <partita/result.hpp>\n", "include/partita/result.hpp": "#include <string>\n",
            "engine/model.cc": '#include "engine/model.h"\n#include "weights/catch_all.h"\n', "engine/model.h": ""}), [])


if __name__ == "__main__":
    unittest.main()
