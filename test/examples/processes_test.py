#!/usr/bin/python3
"""Runs an example of several processes on loopback and compares what they print with a transcript.

Usage: processes_test.py TRANSCRIPT PROGRAM...   A line `$ NAME ARGUMENT...` starts PROGRAM of that name, the lines after it
are its output. One with --listen goes on in the background and says `listening at ADDRESS`; PORT stands for its port.
"""
import pathlib
import re
import subprocess
import sys

LIMIT = 60
transcript, programs = pathlib.Path(sys.argv[1]), {pathlib.Path(path).name: path for path in sys.argv[2:]}
lines = transcript.read_text().splitlines()
started, port, faults = [], "PORT", []
try:
    for line in lines:
        if not line.startswith("$ "):
            continue
        name, *arguments = line[2:].replace("PORT", port).split()
        process = subprocess.Popen([programs[name], *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, text=True)
        started.append([line, process, ""])
        if "--listen" in arguments:
            first = process.stdout.readline()
            started[-1][2] = first
            found = re.search(r":(\d+)$", first.strip())
            port = found[1] if found else port
        else:
            started[-1][2] = process.communicate(timeout=LIMIT)[0]
    for entry in started:
        if entry[1].poll() is None or not entry[1].stdout.closed:
            entry[2] += entry[1].communicate(timeout=LIMIT)[0]
        if entry[1].returncode != 0:
            faults.append(f"{entry[0]}: exit code {entry[1].returncode}")
except subprocess.TimeoutExpired as late:
    faults.append(f"did not end within {LIMIT} s: {late.cmd}")
finally:
    for _, process, _ in started:
        if process.poll() is None:
            process.kill()
            process.wait()

got = "".join(f"{line}\n{output}" for line, _, output in started)
got = re.sub(rf":{port}\b", ":PORT", got)
if got != transcript.read_text():
    faults.append(f"its output differs\n--- expected\n{transcript.read_text()}--- got\n{got}")
print("1..1")
print(f"{'not ok' if faults else 'ok'} 1 - the processes of {transcript.stem} print what {transcript.name} says")
for fault in faults:
    print("# " + fault.replace("\n", "\n# "))
sys.exit(1 if faults else 0)
