#!/usr/bin/python3
"""Holds the tree against the rules of docs/architecture.md; the layers are read from the table that stands there.

usage: layers.py [TREE]     Speaks TAP, one line a rule. Comments and strings do not count as code.
"""
import fnmatch
import os
import re
import sys

LINES_MAX = 500
SOURCES = (".hpp", ".h", ".cpp", ".cc")
SLEEPS = re.compile(r"\b(sleep_for|sleep_until|usleep|nanosleep|clock_nanosleep)\b|(?<![\w.>:])(::)?sleep\s*\(")
WALL_CLOCK = re.compile(r"\b(CLOCK_REALTIME\w*|system_clock|gettimeofday|time\s*\(\s*(nullptr|NULL|0)\s*\))")
STAMPS = ("lib/bus/publisher_core.cpp", "lib/base/random.cpp", "lib/base/line_log.cpp")  # Message::sent_at; a seed; a log
ZEROMQ = re.compile(r"^(zmq(_addon)?\.h(pp)?|zmq_utils\.h)$")


class Layers:
    """Which room may know which: the first column of the table, top first; the second gives public headers to rooms:
    to the one whose name they begin with, otherwise to the first of the line."""

    def __init__(self, document):
        section = re.search(r"^## Layers$(.*?)(?=^## |\Z)", document, re.M | re.S)
        rows = re.findall(r"^\| *(`[^|]*`) *\|([^|]*)\|", section[1] if section else "", re.M)
        self.level, self.patterns = {}, []
        for depth, (rooms, headers) in enumerate(rows):
            names = re.findall(r"`([^`]+)`", rooms)
            for room in names:
                self.level[room] = depth
            for pattern in re.findall(r"`([^`]+)`", headers):
                self.patterns.append((pattern, next(filter(pattern.startswith, names), names[0])))

    def room_of_header(self, path):
        fitting = [(len(pattern), room) for pattern, room in self.patterns if fnmatch.fnmatchcase(path, pattern)]
        return max(fitting)[1] if fitting else None

    def may_include(self, room, other):
        return room == other or self.level[room] < self.level[other]


def files_below(tree, *folders):
    for folder in folders:
        for where, names, files in os.walk(os.path.join(tree, folder)):
            names.sort()
            for name in sorted(files):
                if name.endswith(SOURCES):
                    yield os.path.relpath(os.path.join(where, name), tree)


