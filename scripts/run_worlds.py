#!/usr/bin/python3
"""Shows that the simulated worlds can fail, and that they do not.

For each defect of kind `worlds` in mutants.txt it looks for the first world that breaks a rule, then it runs worlds
without a defect. The last line printed is `N passed, N failed`: a defect or a thousand worlds count as one each.
"""
import argparse
import concurrent.futures
import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass

FIND_WITHIN = 1000    # seeds in which a defect has to show
FIND_SECONDS = 600
PORTION = 200         # worlds of one process
PORTION_SECONDS = 600
COUNTED = 1000


@dataclass
class Run:
    seed: int = 0     # of the world that broke a rule
    rule: str = ""
    kept: bool = False
    seconds: float = 0.0
    output: str = ""


def worlds_program(build):
    return os.path.join(build, "test", "worlds", "worlds")


def run_world(program, mutant, first, count, limit=FIND_SECONDS):
    """Runs worlds up to the first broken rule. A crash or the time limit is neither kept nor a broken rule."""
    run = Run()
    started = time.monotonic()
    command = [program, "--seeds", str(first), str(count)]
    environment = dict(os.environ, MIDPLANE_MUTANT=str(mutant))
    try:
        ended = subprocess.run(command, env=environment, capture_output=True, timeout=limit, check=False)
        run.output = (ended.stdout + ended.stderr).decode(errors="replace")
        broken = re.search(r"^seed (\d+) breaks (\w+) ", run.output, re.M)
        if ended.returncode == 1 and broken:
            run.seed, run.rule = int(broken[1]), broken[2]
        run.kept = ended.returncode == 0
        if not run.kept and not run.rule:
            run.output += f"\nended with {ended.returncode}"
    except subprocess.TimeoutExpired:
        run.output = f"seeds from {first} did not end within {limit} s"
    run.seconds = time.monotonic() - started
    return run


def last_lines(text, count=12):
    return "".join(f"  | {line}\n" for line in text.rstrip().splitlines()[-count:])


def find_defect(program, number):
    """A world that is not sound without the defect proves nothing."""
    run = run_world(program, number, 1, FIND_WITHIN)
    if run.rule and not run_world(program, 0, run.seed, 1).kept:
        run.rule, run.output = "", f"the world of seed {run.seed} is not sound without it"
    return run


def run_portion(program, first, last):
    """All of these worlds; those of the answer broke a rule, or the last of them did not end well."""
    broken = []
    while first <= last:
        run = run_world(program, 0, first, last + 1 - first, PORTION_SECONDS)
        if run.kept:
            break
        broken.append(run)
        if not run.rule:
            break
        first = run.seed + 1
    return broken


def find_defects(program, pool):
    from run_tests import read_mutants
    passed = failed = 0
    print(f"{'defect':6}  {'seed':>4}  {'seconds':>7}  {'rule broken':26}  what is broken in the library")
    mutants = read_mutants("worlds")
    runs = pool.map(lambda mutant: find_defect(program, mutant[0]), mutants)
    for (number, _, what), run in zip(mutants, runs):
        print(f"{number:6}  {run.seed or '-':>4}  {run.seconds:7.1f}  {run.rule or 'NOT FOUND':26}  {what}", flush=True)
        passed += bool(run.rule)
        failed += not run.rule
        if not run.rule:
            print(last_lines(run.output), end="")
    return passed, failed


def run_sound(program, pool, seeds):
    passed = failed = done = 0
    started = time.monotonic()
    firsts = range(1, seeds + 1, PORTION)
    runs = pool.map(lambda first: run_portion(program, first, min(first + PORTION - 1, seeds)), firsts)
    sound = True
    broken = 0
    for first, unsound in zip(firsts, runs):
        done += min(PORTION, seeds + 1 - first)
        for run in unsound:
            sound, broken = False, broken + 1
            print(last_lines(run.output, 1), end="", flush=True)
        if done % COUNTED == 0 or done == seeds:
            passed, failed, word = passed + sound, failed + (not sound), "ok" if sound else "FAIL"
            print(f"{done} of {seeds} worlds without a defect, {time.monotonic() - started:.0f} s, "
                  f"{broken} broke a rule: {word}", flush=True)
            sound = True
    return passed, failed


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("build")
    parser.add_argument("seeds", type=int)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    program = worlds_program(options.build)
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        found, missed = find_defects(program, pool)
        kept, broken = run_sound(program, pool, options.seeds)
    print(f"{found + kept} passed, {missed + broken} failed")
    return 1 if missed + broken else 0


if __name__ == "__main__":
    sys.exit(main())
