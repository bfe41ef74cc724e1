#!/usr/bin/python3
"""Runs one example and compares its output with NAME.expected, to the byte. Usage: examples_test.py PROGRAM SOURCE.cpp

The example must also say its problem first, stay under 100 lines and not sleep.
"""
import pathlib
import re
import subprocess
import sys

program, source = sys.argv[1], pathlib.Path(sys.argv[2])
text = source.read_text()
faults = []
if not text.startswith("// Problem: "):
    faults.append("its first line must state the problem: // Problem: ...")
if len(text.splitlines()) >= 100:
    faults.append("it must be under 100 lines")
if re.search(r"sleep_(for|until)|\bu?sleep\s*\(", text):
    faults.append("it must not sleep")
try:
    run = subprocess.run([program], capture_output=True, text=True, timeout=60)
    if run.returncode != 0:
        faults.append(f"exit code {run.returncode}: {run.stderr.strip()}")
    expected = source.with_suffix(".expected").read_text()
    if run.stdout != expected:
        faults.append(f"its output differs\n--- expected\n{expected}--- got\n{run.stdout}")
except subprocess.TimeoutExpired:
    faults.append("it did not end within 60 s")

print("1..1")
print(f"{'not ok' if faults else 'ok'} 1 - example {source.stem} prints what {source.stem}.expected says")
for fault in faults:
    print("# " + fault.replace("\n", "\n# "))
sys.exit(1 if faults else 0)
