#!/usr/bin/python3
"""Runs each libFuzzer target DIR/test/fuzz/fuzz_* for a bounded time; a crash, a leak or a slow input fails.

The corpus stays in DIR/corpus, seeds come from test/fuzz/corpus/TARGET. For each target the lines of its parser's files
that were reached are printed; fewer than the goal fail. With --mutants each seeded defect of the kind fuzz
(scripts/mutants.txt) must be found by its target instead. With --keep nothing is run: what was found before becomes
seeds. The last line is `N passed, N failed`.
"""
import glob
import os
import subprocess
import sys

from run_coverage import ranges

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
GOAL = 90
PARSERS = {
    "fuzz_frame": ["lib/wire/frame.cpp"],
    "fuzz_bodies": ["lib/wire/frame_bodies.cpp"],
    "fuzz_greeting": ["lib/link/greeting.cpp"],
    "fuzz_link": ["lib/link/arrivals.cpp", "lib/link/payloads.cpp"],
    "fuzz_schema": ["lib/schema/" + name + ".cpp" for name in (
        "bfbs_shape", "soundness", "schema", "fingerprint", "evolution", "enum_evolution", "changes", "verdicts")],
    "fuzz_payload": ["lib/schema/payload.cpp", "lib/schema/json.cpp", "lib/schema/json_text.cpp"],
}


def run(build, target, seconds, corpus, environment):
    """Exit code and output of one bounded run."""
    os.makedirs(corpus, exist_ok=True)
    name = os.path.basename(target)
    seeds = os.path.join(TOP, "test", "fuzz", "corpus", name)
    command = [target, f"-max_total_time={seconds}", "-timeout=10", "-rss_limit_mb=1024", "-print_final_stats=1",
               f"-artifact_prefix={os.path.join(build, name)}-", corpus] + ([seeds] if os.path.isdir(seeds) else [])
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=seconds + 120,
                              env=dict(os.environ, **environment))
        return done.returncode, done.stdout.decode(errors="replace")
    except subprocess.TimeoutExpired as late:
        return -1, (late.stdout or b"").decode(errors="replace") + "\ndid not end"


def coverage(target, profile):
    """Per parser file of the target: its lines, and those not reached. Empty without the tools."""
    merged = profile + ".data"
    try:
        subprocess.run(["llvm-profdata-14", "merge", "-sparse", profile, "-o", merged], check=True, timeout=120)
        told = subprocess.run(["llvm-cov-14", "export", "-format=lcov", target, f"-instr-profile={merged}"], check=True,
                              timeout=120, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    except (OSError, subprocess.SubprocessError):
        return {}
    found, lines = {}, {}
    for line in told.stdout.decode(errors="replace").splitlines():
        kind, _, value = line.partition(":")
        if kind == "SF":
            path = os.path.normpath(os.path.join(os.path.dirname(target), value))
            lines = {}
            for parser in PARSERS.get(os.path.basename(target), []):
                if path.endswith("/" + parser):
                    lines = found.setdefault(parser, {})
        elif kind == "DA":
            number, count = value.split(",")[:2]
            lines[int(number)] = lines.get(int(number), 0) + int(count)
    return {parser: (len(counts), sorted(number for number, count in counts.items() if count == 0))
            for parser, counts in found.items()}


def report(covered):
    """Prints the table of one target; False when too little of its parser was reached."""
    whole = sum(lines for lines, _ in covered.values())
    reached = whole - sum(len(missed) for _, missed in covered.values())
    good = reached * 100 >= whole * GOAL
    for parser, (lines, missed) in covered.items():
        print(f"       {parser:30} {lines:5} lines {lines - len(missed):5} reached {100 * (lines - len(missed)) / lines:6.1f} %"
              + (f"   not: {ranges(missed)}" if missed else ""), flush=True)
    if covered:
        print(f"       {'its parser':30} {whole:5} lines {reached:5} reached {100 * reached / whole:6.1f} %, "
              f"{'at least' if good else 'BELOW'} {GOAL} %", flush=True)
    return good


def fuzz(build, targets, seconds):
    passed = failed = 0
    for target in targets:
        name = os.path.basename(target)
        profile = os.path.join(build, name + ".profraw")
        code, output = run(build, target, seconds, os.path.join(build, "corpus", name), {"LLVM_PROFILE_FILE": profile})
        runs = [line.rsplit(":", 1)[1].strip() for line in output.splitlines() if "number_of_executed_units" in line]
        covered = coverage(target, profile)
        print(f"{'FAIL' if code else '  ok'} {name}: {runs[0] if runs else 'unknown'} inputs", flush=True)
        good = report(covered) and not code
        if code:
            print("\n".join("  | " + line for line in output.splitlines()[-60:]))
        passed, failed = passed + int(good), failed + int(not good)
    return passed, failed


def keep(build, targets, _):
    """Adds to test/fuzz/corpus what the runs before have found and what reaches something that nothing there does."""
    passed = failed = 0
    for target in targets:
        name = os.path.basename(target)
        seeds = os.path.join(TOP, "test", "fuzz", "corpus", name)
        os.makedirs(seeds, exist_ok=True)
        done = subprocess.run([target, "-merge=1", "-timeout=10", seeds, os.path.join(build, "corpus", name)], check=False,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=600,
                              env=dict(os.environ, LLVM_PROFILE_FILE=os.devnull))
        size = sum(os.path.getsize(os.path.join(seeds, one)) for one in os.listdir(seeds))
        print(f"{'FAIL' if done.returncode else '  ok'} {name}: {len(os.listdir(seeds))} seeds, {size} bytes", flush=True)
        passed, failed = passed + int(not done.returncode), failed + int(done.returncode != 0)
    return passed, failed


def mutants(build, targets, seconds):
    by_name = {os.path.basename(target): target for target in targets}
    passed = failed = 0
    with open(os.path.join(TOP, "scripts", "mutants.txt"), encoding="utf-8") as file:
        rows = [line.split(None, 3) for line in file if line.startswith("fuzz ")]
    for _, number, name, what in rows:
        environment = {"MIDPLANE_MUTANT": number, "LLVM_PROFILE_FILE": os.devnull}
        code, output = run(build, by_name[name], seconds, os.path.join(build, "corpus", f"mutant-{number}"), environment)
        found = code not in (0, -1) and "SUMMARY: " in output
        why = [line for line in output.splitlines() if "broken:" in line or line.startswith("SUMMARY: ")]
        print(f"{'  ok' if found else 'FAIL'} mutant {number} by {name}: {what.strip()}: {why[0] if why else 'not found'}", flush=True)
        passed, failed = passed + int(found), failed + int(not found)
    return passed, failed


def main():
    build, seconds = sys.argv[1], int(sys.argv[2])
    targets = sorted(path for path in glob.glob(os.path.join(build, "test", "fuzz", "fuzz_*"))
                     if os.path.isfile(path) and os.access(path, os.X_OK))
    what = mutants if "--mutants" in sys.argv else keep if "--keep" in sys.argv else fuzz
    passed, failed = what(build, targets, seconds)
    if not targets:
        print("skipped: none of the fuzz targets is built (test/fuzz/fuzz_*)")
    print(f"{passed} passed, {failed} failed" + ("" if targets else ", 1 skipped"))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
