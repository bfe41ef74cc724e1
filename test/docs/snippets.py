#!/usr/bin/python3
"""Writes the ```cpp blocks of pages as one C++ file, each in a function that is given a bus. Usage: snippets.py OUTPUT PAGE...

```cpp global stands outside of a function; ```cpp file NAME is a file of its own (docs_test.py) and left out.
"""
import pathlib
import re
import sys

parts = ['#include "snippets.hpp"\n']
for page in map(pathlib.Path, sys.argv[2:]):
    text = page.read_text()
    for number, block in enumerate(re.finditer(r"^```cpp([^\n]*)\n(.*?)^```$", text, re.M | re.S)):
        kind, code = block[1].strip(), block[2]
        line = text[:block.start()].count("\n") + 2
        place = f'#line {line} "docs/{page.name}"\n'
        if kind == "global":
            parts.append(place + code)
        elif not kind.startswith("file"):
            parts.append(f"void {page.stem}_{number}([[maybe_unused]] midplane::Bus& bus) {{\n{place}{code}}}\n")
pathlib.Path(sys.argv[1]).write_text("\n".join(parts))
