#!/usr/bin/python3
"""The comparison of ABIs: what it sees in a small library, then the libraries against the last tag.

usage: abi_test.py SOURCE_TREE
"""
import pathlib
import subprocess
import sys
import tempfile

from installed import Failed, prove, require, run

tree = pathlib.Path(sys.argv[1])
sys.path.insert(0, str(tree / "scripts"))
sys.dont_write_bytecode = True
import check_abi  # noqa: E402

HEADER = """#pragma once
namespace lamp {
class Inside;
struct Options { int brightness = 1; };
struct [[gnu::visibility("default")]] Lamp {
  explicit Lamp(const Options& options);
  void on();
  int watts() const;
  Inside* inside;
};
}
"""
SOURCE = """#include "lamp.hpp"
namespace lamp {
class Inside { public: int state = 0; };
Lamp::Lamp(const Options& options) : inside{new Inside{options.brightness}} {}
void Lamp::on() { inside->state = 1; }
int Lamp::watts() const { return inside->state; }
}
"""


class Lamps:
    def __init__(self, scratch):
        self.scratch = pathlib.Path(scratch)
        self.first = self.build("first")

    def build(self, name, replacements=(), soname="liblamp.so.1"):
        folder = self.scratch / name
        folder.mkdir()
        header, source = HEADER, SOURCE
        for old, new in replacements:
            require(old in header + source, f"the fixture has no {old}")
            header, source = header.replace(old, new), source.replace(old, new)
        (folder / "lamp.hpp").write_text(header)
        (folder / "lamp.cpp").write_text(source)
        run("g++", "-std=c++20", "-g", "-fPIC", "-shared", "-fvisibility=hidden", f"-Wl,-soname,{soname}", "lamp.cpp",
            "-o", "liblamp.so", cwd=folder)
        return folder

    def compare(self, name, replacements, allowed, word, soname="liblamp.so.1"):
        new = self.build(name, replacements, soname)
        good, text = check_abi.verdict(self.first / "liblamp.so", new / "liblamp.so", self.first, new)
        require(good == allowed and word in text, f"allowed: {good}\n{text}")


def tags(scratch):
    repository = pathlib.Path(scratch) / "repository"
    run("git", "init", "-q", repository)

    def commit(*words):
        identity = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
        run("git", "-C", repository, *identity, "commit", "-q", "--allow-empty", "-m", "x")
        for tag in words:
            run("git", "-C", repository, "tag", tag)

    found = []
    for words in ((), ("v0.1.0",), ("other",), ("v0.2.0",), ()):
        commit(*words)
        found.append(check_abi.last_release(repository)[0])
    require(found == [None, None, "v0.1.0", "v0.1.0", "v0.2.0"], str(found))


def record(scratch):
    """A clone without tags, at its second commit: what packaging/releases.txt names has to lie behind it."""
    repository = pathlib.Path(scratch) / "recorded"
    (repository / "packaging").mkdir(parents=True)
    run("git", "init", "-q", repository)
    commits = []
    for _ in range(2):
        run("git", "-C", repository, "-c", "user.name=x", "-c", "user.email=x@example.org", "commit", "-q", "--allow-empty",
            "-m", "x")
        commits.append(run("git", "-C", repository, "rev-parse", "HEAD").strip())
    recorded = repository / "packaging" / "releases.txt"
    recorded.write_text("# release, commit\n")
    require(check_abi.last_release(repository)[0] is None, "nothing is recorded")
    recorded.write_text(f"# release, commit\nv0.0.9 {'0' * 40}\nv0.1.0 {commits[0]}\n")
    require(check_abi.last_release(repository) == ("v0.1.0", commits[0]), str(check_abi.last_release(repository)))
    recorded.write_text(f"v0.2.0 {'0' * 40}\n")
    name, why = check_abi.last_release(repository)
    require(name is None and "unshallow" in why, f"{name} {why}")


def against_the_last_tag():
    done = subprocess.run([sys.executable, tree / "scripts" / "check_abi.py"], capture_output=True, text=True,
                          check=False)
    if done.returncode == 77:
        return done.stdout.strip().removeprefix("skipped: ")
    if done.returncode != 0:
        raise Failed(done.stdout + done.stderr)
    return None


with tempfile.TemporaryDirectory(prefix="midplane-abi-") as scratch_folder:
    lamps = Lamps(scratch_folder)
    GONE = [("  int watts() const;\n", ""), ("int Lamp::watts() const { return inside->state; }\n", "")]
    WIDER = [("struct Options { int brightness = 1; };", "struct Options { int brightness = 1; int colour = 0; };")]
    CHANGED = [("void on();", "void on(int);"), ("void Lamp::on()", "void Lamp::on(int)")]
    INNER = [("int state = 0;", "int state = 0; int more = 0;")]
    ADDED = [("  void on();\n", "  void on();\n  void off();\n"),
             ("void Lamp::on()", "void Lamp::off() {}\nvoid Lamp::on()")]
    prove([
        ("the same library breaks nothing", lambda: lamps.compare("same", [], True, "nothing broke")),
        ("a removed public symbol is a break", lambda: lamps.compare("gone", GONE, False, "watts")),
        ("a changed parameter is a break", lambda: lamps.compare("changed", CHANGED, False, "on")),
        ("a struct of the public header that grows is a break", lambda: lamps.compare("wider", WIDER, False, "colour")),
        ("a new symbol breaks nothing", lambda: lamps.compare("added", ADDED, True, "nothing broke")),
        ("a class behind a pointer may change", lambda: lamps.compare("inner", INNER, True, "nothing broke")),
        ("a break with a new soname is allowed",
         lambda: lamps.compare("next", GONE, True, "became liblamp.so.2", "liblamp.so.2")),
        ("the last release is the newest tag v* before this commit", lambda: tags(scratch_folder)),
        ("a clone without tags goes by packaging/releases.txt", lambda: record(scratch_folder)),
        ("the libraries keep the ABI of the last release", against_the_last_tag),
    ])
