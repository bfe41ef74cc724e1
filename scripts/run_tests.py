#!/usr/bin/python3
"""Runs the tests of a build directory and counts what they prove.

A doctest program counts by TEST_CASE, a test with `protocol: 'tap'` by its lines, any other test as one (exit code
77: skipped). Which tests there are, their time limits and suites comes from `meson introspect --tests`. The last line
printed is `N passed, N failed`, with `, N skipped` when something was.

Suites with a meaning here: `soak`, `soak_tcp` and `every_package` run only when asked for; `--without` and `--only`
name others. What was skipped is printed with its reason.
A test that is not `is_parallel` runs alone, after the others.
"""
import argparse
import concurrent.futures
import json
import mmap
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field

from run_worlds import run_world, worlds_program

OUTPUT_LINES_MAX = 60  # of one failed test; the whole log stands in DIR/test-logs
MUTANTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "mutants.txt")


@dataclass
class Outcome:
    name: str
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    seconds: float = 0.0
    code: int = 0
    timed_out: bool = False
    complaints: list = field(default_factory=list)
    skips: list = field(default_factory=list)
    output: str = ""


def is_doctest(path):
    """Asks the program itself, so that no test can be counted wrongly by forgetting a flag."""
    try:
        with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return content[:4] == b"\x7fELF" and content.find(b"doctest version is") >= 0
    except (OSError, ValueError):
        return False


def run(command, test, timeout, live):
    """Runs to the end or the limit; whatever it started ends with it. Returns (code, output, timed_out)."""
    environment = dict(os.environ)
    environment.update(test["env"])
    environment.setdefault("ASAN_OPTIONS", "detect_stack_use_after_return=1:strict_string_checks=1")
    environment.setdefault("UBSAN_OPTIONS", "print_stacktrace=1:halt_on_error=1")
    environment.setdefault("TSAN_OPTIONS", "second_deadlock_stack=1")
    process = subprocess.Popen(command, cwd=test["workdir"], env=environment, stdin=subprocess.DEVNULL,
                               stdout=None if live else subprocess.PIPE, stderr=None if live else subprocess.STDOUT,
                               start_new_session=True)
    timed_out = False
    try:
        output, _ = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        timed_out = True
        os.killpg(process.pid, signal.SIGKILL)
        output, _ = process.communicate()
    except BaseException:
        os.killpg(process.pid, signal.SIGKILL)
        raise
    else:
        try:
            os.killpg(process.pid, signal.SIGKILL)  # children that a failed test left behind
        except ProcessLookupError:
            pass
    return process.returncode, (output or b"").decode(errors="replace"), timed_out


def read_doctest(path, outcome):
    """Counts the test cases in an XML report; one that was cut off counts as far as it goes."""
    parser = ElementTree.XMLPullParser(["start", "end"])
    current, finished = None, False
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            parser.feed(file.read())
        for event, node in parser.read_events():
            if node.tag == "TestCase" and event == "start":
                current = node.get("name")
            elif node.tag == "TestCase":
                current = None
                asserts = node.find("OverallResultsAsserts")  # a skipped one has none
                if asserts is not None and asserts.get("test_case_success") == "true":
                    outcome.passed += 1
                elif asserts is not None:
                    outcome.failed += 1
                    outcome.complaints.append(complaint(node))
            elif node.tag == "OverallResultsTestCases" and event == "end":
                outcome.skipped += int(node.get("skipped", "0"))
                finished = True
    except (OSError, ElementTree.ParseError):
        pass
    if not finished:
        outcome.failed += 1
        outcome.complaints.append(f"ended inside TEST_CASE: {current}" if current else "ended without a report")


