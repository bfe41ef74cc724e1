"""One connection to a Midplane bus over ZeroMQ, dialled by this side: greeting, frame numbers, grants, signs of life.

Written from docs/protocol.md. One thread: every call that waits drives the connection with `step`. What records mean
stands in peer.py. Needs python3-zmq besides what frames.py needs.
"""
import secrets
import time

import zmq

from frames import BODY, read_frame, read_table, write_frame, write_table

HEARTBEAT = 1.0
PAYLOADS = ("message", "request", "reply", "item")


class Lost(Exception):
    """The connection is over."""


class Connection:
    def __init__(self, endpoint, bus, window_bytes=4 << 20, window_records=65536, incarnation=None):
        self.bus, self.window = bus, (window_bytes, window_records)
        self.incarnation = incarnation or (secrets.randbits(64), secrets.randbits(64))
        self.epoch = secrets.randbits(64)
        self.next_out = self.next_in = 0             # numbers of frames
        self.sent = self.granted = (0, 0)            # bytes and data records behind our hello
        self.taken = self.told = (0, 0)
        self.far = None                              # (Hello, incarnation) of the other side
        self.may_grant = True                        # a test withholds grants
        self.part, self.fragments = bytearray(), 0   # of a payload that comes in fragments
        context = zmq.Context.instance()
        self.socket = context.socket(zmq.DEALER)
        for option, value in ((zmq.PROBE_ROUTER, 1), (zmq.LINGER, 500), (zmq.RECONNECT_IVL, -1)):
            self.socket.setsockopt(option, value)
        self.socket.connect(endpoint)
        self.heard = time.monotonic()
        self.beat_at = self.heard + HEARTBEAT
        self.send("hello", write_table("Hello", bus=bus, version_min=2, version_max=2, frame_bytes_max=16 << 20,
                                       requests_max=1024, heartbeat=int(HEARTBEAT * 1e9), window_bytes=window_bytes,
                                       window_records=window_records, away_keep=60 * 10**9))
        self.until(lambda: self.far)
        self.send("serve", write_table("Serve", offered=[]))  # the first one ends the list of what we want and serve

    def send(self, kind, payload=b"", data=False, **fields):
        frame = write_frame(self.incarnation, self.epoch, self.next_out, [{"type": kind, "payload": payload, **fields}],
                            wants_grant=data)
        self.next_out += 1
        if kind not in ("hello", "refused"):
            self.sent = (self.sent[0] + len(frame), self.sent[1] + data)
        self.socket.send(frame)

    def until(self, condition, seconds=20.0):
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                raise TimeoutError("it did not happen in time")
            self.step()

    def step(self):
        """Acts on one frame, or on the time."""
        if self.socket.poll(max(0, min(100, (self.beat_at - time.monotonic()) * 1000))):
            self.frame(self.socket.recv())
        now = time.monotonic()
        if now - self.heard > 3 * HEARTBEAT:
            raise Lost("no sign of life for three heartbeats")
        if self.far and now >= self.beat_at:
            self.beat_at = now + HEARTBEAT
            self.send("heartbeat", write_table("Heartbeat", last=self.last_numbers()))

    def frame(self, frame):
        head, records = read_frame(frame)
        if head["epoch"] != self.epoch or self.far and head["incarnation"] != self.far[1]:
            return
        ahead = (head["number"] - self.next_in) % 32768
        if ahead >= 16384:
            return
        if ahead:
            raise Lost("a frame is missing")
        self.next_in, self.heard = (self.next_in + 1) % 32768, time.monotonic()
        for record in records:
            body = read_table(BODY[record["type"]], record["payload"]) if record["type"] in BODY else None
            if record["type"] == "refused":
                raise Lost(body)
            if not self.far:
                self.far = (body, head["incarnation"])
                return  # a hello is in no position
            if record["type"] not in PAYLOADS or self.is_whole(record):
                getattr(self, "on_" + record["type"], lambda *_: None)(record, body)
        data = sum(record["type"] in ("message", "item") for record in records)
        self.taken = (self.taken[0] + len(frame), self.taken[1] + data)
        if head["wants_grant"] or any((a - b) * 4 >= c for a, b, c in zip(self.taken, self.told, self.window)):
            self.grant()

    def is_whole(self, record):
        """Puts fragments together; the last one becomes the whole record."""
        fragment = record["meta"] and read_table("Meta", record["meta"])["fragment"]
        if not fragment:
            return True
        if fragment["offset"] != len(self.part):
            raise Lost("a fragment is missing")
        self.fragments += 1
        self.part += record["payload"]
        if len(self.part) < fragment["total"]:
            return False
        record["payload"], self.part = bytes(self.part), bytearray()
        return True

    def grant(self):
        if self.may_grant and self.taken != self.told:
            self.told = self.taken
            self.send("grant", mark=self.taken[0], number=self.taken[1] & 0xFFFFFFFF)

    def on_grant(self, record, _):
        self.granted = (max(self.granted[0], record["mark"]), max(self.granted[1], record["number"]))

