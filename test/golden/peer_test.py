#!/usr/bin/python3
"""A peer in Python and a bus in C++ over ZeroMQ: every direction, with exact counts. Usage: peer_test.py OTHER_SIDE"""
import select
import subprocess
import sys

from peer import Lost, Peer

results = []


def check(good, name, *shown):
    results.append(bool(good))
    print(f"{'ok' if good else 'not ok'} {len(results)} - {name}", flush=True)
    if not good:
        print("# " + " ".join(map(str, shown)), flush=True)


other = subprocess.Popen(sys.argv[1:2], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)


def tell(line):
    print(line, file=other.stdin, flush=True)


def answer_of(line, peer):
    """What the other side says to this, while the peer lives on."""
    tell(line)
    peer.until(lambda: select.select([other.stdout], [], [], 0)[0], 60)
    return other.stdout.readline().split()


try:
    address = other.stdout.readline().split()[1]
    peer = Peer(address, "python", window_records=4)
    check(peer.far[0]["bus"] == "other-side" and peer.far[0]["version_max"] == 2, "the greeting names the other bus",
          peer.far)
    peer.until(lambda: peer.far_told)
    check("cpp.reverse" in peer.far_services, "its services are told", peer.far_services)
    check(sorted(one["pattern"] for one in peer.far_subscriptions.values()) == ["python.>", "python.load"],
          "its subscriptions are told", peer.far_subscriptions)

    # Receiving, with windows that are much smaller than the traffic.
    peer.subscribe("cpp.flow", overflow=4, messages=16)
    said = answer_of("flow 1000", peer)
    flow = peer.seen["cpp.flow"]
    peer.until(lambda: len(flow["received"]) == 1000)
    check(said == ["published", "1000", "0"] and flow["lost"] == 0 and
          flow["received"] == [str(n).encode() for n in range(1, 1001)],
          "1000 messages to a subscription that blocks arrive in order, none lost", said, flow["lost"])

    # Nothing is granted: four are on their way, sixteen wait there, the rest is dropped and has numbers all the same.
    peer.subscribe("cpp.burst", messages=16)
    peer.grant()
    peer.may_grant = False
    said = answer_of("burst 1000", peer)
    peer.until(lambda: "cpp.burst" in peer.seen and len(peer.seen["cpp.burst"]["received"]) == 4)
    burst = peer.seen["cpp.burst"]
    check(said == ["published", "1000", "980"], "without grants four records leave and sixteen wait", said)
    peer.may_grant = True
    peer.grant()
    peer.until(lambda: burst["next"] == 1001)
    check(burst["received"] == [str(n).encode() for n in range(1, 21)] and burst["lost"] == 980,
          "what was dropped is a gap, told by a heartbeat", len(burst["received"]), burst["lost"])

    # Publishing: numbers that are never sent are gaps there; the last two are noticed by the heartbeat.
    peer.publisher("python.load")
    lost = {500, 501, 777, 1004, 1005}
    for number in range(1, 1006):
        peer.publish("python.load", str(number).encode(), lose=number in lost)
    said = answer_of("received 1000 5", peer)
    check(said == ["received", "1000", "1000", "0", "3", "5"],
          "1000 messages arrive in a plain and in a grouped subscription, with three gaps of five", said)

    # Asking.
    asked = {peer.ask("cpp.reverse", f"question {n}".encode()): f"question {n}"[::-1].encode() for n in range(50)}
    failing = peer.ask("cpp.reverse", b"fail")
    peer.until(lambda: len(peer.answers) == 51)
    check(all(peer.answers[request] == reply for request, reply in asked.items()), "50 requests get their replies")
    failure = peer.answers[failing]
    check([failure[field] for field in ("code", "fate", "app_code", "detail")] == [9, 1, 7, "as you wish"],
          "a failure brings code, fate, the handler's code and words", failure)

    large = peer.ask("cpp.reverse", b"begin" + bytes(200_000))
    peer.until(lambda: large in peer.answers)
    check(peer.answers[large] == bytes(200_000) + b"nigeb" and peer.fragments > 1, "a large reply comes in fragments",
          peer.fragments)

    # Answering.
    def upper(question):
        if question == b"fail":
            raise ValueError("no")
        return question.upper()

    peer.serve("python.upper", upper)
    said = answer_of("ask 50", peer)
    check(said == ["answered", "50", "0", "handler_failed"], "50 requests are answered here, one fails", said)

    # Nothing but signs of life, of both sides.
    beats = peer.beats
    peer.until(lambda: peer.beats == beats + 4)
    check(True, "heartbeats alone keep the link for longer than silence would")

    # The same bus over a second connection: what was published meanwhile is told by the names.
    peer.close()
    tell("burst 5")
    other.stdout.readline()
    back = None
    while not back:
        try:
            back = Peer(address, "python", before=peer)
        except Lost as refused:
            if refused.args[0]["code"] != 24:  # duplicate: the other side has not noticed yet that the first one ended
                raise
    back.until(lambda: burst["lost"] == 985)
    check(len(burst["received"]) == 20 and burst["next"] == 1006 and burst["restarts"] == 0,
          "what was published while it was away is a gap of five after the reconnect", burst["lost"])
    tell("quit")
    said = other.stdout.readline().split()
    check(said == ["closed", "52", "complete"] and other.wait(10) == 0, "the other side closes", said)
    back.close()
except (Lost, TimeoutError, OSError, ValueError) as error:
    check(False, f"no exception: {type(error).__name__}", error)
finally:
    if other.poll() is None:
        other.kill()
print(f"1..{len(results)}")
sys.exit(0 if results and all(results) else 1)
