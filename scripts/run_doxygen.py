#!/usr/bin/python3
"""Writes the API reference of the public headers; a symbol without documentation, or any other warning, fails.

Usage: run_doxygen.py [OUTPUT_FOLDER]    default: build-docs; html/index.html is the door.
"""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
# Moving, copying and the protocol of co_await say nothing that the class does not.
SPECIAL = re.compile(r"Member (operator=|operator bool|await_(ready|suspend|resume)|value_type|(\w+)\((const )?\3 ?&)")

output = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "build-docs").resolve()
output.mkdir(parents=True, exist_ok=True)
settings = (ROOT / "docs/Doxyfile").read_text() + f"OUTPUT_DIRECTORY = {output}\n"
run = subprocess.run(["doxygen", "-"], input=settings, cwd=ROOT, capture_output=True, text=True)
warnings = sorted({line.replace(str(ROOT) + "/", "") for line in run.stderr.splitlines()
                   if "warning:" in line and not SPECIAL.search(line)})
for line in warnings:
    print(line)
if run.returncode != 0:
    print(f"doxygen ended with {run.returncode}: {run.stderr[-1000:]}")
documented = len(list((output / "html").rglob("*.html")))
print(f"{documented} pages in {output}/html, {len(warnings)} warnings")
sys.exit(1 if warnings or run.returncode != 0 or documented == 0 else 0)
