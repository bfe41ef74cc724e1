#!/usr/bin/python3
"""Frames of wire version 2 in Python, written from docs/protocol.md: reading and writing frames, records and tables.

No generated code: the tables below say what protocol/wire.fbs says. Needs python3-flatbuffers and python3-xxhash.
"""
import struct

import flatbuffers
import xxhash
from flatbuffers.table import Table

TYPES = ("none hello refused names subscribe subscribe_confirmed subscribe_refused unsubscribe serve heartbeat grant "
         "subscription_grant schema_wanted schema schema_refused joined message request reply failure cancel item "
         "item_grant finished").split()
VERSION = 2
HEAD, RECORD = struct.Struct("<IIHHIQQQ"), struct.Struct("<BBHIIIQ")
LOADED = ("reply", "failure", "heartbeat")
# Fields in the order of wire.fbs: scalars as in the module struct, s: a string, [x]: a vector, else a struct or table.
TABLES = {name: [(f.partition(":")[0], f.partition(":")[2].partition("=")[0], int(f.partition("=")[2] or 0))
                 for f in fields.split()] for name, fields in {
    "Hello": "bus:s version_min:H version_max:H frame_bytes_max:Q requests_max:I heartbeat:q window_bytes:Q "
             "window_records:I away_keep:q",
    "Names": "assigned:[Name]",
    "Name": "id:I service:? text:s type:s fingerprint:Q next_number:Q=1 series:Q",
    "Subscribe": "id:I pattern:s type:s fingerprint:Q overflow:B messages:Q bytes:Q group:s",
    "Serve": "offered:[Offered] withdrawn:[s]",
    "Offered": "service:s request_type:s request_fingerprint:Q reply_type:s reply_fingerprint:Q",
    "Failure": "code:B fate:B app_code:i text:s detail:s",
    "Heartbeat": "last:[LastNumber]",
    "Meta": "headers:Headers groups:[s] fragment:Fragment remaining:q=-1 origin:Incarnation hops:B subscription:I "
            "stream_items:I",
    "Headers": "trace:Trace priority:B=1 tenant:s routing_key:s idempotency_key:s entries:[HeaderEntry]",
    "HeaderEntry": "name:s value:s"}.items()}
STRUCTS = {"LastNumber": ("<QI4x", ("number", "name")), "Fragment": ("<QQ", ("total", "offset")),
           "Incarnation": ("<QQ", ("high", "low")), "Trace": ("<16s8sB", ("trace_id", "span_id", "flags"))}
BODY = {"hello": "Hello", "refused": "Failure", "names": "Names", "subscribe": "Subscribe", "serve": "Serve",
        "subscribe_refused": "Failure", "heartbeat": "Heartbeat", "schema_refused": "Failure", "failure": "Failure"}


def read_table(kind, data, at=None):
    """A dict of all fields; what is absent has its default, None for strings, tables, structs and vectors."""
    table = Table(data, struct.unpack_from("<I", data)[0] if at is None else at)

    def value(kind, at):
        if kind == "s":
            return bytes(table.String(at)).decode()
        if kind in STRUCTS:
            return dict(zip(STRUCTS[kind][1], struct.unpack_from(STRUCTS[kind][0], data, at)))
        if kind in TABLES:
            return read_table(kind, data, table.Indirect(at))
        return struct.unpack_from("<" + kind, data, at)[0]

    fields = {}
    for index, (name, kind, default) in enumerate(TABLES[kind]):
        offset = table.Offset(4 + 2 * index)
        if offset and kind[0] == "[":
            size = struct.calcsize(STRUCTS[kind[1:-1]][0]) if kind[1:-1] in STRUCTS else 4
            first = table.Vector(offset)
            fields[name] = [value(kind[1:-1], first + size * i) for i in range(table.VectorLen(offset))]
        elif offset:
            fields[name] = value(kind, table.Pos + offset)
        else:
            fields[name] = default if len(kind) == 1 and kind != "s" else None
    return fields


def write_table(kind, **fields):
    builder = flatbuffers.Builder(256)
    builder.Finish(_write(builder, kind, fields))
    return bytes(builder.Output())


