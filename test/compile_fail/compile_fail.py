#!/usr/bin/python3
"""Wrong code must not compile, and for the right reason.

Each .cpp here is a pair of twins: with -DGOOD it compiles; without, it fails with a message that matches the
pattern of its `// expect-error: REGEX` line (several lines: all of them). Each compiler is asked.

usage: compile_fail.py [--flatc FLATC] [--include DIR]... COMPILER...
Speaks TAP; a compiler that is not there is skipped.
"""
import argparse
import concurrent.futures
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile

FLAGS = ["-std=c++20", "-fsyntax-only", "-Wall", "-Wextra", "-Werror=unused-result", "-fno-diagnostics-color"]


def judge(compiler, path, includes):
    """None when both twins behave, otherwise what was wrong."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    patterns = re.findall(r"^// expect-error: (.+)$", text, re.M)
    if not patterns or not re.search(r"^#\s*(ifdef|ifndef|if defined\()\s*GOOD", text, re.M):
        return "needs a `// expect-error: REGEX` line and a twin under `#ifdef GOOD`"
    command = [compiler, *FLAGS, *(f"-I{folder}" for folder in includes), path]
    environment = dict(os.environ, LC_ALL="C")
    good = subprocess.run(command + ["-DGOOD"], capture_output=True, text=True, env=environment)
    if good.returncode != 0:
        return "the right twin does not compile:\n" + good.stderr[:4000]
    wrong = subprocess.run(command, capture_output=True, text=True, env=environment)
    if wrong.returncode == 0:
        return "the wrong twin compiles"
    for pattern in patterns:
        if not re.search(pattern, wrong.stderr):
            return f"the message does not match {pattern!r}:\n" + wrong.stderr[:4000]
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--flatc", default="flatc")
    parser.add_argument("--include", action="append", default=[])
    parser.add_argument("compilers", nargs="+")
    options = parser.parse_args()
    here = os.path.dirname(os.path.abspath(__file__))
    twins = sorted(glob.glob(os.path.join(here, "*.cpp")))
    cases = [(compiler, path) for compiler in options.compilers for path in twins]
    failures = 0
    with tempfile.TemporaryDirectory(prefix="midplane-twins-") as generated:
        for schema in glob.glob(os.path.join(here, "*.fbs")):
            subprocess.run([options.flatc, "--cpp", "--cpp-std", "c++17", "--gen-object-api", "-o", generated, schema],
                           check=True)
        includes = [os.path.join(here, "..", "..", "include"), generated] + options.include
        print(f"1..{len(cases)}")
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            there = {compiler: shutil.which(compiler) for compiler in options.compilers}
            answers = [pool.submit(judge, compiler, path, includes) if there[compiler] else None
                       for compiler, path in cases]
            for number, ((compiler, path), answer) in enumerate(zip(cases, answers), 1):
                what = f"{os.path.basename(path)[:-4].replace('_', ' ')} ({os.path.basename(compiler)})"
                wrong = answer.result() if answer else None
                failures += wrong is not None
                skip = "" if answer else " # SKIP not installed"
                print(f"{'ok' if wrong is None else 'not ok'} {number} - {what}{skip}")
                if wrong:
                    print("# " + wrong.replace("\n", "\n# "), flush=True)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
