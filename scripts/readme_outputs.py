#!/usr/bin/python3
"""Runs ./demo and ./check and writes the end of their real output into the README, between its markers, under `...` when
there is more of it; then the recordings of the midplane program, there and in docs/midplane.md (scripts/recordings.py)."""
import pathlib
import re
import subprocess
import sys

root = pathlib.Path(__file__).resolve().parent.parent
readme = root / "README.md"
LINES_MAX = {"./demo": 40, "./check": 5}

text = readme.read_text()
for command, lines_max in LINES_MAX.items():
    run = subprocess.run([command], cwd=root, capture_output=True, text=True)
    if run.returncode != 0:
        sys.exit(f"{command} ended with {run.returncode}; the README is unchanged\n{run.stdout[-2000:]}{run.stderr[-2000:]}")
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", run.stdout)
    lines = plain.rstrip().splitlines()
    shown = "\n".join((["..."] if len(lines) > lines_max else []) + lines[-lines_max:])
    block = f"<!-- output of {command} -->\n```console\n$ {command}\n{shown}\n```\n<!-- end -->"
    text, count = re.subn(rf"<!-- output of {re.escape(command)} -->.*?<!-- end -->", lambda _: block, text, flags=re.S)
    if count != 1:
        sys.exit(f"README.md has no markers for {command}")
readme.write_text(text)
recordings = [root / "scripts" / "recordings.py", "--write", root / "build", readme, root / "docs" / "midplane.md"]
sys.exit(subprocess.run(["/usr/bin/python3", *recordings]).returncode)
