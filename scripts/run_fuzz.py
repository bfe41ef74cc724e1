#!/usr/bin/python3
"""Runs each libFuzzer target DIR/test/fuzz/fuzz_* for a bounded time; a crash, a leak or a slow input fails.

The corpus stays in DIR/corpus, seeds come from test/fuzz/corpus/TARGET. The last line is `N passed, N failed`.
"""
import glob
import os
import subprocess
import sys


def main():
    build, seconds = sys.argv[1], int(sys.argv[2])
    top = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    targets = sorted(path for path in glob.glob(os.path.join(build, "test", "fuzz", "fuzz_*"))
                     if os.path.isfile(path) and os.access(path, os.X_OK))
    passed = failed = 0
    for target in targets:
        name = os.path.basename(target)
        corpus = os.path.join(build, "corpus", name)
        os.makedirs(corpus, exist_ok=True)
        seeds = os.path.join(top, "test", "fuzz", "corpus", name)
        command = [target, f"-max_total_time={seconds}", "-timeout=10", "-rss_limit_mb=1024", "-print_final_stats=1",
                   f"-artifact_prefix={os.path.join(build, name)}-", corpus] + ([seeds] if os.path.isdir(seeds) else [])
        try:
            done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=seconds + 120)
            code, output = done.returncode, done.stdout.decode(errors="replace")
        except subprocess.TimeoutExpired as late:
            code, output = -1, (late.stdout or b"").decode(errors="replace") + "\ndid not end"
        runs = [line.rsplit(":", 1)[1].strip() for line in output.splitlines() if "number_of_executed_units" in line]
        print(f"{'FAIL' if code else '  ok'} {name}: {runs[0] if runs else 'unknown'} inputs", flush=True)
        if code:
            failed += 1
            print("\n".join("  | " + line for line in output.splitlines()[-60:]))
        else:
            passed += 1
    if not targets:
        print("skipped: none of the fuzz targets is built (test/fuzz/fuzz_*)")
    print(f"{passed} passed, {failed} failed" + ("" if targets else ", 1 skipped"))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
