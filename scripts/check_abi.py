#!/usr/bin/python3
"""Does this tree keep the ABI of the last release? Compares its shared libraries with those of the last tag: abidiff.

usage: check_abi.py [--tag TAG]

The last tag is the newest `v*` that HEAD descends from, not counting HEAD itself. A clone without tags goes by the last
line of packaging/releases.txt, which names the same commit. A removed or changed public symbol, or a changed layout of a
type of the public headers, is a break: it needs a new soname. What is new is no break. Ends with 0 when nothing broke or
the soname is new, 1 on a break, 77 when there is no release to compare with.
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
LIBRARIES = ["libmidplane.so", "libmidplane-zmq.so"]
BROKEN, ERRORS = 4 | 8, 1 | 2  # bits of abidiff's exit code; without additions a change of any kind is one of these


def output_of(*command, cwd=ROOT):
    done = subprocess.run([str(word) for word in command], cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{command} ended with {done.returncode}\n{done.stdout[-4000:]}{done.stderr[-4000:]}")
    return done.stdout.strip()


def soname_of(library):
    for line in output_of("readelf", "-dW", library).splitlines():
        if "(SONAME)" in line:
            return line.split("[", 1)[1].rstrip("]")
    return ""


def differences(old, new, old_headers, new_headers):
    """(broken, what abidiff says). Types that the public headers do not define are nobody's business."""
    done = subprocess.run(["abidiff", "--no-added-syms", "--drop-private-types", "--headers-dir1", str(old_headers),
                           "--headers-dir2", str(new_headers), str(old), str(new)],
                          capture_output=True, text=True, check=False)
    if done.returncode & ERRORS:
        raise RuntimeError(f"abidiff ended with {done.returncode}\n{done.stdout}{done.stderr}")
    return bool(done.returncode & BROKEN), done.stdout


def verdict(old, new, old_headers, new_headers):
    """(allowed, a line or more that say why)."""
    before, after = soname_of(old), soname_of(new)
    broken, report = differences(old, new, old_headers, new_headers)
    if not broken:
        return True, f"{after}: nothing broke"
    if before != after:
        return True, f"{before} became {after}: what broke may break\n{report}"
    return False, (f"{after}: broken without a new soname; raise `soversion` in lib/meson.build or take the change back\n"
                   f"{report}")


def asked_of_git(tree, *words):
    """None when git says no."""
    done = subprocess.run(["git", "-C", str(tree), *words], capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else None


def last_release(tree=ROOT):
    """(its name, its commit); (None, why) when there is none to compare with."""
    if tag := asked_of_git(tree, "describe", "--tags", "--abbrev=0", "--match", "v[0-9]*", "HEAD^"):
        return tag, tag
    recorded = tree / "packaging" / "releases.txt"
    lines = [line for line in recorded.read_text().splitlines() if line.strip() and not line.startswith("#")] \
        if recorded.exists() else []
    if not lines:
        return None, "there is no release to compare with (no tag v*, none in packaging/releases.txt)"
    name, commit = lines[-1].split()
    if asked_of_git(tree, "merge-base", "--is-ancestor", commit, "HEAD^") is None:
        return None, f"{name} ({commit}) is not behind this commit, as this clone knows it; try git fetch --unshallow --tags"
    return name, commit


def built(tree, build):
    """The shared libraries of a tree, all in the same way: with the types in full, which the tests' own build leaves out."""
    output_of("meson", "setup", build, tree, "-Doptimization=0", "-Dtests=false", "-Dexamples=false", "-Dbench=false")
    targets = json.loads(output_of("meson", "introspect", "--targets", build))
    shared = [name for target in targets if target["type"] == "shared library" for name in target["filename"]]
    output_of("ninja", "-C", build, *(os.path.relpath(name, build) for name in shared))
    return build / "lib"


def files_of(commit, folder):
    folder.mkdir()
    archive = subprocess.run(["git", "-C", str(ROOT), "archive", commit], check=True, capture_output=True).stdout
    subprocess.run(["tar", "-x", "-C", str(folder)], input=archive, check=True)
    return folder


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--tag")
    arguments = parser.parse_args()
    tag, commit = (arguments.tag, arguments.tag) if arguments.tag else last_release()
    if not tag:
        print(f"skipped: {commit}")
        return 77
    good = True
    with tempfile.TemporaryDirectory(prefix="midplane-abi-") as folder:
        scratch = pathlib.Path(folder)
        tree = files_of(commit, scratch / "tree")
        old, new = built(tree, scratch / "old"), built(ROOT, scratch / "new")
        for library in LIBRARIES:
            before, after = old / library, new / library
            if not before.exists():
                print(f"{library}: not in {tag}")
                continue
            allowed, text = verdict(os.path.realpath(before), os.path.realpath(after), tree / "include", ROOT / "include")
            print(f"against {tag}: {text}")
            good &= allowed
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
