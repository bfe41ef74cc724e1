#!/usr/bin/python3
"""Runs ./bench/run and counts each figure that has a bar: passed when the bar is reached.

usage: run_bench.py REPORT     REPORT: where the figures go, one JSON object each
The last line is `N passed, N failed`; figures without a bar are information.
"""
import json
import subprocess
import sys


def read(path):
    with open(path, encoding="utf-8") as file:
        text = file.read()
    try:
        figures = json.loads(text)
        return figures if isinstance(figures, list) else [figures]
    except json.JSONDecodeError:
        return [json.loads(line) for line in text.splitlines() if line.strip()]


def reached(figure):
    """A figure with a rival is judged by its ratio, one without by its value; an invalid one says nothing."""
    if figure.get("verdict", "").startswith("INVALID"):
        return False
    value = figure["ours"] if figure.get("ratio") is None else figure["ratio"]
    return value >= figure["bar"] if figure["better"] == "higher" else value <= figure["bar"]


def main():
    report = sys.argv[1]
    code = subprocess.run(["./bench/run", "--json", report]).returncode
    judged = []
    try:
        judged = [figure for figure in read(report) if figure.get("bar") is not None]
    except (OSError, ValueError) as problem:
        print(f"no report: {problem}")
        code = code or 1
    missed = [figure for figure in judged if not reached(figure)]
    for figure in missed:
        print(f"FAIL row {figure['row']}: {figure['question']}: ours {figure['ours']} {figure['unit']}, "
              f"ratio {figure.get('ratio')}, bar {figure['bar']} ({figure['better']} is better): {figure.get('verdict')}")
    failed = len(missed) + (1 if code and not missed else 0)
    if code:
        print(f"./bench/run ended with exit code {code}")
    print(f"{len(judged) - len(missed)} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
