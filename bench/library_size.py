#!/usr/bin/python3
"""How large are the shared libraries, and how many names do they show? No rival: figures to watch.

usage: library_size.py --lib DIR [--json FILE] [--quick] [--seconds S] [--pairs N]

Stripped as a package strips them; code is what `size` calls text (with read-only data and unwinding tables). A public
symbol is a defined one of the dynamic table; whether it is ours is seen from its namespace.
"""
import argparse
import json
import os
import re
import subprocess
import sys
import tempfile

LIBRARIES = ["libmidplane.so", "libmidplane-zmq.so"]
OURS = re.compile(r"_Z(?:Z|T[VIST]|GVZ?|T[hv]\w+?_)?N[VKRO]*8midplane")  # as mangled: `std::x<midplane::y>` is not


def output_of(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def public_symbols(library):
    return [line.split()[-1] for line in output_of("nm", "-D", "--defined-only", library).splitlines()]


def measured(library):
    """(KiB stripped, KiB of code, public symbols, the public symbols that are not ours)."""
    with tempfile.NamedTemporaryFile() as copy:
        subprocess.run(["strip", "--strip-unneeded", "-o", copy.name, library], check=True)
        stripped = os.path.getsize(copy.name) / 1024
        text = int(output_of("size", copy.name).splitlines()[1].split()[0]) / 1024
    symbols = public_symbols(library)
    return stripped, text, len(symbols), [symbol for symbol in symbols if not OURS.match(symbol)]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--lib", required=True)
    parser.add_argument("--json", default="")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--seconds", help="for the other rows")
    parser.add_argument("--pairs", help="for the other rows")
    arguments = parser.parse_args()
    for name in LIBRARIES:
        library = os.path.join(arguments.lib, name)
        if not os.path.exists(library):
            print(f"library_size: {name}: not built\n")
            continue
        stripped, text, symbols, foreign = measured(library)
        print(f"library_size: {name}\n  {stripped:.0f} KiB stripped, {text:.0f} KiB of it code; "
              f"{symbols} public symbols, {len(foreign)} of them not of midplane\n")
        if not arguments.json:
            continue
        figures = (("stripped", "KiB", round(stripped, 1)), ("code", "KiB", round(text, 1)),
                   ("public symbols", "symbols", symbols), ("public symbols not of midplane", "symbols", len(foreign)))
        with open(arguments.json, "a", encoding="utf-8") as file:
            for question, unit, value in figures:
                figure = {"row": "library_size", "question": f"{name}, {question}", "unit": unit, "rival": None,
                          "ours": value, "theirs": None, "ratio": None, "spread": 0, "bar": None, "goal": None,
                          "better": "lower", "verdict": "no bar", "quick": arguments.quick,
                          "setting": "strip --strip-unneeded; size; nm -D --defined-only"}
                file.write(json.dumps(figure) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
