#!/usr/bin/python3
"""The midplane program from outside, against hostwatch, of whose types it knows nothing; and everything that is wrong.

usage: program_test.py MIDPLANE HOSTWATCH DEPOT
"""
import contextlib
import json
import os
import pathlib
import pty
import signal
import socket
import subprocess
import sys
import tempfile
import threading

MIDPLANE, HOSTWATCH, DEPOT = (str(pathlib.Path(path).resolve()) for path in sys.argv[1:4])
ALONE = {key: value for key, value in os.environ.items() if key != "MIDPLANE_PEERS"}
number = 0
failed = 0


def check(fine, what, detail=""):
    global number, failed
    number += 1
    failed += not fine
    print(f"{'ok' if fine else 'not ok'} {number} - {what}", flush=True)
    if not fine:
        print("# " + str(detail).replace("\n", "\n# "), flush=True)


class Ran:
    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    def __str__(self):
        return f"exit {self.code}\n{self.out}\n-- stderr\n{self.err}"

    @property
    def objects(self):
        return [json.loads(line) for line in self.out.splitlines()]


def run(*words, peers=None, stdin="", binary=False, cwd=None):
    environment = dict(ALONE, **({"MIDPLANE_PEERS": peers} if peers else {}))
    done = subprocess.run([MIDPLANE, *words], capture_output=True, input=stdin.encode(), timeout=40, env=environment, cwd=cwd)
    return Ran(done.returncode, done.stdout if binary else done.stdout.decode(), done.stderr.decode())


