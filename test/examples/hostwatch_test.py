#!/usr/bin/python3
"""The main job: an agent and a watcher as two processes, and both in one; every id is accounted for."""
import json
import subprocess
import sys

HOSTWATCH = sys.argv[1]
KINDS = ("cpu", "memory", "network", "disk", "top")
number = 0
failed = 0


def check(fine, what, detail=""):
    global number, failed
    number += 1
    failed += not fine
    print(f"{'ok' if fine else 'not ok'} {number} - {what}")
    if not fine and detail:
        print("# " + str(detail).replace("\n", "\n# "))


def run(*words):
    return subprocess.run([HOSTWATCH, *words], capture_output=True, text=True, timeout=50)


demo = run("demo", "--seconds", "1", "--interval", "20", "--json")
check(demo.returncode == 0, "a demo of one second ends with exit code 0", demo.stdout + demo.stderr)
rows = json.loads(demo.stdout) if demo.returncode in (0, 1) else []
wanted = {f"host.{host}.{kind}" for host in ("inside", "outside") for kind in KINDS}
check({row["topic"] for row in rows} == wanted, "all five topics come in process and over ZeroMQ", rows)
check(all(row["adds_up"] and row["duplicates"] == 0 for row in rows), "every id is accounted for", rows)
check(all(row["delivered"] > 10 for row in rows), "samples arrive all the time", rows)
check({row["path"] for row in rows} == {"in process", "zmq tcp"}, "each row names its path", rows)

wrong = run("agent", "--name", "no.dots")
check(wrong.returncode == 2 and "--name" in wrong.stderr, "a wrong name is refused with exit code 2", wrong.stderr)
wrong = run("watch", "--peer", "tcp:/nowhere", "--seconds", "1")
check(wrong.returncode == 3 and "invalid_endpoint" in wrong.stderr, "a wrong endpoint is refused with exit code 3",
      wrong.stderr)
check("demo --seconds" in run("--help").stdout, "--help shows examples")
print(f"1..{number}")
sys.exit(1 if failed else 0)