def complaint(case):
    lines = [f"{case.get('filename')}:{case.get('line')}: TEST_CASE: {case.get('name')}"]

    def walk(node, path):
        for child in node:
            if child.tag == "SubCase":
                walk(child, path + [child.get("name") or ""])
            elif child.tag == "Expression" and child.get("success") != "true":
                text = {part.tag: (part.text or "").strip() for part in child}
                lines.append("  " + " / ".join(path + [f"{child.get('filename')}:{child.get('line')}"]))
                lines.append(f"    {child.get('type')}( {text.get('Original', '')} )")
                if "Expanded" in text:
                    lines.append(f"    was: {text['Expanded']}")
                lines.extend(f"    {tag}: {text[tag]}" for tag in text if tag not in ("Original", "Expanded"))
            elif child.tag in ("Exception", "Message"):
                lines.append(f"  {child.tag}: {''.join(child.itertext()).strip()}")

    walk(case, [])
    if case.find("OverallResultsAsserts").get("failures") == "0" and len(lines) == 1:
        lines.append("  no assertion failed; a decorator (timeout, should_fail) did")
    return "\n".join(lines)


def read_tap(outcome):
    plan = None
    for line in outcome.output.splitlines():
        match = re.match(r"(not )?ok\b[ \d]*-? ?(.*)", line)
        if match and re.search(r"# *skip", match[2], re.I):
            outcome.skipped += 1
            outcome.skips.append(match[2])
        elif match and match[1]:
            outcome.failed += 1
            outcome.complaints.append(match[2])
        elif match:
            outcome.passed += 1
        elif re.match(r"1\.\.\d+$", line):
            plan = int(line[3:])
    seen = outcome.passed + outcome.failed + outcome.skipped
    if plan is None or plan != seen:
        outcome.failed += 1
        outcome.complaints.append(f"planned {plan}, reported {seen}")


def run_test(test, options, environment=None):
    test = dict(test, env={**test["env"], **(environment or {})})
    outcome = Outcome(test["name"])
    multiplier = options.timeout_multiplier
    timeout = test["timeout"] * multiplier if multiplier > 0 and test["timeout"] > 0 else None
    started = time.monotonic()
    doctest = is_doctest(test["cmd"][0])
    with tempfile.TemporaryDirectory(prefix="midplane-test-") as directory:
        report = os.path.join(directory, "report.xml")
        command = list(test["cmd"])
        if doctest:
            command += ["--reporters=xml", f"--out={report}"]
        outcome.code, outcome.output, outcome.timed_out = run(command, test, timeout, options.live)
        if doctest:
            read_doctest(report, outcome)
    if not doctest and test["protocol"] == "tap":
        read_tap(outcome)
    elif not doctest and outcome.code in (0, 77):
        outcome.passed, outcome.skipped = int(outcome.code == 0), int(outcome.code == 77)
    if outcome.timed_out:
        outcome.complaints.append(f"did not end within {timeout:.0f} s")
    elif outcome.code not in (0, 77):
        outcome.complaints.append(f"exit code {outcome.code}" if outcome.code > 0 else
                                  f"ended by {signal.Signals(-outcome.code).name}")
    if (outcome.timed_out or outcome.code not in (0, 77)) and outcome.failed == 0:
        outcome.failed = 1  # a sanitizer's or an exit handler's word counts as well
    outcome.seconds = time.monotonic() - started
    return outcome


def read_mutants(kind):
    """Lines of mutants.txt: kind, number, name of the meson test or seed of the world, what is broken."""
    with open(MUTANTS, encoding="utf-8") as file:
        rows = [line.split(None, 3) for line in file if line.strip() and not line.startswith("#")]
    return [(number, where, what.strip()) for row_kind, number, where, what in rows if row_kind == kind]


def run_world_mutants(options):
    """Each defect of the links must break a rule of the world it was found in; without it that world is sound."""
    program = worlds_program(options.build)
    sound = {}
    for number, seed, what in read_mutants("worlds"):
        outcome = Outcome(f"mutant {number}: {what}")
        if seed not in sound:
            sound[seed] = run_world(program, "0", int(seed), 1)
        got = run_world(program, number, int(seed), 1)
        outcome.seconds, outcome.output = got.seconds, got.output
        if not sound[seed].kept:
            outcome.complaints.append(f"the world of seed {seed} is not sound without it")
            outcome.output = sound[seed].output
        elif not got.rule:
            outcome.complaints.append(f"the world of seed {seed} did not catch it; ./check --worlds looks for another")
        outcome.failed = len(outcome.complaints)
        outcome.passed = 1 - outcome.failed
        yield outcome


