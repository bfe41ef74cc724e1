#!/usr/bin/python3
"""Holds the tables of docs/errors.md against what the library and its programs answer.

Usage: sweep_test.py ROOT SWEEP MIDPLANE_GEN HOSTWATCH [--write]

Every row is tried; a row that says something else, a case without a row, and an error code, an option of a public header,
a command-line argument or a kind of record that no row has, fails. --write puts the answers into the rows.
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(sys.argv[1])
SWEEP, GEN, HOSTWATCH = (os.path.abspath(path) for path in sys.argv[2:5])
PAGE = ROOT / "docs/errors.md"
# Cells of each table: how many name the case, how many are the answer.
SHAPES = {"codes": (1, 2), "options": (2, 1), "records": (1, 4), "frames": (1, 1), "commands": (1, 2)}
STRUCTS = {"bus.hpp": ["Limits", "BusOptions"], "options.hpp": ["Queue"], "executors.hpp": ["PoolOptions"],
           "publisher.hpp": ["PublisherOptions", "PublishOptions"], "subscription.hpp": ["SubscribeOptions"],
           "client.hpp": ["ClientOptions", "RequestOptions"], "server.hpp": ["ServeOptions"], "json.hpp": ["JsonOptions"],
           "zmq.hpp": ["TransportOptions"]}


def cell(text):
    text = text.strip().replace("\\|", "|")
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] == "`" else text


def read_tables(text):
    """Name of the table -> rows; a row is its cells without their backticks."""
    tables = {}
    for name, body in re.findall(r"<!-- table: (\w+) -->\n(.*?)\n(?:\n|\Z)", text, re.S):
        tables[name] = [[cell(part) for part in re.split(r"(?<!\\)\|", line.strip())[1:-1]]
                        for line in body.splitlines()[2:]]
    return tables


def ask_library():
    with tempfile.TemporaryDirectory(prefix="midplane-sweep-") as folder:
        run = subprocess.run([SWEEP], capture_output=True, text=True, timeout=60, cwd=folder)
    if run.returncode != 0:
        sys.exit(f"Bail out! {SWEEP} ended with {run.returncode}: {run.stderr}")
    answers = {}
    for line in run.stdout.replace(folder + "/", "").splitlines():
        table, *cells = line.split("\t")
        cases, _ = SHAPES[table]
        answers.setdefault(table, {})[tuple(cells[:cases])] = cells[cases:]
    return answers


def ask_commands(commands):
    """Each in a folder with a good and a bad schema; its exit code and the first line it says."""
    answers = {}
    for command in commands:
        with tempfile.TemporaryDirectory(prefix="midplane-sweep-") as folder:
            here = pathlib.Path(folder)
            (here / "good.fbs").write_text("namespace m; table T { a:int; }\n")
            (here / "bad.fbs").write_text("table T { a }\n")
            (here / "no.bfbs").write_text("no schema\n")
            (here / "file").write_text("")
            words = re.findall(r"'[^']*'|\S+", command)
            program = {"midplane-gen": GEN, "hostwatch": HOSTWATCH}[words[0]]
            run = subprocess.run([program, *(word.strip("'") for word in words[1:])], cwd=folder, capture_output=True,
                                 text=True, stdin=subprocess.DEVNULL, timeout=30)
            said = [line for line in (run.stderr + run.stdout).splitlines() if line.strip()]
            own = [line for line in said if line.startswith(words[0] + ":")] or said or [""]
            answers[(command,)] = [str(run.returncode), own[0].replace(folder, ".")]
    return answers


def members(header, struct):
    body = re.search(rf"struct {struct} {{\n(.*?)^}};", (ROOT / "include/midplane" / header).read_text(), re.M | re.S)[1]
    body = re.sub(r"//.*", "", body)
    return re.findall(r"^\s*(?:const )?[\w:]+(?:<.*>)?[\s*&]+(\w+)\s*(?:=|\{|;)", body, re.M)


def missing_cases(tables):
    """What the sources have and no row names."""
    named = {row[0] for row in tables["options"]}
    for header, structs in STRUCTS.items():
        for struct in structs:
            prefix = "zmq::" if header == "zmq.hpp" else ""
            yield from (f"option {prefix}{struct}::{m}" for m in members(header, struct) if f"{prefix}{struct}::{m}" not in named)
    codes = re.search(r"enum class ErrorCode : std::uint8_t {(.*?)};", (ROOT / "include/midplane/result.hpp").read_text(), re.S)[1]
    codes = re.findall(r"^\s*(\w+)(?: = 1)?,", re.sub(r"//.*", "", codes), re.M)
    rows = {row[0] for row in tables["codes"]}
    yield from (f"code {code}" for code in codes if code not in rows)
    faq = (ROOT / "docs/faq.md").read_text()
    yield from (f"section in faq.md of {code}" for code in codes if f"\n## {code}\n" not in faq)
    kinds = re.search(r"enum class RecordType : std::uint8_t {(.*?)};", (ROOT / "lib/wire/frame.hpp").read_text(), re.S)[1]
    rows = {row[0] for row in tables["records"]}
    yield from (f"record {kind}" for kind in re.findall(r"(\w+) = \d+", kinds) if kind not in rows)
    for program, path, subcommands in (("midplane-gen", GEN, [""]), ("hostwatch", HOSTWATCH, ["agent", "watch", "tail", "demo"])):
        for sub in subcommands:
            text = subprocess.run([path, *sub.split(), "--help"], capture_output=True, text=True, timeout=30).stdout
            options = text[text.index("Options:"):].split("\n\n")[0] if "Options:" in text else ""
            for option in re.findall(r"^\s+(?:-\w,)?(--[\w-]+)", options, re.M):
                start = f"{program} {sub}".strip()
                tried = [row[0] for row in tables["commands"] if row[0].startswith(start)]
                if option != "--help" and not any(re.search(rf"{option}\b", one) for one in tried):
                    yield f"argument {start} {option}"


def test_names():
    return {name for path in (ROOT / "test").rglob("*_test.cpp")
            for name in re.findall(r'(?:TEST_CASE\w*|EVERYWHERE|FAR)\(\s*"([^"]+)"', path.read_text())}


def written(text, answers):
    """The page with the answers in its rows, and a row for each case that had none."""
    for table, (cases, count) in SHAPES.items():
        def renew(match, table=table, cases=cases, count=count):
            head, rule, *lines = match[2].splitlines()
            width = head.count("|") - 1
            rows = {tuple(row[:cases]): row for row in read_tables(match[0])[table]}
            done = []
            for key, said in answers[table].items():
                row = rows.pop(key, None) or [*key, *said, *[""] * (width - cases - count)]
                done.append([*key, *said, *row[cases + count:]])
            done += rows.values() if table == "codes" else []
            marked = [[f"`{part}`" if part and i < cases + count and table in ("options", "codes", "commands") else part
                       for i, part in enumerate(row)] for row in done]
            body = "\n".join("| " + " | ".join(part.replace("|", "\\|") for part in row) + " |" for row in marked)
            return f"{match[1]}{head}\n{rule}\n{body}\n\n"
        text = re.sub(rf"(<!-- table: {table} -->\n)(.*?)\n(?:\n|\Z)", renew, text, flags=re.S)
    return text


def main():
    text = PAGE.read_text()
    tables = read_tables(text)
    answers = ask_library()
    answers["commands"] = ask_commands([row[0] for row in tables["commands"]])
    if "--write" in sys.argv:
        PAGE.write_text(written(text, answers))
        return 0
    results = []
    known_tests = test_names()
    for table, (cases, count) in SHAPES.items():
        faults = []
        seen = set()
        for row in tables[table]:
            key, says = tuple(row[:cases]), row[cases:cases + count]
            if key in seen:
                faults.append(f"two rows of {key}")
            seen.add(key)
            if says[0] == "-":  # not to be had at the public door: the row names the tests that show it
                named = re.findall(r'"([^"]+)"', row[-1])
                faults += [f"{key}: no test is called {name}" for name in named if name not in known_tests]
                if not named:
                    faults.append(f"{key} names no test")
            elif key not in answers[table]:
                faults.append(f"nothing was tried for {key}")
            elif answers[table][key] != says:
                faults.append(f"{key} says\n  {answers[table][key]}\nnot\n  {says}")
        faults += [f"no row for {key}: {said}" for key, said in answers[table].items() if key not in seen]
        results.append((f"the table of {table} says what happens, {len(tables[table])} rows", faults))
    results.append(("every code, option, argument and record has a row", [f"none of {case}" for case in missing_cases(tables)]))
    starts = [f"{key} does not begin with its code" for key, said in answers["codes"].items() if not said[1].startswith(f"{key[0]}: ")]
    results.append(("every message begins with its code", starts))
    print(f"1..{len(results)}")
    for number, (name, faults) in enumerate(results, 1):
        print(f"{'not ok' if faults else 'ok'} {number} - {name}")
        for fault in faults:
            print("# " + fault.replace("\n", "\n# "))
    return 1 if any(faults for _, faults in results) else 0


sys.exit(main())