def code_of(text, keep_strings):
    """The text without comments; unless `keep_strings`, also without the contents of literals."""
    def replace(match):
        token = match[0]
        if token.startswith(("//", "/*")):
            return re.sub(r"[^\n]", "", token)
        return token if keep_strings else token[0] + token[-1]
    return re.sub(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|' + r"(?<!\w)'(?:\\.|[^'\\\n])*'", replace, text, flags=re.S)


class Tree:
    def __init__(self, top):
        self.top = top
        with open(os.path.join(top, "docs", "architecture.md"), encoding="utf-8") as file:
            self.layers = Layers(file.read())
        self.texts = {}
        for path in files_below(top, "include", "lib", "test", "examples"):
            with open(os.path.join(top, path), encoding="utf-8", errors="replace") as file:
                self.texts[path] = file.read()
        protocol = os.path.join(top, "protocol")
        schemas = os.listdir(protocol) if os.path.isdir(protocol) else []
        self.wire_code = {name[:-4] + "_generated.h" for name in schemas if name.endswith(".fbs")}

    def paths(self, *folders):
        return [path for path in self.texts if path.startswith(tuple(folder + "/" for folder in folders))]

    def includes(self, path):
        code = code_of(self.texts[path], keep_strings=True)
        for number, line in enumerate(code.split("\n"), 1):
            match = re.match(r'\s*#\s*include\s*(?:<([^>]+)>|"([^"]+)")', line)
            if match:
                yield number, match[1] or match[2]

    def room_of(self, path):
        parts = path.split("/")
        if parts[0] == "lib":
            return parts[1] if len(parts) > 2 else None
        return self.layers.room_of_header("/".join(parts[2:])) if parts[0] == "include" else None

    def room_of_include(self, path, target):
        """The room that an include line reaches into; None for what is no part of the library."""
        if target.startswith("midplane/"):
            return self.layers.room_of_header(target[len("midplane/"):])
        beside = os.path.normpath(os.path.join(os.path.dirname(path), target))
        if beside in self.texts:
            return self.room_of(beside)
        first = target.split("/")[0]
        return first if "/" in target and first in self.layers.level else None

    def every_include(self, *folders):
        for path in self.paths(*folders):
            for number, target in self.includes(path):
                yield path, f"{path}:{number}: includes {target}", target

    # The rules: each yields the places that break it.

    def the_document_lists_every_room(self):
        if len(self.layers.level) < 2:
            yield "docs/architecture.md: no table of layers was found"
        lib = os.path.join(self.top, "lib")
        for room in sorted(os.listdir(lib)):
            if os.path.isdir(os.path.join(lib, room)) and room not in self.layers.level:
                yield f"lib/{room}: not in the table of layers"

    def includes_go_downward_only(self):
        for path, place, target in self.every_include("include", "lib"):
            room, other = self.room_of(path), self.room_of_include(path, target)
            if room in self.layers.level and other in self.layers.level and not self.layers.may_include(room, other):
                same = self.layers.level[room] == self.layers.level[other]
                yield f"{place}: {other} is {'a sibling of' if same else 'above'} {room}"

    def examples_see_public_headers_only(self):
        for path, place, target in self.every_include("examples"):
            if not target.startswith("midplane/") and self.room_of_include(path, target):
                yield place

    def public_headers_are_free_of_engines(self):
        for _, place, target in self.every_include("include"):
            own = target.endswith("_generated.h") and not target.startswith("flatbuffers/")
            if own or ZEROMQ.match(target) or target.startswith("boost/"):
                yield place

    def lockfree_only_in_base(self):
        for path, place, target in self.every_include("include", "lib"):
            if target.startswith("boost/") and not path.startswith("lib/base/"):
                yield place

    def zeromq_only_in_its_room(self):
        for path, place, target in self.every_include("include", "lib"):
            if ZEROMQ.match(target) and not path.startswith("lib/zmq/"):
                yield place

    def wire_code_only_in_wire(self):
        for path, place, target in self.every_include("include", "lib", "examples"):
            if os.path.basename(target) in self.wire_code and not path.startswith("lib/wire/"):
                yield place

    def files_are_short(self):
        for path in self.paths("include", "lib"):
            lines = self.texts[path].count("\n")
            if lines > LINES_MAX:
                yield f"{path}: {lines} lines, at most {LINES_MAX}: is it two nouns?"

    def headers_say_pragma_once(self):
        for path in self.paths("include", "lib", "test", "examples"):
            code = code_of(self.texts[path], keep_strings=True)
            if path.endswith((".hpp", ".h")) and not code.lstrip().startswith("#pragma once"):
                yield path

    def no_test_sleeps(self):
        for path in self.paths("test", "examples"):
            for number, line in enumerate(code_of(self.texts[path], keep_strings=False).split("\n"), 1):
                if SLEEPS.search(line):
                    yield f"{path}:{number}: {line.strip()}"

    def every_test_is_built(self):
        built = ""
        folders = ["test"]
        while folders:
            folder = folders.pop()
            file = os.path.join(self.top, folder, "meson.build")
            if os.path.exists(file):
                with open(file, encoding="utf-8") as opened:
                    text = opened.read()
                built += text
                folders += [os.path.join(folder, name) for name in re.findall(r"subdir\('([^']+)'\)", text)]
        for path in self.paths("test"):
            if path.endswith("_test.cpp") and not path.startswith("test/packages/"):
                if not re.search(rf"['/]{re.escape(os.path.basename(path))}'", built):
                    yield f"{path}: named in no meson.build that test/meson.build reaches"

    def deadlines_never_read_the_wall_clock(self):
        for path in self.paths("include", "lib"):
            for number, line in enumerate(code_of(self.texts[path], keep_strings=False).split("\n"), 1):
                if path not in STAMPS and WALL_CLOCK.search(line):
                    yield f"{path}:{number}: {line.strip()}"


RULES = [Tree.the_document_lists_every_room, Tree.includes_go_downward_only, Tree.examples_see_public_headers_only,
         Tree.public_headers_are_free_of_engines, Tree.lockfree_only_in_base, Tree.zeromq_only_in_its_room,
         Tree.wire_code_only_in_wire, Tree.files_are_short, Tree.headers_say_pragma_once, Tree.no_test_sleeps,
         Tree.every_test_is_built, Tree.deadlines_never_read_the_wall_clock]


def broken_rules(top):
    """Every rule's name with the places that break it."""
    tree = Tree(top)
    return {rule.__name__: list(rule(tree)) for rule in RULES}


def main():
    top = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
    results = broken_rules(os.path.abspath(top))
    print(f"1..{len(results)}")
    for number, (name, places) in enumerate(results.items(), 1):
        print(f"{'not ok' if places else 'ok'} {number} - {name.replace('_', ' ')}")
        for place in places:
            print(f"# {place}")
    return 1 if any(results.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