def _write(builder, table, fields):
    def inline(kind, value):
        packed = struct.pack(STRUCTS[kind][0], *(value[name] for name in STRUCTS[kind][1]))
        builder.Prep(8 if kind != "Trace" else 1, len(packed))
        builder.head = builder.head - len(packed)
        builder.Bytes[builder.head:builder.head + len(packed)] = packed
        return builder.Offset()

    def outside(kind, value):
        return builder.CreateString(value) if kind == "s" else _write(builder, kind, value)

    built = {}
    for name, kind, _ in TABLES[table]:
        value = fields.get(name)
        if value is None or kind in STRUCTS or (len(kind) == 1 and kind != "s"):
            continue
        if kind[0] != "[":
            built[name] = outside(kind, value)
            continue
        element, structs = kind[1:-1], kind[1:-1] in STRUCTS
        offsets = [] if structs else [outside(element, one) for one in value]
        builder.StartVector(struct.calcsize(STRUCTS[element][0]) if structs else 4, len(value), 8 if structs else 4)
        for one in reversed(value if structs else offsets):
            inline(element, one) if structs else builder.PrependUOffsetTRelative(one)
        built[name] = builder.EndVector()
    builder.StartObject(len(TABLES[table]))
    for index, (name, kind, default) in enumerate(TABLES[table]):
        if name in built:
            builder.PrependUOffsetTRelativeSlot(index, built[name], 0)
        elif fields.get(name) is not None and kind in STRUCTS:
            builder.PrependStructSlot(index, inline(kind, fields[name]), 0)
        elif fields.get(name) is not None and fields[name] != default:
            packed = struct.pack("<" + kind, fields[name])
            builder.Prep(len(packed), 0)
            builder.head = builder.head - len(packed)
            builder.Bytes[builder.head:builder.head + len(packed)] = packed
            builder.Slot(index)
    return builder.EndObject()


def write_frame(incarnation, epoch, number, records, wants_grant=False):
    """`records`: dicts with `type`, and of flags, name, number, mark, payload, meta, load what is not zero or empty."""
    out = bytearray(HEAD.size)
    for r in records:
        payload, meta = r.get("payload", b""), r.get("meta", b"")
        out += RECORD.pack(TYPES.index(r["type"]), r.get("flags", 0), len(meta), len(payload), r.get("name", 0),
                           r.get("number", 0), r.get("mark", 0))
        out += (r.get("load", bytes(16)) if r["type"] in LOADED else b"") + payload
        out += (bytes(-len(out) % 8) + meta) if meta else b""
        out += bytes(-(len(out) + 8) % 16)
    HEAD.pack_into(out, 0, 0x5044494D, 0, VERSION, number % 32768 << 1 | wants_grant, len(out), *incarnation, epoch)
    struct.pack_into("<I", out, 4, xxhash.xxh3_64_intdigest(bytes(out[8:])) & 0xFFFFFFFF)
    return bytes(out)


def read_frame(frame):
    """The header as a dict and a list of such records; ValueError when the frame can not be trusted."""
    if len(frame) < HEAD.size:
        raise ValueError("too short")
    magic, checksum, version, flags, size, high, low, epoch = HEAD.unpack_from(frame)
    if magic != 0x5044494D or version not in (1, VERSION) or size != len(frame):  # a hello may be of the version before
        raise ValueError("wrong magic, version or length")
    if checksum != xxhash.xxh3_64_intdigest(frame[8:]) & 0xFFFFFFFF:
        raise ValueError("wrong checksum")
    records, at = [], HEAD.size
    while at != len(frame):
        if len(frame) - at < RECORD.size:
            raise ValueError("wrong record")
        kind, flags_, meta_length, length, name, number, mark = RECORD.unpack_from(frame, at)
        kind = TYPES[kind] if kind < len(TYPES) else f"unknown {kind}"
        body = at + RECORD.size + (16 if kind in LOADED else 0)
        end = body + length
        meta = end + (-end % 8 if meta_length else 0)
        records.append({"type": kind, "flags": flags_, "name": name, "number": number, "mark": mark, "at": at,
                        "load": frame[at + RECORD.size:body], "payload": frame[body:end],
                        "meta": frame[meta:meta + meta_length]})
        at = meta + meta_length + (-(meta + meta_length + 8) % 16)
        if at > len(frame):
            raise ValueError("wrong record")
    return {"incarnation": (high, low), "epoch": epoch, "wants_grant": bool(flags & 1), "number": flags >> 1}, records
