"""An installed copy of Midplane, moved to another place after its installation; and running commands against it."""
import contextlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import traceback


class Failed(Exception):
    pass


def run(*command, cwd=None, env=None, expected=0, timeout=900):
    """Standard output; a command that ends otherwise than expected says all it said. `expected` None: any failure, and
    both outputs."""
    done = subprocess.run([str(word) for word in command], cwd=cwd, env={**os.environ, **(env or {})}, timeout=timeout,
                          capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode != expected if expected is not None else done.returncode == 0:
        raise Failed(f"{' '.join(map(str, command))} ended with {done.returncode}\n"
                     f"{done.stdout[-4000:]}{done.stderr[-4000:]}")
    return done.stdout if expected is not None else done.stdout + done.stderr


def require(holds, what):
    if not holds:
        raise Failed(what)


def dynamic(binary, tag):
    """The names behind one kind of entry of the dynamic section: NEEDED, SONAME, RUNPATH."""
    lines = run("readelf", "-dW", binary).splitlines()
    return [line.split("[", 1)[1].rstrip("]") for line in lines if f"({tag})" in line and "[" in line]


class Installed:
    def __init__(self, build, scratch):
        options = {option["name"]: option["value"]
                   for option in json.loads(run("meson", "introspect", "--buildoptions", build))}
        first, self.prefix = pathlib.Path(scratch) / "first", pathlib.Path(scratch) / "moved"
        run("meson", "install", "-C", build, "--no-rebuild", "--quiet", "--strip", "--destdir", first)
        inside = first / options["prefix"].lstrip("/")
        inside.rename(self.prefix)
        shutil.rmtree(first)
        self.first_prefix = options["prefix"]
        self.include = self.prefix / options["includedir"]
        self.lib = self.prefix / options["libdir"]
        self.bin = self.prefix / options["bindir"]
        self.pkgconfig = {"PKG_CONFIG_PATH": str(self.lib / "pkgconfig")}
        targets = json.loads(run("meson", "introspect", "--targets", build))
        self.is_clang = any("clang" in word for target in targets for source in target["target_sources"]
                            for word in source.get("compiler", []))
        self.at_run_time = {"LD_LIBRARY_PATH": str(self.lib)}

    def has_zmq(self):
        return (self.lib / "libmidplane-zmq.a").exists()


@contextlib.contextmanager
def installed(build):
    with tempfile.TemporaryDirectory(prefix="midplane-package-") as scratch:
        yield Installed(os.path.abspath(build), scratch), pathlib.Path(scratch)


def prove(claims):
    """Runs (sentence, function) pairs and speaks TAP. A function that returns a text has skipped, for that reason."""
    failures = 0
    print(f"1..{len(claims)}", flush=True)
    for number, (sentence, function) in enumerate(claims, 1):
        try:
            skipped = function()
            print(f"ok {number} - {sentence}" + (f" # SKIP {skipped}" if skipped else ""), flush=True)
        except (Failed, OSError, subprocess.TimeoutExpired, AssertionError) as fault:
            failures += 1
            text = str(fault) if isinstance(fault, Failed) else traceback.format_exc()
            print(f"not ok {number} - {sentence}\n# " + text.replace("\n", "\n# "), flush=True)
    sys.exit(1 if failures else 0)
