#!/usr/bin/python3
"""Runs a program with a seeded race and expects ThreadSanitizer to report it: the positive control."""
import os
import subprocess
import sys

program, name = sys.argv[1], sys.argv[2]
environment = dict(os.environ, TSAN_OPTIONS="exitcode=66 halt_on_error=0")
run = subprocess.run([program], capture_output=True, text=True, timeout=120, env=environment)
caught = run.returncode == 66 and "data race" in run.stderr
print("1..1")
print(f"{'ok' if caught else 'not ok'} 1 - ThreadSanitizer sees the race seeded in {name}")
if not caught:
    print(f"# exit code {run.returncode}", run.stderr[-2000:].replace("\n", "\n# "))
sys.exit(0 if caught else 1)