def run_mutants(kind, tests, options):
    """Each seeded defect must make its test fail, and without it the same test must pass."""
    by_name = {test["name"]: test for test in tests}
    sound = {}
    for number, name, what in read_mutants(kind):
        outcome = Outcome(f"mutant {number}: {what}")
        if name not in by_name:
            outcome.failed = 1
            outcome.complaints.append(f"there is no test {name}")
            yield outcome
            continue
        if name not in sound:
            sound[name] = run_test(by_name[name], options, {"MIDPLANE_MUTANT": "0"})
            if sound[name].failed:
                yield sound[name]
        got = run_test(by_name[name], options, {"MIDPLANE_MUTANT": number})
        raced = "WARNING: ThreadSanitizer: data race" in got.output
        caught = raced if kind == "races" else got.failed > 0 and got.code > 0 and not got.timed_out
        outcome.passed = int(caught and not sound[name].failed)
        outcome.failed = 1 - outcome.passed
        outcome.seconds, outcome.output = got.seconds, got.output
        if not caught:
            outcome.complaints.append(f"{name} did not catch it" + (" and did not end" if got.timed_out else ""))
        yield outcome


def show(outcome, logs):
    counts = [f"{outcome.passed} passed"] + [f"{n} {word}" for n, word in
                                            ((outcome.failed, "failed"), (outcome.skipped, "skipped")) if n]
    verdict = "FAIL" if outcome.failed else "  ok"
    print(f"{verdict} {outcome.seconds:6.1f} s  {outcome.name}: {', '.join(counts)}", flush=True)
    for text in outcome.skips:
        print(f"  skipped: {text}")
    with open(os.path.join(logs, re.sub(r"[^\w.-]+", "_", outcome.name) + ".txt"), "w", encoding="utf-8") as file:
        file.write("\n".join(outcome.complaints + [outcome.output]))
    if outcome.failed:
        for text in outcome.complaints:
            print("  " + text.replace("\n", "\n  "))
        lines = outcome.output.rstrip().splitlines()
        if len(lines) > OUTPUT_LINES_MAX:
            print(f"  | ... {len(lines) - OUTPUT_LINES_MAX} lines before these")
        for line in lines[-OUTPUT_LINES_MAX:]:
            print("  | " + line)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("build")
    parser.add_argument("--timeout-multiplier", type=float, default=1.0, help="0: no limit")
    parser.add_argument("--only", metavar="SUITE", help="run only this suite")
    parser.add_argument("--without", metavar="SUITE", action="append", default=["soak", "soak_tcp", "every_package"])
    parser.add_argument("--live", action="store_true", help="show output while it comes")
    parser.add_argument("--mutants", metavar="KIND", action="append", default=[],
                        help="also run the seeded defects of this kind")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()

    listing = subprocess.run(["meson", "introspect", "--tests", options.build], check=True, capture_output=True)
    every = json.loads(listing.stdout)
    for test in every:
        test["workdir"] = test["workdir"] or options.build  # where relative names of built programs begin
    suites = {id(test): {suite.split(":")[-1] for suite in test["suite"]} for test in every}
    if options.only:
        tests = [test for test in every if options.only in suites[id(test)]]
    else:
        tests = [test for test in every if not suites[id(test)] & set(options.without)]
    logs = os.path.join(options.build, "test-logs")
    os.makedirs(logs, exist_ok=True)

    outcomes = []
    together = [test for test in tests if test["is_parallel"]]
    alone = [test for test in tests if not test["is_parallel"]]
    with concurrent.futures.ThreadPoolExecutor(1 if options.live else options.jobs) as pool:
        running = [pool.submit(run_test, test, options) for test in together]
        for done in concurrent.futures.as_completed(running):
            outcomes.append(done.result())
            show(outcomes[-1], logs)
    for test in alone:
        outcomes.append(run_test(test, options))
        show(outcomes[-1], logs)
    for kind in options.mutants:
        for outcome in run_world_mutants(options) if kind == "worlds" else run_mutants(kind, every, options):
            outcomes.append(outcome)
            show(outcome, logs)

    passed, failed, skipped = (sum(getattr(o, what) for o in outcomes) for what in ("passed", "failed", "skipped"))
    if passed + failed == 0:
        print("no test was run")
        failed = 1
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
