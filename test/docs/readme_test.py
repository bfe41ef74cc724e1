#!/usr/bin/python3
"""Runs the README's program, compiled from its text, and compares the output with the block that follows it.

Usage: readme_test.py README PROGRAM [REPOSITORY]. Also: every path and every test name that the README gives exists.
"""
import pathlib
import re
import subprocess
import sys

readme = pathlib.Path(sys.argv[1])
text = readme.read_text()
root = readme.parent
results = []

shown = re.search(r"^```cpp\n.*?^```\n.*?^```text\n(.*?)^```$", text, re.M | re.S)
run = subprocess.run([sys.argv[2]], capture_output=True, text=True, timeout=60)
results.append(("the README's program prints what the README shows",
                run.returncode == 0 and bool(shown) and run.stdout == shown.group(1)))

missing = [link for link in re.findall(r"\]\(([^)#:]+)\)", text) if not (root / link).exists()]
results.append(("every file that the README links exists" + (": " + ", ".join(missing) if missing else ""), not missing))

# A test is named in the table of promises as `folder/file.cpp`, relative to test/.
tests = re.findall(r"`((?:[a-z_]+/)+[a-z_]+_test\.cpp)`", text)
missing = [name for name in tests if not (root / "test" / name).exists()]
results.append(("every test that the README names exists" + (": " + ", ".join(missing) if missing else ""), not missing))

print(f"1..{len(results)}")
for number, (name, good) in enumerate(results, 1):
    print(f"{'ok' if good else 'not ok'} {number} - {name}")
sys.exit(0 if all(good for _, good in results) else 1)
