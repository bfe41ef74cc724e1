#!/usr/bin/python3
"""The worked example of docs/protocol.md: a recorded connection, byte by byte.

Usage: worked_example.py RECORDING DOCUMENT [--write]. Checks that the document has what the recording gives today; with
--write puts it there, between the two markers.
"""
import pathlib
import struct
import subprocess
import sys
import textwrap

from frames import BODY, HEAD, LOADED, STRUCTS, TABLES, TYPES, read_frame

BEGIN, END = "<!-- recorded: begin -->\n", "<!-- recorded: end -->\n"


class Notes:
    """What each byte of a frame means."""

    def __init__(self, data):
        self.data, self.notes = data, {}

    def add(self, at, size, text):
        assert at not in self.notes, (at, text)
        self.notes[at] = (size, text)

    def scalar(self, at, kind, name, shown="{}"):
        value = struct.unpack_from("<" + kind, self.data, at)[0]
        self.add(at, struct.calcsize(kind), f"{name} = " + shown.format(value))
        return value

    def lines(self):
        """Every byte in a line: those that nothing was said about are padding, and zero."""
        at = 0
        for start in sorted(self.notes) + [len(self.data)]:
            assert start >= at, (start, at)
            if start > at:
                assert not any(self.data[at:start]), (at, start)
                yield from self.dump(at, start - at, "padding")
            if start < len(self.data):
                yield from self.dump(start, *self.notes[start])
                at = start + self.notes[start][0]

    def dump(self, at, size, text):
        words = textwrap.wrap(text, 64)
        for index in range(max(-(-size // 16), len(words))):
            first = at + 16 * index
            row = self.data[first:min(first + 16, at + size)]
            said = words[index] if index < len(words) else ""
            yield f"{f'{first:04x}' if row else '    '}  {row.hex(' '):<47}  {said}".rstrip()


def strings(notes, at, name):
    length = notes.scalar(at, "I", f"length of {name}")
    notes.add(at + 4, length + 1, f'"{notes.data[at + 4:at + 4 + length].decode()}" and a zero')


def table(notes, root, at, kind):
    """`root`: where the FlatBuffer begins, from which its own addresses in the notes count."""
    to_vtable = struct.unpack_from("<i", notes.data, at)[0]
    vtable = at - to_vtable
    size, = struct.unpack_from("<H", notes.data, vtable)
    offsets = struct.unpack_from(f"<{size // 2 - 2}H", notes.data, vtable + 4)
    if vtable not in notes.notes:  # tables of equal shape share one
        fields = ", ".join(f"{name} at {offset}" if offset else f"no {name}"
                           for (name, _, _), offset in zip(TABLES[kind], offsets))
        notes.add(vtable, size, f"vtable of {kind}: its own size, the table's size; {fields}")
    notes.add(at, 4, f"{kind}: its vtable is {to_vtable} before here" if to_vtable > 0 else
              f"{kind}: its vtable is {-to_vtable} behind here")
    for (name, field, _), offset in zip(TABLES[kind], offsets):
        where = at + offset
        if not offset:
            continue
        if len(field) == 1 and field != "s":
            notes.scalar(where, field, f"{kind}.{name}", "{:#x}" if name.endswith("fingerprint") else "{}")
            continue
        if field in STRUCTS:
            notes.add(where, struct.calcsize(STRUCTS[field][0]), f"{kind}.{name}")
            continue
        target = where + notes.scalar(where, "I", f"{kind}.{name} is so far behind here")
        if field == "s":
            strings(notes, target, f"{kind}.{name}")
        elif field[0] != "[":
            table(notes, root, target, field)
        else:
            vector(notes, root, target, kind, name, field[1:-1])


def vector(notes, root, at, kind, name, element):
    count = notes.scalar(at, "I", f"elements of {kind}.{name}")
    for index in range(count):
        if element in STRUCTS:
            layout, names = STRUCTS[element]
            where = at + 4 + index * struct.calcsize(layout)
            values = struct.unpack_from(layout, notes.data, where)
            notes.add(where, struct.calcsize(layout), f"{element}: " + ", ".join(
                f"{field} = {value}" for field, value in zip(names, values)))
            continue
        where = at + 4 + 4 * index
        target = where + notes.scalar(where, "I", f"element {index} is so far behind here")
        strings(notes, target, f"element {index}") if element == "s" else table(notes, root, target, element)


def annotate(data):
    notes, (head, records) = Notes(data), read_frame(data)
    notes.add(0, 4, 'magic "MIDP"')
    notes.scalar(4, "I", "checksum", "{:#010x}")
    notes.scalar(8, "H", "version")
    wants = "a grant is wanted" if head["wants_grant"] else "no grant is wanted"
    notes.add(10, 2, f"flags: {wants}; frame {head['number']} of its sender")
    notes.scalar(12, "I", "bytes")
    notes.scalar(16, "Q", "incarnation_high", "{:016x}")
    notes.scalar(24, "Q", "incarnation_low", "{:016x}")
    notes.scalar(32, "Q", "epoch", "{:016x}")
    for record in records:
        at, kind = record["at"], record["type"]
        notes.add(at, 1, f"type {TYPES.index(kind)}: {kind}")
        notes.scalar(at + 1, "B", "flags")
        notes.scalar(at + 2, "H", "meta_length")
        size = notes.scalar(at + 4, "I", "payload_length")
        for where, field, name in ((8, "I", "name"), (12, "I", "number"), (16, "Q", "mark")):
            notes.scalar(at + where, field, name)
        payload = at + 24 + (16 if kind in LOADED else 0)
        if kind in LOADED:
            notes.add(at + 24, 16, "LoadReport")
        if kind in BODY:
            root = notes.scalar(payload, "I", f"the root table, {BODY[kind]}, is so far behind here")
            table(notes, payload, payload + root, BODY[kind])
        elif size:
            notes.add(payload, size, f"the payload: {record['payload'].decode()}")
        if record["meta"]:
            meta = notes.data.index(record["meta"], payload + size)
            table(notes, meta, meta + notes.scalar(meta, "I", "the root table, Meta, is so far behind here"), "Meta")
    return notes.lines()


def example(recording):
    lines = subprocess.run([recording], capture_output=True, text=True, timeout=30, check=True).stdout.splitlines()
    seen, out = [], []
    for count, line in enumerate(lines, 1):
        who, data = line.split()[0], bytes.fromhex(line.split()[1])
        kinds = [record["type"] for record in read_frame(data)[1]]
        out += [f"### {count}. The {who} side: {', '.join(kinds)}\n", "```text"] + list(annotate(data)) + ["```\n"]
        seen += kinds
    return seen, "\n".join(out)


document = pathlib.Path(sys.argv[2])
text = document.read_text(encoding="utf-8")
kinds, made = example(sys.argv[1])
begin, end = text.index(BEGIN) + len(BEGIN), text.index(END)
before, there, after = text[:begin], text[begin:end], text[end:]
if sys.argv[3:] == ["--write"]:
    document.write_text(before + made + after, encoding="utf-8")
    sys.exit(0)
wanted = {"hello", "subscribe", "serve", "names", "joined", "subscribe_confirmed", "message", "grant", "heartbeat"}
results = [("the recording has every record of the example", wanted <= set(kinds)),
           ("a second recording is the same", example(sys.argv[1])[1] == made),
           ("docs/protocol.md shows what is recorded today (else: worked_example.py --write)", there == made)]
print(f"1..{len(results)}")
for number, (name, good) in enumerate(results, 1):
    print(f"{'ok' if good else 'not ok'} {number} - {name}")
sys.exit(0 if all(good for _, good in results) else 1)
