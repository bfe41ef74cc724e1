#!/usr/bin/python3
"""The golden frames, read and written in Python. Usage: golden_test.py FRAMES"""
import json
import sys

from frames import BODY, STRUCTS, TABLES, read_frame, read_table, write_frame, write_table


def number(value):
    return int(value, 0) if isinstance(value, str) else value


def plain(kind, value):
    """A value as frames.json has it, as read_table gives it: what is absent has its default, numbers are numbers."""
    if kind[0] == "[":
        return [plain(kind[1:-1], one) for one in value or []]
    if kind == "s":
        return value or ""
    if not value and (kind in STRUCTS or kind in TABLES):
        return None
    if kind in STRUCTS:
        return {name: bytes.fromhex(one) if kind == "Trace" and name != "flags" and isinstance(one, str) else
                one if isinstance(one, bytes) else number(one) for name, one in value.items()}
    if kind in TABLES:
        return {name: plain(of, value.get(name, default)) for name, of, default in TABLES[kind]}
    return number(value)


def meaning_of(record):
    """type, flags, name, number, mark, load, body or payload, meta."""
    load, body = record.get("load", {}), record.get("body")
    body = {"assigned": [body]} if record["type"] == "names" else body
    sizes = (("in_flight", 2), ("queued", 2), ("queue_wait", 2), ("service_time", 2), ("utilisation", 1),
             ("admission", 1), ("flags", 1), ("weight", 1), ("epoch", 4))
    is_loaded = record["type"] in ("reply", "failure", "heartbeat")
    return {**{name: number(record.get(name, 0)) for name in ("flags", "name", "number", "mark")},
            "type": record["type"],
            "load": b"".join(load.get(name, 0).to_bytes(size, "little") for name, size in sizes) if is_loaded else b"",
            "payload": plain(BODY[record["type"]], body) if record["type"] in BODY else
            bytes.fromhex(record.get("payload", "")),
            "meta": plain("Meta", record["meta"]) if "meta" in record else None}


def read_record(record):
    kind = record["type"]
    meta = plain("Meta", read_table("Meta", record["meta"])) if record["meta"] else None
    body = plain(BODY[kind], read_table(BODY[kind], record["payload"])) if kind in BODY else record["payload"]
    return {**{name: record[name] for name in ("flags", "name", "number", "mark", "type", "load")}, "payload": body,
            "meta": meta}


def written(record):
    """What write_frame takes."""
    made = dict(record, meta=write_table("Meta", **record["meta"]) if record["meta"] else b"")
    if record["type"] in BODY:
        made["payload"] = write_table(BODY[record["type"]], **record["payload"])
    return made


failed = 0
frames = json.load(open(sys.argv[1], encoding="utf-8"))["frames"]
for count, frame in enumerate(frames, 1):
    head = frame["head"]
    incarnation = (int(head["incarnation"][:16], 16), int(head["incarnation"][16:], 16))
    meant_head = {"incarnation": incarnation, "epoch": number(head["epoch"]), "number": head["number"],
                  "wants_grant": head.get("wants_grant", False)}
    meant = [meaning_of(record) for record in frame["records"]]
    data = bytes.fromhex("".join(frame["hex"]))
    # Tables may be laid out in other ways; frames and records may not.
    ours = write_frame(incarnation, meant_head["epoch"], head["number"], [written(record) for record in meant],
                       meant_head["wants_grant"])
    tables = any(record["type"] in BODY or record["meta"] for record in meant)
    good = (read_frame(data)[0] == meant_head and [read_record(one) for one in read_frame(data)[1]] == meant and
            read_frame(ours)[0] == meant_head and [read_record(one) for one in read_frame(ours)[1]] == meant and
            (tables or ours == data))
    failed += not good
    print(f"{'ok' if good else 'not ok'} {count} - {frame['name']}: read, written and read again")
    if not good:
        print("#", [read_record(one) for one in read_frame(data)[1]], "\n#", meant)
print(f"1..{len(frames)}")
sys.exit(1 if failed or not frames else 0)
