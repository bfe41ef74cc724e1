#!/usr/bin/python3
"""Writes the first ```cpp block of a document into a file. Usage: extract.py DOCUMENT OUTPUT"""
import pathlib
import re
import sys

block = re.search(r"^```cpp\n(.*?)^```$", pathlib.Path(sys.argv[1]).read_text(), re.M | re.S)
if not block:
    sys.exit(f"{sys.argv[1]}: no ```cpp block")
pathlib.Path(sys.argv[2]).write_text(block.group(1))
