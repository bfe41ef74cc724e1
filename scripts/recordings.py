#!/usr/bin/python3
"""Runs the commands that stand in documents and compares what they print with what stands there.

usage: recordings.py [--write] BUILD DOCUMENT...     Speaks TAP; with --write the documents get the new output instead.

What counts are the ```console blocks between `<!-- midplane session: begin -->` and `<!-- midplane session: end -->`, in
order, as one session in one scratch folder: lines that begin with `$ ` are run by a shell, the lines behind them are
what it prints. `export NAME=VALUE` holds for the rest. A command that ends with ` &` goes on until the session ends; its
first line is waited for. Ports of the text are replaced by free ones while it runs.

Compared are the words. Figures, with their units, are masked, and so are process ids, ports and hashes; white space is
as wide as it likes; lines and paragraphs that repeat count once; what is said while waiting is left out.
"""
import difflib
import os
import pathlib
import re
import socket
import subprocess
import sys
import tempfile

SESSION = re.compile(r"(<!-- midplane session: begin -->\n)(.*?)(<!-- midplane session: end -->)", re.S)
BLOCK = re.compile(r"(^```console\n)(.*?)(^```$)", re.S | re.M)
PORT = re.compile(r"(?<=127\.0\.0\.1:)\d{4,5}\b")
SECONDS_MAX = 60  # for one command


def free_port(taken):
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = str(probe.getsockname()[1])
        if port not in taken:
            return port


def masked(text):
    text = re.sub(r"^  [0-9a-f]{4}  ([0-9a-f]{2} )+.*$", "BYTES", text, flags=re.M)
    text = re.sub(r"\b[0-9a-f]{16,32}\b", "HASH", text)
    text = re.sub(r"(?<![\w.])-?\d+(\.\d+)?(e[+-]?\d+)?( (us|ms|ns|s|B|KiB|MiB)\b)?", "N", text)
    text = re.sub(r"#+", "", text)
    paragraphs = []
    for paragraph in re.split(r"\n\s*\n", text):
        lines = []
        for line in paragraph.splitlines():
            line = re.sub(r"\s+", " ", line).strip()
            if line and not line.startswith("midplane: waiting for") and (not lines or lines[-1] != line):
                lines.append(line)
        if lines and (not paragraphs or paragraphs[-1] != lines):
            paragraphs.append(lines)
    return [line for paragraph in paragraphs for line in paragraph]


class Session:
    def __init__(self, build, folder):
        self.environment = dict(os.environ)
        self.environment.pop("MIDPLANE_PEERS", None)
        paths = [str(build / "tools"), str(build / "examples" / "hostwatch"), self.environment["PATH"]]
        self.environment["PATH"] = ":".join(paths)
        self.folder = folder
        self.ports = {}
        self.background = []

    def real(self, command):
        for port in PORT.findall(command):
            self.ports.setdefault(port, free_port(self.ports.values()))
        return PORT.sub(lambda match: self.ports[match[0]], command)

    def shown(self, output):
        for shown, port in self.ports.items():
            output = re.sub(rf"(?<=127\.0\.0\.1:){port}\b", shown, output)
        return output.replace(str(self.folder), "/tmp/scratch")

    def run(self, command):
        command = self.real(command)
        export = re.fullmatch(r"export (\w+)=(\S+)", command)
        if export:
            self.environment[export[1]] = export[2]
            return ""
        if command.endswith(" &"):
            # Its input stays open: a service may take the end of it as its own.
            process = subprocess.Popen(["bash", "-c", "exec " + command[:-2]], cwd=self.folder, env=self.environment, text=True,
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            self.background.append(process)
            return self.shown(process.stdout.readline())
        done = subprocess.run(["bash", "-c", command], cwd=self.folder, env=self.environment, text=True, timeout=SECONDS_MAX,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return self.shown(done.stdout)

    def end(self):
        for process in self.background:
            process.terminate()
            process.stdin.close()
            process.wait(timeout=SECONDS_MAX)
            process.stdout.close()


def steps_of(block):
    """Pairs of a command and what it printed."""
    steps = []
    for line in block.splitlines(keepends=True):
        if line.startswith("$ "):
            steps.append([line[2:].rstrip("\n"), ""])
        elif steps:
            steps[-1][1] += line
    return steps


def main():
    arguments = sys.argv[1:]
    write = arguments[:1] == ["--write"]
    build, *documents = [pathlib.Path(one).resolve() for one in arguments[write:]]
    number = failed = 0
    for document in documents:
        text = document.read_text()
        for session_match in SESSION.finditer(text):
            with tempfile.TemporaryDirectory() as folder:
                session = Session(build, folder)
                blocks = []
                try:
                    for block in BLOCK.finditer(session_match[2]):
                        written = ""
                        for command, stood in steps_of(block[2]):
                            printed = session.run(command)
                            written += f"$ {command}\n{printed}" + ("" if printed.endswith("\n") or not printed else "\n")
                            if write:
                                continue
                            number += 1
                            fine = masked(stood) == masked(printed)
                            failed += not fine
                            print(f"{'ok' if fine else 'not ok'} {number} - {document.name}: {command}".replace("#", ""), flush=True)
                            if not fine:
                                for line in difflib.unified_diff(masked(stood), masked(printed), "stands there", "printed", lineterm=""):
                                    print("# " + line)
                        blocks.append(written)
                finally:
                    session.end()
                if write:
                    rest = iter(blocks)
                    new = BLOCK.sub(lambda block: block[1] + next(rest) + block[3], session_match[2])
                    document.write_text(document.read_text().replace(session_match[2], new))
    if not write:
        if number == 0:
            number = failed = 1
            print("not ok 1 - the documents hold no session")
        print(f"1..{number}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
