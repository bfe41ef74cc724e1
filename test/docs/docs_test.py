#!/usr/bin/python3
"""Runs what docs/ shows: the commands of ```console blocks, in a scratch folder, against the output that follows them.

Usage: docs_test.py ROOT BUILD PROGRAM...    PROGRAM: what commands may call, besides the compiler.

```LANGUAGE file NAME is written into the folder first. `console background` runs until the page ends; `console masked`
compares without figures. A page starts with the schemas of examples/schema_evolution. Also: links between pages lead
somewhere, and the pairs of schema_evolution.md get their verdict from midplane-gen.
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT, BUILD = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]).resolve()
sys.path.insert(0, str(ROOT / "scripts"))
from recordings import free_port  # noqa: E402

PROGRAMS = {pathlib.Path(path).name: os.path.abspath(path) for path in sys.argv[3:]}
LIMIT = 120
PORT = re.compile(r"(?<=127\.0\.0\.1:)\d{4}\b")  # free ones stand in for them while a page runs
results = []


def result(name, faults):
    results.append((name, [fault for fault in faults if fault]))


def make_tools(folder):
    """What an installed Midplane has on its path, for the build folder."""
    tools = folder / "bin"
    tools.mkdir()
    libraries = BUILD / "lib"
    scripts = {name: f'exec "{path}" "$@"' for name, path in PROGRAMS.items()}
    scripts["midplane-gen"] = f'exec "{PROGRAMS["midplane-gen"]}" "$@" -I "{ROOT}/include/midplane"'
    scripts["pkg-config"] = (f'echo "-I{ROOT}/include -L{libraries} -lmidplane-zmq -lmidplane '
                             f'-Wl,-rpath,{libraries} -Wl,-rpath-link,{libraries}"')
    for name, text in scripts.items():
        (tools / name).write_text(f"#!/bin/sh\n{text}\n")
        (tools / name).chmod(0o755)
    return tools


def masked(text, is_masked):
    return re.sub(r"[\d.]+", "#", re.sub(r"[ \t]+", " ", text)) if is_masked else text


def run_page(page):
    text = page.read_text()
    blocks = re.findall(r"^```(\w+)([^\n]*)\n(.*?)^```$", text, re.M | re.S)
    if not any(language == "console" for language, _, _ in blocks):
        return
    faults, background = [], []
    with tempfile.TemporaryDirectory(prefix="midplane-docs-") as scratch:
        folder = pathlib.Path(scratch)
        ports = {}
        for port in sorted(set(PORT.findall(text))):
            ports[port] = free_port(ports.values())
        environment = dict(os.environ, PATH=f"{make_tools(folder)}:{os.environ['PATH']}")
        for schema in (ROOT / "examples/schema_evolution").glob("*.fbs"):
            (folder / schema.name).write_text(schema.read_text())
        try:
            for language, kind, body in blocks:
                if kind.startswith(" file "):
                    (folder / kind[6:].strip()).write_text(body)
                if language != "console":
                    continue
                for command, shown in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", body, re.M):
                    command = PORT.sub(lambda match: ports[match[0]], command)
                    process = subprocess.Popen(command, shell=True, cwd=folder, env=environment, text=True,
                                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
                    if "background" in kind:
                        background.append(process)
                        got = "".join(process.stdout.readline() for _ in shown.splitlines())
                    else:
                        got = process.communicate(timeout=LIMIT)[0]
                    for written, port in ports.items():
                        got = got.replace(port, written)
                    is_masked = "masked" in kind
                    if masked(got, is_masked) != masked(shown, is_masked):
                        faults.append(f"$ {command}\n--- shown\n{shown}--- got\n{got}")
        except subprocess.TimeoutExpired as late:
            faults.append(f"did not end within {LIMIT} s: {late.cmd}")
        finally:
            for process in background:
                process.stdin.close()
                try:
                    process.wait(timeout=10)
                except subprocess.TimeoutExpired:
                    faults.append(f"did not end with its input: {process.args}")
                    process.kill()
                    process.wait()
    result(f"the commands of docs/{page.name} print what it shows", faults)


def check_pairs():
    table = re.search(r"<!-- table: pairs -->\n(.*?)\n\n", (ROOT / "docs/schema_evolution.md").read_text(), re.S)[1]
    for line in table.splitlines()[2:]:
        change, before, after, verdict = (part.strip(" `") for part in line.strip("|").split(" | "))
        with tempfile.TemporaryDirectory(prefix="midplane-docs-") as scratch:
            for name, schema in (("before.fbs", before), ("after.fbs", after)):
                (pathlib.Path(scratch) / name).write_text(schema)
            run = subprocess.run([PROGRAMS["midplane-gen"], "--check", "before.fbs", "after.fbs"], cwd=scratch,
                                 capture_output=True, text=True)
        kinds = {said.split(":")[0] for said in run.stdout.splitlines()}
        fine = verdict in kinds and run.returncode == (0 if verdict == "compatible" else 5)
        result(f"{change}: {verdict}", [] if fine else [f"exit {run.returncode}: {run.stdout}{run.stderr}"])


def anchor(heading):
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def check_links():
    faults = []
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        for target in re.findall(r"\]\(([^)]+)\)", re.sub(r"```.*?```", "", page.read_text(), flags=re.S)):
            if "://" in target:
                continue
            path, _, place = target.partition("#")
            where = (page.parent / path).resolve() if path else page
            if not where.exists():
                faults.append(f"{page.name}: {target}")
            elif place and place not in {anchor(h) for h in re.findall(r"^#+ (.*)$", where.read_text(), re.M)}:
                faults.append(f"{page.name}: {target} has no such heading")
    result("every link between the pages leads somewhere", faults)


check_links()
check_pairs()
for each in sorted((ROOT / "docs").glob("*.md")):
    if each.name not in ("packaging.md", "midplane.md"):  # have tests of their own
        run_page(each)
print(f"1..{len(results)}")
for number, (name, faults) in enumerate(results, 1):
    print(f"{'not ok' if faults else 'ok'} {number} - {name}")
    for fault in faults:
        print("# " + fault.replace("\n", "\n# "))
sys.exit(1 if any(faults for _, faults in results) else 0)
