#!/usr/bin/python3
"""What does including Midplane cost the compiler? One typed publisher against <iostream> alone, at -O0.

usage: include_cost.py --include DIR --generated DIR [--compiler g++] [--json FILE] [--quick] [--seconds S] [--pairs N]

The figure is the difference of the medians, in seconds of CPU time of the compiler, so that a busy machine counts less.
"""
import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile

OURS = """#include <midplane/midplane.hpp>
#include "payload_generated.h"
template <> struct midplane::SchemaOf<midplane::bench::Tick> { static const TypeInfo& info() noexcept; };
bool publish_one(midplane::Bus& bus) {
  auto ticks = bus.publisher(midplane::Topic<midplane::bench::Tick>{"bench.ticks"});
  if (!ticks) return false;
  return ticks->publish([](flatbuffers::FlatBufferBuilder& b) { return midplane::bench::CreateTick(b, 1); }).has_value();
}
"""
THEIRS = '#include <iostream>\nvoid print() { std::cout << "tick\\n"; }\n'
QUESTION = "#include <midplane/midplane.hpp> with one typed publisher, seconds more to compile"
BAR, GOAL = 1.5, 0.7


def compile_seconds(command, source, folder):
    path = os.path.join(folder, "unit.cpp")
    with open(path, "w", encoding="utf-8") as file:
        file.write(source)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command + [path, "-o", os.path.join(folder, "unit.o")], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def measure(arguments, folder):
    command = [arguments.compiler, "-std=c++20", "-O0", "-c", "-I", arguments.include, "-I", arguments.generated]
    ours, theirs = [], []
    for _ in range(arguments.pairs + 1):
        ours.append(compile_seconds(command, OURS, folder))
        theirs.append(compile_seconds(command, THEIRS, folder))
    return ours[1:], theirs[1:]  # the first pair filled the file cache


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--include", required=True)
    parser.add_argument("--generated", required=True)
    parser.add_argument("--compiler", default="g++")
    parser.add_argument("--json", default="")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--seconds", help="for the other rows")
    parser.add_argument("--pairs", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        ours, theirs = measure(arguments, folder)
    extra = [a - b for a, b in zip(ours, theirs)]
    more = statistics.median(extra)
    verdict = "goal" if more <= GOAL else "bar" if more <= BAR else "MISSED"
    print(f"include_cost: {QUESTION} [s]\n  rival: #include <iostream> alone; -std=c++20 -O0, CPU seconds, median of "
          f"{arguments.pairs}\n  ours {statistics.median(ours):.2f} s, theirs {statistics.median(theirs):.2f} s, "
          f"difference {more:+.2f} s ({min(extra):+.2f} to {max(extra):+.2f})\n"
          f"  {verdict} (bar +{BAR}, goal +{GOAL}, lower is better)\n")
    if arguments.json:
        figure = {"row": "include_cost", "question": QUESTION, "unit": "s", "rival": "#include <iostream> alone",
                  "ours": round(more, 3), "theirs": round(statistics.median(theirs), 3), "ratio": None,
                  "spread": round((max(extra) - min(extra)) / more, 3) if more else 0, "bar": BAR, "goal": GOAL,
                  "better": "lower", "verdict": verdict, "quick": arguments.quick,
                  "setting": "ours is the difference in CPU seconds; g++ -std=c++20 -O0"}
        with open(arguments.json, "a", encoding="utf-8") as file:
            file.write(json.dumps(figure) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