def on_terminal(*words):
    """What stands on a terminal that is both stdout and stderr."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen([MIDPLANE, *words], stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs, env=ALONE)
    os.close(theirs)
    shown = b""
    with contextlib.suppress(OSError):  # that is how it ends
        while piece := os.read(ours, 4096):
            shown += piece
    os.close(ours)
    process.wait(timeout=20)
    return shown.decode().replace("\r\n", "\n")


def refused(what, code, words, *said, **how):
    """It ends with this code, and the message holds all these words."""
    got = run(*words, **how)
    check(got.code == code and all(word in got.err for word in said), what, f"{words}: wanted {code} and {said}\n{got}")


def agent(name, *words):
    return server(HOSTWATCH, "agent", "--name", name, "--listen", "tcp://127.0.0.1:0", "--interval", "20", *words)


def depot(van, address="tcp://127.0.0.1:0"):
    return server(DEPOT, van, address)


@contextlib.contextmanager
def server(*words):
    """Its first line is the address where it listens; it ends with its input."""
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield process.stdout.readline().strip()
    finally:
        process.stdin.close()
        process.wait(timeout=20)
        process.stdout.close()


@contextlib.contextmanager
def stranger():
    """Accepts connections and says nothing, as some other program on that port."""
    listener = socket.create_server(("127.0.0.1", 0))
    held = []

    def accept():
        with contextlib.suppress(OSError):
            while True:
                held.append(listener.accept()[0])

    thread = threading.Thread(target=accept)
    thread.start()
    try:
        yield f"tcp://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()
        for one in held:
            one.close()


def free_address():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"tcp://127.0.0.1:{probe.getsockname()[1]}"


def ls(at):
    got = run("ls", "--peer", at)
    check(got.code == 0 and "host.db1.cpu" in got.out and "hostwatch.CpuSample" in got.out and "host.db1.log" in got.out,
          "ls shows topics and services with their types", got)
    got = run("ls", "--json", "--for", "300ms", "--peer", at)
    kinds = {kind: [one for one in got.objects if one["kind"] == kind] for kind in ("bus", "topic", "service", "subscription")}
    check([bus["name"] for bus in kinds["bus"]] == ["agent-db1"], "ls --json names the bus", got)
    check({topic["name"] for topic in kinds["topic"]} == {f"host.db1.{kind}" for kind in ("cpu", "disk", "memory", "network", "top")},
          "ls --json has every topic", got)
    check(all(topic["per_second"] > 0 and topic["published"] > 0 for topic in kinds["topic"]), "ls --json has rates", got)
    check({service["name"]: service["reply"]["name"] for service in kinds["service"]}.get("host.db1.process") == "hostwatch.ProcessDetail",
          "ls --json has the types of services", got)
    check([one["pattern"] for one in kinds["subscription"]] == ["host.db1.pace"], "ls --json has subscriptions", got)
    got = run("ls", "*.*.cpu", "--for", "0s", "--peer", at)
    check(got.code == 0 and "host.db1.cpu" in got.out and "host.db1.disk" not in got.out, "ls takes a pattern", got)
    refused("ls that finds nothing says what there is", 4, ("ls", "market.>", "--for", "0s", "--peer", at), "nothing is named market.>", "host.db1.cpu")


def sub(at, folder):
    got = run("sub", "host.*.memory", "--count", "3", "--peer", at)
    lines = got.out.splitlines()
    check(got.code == 0 and len(lines) == 3 and all(line.startswith("host.db1.memory  {") for line in lines), "sub shows so many messages as JSON", got)
    check(json.loads(lines[0].split(None, 1)[1])["total"] > 0, "sub decodes a type it was not built with", got)
    check("3 messages" in got.err and "none missing" in got.err, "sub ends with a summary", got)
    got = run("sub", "host.>", "--count", "20", "--json", "--peer", at)
    messages = [one for one in got.objects if "topic" in one and "value" in one]
    check(len(messages) == 20 and {one["type"] for one in messages} >= {"hostwatch.CpuSample", "hostwatch.DiskSample"},
          "sub --json has topic, type and value of each message", got)
    check(all(one["peer"] == "agent-db1" and one["sequence"] > 0 and one["sent_at_ns"] > 0 for one in messages), "sub --json says who sent it and when", got)
    got = run("sub", "host.*.memory", "--count", "1", "--hex", "--peer", at)
    check(got.code == 0 and "  0000  " in got.out, "sub --hex shows the bytes", got)
    raw = run("sub", "host.*.memory", "--count", "1", "--raw", "--peer", at, binary=True)
    (pathlib.Path(folder) / "memory.bin").write_bytes(raw.out)
    check(raw.code == 0 and len(raw.out) > 16, "sub --raw writes the payload and nothing else", raw)
    got = run("sub", "host.*.memory", "--rate", "--for", "1s", "--json", "--peer", at)
    check(got.code == 0 and got.objects and got.objects[-1]["messages"] > 10 and got.objects[-1]["lost_peers"] == [], "sub --rate counts per topic", got)
    got = run("sub", "host.*.memory", "--rate", "--for", "1300ms", "--peer", at)
    check(got.out.count("TOPIC") == got.out.count("\n\n") + 1 and not got.out.endswith("\n\n"),
          "sub --rate has an empty line between two tables and none at the end", got)
    check(got.err.startswith("midplane: "), "sub --rate has no empty line on stderr when the tables go elsewhere", got)
    shown = on_terminal("sub", "host.*.memory", "--rate", "--for", "1s", "--peer", at)
    check("\n\nmidplane: " in shown, "sub --rate has an empty line between the last table and the summary on a terminal", shown)
    with agent("db2") as leaving:
        process = subprocess.Popen([MIDPLANE, "sub", "host.*.memory", "--rate", "--peer", leaving], stdout=subprocess.PIPE,
                                   stderr=subprocess.DEVNULL, text=True, env=ALONE)
        here = process.stdout.readline() + process.stdout.readline()
    gone = next((line for line in process.stdout if " is lost" in line), "")  # waits: --rate never ends by itself
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)
    check("lost" not in here and gone.startswith("host.db2.memory ") and gone.endswith("agent-db2 is lost\n"),
          "sub --rate says that the peer is lost", here + gone)
    process = subprocess.Popen([MIDPLANE, "sub", "host.*.memory", "--peer", at], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ALONE)
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    check(process.returncode == 0 and "none missing" in err, "sub ends with a summary on Ctrl-C", f"{process.returncode}\n{out}\n{err}")
    refused("sub of a topic that nobody publishes says what is published", 4, ("sub", "market.*", "--for", "200ms", "--peer", at),
            "nothing came", "market.*", "host.db1.cpu")
    for pattern in ("", "a..b", "a.>.b", "a b", "host.**", ".", "_midplane.x"):
        refused(f"sub refuses the pattern '{pattern}'", 2, ("sub", pattern, "--peer", at), "invalid_name")
    refused("sub says of a pattern with ** which wildcards there are", 2, ("sub", "parcels.**", "--peer", at),
            "'*' for one token, '>' at the end for one or more", "(parcels.**)")
    refused("sub takes one of --raw, --hex and --rate", 2, ("sub", "a", "--raw", "--hex", "--peer", at), "exclude one another")
    for duration in ("3", "abc", "-1s", "1d", "1e99s"):
        refused(f"--for {duration} is no duration", 2, ("sub", "a", f"--for={duration}", "--peer", at), "--for", "no duration", "500ms")


def pub(at):
    refused("pub names a field that the type does not have", 2, ("pub", "host.db1.pace", '{"interval":5}', "--peer", at),
            "no field interval", "hostwatch.Pace has interval_ms", "line 1, column 2")
    refused("pub names the field of a wrong value", 2, ("pub", "host.db1.pace", '{"interval_ms":"fast"}', "--peer", at), "hostwatch.Pace.interval_ms", "uint")
    refused("pub says where the JSON is broken", 2, ("pub", "host.db1.pace", '{"interval_ms":10,}', "--peer", at), "line 1, column 19")
    refused("pub of an unknown topic says what there is", 4, ("pub", "market.ticks", "{}", "--peer", at), "nobody", "market.ticks", "host.db1.pace", "host.db1.cpu")
    refused("pub to a topic that nobody subscribes waits, then says so", 4, ("pub", "host.db1.cpu", "{}", "--timeout", "1500ms", "--peer", at),
            "nobody subscribes host.db1.cpu", "nothing was published")
    refused("pub that finds no subscriber says that a bus passes nothing on", 4, ("pub", "host.db1.cpu", "{}", "--timeout", "200ms", "--peer", at),
            "a bus passes nothing on: name with --peer the address where the subscriber itself listens")
    refused("pub of an unknown topic says that a bus passes nothing on", 4, ("pub", "market.ticks", "{}", "--peer", at), "a bus passes nothing on", "--peer")
    refused("pub refuses a pattern", 2, ("pub", "host.*.pace", "{}", "--peer", at), "invalid_name")
    refused("pub refuses a header without a value", 2, ("pub", "host.db1.pace", "{}", "--header", "x", "--peer", at), "NAME=VALUE")
    got = run("pub", "host.db1.pace", '{"interval_ms":300}', "--json", "--peer", at)
    check(got.code == 0 and got.objects == [{"topic": "host.db1.pace", "type": "hostwatch.Pace", "published": 1, "offered": 1, "sent": 1, "lost": 0, "unknown": 0}],
          "pub publishes by the live schema and counts what was sent", got)
    got = run("sub", "host.*.cpu", "--count", "3", "--json", "--peer", at)
    check(got.objects[-1]["value"]["interval_ms"] >= 250, "what pub published was understood: the agent has another pace", got)
    got = run("pub", "host.db1.pace", "-", "--peer", at, stdin='{"interval_ms":10}\n\n{"interval_ms":20}\n')
    check(got.code == 0 and "published 2 messages" in got.out, "pub reads one message from each line of stdin", got)
    got = run("pub", "host.db1.pace", "-", "--peer", at, stdin='{"interval_ms":20}\n\n{"nope":1}\n{"interval_ms":30}\n')
    check(got.code == 2 and "line 3 of the input" in got.err and "published 1 message" in got.out,
          "pub names the line of stdin that is wrong, and tells what it had published before", got)

    meeting = free_address()
    listening = subprocess.Popen([MIDPLANE, "pub", "app.words", "hello there", "--raw", "--header", "lang=en", "--listen", meeting, "--timeout", "20s"],
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ALONE)
    got = run("sub", "app.>", "--count", "1", "--json", "--peer", meeting)
    out, err = listening.communicate(timeout=30)
    check(listening.returncode == 0 and "published 1 message" in out, "pub --listen publishes to who dials it", f"{out}\n{err}")
    message = got.objects[-1]
    check(message["hex"] == "hello there".encode().hex() and message["type"] is None and message["headers"] == {"lang": "en"},
          "raw bytes and headers arrive as they were sent", got)


def req(at):
    got = run("req", "host.db1.processes", '{"limit":2}', "--peer", at)
    reply = json.loads(got.out)
    check(got.code == 0 and len(reply["processes"]) == 2 and reply["matched"] > 2, "req asks by the live schema and prints the reply", got)
    got = run("req", "host.db1.counters", "--json", "--peer", at)
    check(got.code == 0 and got.objects[0]["reply"]["host"] == "db1" and got.objects[0]["peer"] == "agent-db1", "req without JSON asks with an empty question", got)
    got = run("req", "host.db1.log", '{"last":3}', "--peer", at)
    check(got.code == 0 and [json.loads(line)["number"] for line in got.out.splitlines()][1:] != [] and len(got.out.splitlines()) == 3,
          "req prints each reply of a stream", got)
    got = run("req", "host.db1.log", '{"last":5,"follow":true}', "--count", "5", "--peer", at, "--for", "20s")
    check(got.code == 0 and len(got.out.splitlines()) == 5, "req ends a stream after --count replies", got)
    got = run("req", "host.db1.log", '{"last":1,"follow":true}', "--for", "600ms", "--peer", at)
    check(got.code == 0 and got.out.splitlines(), "req ends a stream after --for", got)
    refused("req prints the service's own error with its code", 1, ("req", "host.db1.process", '{"pid":-7}', "--peer", at), "app_error", "[1]", "pid -7")
    got = run("req", "host.db1.process", '{"pid":-7}', "--json", "--peer", at)
    check(got.code == 1 and got.objects[0]["error"]["code"] == "app_error" and got.objects[0]["error"]["app_code"] == 1,
          "req --json has the error as an object", got)
    refused("req of an unknown service says what is served", 4, ("req", "host.db1.nothing", "--peer", at), "nobody serves host.db1.nothing", "host.db1.processes")
    refused("req names a field that the question does not have", 2, ("req", "host.db1.processes", '{"limt":2}', "--peer", at), "no field limt", "name_contains, cpu_percent_min, limit")
    refused("req says where the JSON is broken", 2, ("req", "host.db1.processes", "{limit:2}", "--peer", at), "line 1, column 2", "a name in quotes")
    refused("req refuses what is no name", 2, ("req", "host..x", "--peer", at), "invalid_name")


def schema(at, folder):
    got = run("schema", "show", "host.db1.network", "--peer", at)
    check(got.code == 0 and "table hostwatch.NetworkSample" in got.out and "[hostwatch.InterfaceLoad]" in got.out and "required" in got.out,
          "schema shows a topic's type and all it reaches", got)
    got = run("schema", "show", "host.db1.processes", "--json", "--peer", at)
    limit = [field for one in got.objects for field in one.get("fields", []) if field["name"] == "limit"]
    check(got.code == 0 and limit == [{"name": "limit", "type": "uint", "id": 2, "default": "20", "required": False, "deprecated": False}],
          "schema --json has fields with their defaults, for a service of both types", got)
    carriers = [one for one in got.objects if one["kind"] == "service"]
    check(carriers == [{"kind": "service", "name": "host.*.processes", "request": "hostwatch.ProcessQuery",
                        "reply": "hostwatch.ProcessList", "attributes": {"idempotent": "true", "timeout_ms": "1000"}}],
          "schema --json names the service that carries the types, once, and its attributes", got)
    got = run("schema", "show", "host.db1.pace", "--peer", at)
    check(got.code == 0 and got.out.endswith("\n\ntopic host.*.pace of hostwatch.Pace: overflow latest, queue 1\n"),
          "schema names the topics that carry the type, with their pattern and attributes", got)
    got = run("schema", "show", "hostwatch.MemorySample", "--save", "memory.bfbs", "--peer", at, cwd=folder)
    check(got.code == 0 and (pathlib.Path(folder) / "memory.bfbs").stat().st_size > 100, "schema finds a type by its name and saves it", got)
    got = run("schema", "show", "memory.bfbs", "--type", "hostwatch.MemorySample", cwd=folder)
    check(got.code == 0 and "swap_free" in got.out, "schema shows a file without asking any bus", got)
    got = run("schema", "decode", "memory.bfbs", "memory.bin", "--type", "hostwatch.MemorySample", cwd=folder)
    check(got.code == 0 and json.loads(got.out)["total"] > 0, "schema decodes a payload that lies in a file", got)
    got = run("schema", "decode", "host.db1.memory", "-", "--json", "--peer", at, stdin="no payload")
    check(got.code == 1 and "malformed" in got.err, "schema says of bytes that they are no value of the type", got)
    for pair in (("host.db1.memory", "memory.bfbs"), ("memory.bfbs", "host.db1.memory")):
        got = run("schema", "check", *pair, "--peer", at, cwd=folder)
        check(got.code == 0 and "the same type hostwatch.MemorySample" in got.out, f"schema checks {pair[0]} against {pair[1]}: of the file the table of that name", got)
    got = run("schema", "check", "host.db1.memory", "memory.bfbs", "--type", "hostwatch.CpuSample", "--peer", at, cwd=folder)
    check(got.code == 1 and "hostwatch.CpuSample there" in got.err, "schema check takes the table that --type names", got)
    refused("schema of a file without a root type says that --type is needed, and its tables", 2,
            ("schema", "show", "memory.bfbs"), "--type NAME", "hostwatch.MemorySample", cwd=folder)
    got = run("schema", "check", "host.db1.memory", "host.db1.cpu", "--json", "--peer", at)
    check(got.code == 1 and got.objects[0]["agree"] is False and "hostwatch.CpuSample" in got.objects[0]["why"], "schema says why two types do not agree", got)
    refused("req of a topic says that it is one", 4, ("req", "host.db1.cpu", "{}", "--peer", at), "host.db1.cpu is a topic", "host.db1.process")
    refused("pub to a service says that it is one", 4, ("pub", "host.db1.process", "{}", "--peer", at), "host.db1.process is a service", "midplane req")
    refused("sub to a service says that it is one", 4, ("sub", "host.db1.process", "--for", "100ms", "--peer", at), "host.db1.process is a service", "midplane req")
    refused("schema of an unknown name says what there is", 4, ("schema", "show", "nope", "--peer", at), "nope", "host.db1.cpu")
    refused("schema of a file that is not there says so", 5, ("schema", "show", "nope.bfbs"), "nope.bfbs", "No such file")
    (pathlib.Path(folder) / "broken.bfbs").write_text("not a schema")
    refused("schema of a file that is none says how to make one", 2, ("schema", "show", "broken.bfbs"), "invalid_schema", "flatc --schema -b", cwd=folder)
    refused("schema of a type that the file does not have says so", 2, ("schema", "show", "memory.bfbs", "--type", "a.B"), "invalid_schema", "a.B", cwd=folder)
    refused("schema decode of a service asks which type is meant", 2, ("schema", "decode", "host.db1.process", "-", "--peer", at), "hostwatch.ProcessDetailQuery")
    refused("schema decode of a file that is not there says so", 5, ("schema", "decode", "memory.bfbs", "nope.bin"), "nope.bin", cwd=folder)


def bench():
    got = run("bench", "--rate", "2000", "--for", "300ms", "--json")
    check(got.code == 0 and [one["path"] for one in got.objects] == ["in process", "tcp loopback"], "bench measures in process and over tcp", got)
    for one in got.objects:
        counted = sum(row["count"] for row in one["histogram"])
        check(one["sent"] == 600 and counted == one["received"] and
              sum(one["dropped"].values()) == one["lost"] == one["sent"] - one["received"],
              f"bench accounts for every message, {one['path']}", one)
        check(0 < one["p50_ns"] <= one["p99_ns"] <= one["p999_ns"] <= one["max_ns"], f"bench's quantiles rise, {one['path']}", one)
    got = run("bench", "--path", "inproc", "--rate", "1000", "--for", "200ms")
    check(got.code == 0 and "UP TO" in got.out and "in process" in got.out and "tcp" not in got.out, "bench shows a histogram", got)
    refused("bench refuses a path that it does not know", 2, ("bench", "--path", "udp"), "--path", "udp")
    refused("bench refuses a payload without room for a time", 2, ("bench", "--size", "4"), "--size")


def doctor(at):
    got = run("doctor")
    check(got.code == 0 and "tcp loopback" in got.out and "round trip" in got.out and "descriptors" in got.out, "doctor looks at this machine", got)
    got = run("doctor", "--json", "--peer", at)
    checks = {one["check"]: one["verdict"] for one in got.objects}
    check(got.code == 0 and checks.get("agent-db1") == "ok" and checks["tcp loopback"] != "wrong" and checks["ipc"] != "wrong", "doctor looks at a bus", got)
    got = run("doctor", "--timeout", "500ms", "--peer", free_address(), "--peer", free_address())
    check(got.out.count("a plain connection fails, too") == 1, "doctor gives an advice that holds twice once", got)
    check(got.code == 1 and "a plain connection fails, too" in got.out and "Connection refused" in got.out, "doctor says that nobody listens there", got)
    with stranger() as address:
        got = run("doctor", "--timeout", "500ms", "--peer", address)
        check(got.code == 1 and "does not greet as a Midplane bus" in got.out, "doctor says that something else listens there", got)
    nobody = free_address()
    tap = subprocess.Popen([MIDPLANE, "sub", "none", "--listen", "tcp://127.0.0.1:0", "--peer", nobody, "--timeout", "40s"],
                           stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=ALONE)
    try:
        address = tap.stderr.readline().split()[-1]
        got = run("doctor", "--peer", address)
        check(got.code == 0 and f"{nobody} is not reached by midplane-" in got.out and "link.not_reached" in got.out,
              "doctor names the peers that the bus it looks at does not reach", got)
    finally:
        tap.kill()
        tap.communicate()
    refused("doctor refuses an address that is none", 2, ("doctor", "--peer", "tcp//x"), "invalid_endpoint")


def places(at):
    refused("without a subcommand the program names them", 2, (), "subcommand")
    refused("an unknown subcommand is refused with the known ones", 2, ("subscribe", "x"), "no subcommand subscribe", "ls, sub, pub, req, schema, bench, doctor")
    refused("an unknown subcommand of schema is refused with the known ones", 2, ("schema", "bogus"), "no subcommand bogus of schema", "show, check, decode")
    for command in (("pub", "a", "x"), ("sub", "a"), ("req", "a")):
        for count in ("0", "-1", "99999999999999999999999", "010", "0x10", "1.5", "", "many"):
            refused(f"--count '{count}' of {command[0]} is refused", 2, (*command, "--count", count), "whole number from 1 on")
    refused("pub --type without --schema is refused", 2, ("pub", "a", "x", "--type", "y"), "--schema")
    refused("pub --count of lines is refused", 2, ("pub", "a", "-", "--count", "3"), "each line is published once")
    refused("doctor refuses a list of addresses", 2, ("doctor", "--peer", "tcp://127.0.0.1:1,tcp://127.0.0.1:2"), "--peer takes one address")
    refused("doctor refuses what is no duration, also when no bus is named", 2, ("doctor", "--timeout", "5"), "no duration")
    for command in (("ls", "--for", "0s", "--peer", at), ("sub", "host.*.cpu", "--raw", "--count", "1", "--peer", at), ("schema", "show", "host.db1.cpu", "--peer", at), ("--help",)):
        with open("/dev/full", "w") as full:
            done = subprocess.run([MIDPLANE, *command], stdout=full, stderr=subprocess.PIPE, text=True, timeout=40, env=ALONE)
        check(done.returncode == 5 and "stdout can not be written" in done.stderr, f"{command[0]} whose output can not be written ends with 5", done)
    for command in (("sub", "host.*.cpu", "--peer", at), ("sub", "host.*.cpu", "--rate", "--peer", at)):
        with open("/dev/full", "w") as full:
            done = subprocess.run([MIDPLANE, *command], stdout=full, stderr=subprocess.PIPE, text=True, timeout=40, env=ALONE)
        check(done.returncode == 5 and "No space left" in done.stderr, f"{' '.join(command[:3])} without an end stops when its output can not be written", done)
    refused("the text of a schema is told how to become a file that is read", 2, ("schema", "check", "a.fbs", "b.fbs"), "midplane-gen --check", "--out")
    refused("an unknown option is refused", 2, ("ls", "--pear", at), "--pear", "midplane ls --help")
    refused("options in front of the subcommand are told their place", 2, ("--peer", "tcp://a:1", "ls", "--peer", "tcp://b:2"),
            "midplane ls --peer tcp://a:1 --peer tcp://b:2")
    refused("options without a subcommand are told their place", 2, ("--peer", at), "behind a subcommand", "midplane ls --peer")
    for option in ("--peer", "--listen"):
        refused(f"a list of addresses for {option} is told how to write it", 2, ("ls", option, "tcp://127.0.0.1:1,ipc:///b"),
                f"{option} tcp://127.0.0.1:1 {option} ipc:///b")
    refused("a missing argument is named", 2, ("sub",), "PATTERN")
    refused("without an address the program says how to name one", 2, ("ls",), "--peer", "MIDPLANE_PEERS")
    for address in ("127.0.0.1:7400", "tcp://127.0.0.1", "tcp://127.0.0.1:99999", "udp://127.0.0.1:1", "tcp://*:1", "ipc://", "x"):
        refused(f"{address} is no address", 2, ("ls", "--peer", address), "invalid_endpoint")
    refused("an address off this machine needs --insecure", 2, ("ls", "--peer", "tcp://192.0.2.1:7400"), "--insecure", "tcp://192.0.2.1:7400 is off this machine")
    refused("an address where nobody listens ends with 3", 3, ("ls", "--timeout", "300ms", "--peer", free_address()), "not reached", "nobody answers there", "doctor")
    with stranger() as address:
        refused("an address where something else listens ends with 3", 3, ("ls", "--timeout", "600ms", "--peer", address), "not reached", "something else than Midplane")
    refused("a long wait says what for", 3, ("ls", "--timeout", "1300ms", "--peer", free_address()), "waiting for tcp://127.0.0.1:")
    got = run("ls", "--for", "0s", peers=f"{at}, {at}")
    check(got.code == 0 and "host.db1.cpu" in got.out, "MIDPLANE_PEERS names the buses when --peer does not", got)
    got = run("ls", "--for", "0s", "--peer", at, "--peer", at.replace("127.0.0.1", "localhost"))
    check(got.code == 0 and got.err == "" and got.out.count("host.db1.cpu") == 1, "two addresses of one bus are one bus, and nothing is missing", got)
    got = run("ls", "--for", "0s", "--timeout", "1500ms", "--peer", at, "--peer", free_address())
    check(got.code == 0 and "host.db1.cpu" in got.out and "not reached" in got.err, "of two buses the one that is there answers, the other is named", got)
    with agent("db2") as other:
        got = run("sub", "host.*.memory", "--count", "30", "--json", "--peer", at, "--peer", other)
        check({one["peer"] for one in got.objects if "value" in one} == {"agent-db1", "agent-db2"}, "several buses are listened to at once", got)
        run("pub", "host.db2.pace", '{"interval_ms":60000}', "--peer", other)
        for _ in range(50):  # until what was on its way is there
            got = run("sub", "host.db2.memory", "--for", "200ms", "--peer", other)
            if got.code != 0:
                break
        check(got.code == 4 and "host.db2.memory can come, but nothing was published since" in got.err,
              "sub says of a topic that is there, and silent, that it can come", got)
    refused("--timeout takes a duration", 2, ("ls", "--timeout", "5", "--peer", at), "--timeout", "no duration")


def namesakes(folder):
    """Two buses of one name: the first is asked, the other is told of once."""
    with depot("a") as first, depot("b", f"ipc://{folder}/depot") as second:
        for asked, van, other in ((first, "a", second), (second, "b", first)) * 3:
            got = run("ls", "*.*.position", "--for", "10ms", "--json", "--peer", asked, "--peer", other)
            told = [(one["kind"], one.get("endpoint", one["name"])) for one in got.objects]
            check(told == [("bus", asked), ("topic", f"van.{van}.position")], "ls asks the first of two buses of one name, and shows its address", got)
            check(got.err.count("\n") == 1 and f"another bus at {other} is named depot, too, and is not asked; the one at {asked} is" in got.err,
                  "ls says once which of two buses of one name is not asked", got)
        pair = ("--peer", second, "--peer", first)
        warning = f"another bus at {first} is named depot, too"
        got = run("sub", "van.*.position", "--count", "1", "--json", *pair)
        check(got.objects[-1]["topic"] == "van.b.position" and got.err.count(warning) == 1, "sub listens to the first of two buses of one name", got)
        got = run("pub", "full.soon", "x", "--raw", "--json", *pair)
        check(got.objects and got.objects[0]["sent"] == 1 and got.err.count(warning) == 1, "pub publishes to the first of two buses of one name", got)
        got = run("schema", "show", "van.b.position", *pair)
        check(got.code == 0 and got.err.count(warning) == 1, "schema asks the first of two buses of one name", got)
        refused("req asks the first of two buses of one name", 4, ("req", "van.a.position", *pair), warning, "nobody serves")
        got = run("doctor", "--json", *pair)
        check([one["check"] for one in got.objects].count("depot") == 1 and got.err.count(warning) == 1, "doctor looks at the first of two buses of one name", got)
        dialling = subprocess.Popen([MIDPLANE, "ls", "--json", "--for", "0s", "--listen", "tcp://127.0.0.1:0", *pair],
                                    stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ALONE)
        out, err = dialling.communicate(timeout=30)
        check(err.count("listening at") == 1 and err.count(warning) == 1 and json.loads(out.splitlines()[0])["endpoint"] == second,
              "ls --listen announces its address once, also with two buses of one name", out + err)


def names_of_types(at):
    """Whatever `schema show` prints it also takes."""
    got = run("schema", "show", "van.a.position", "--peer", at)
    check(all(part in got.out for part in ("struct fleet.Place", "enum fleet.Door", "table fleet.Driver", "topic van.*.position")),
          "schema shows the types that a type reaches and the pattern of its topic", got)
    for kind, name, part in (("enum", "fleet.Door", "open"), ("struct", "fleet.Place", "north"), ("table", "fleet.Driver", "string")):
        got = run("schema", "show", name, "--peer", at)
        check(got.code == 0 and f"{kind} {name}\n" in got.out and part in got.out and "fleet.Alert" not in got.out,
              f"schema finds the {kind} that another type reaches", got)
        got = run("schema", "show", name, "--json", "--peer", at)
        check([(one["kind"], one["name"]) for one in got.objects] == [(kind, name)], f"schema --json finds the {kind} that another type reaches", got)
    for pattern, name in (("van.*.position", "fleet.Position"), ("van.>", "fleet.Position"), ("depot.*.alerts", "fleet.Alert")):
        got = run("schema", "show", pattern, "--peer", at)
        check(got.code == 0 and f"table {name}\n" in got.out, f"schema takes the pattern {pattern}", got)
    refused("schema of an unknown name says which types there are", 4, ("schema", "show", "fleet.Dor", "--peer", at), "named fleet.Dor",
            "types: fleet.Alert, fleet.Door, fleet.Driver, fleet.Place, fleet.Position;")
    for name in ("full.soon", "full.*"):
        refused(f"schema says that {name} has raw bytes", 4, ("schema", "show", name, "--peer", at), f"{name} has raw bytes and no schema")
    refused("schema decode of an enum says that messages are tables", 2, ("schema", "decode", "fleet.Door", "-", "--peer", at),
            "messages are tables", "fleet.Position")
    refused("schema without a name says what there is, not that raw bytes have no schema", 4, ("schema", "show", "", "--peer", at),
            'is named ""', "services: desk.north.ask")
    refused("schema shows no table for the marker of topics", 4, ("schema", "show", "midplane.Topic", "--peer", at), "is named midplane.Topic")
    refused("schema says of a service that it has two types", 2, ("schema", "decode", "desk.north.*", "-", "--peer", at), "is a service and has two types")
    refused("schema says of a pattern of two services that it stands for several types", 2, ("schema", "decode", "desk.*.ask", "-", "--peer", at),
            "desk.*.ask stands for several types", "fleet.Alert or fleet.Position")
    refused("schema --save of an enum says that it writes tables", 2, ("schema", "show", "fleet.Door", "--save", "x.bfbs", "--peer", at),
            "--save writes a table", "fleet.Position")


def retained(at):
    for words in ((), ("--hex",)):
        got = run("sub", "van.*.position", "--count", "1", *words, "--peer", at)
        check(got.code == 0 and got.out.startswith("van.a.position (retained)  "), " ".join(("sub", *words, "marks a retained message")), got)
    got = run("sub", "van.*.position", "--count", "1", "--json", "--peer", at)
    check(got.objects[-1]["retained"] is True, "sub --json marks a retained message", got)


def advice(at):
    """What doctor says of queues that nobody empties; depot has them."""
    got = run("doctor", "--peer", at)
    check(got.code == 0 and "full.newest_too lost 5 of 9" in got.out and "\ndepot losses: its handler is slower" in got.out and
          ", depot" not in got.out, "doctor names each check once for an advice", got)
    got = run("doctor", "--json", "--peer", at)
    queues = {one["found"].split()[1]: one["advice"] for one in got.objects if one["check"] == "depot queues"}
    check("lost messages already" in queues.get("full.newest", "") and "soon" not in queues["full.newest"], "doctor says of a queue that loses that it does", got)
    check("will lose messages soon" in queues.get("full.soon", ""), "doctor says of a queue that fills that it will lose", got)
    check("the oldest makes room" in queues.get("full.oldest", "") and "soon" not in queues["full.oldest"],
          "doctor says of drop_oldest that the oldest makes room", got)
    check("`publish` waits" in queues.get("full.block", "") and "soon" not in queues["full.block"], "doctor says of block that publishers wait", got)
    check("lost messages already" not in queues["full.block"] and "lost messages already" in queues.get("full.block_lost", ""),
          "doctor says of block that it has lost when it has", got)
    check("answers full" in queues.get("full.refuse", "") and "soon" not in queues["full.refuse"], "doctor says of refuse that publishers are told", got)
    check(all("over a link that holds for a Publisher with `far_wait` only" in queues[name] for name in ("full.block", "full.refuse")),
          "doctor says of block and refuse for which Publishers over a link they hold", got)
    check("full.latest" not in got.out, "doctor finds nothing in a queue that keeps the latest", got)
    got = run("ls", "full.*", "--json", "--for", "0s", "--peer", at)
    losses = {one["pattern"]: (one["lost"], one["dropped"]) for one in got.objects if one["kind"] == "subscription"}
    check(losses["full.newest"] == (5, {"queue_full_newest": 5}) and losses["full.latest"] == (0, {"conflated": 8}),
          "ls counts as lost what doctor does, and --json names every reason", got)


def outcomes():
    """Each message that pub has published is sent, lost, or not known to have arrived."""
    for words in (("--json",), ()):
        with depot("a") as at:
            got = run("pub", "full.block", "x", "--raw", "--count", "6", "--timeout", "1s", *words, "--peer", at)
        if words:
            one = got.objects[0]
            check(one["offered"] == 6 == one["sent"] + one["lost"] + one["unknown"] and one["unknown"] > 0,
                  "pub --json counts what is not known to have arrived", got)
        else:
            check(", not known to have arrived " in got.out, "pub tells what is not known to have arrived", got)
        check(got.code == 1 and "a peer has not taken" in got.err, "pub ends with 1 when it does not know what became of a message", got)
    with depot("a") as at:
        pub = subprocess.Popen([MIDPLANE, "pub", "full.block", "x", "--raw", "--count", "6", "--timeout", "10m", "--peer", at],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ALONE)
        for _ in range(300):  # until its first message is there, and the others wait for room
            got = run("ls", "full.block", "--json", "--for", "0s", "--peer", at)
            if [one for one in got.objects if one["kind"] == "subscription" and one["waiting"] == 4]:
                break
        else:
            check(False, "pub puts its first message into the queue that has room for one", got)
        pub.send_signal(signal.SIGINT)
        out, err = pub.communicate(timeout=40)
        check(pub.returncode == 1 and "not known to have arrived" in out and "so far" in err, "Ctrl-C ends the wait of pub, which tells what it knows", out + err)
    with depot("a") as at:
        refused("req tells that the bytes were no value of the type", 1, ("req", "desk.north.ask", "garbage", "--raw", "--peer", at), "answers: malformed", "the bytes are no valid value of the service's request type")
        got = run("pub", "twice", "x", "--raw", "--json", "--peer", at)
        check(got.code == 0 and got.objects[0]["unknown"] == 0, "pub knows that what two subscriptions of one peer took has arrived", got)


def helps():
    got = run("--help")
    check(got.code == 0 and "Examples:" in got.out and "Exit codes:" in got.out, "--help shows examples and exit codes", got)
    for command in (["ls"], ["sub"], ["pub"], ["req"], ["schema"], ["bench"], ["doctor"]):
        got = run(*command, "--help")
        check(got.code == 0 and "Examples:" in got.out, f"{command[0]} --help shows examples", got)
    got = run("--version")
    check(got.code == 0 and got.out.startswith("0."), "--version prints the version", got)


with tempfile.TemporaryDirectory() as scratch:
    with agent("db1", "--log", os.path.join(scratch, "db1.log")) as address_of_agent:
        sub(address_of_agent, scratch)
        ls(address_of_agent)
        pub(address_of_agent)
        req(address_of_agent)
        schema(address_of_agent, scratch)
        doctor(address_of_agent)
        places(address_of_agent)
        got = run("schema", "show", "host.*.processes", "--peer", address_of_agent)
        check("asked with hostwatch.ProcessQuery" in got.out and "\nanswers with hostwatch.ProcessList" in got.out, "schema takes the pattern of a service", got)
    with depot("a") as address_of_depot:
        names_of_types(address_of_depot)
        retained(address_of_depot)
        advice(address_of_depot)
    namesakes(scratch)
outcomes()
bench()
helps()
print(f"1..{number}")
sys.exit(1 if failed else 0)
