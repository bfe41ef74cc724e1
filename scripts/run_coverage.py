#!/usr/bin/python3
"""Tells what the tests reached of each room of lib/, from what gcov counted in a build with -Db_coverage=true.

    run_coverage.py DIR [--missing]

Lines and branches of headers and sources count once, whatever object they were compiled into; branches that only an
exception takes are left out. --missing also lists the lines that nothing reached. Last line: `N passed, N failed`, a
room passes when its lines reach its bar.
"""
import argparse
import collections
import concurrent.futures
import json
import os
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BAR = 90
BARS = {"link": 95, "mailbox": 95, "wire": 95}


def counted(build):
    """The notes of every object of the library; one that no test ran has no data, and counts as not reached."""
    for folder, _, files in os.walk(os.path.join(build, "lib")):
        yield from (os.path.join(folder, name) for name in files if name.endswith(".gcno"))


def gcov(notes):
    folder, name = os.path.split(notes)
    done = subprocess.run(["gcov", "--json-format", "--stdout", "--branch-probabilities", name], cwd=folder, timeout=300,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    return [(folder, json.loads(line)) for line in done.stdout.decode().splitlines() if line.startswith("{")]


class File:
    def __init__(self):
        self.lines = collections.Counter()
        self.branches = {}


def merge(results, files):
    for folder, told in results:
        for one in told["files"]:
            path = os.path.normpath(os.path.join(told.get("current_working_directory", folder), one["file"]))
            path = os.path.relpath(path, TOP)
            if not path.startswith("lib" + os.sep):
                continue
            file = files[path]
            for line in one["lines"]:
                number = line["line_number"]
                file.lines[number] += line["count"]
                taken = [branch["count"] for branch in line["branches"] if not branch["throw"]]
                # Of a template or an inlined function each object may count other branches: the fullest list holds.
                before = file.branches.get(number, [])
                if len(before) == len(taken):
                    taken = [a + b for a, b in zip(before, taken)]
                if len(taken) >= len(before):
                    file.branches[number] = taken


def ranges(numbers):
    """1, 2, 3, 7 as `1-3 7`."""
    said = []
    for number in sorted(numbers):
        if said and said[-1][1] == number - 1:
            said[-1][1] = number
        else:
            said.append([number, number])
    return " ".join(str(a) if a == b else f"{a}-{b}" for a, b in said)


def percent(part, whole):
    return 100 * part / whole if whole else 100.0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--missing", action="store_true")
    options = parser.parse_args()
    files = collections.defaultdict(File)
    with concurrent.futures.ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        for results in pool.map(gcov, counted(os.path.abspath(options.build))):
            merge(results, files)
    rooms = collections.defaultdict(list)
    for path in sorted(files):
        rooms[path.split(os.sep)[1]].append(path)
    passed = failed = 0
    print(f"     {'room':10} {'lines':>6} {'reached':>7} {'%':>6} {'bar':>4}   {'branches':>8} {'taken':>6} {'%':>6}")
    for room, paths in sorted(rooms.items()):
        lines = sum(len(files[path].lines) for path in paths)
        reached = sum(count > 0 for path in paths for count in files[path].lines.values())
        branches = [count for path in paths for one in files[path].branches.values() for count in one]
        taken = sum(count > 0 for count in branches)
        bar = BARS.get(room, BAR)
        good = percent(reached, lines) >= bar
        passed, failed = passed + good, failed + (not good)
        print(f"{'  ok' if good else 'FAIL'} {room:10} {lines:6} {reached:7} {percent(reached, lines):6.1f} {bar:4}   "
              f"{len(branches):8} {taken:6} {percent(taken, len(branches)):6.1f}")
        for path in paths if options.missing or not good else []:
            missing = [number for number, count in files[path].lines.items() if count == 0]
            if missing:
                print(f"       {path}: {ranges(missing)}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
