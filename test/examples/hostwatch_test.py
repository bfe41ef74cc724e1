#!/usr/bin/python3
"""The main job: agents in three processes, one stopped for a while and one killed; every id is accounted for."""
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


def whats(host):
    return [moment["what"] for moment in report["timeline"] if moment["host"] == host]


def in_order(words, of):
    rest = iter(of)
    return all(word in rest for word in words)


demo = run("demo", "--seconds", "2", "--interval", "20", "--json")
check(demo.returncode == 0, "a short demo ends with exit code 0", demo.stdout + demo.stderr)
report = json.loads(demo.stdout) if demo.stdout else {"topics": [], "timeline": [], "log": {}, "adds_up": False}
rows = report["topics"]
runs = {("inside", 1), ("stopped", 1), ("killed", 1), ("killed", 2)}
wanted = {(f"host.{host}.{kind}", number) for host, number in runs for kind in KINDS}
check({(row["topic"], row["run"]) for row in rows} == wanted, "all five topics come of every run of each agent", rows)
check(report["adds_up"] and all(row["adds_up"] and row["duplicates"] == 0 for row in rows),
      "every id is accounted for", rows)
check(all(row["delivered"] > 0 for row in rows), "every run delivers samples on every topic", rows)
check({row["path"] for row in rows} == {"in process", "zmq tcp"}, "each row names its path", rows)

gaps = [moment for moment in report["timeline"] if moment["what"] == "gap"]
check(in_order(("confirmed", "SIGSTOP", "peer_lost", "SIGCONT", "gap", "recovered"), whats("stopped")),
      "an agent that was stopped is lost, comes back with a gap, and goes on", report["timeline"])
check("incarnation_changed" not in whats("stopped"), "an agent that was stopped is the same as before", whats("stopped"))
lost = {row["topic"]: row["lost"].get("gap", 0) for row in rows if row["lost"].get("gap")}
told = {}
for gap in gaps:
    told[gap["detail"]] = told.get(gap["detail"], 0) + gap["last"] - gap["first"] + 1
check(lost and all(told.get(topic, 0) >= count for topic, count in lost.items()),
      "the ids that are missing were told as gaps", (lost, told))
check(in_order(("confirmed", "SIGKILL", "peer_lost", "log stream ended", "started again", "incarnation_changed",
                "recovered"), whats("killed")),
      "an agent that was killed is lost, comes back as another incarnation, and goes on", report["timeline"])
allowed = {"gap", "killed"}
check(all(set(row["lost"]) <= allowed for row in rows), "what is lost is lost to a gap or to the kill", rows)
times = [moment["at_s"] for moment in report["timeline"]]
check(times == sorted(times), "the timeline is in order", times)
log = report["log"]
check(log.get("lines") == 120 and log.get("in_order"), "120 lines of the log come by stream and in order", log)
check(log.get("dropped"), "the stream ends at the agent when the reader drops it", log)
check(log.get("killed_ended_by") == "peer_lost", "the stream of a killed agent ends with peer_lost", log)

wrong = run("agent", "--name", "no.dots")
check(wrong.returncode == 2 and "--name" in wrong.stderr, "a wrong name is refused with exit code 2", wrong.stderr)
wrong = run("watch", "--peer", "tcp:/nowhere", "--seconds", "1")
check(wrong.returncode == 3 and "invalid_endpoint" in wrong.stderr, "a wrong endpoint is refused with exit code 3",
      wrong.stderr)
for command in ("agent", "watch", "tail", "demo"):
    helped = run(command, "--help")
    check(helped.returncode == 0 and "--help" in helped.stdout, f"{command} has help", helped.stdout)
check("demo --seconds" in run("--help").stdout, "--help shows examples")
print(f"1..{number}")
sys.exit(1 if failed else 0)
