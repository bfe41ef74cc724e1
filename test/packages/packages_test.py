#!/usr/bin/python3
"""Builds a small consumer project against an installed and moved copy of Midplane, runs it, compares its output.

usage: packages_test.py SOURCE_TREE BUILD CONSUMER     CONSUMER: pkg_config, cmake, meson_dependency, meson_subproject
"""
import json
import pathlib
import re
import shutil
import sys

from installed import Failed, dynamic, installed, prove, require, run

tree, build, consumer = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3]
here = pathlib.Path(__file__).resolve().parent
BUS = "libmidplane.so.0."


def project(scratch):
    return pathlib.Path(shutil.copytree(here / consumer, scratch / consumer))


def prints_what_is_expected(program, env=None):
    got = run(program, env=env, timeout=60)
    expected = (here / consumer / "expected.txt").read_text()
    require(got == expected, f"{program.name} printed\n{got}instead of\n{expected}")


def links(program, shared):
    needed = [name for name in dynamic(program, "NEEDED") if "midplane" in name]
    require(bool(needed) == shared, f"{program.name} needs {needed or 'no library of ours'}")


def pkg_config(copy, scratch):
    folder = project(scratch)

    def built(*arguments):
        run("./build.sh", *arguments, cwd=folder, env=copy.pkgconfig)
        return folder / "station"

    def shared():
        links(built(), shared=True)
        prints_what_is_expected(folder / "station", copy.at_run_time)

    def static():
        links(built("--static"), shared=False)
        require(not dynamic(folder / "station", "NEEDED"), "a library is needed at run time")
        prints_what_is_expected(folder / "station")

    return [("pkg-config: without exceptions and run-time types, shared, it prints what is expected", shared),
            ("pkg-config: linked statically it prints the same and needs no library", static),
            ("nothing installed names the place where it was first, the build or the sources", lambda: places(copy)),
            ("the documents and the examples are installed, with their links among one another", lambda: documents(copy)),
            ("pkg-config, CMake and the headers give one version", lambda: versions(copy)),
            ("what public headers include is free of ZeroMQ, Boost and wire code", lambda: engines(copy, scratch)),
            ("the shared libraries show names of midplane only, and none of its rooms", lambda: symbols(copy)),
            ("an installed program finds its library by the system's means only", lambda: run_paths(copy))]


def places(copy):
    names = [copy.first_prefix.encode(), str(tree).encode(), str(pathlib.Path(build).resolve()).encode()]
    texts = [path for path in copy.prefix.rglob("*")
             if path.is_file() and path.suffix in (".pc", ".cmake", ".hpp", ".h", ".fbs")]
    require(len(texts) > 40, f"only {len(texts)} files were looked at")
    bad = [f"{path.relative_to(copy.prefix)}: {name.decode()}"
           for path in texts for name in names if name in path.read_bytes()]
    require(not bad, "\n".join(bad))


def documents(copy):
    folder = copy.prefix / "share" / "doc" / "midplane"
    for source in [tree / "README.md", tree / "CHANGELOG.md", *(tree / "docs").glob("*.md"), *(tree / "examples").glob("*.cpp")]:
        require((folder / source.relative_to(tree)).read_bytes() == source.read_bytes(), f"{source.name} is not installed")
    pages = [folder / "README.md", *(folder / "docs").glob("*.md")]
    links = [(page, link) for page in pages for link in re.findall(r"\]\(([A-Za-z0-9_./]+)[)#]",
                                                         re.sub(r"^```.*?^```", "", page.read_text(), flags=re.M | re.S))
             if not link.startswith("http")]
    require(len(links) > 50, f"only {len(links)} links were looked at")
    broken = [f"{page.name}: {link}" for page, link in links if not (page.parent / link).exists()]
    require(not broken, "\n".join(broken))


def versions(copy):
    header = (copy.include / "midplane" / "version.hpp").read_text()
    parts = [re.search(rf"version_{part} = (\d+);", header)[1] for part in ("major", "minor", "patch")]
    cmake = next(copy.prefix.rglob("midplane-config-version.cmake")).read_text()
    said = {"version.hpp": ".".join(parts), "CMake": re.search(r'PACKAGE_VERSION "(.*?)"', cmake)[1]}
    for name in sorted(path.stem for path in (copy.lib / "pkgconfig").glob("*.pc")):
        said[name + ".pc"] = run("pkg-config", "--modversion", name, env=copy.pkgconfig).strip()
    require(len(said) >= 4 and len(set(said.values())) == 1, str(said))


def engines(copy, scratch):
    """Not the lines of the headers, but what the compiler opened in the end."""
    headers = sorted(str(path.relative_to(copy.include)) for path in copy.include.rglob("*.hpp"))
    unit = scratch / "all_headers.cpp"
    unit.write_text("".join(f"#include <{header}>\n" for header in headers))
    flags = run("pkg-config", "--cflags", "midplane", env=copy.pkgconfig).split()
    words = run("g++", "-std=c++20", "-M", *flags, unit).replace("\\\n", " ").split()
    opened = [word for word in words if not word.endswith(":")]  # without the rule's target
    require(sum("/midplane/" in path for path in opened) >= len(headers), "the headers were not opened")
    ours = str(copy.include.resolve() / "midplane")
    bad = [path for path in map(str, (pathlib.Path(path).resolve() for path in opened))
           if path.endswith("_generated.h") or path.startswith(str(tree))
           or not path.startswith(ours) and re.search(r"zmq|/boost/", path)]
    require(not bad, "\n".join(bad))


def symbols(copy):
    sys.path.insert(0, str(tree / "bench"))
    sys.dont_write_bytecode = True
    import library_size
    # Named by the public headers, but only to point at them.
    inner = re.compile(r"(Bus|Publisher|Subscription|Client|Server|Timer)Core(::|$)|"
                       r"v0::(wire|exec|mailbox|route|call|link|schema)::")
    for name in library_size.LIBRARIES if copy.has_zmq() else library_size.LIBRARIES[:1]:
        every = library_size.public_symbols(copy.lib / name)
        require(len(every) > 5, f"{name} shows {len(every)} symbols")
        foreign = [symbol for symbol in every if not library_size.OURS.match(symbol)]
        require(not foreign, f"{name} shows\n" + run("c++filt", *foreign[:50]))
        if copy.is_clang:
            continue  # clang 14 can not hide them (lib/meson.build)
        ours = run("c++filt", *every).splitlines()
        rooms = [symbol for symbol in ours if inner.search(symbol.split("(", 1)[0])]
        require(not rooms, f"{name} shows\n" + "\n".join(rooms[:50]))


def run_paths(copy):
    for binary in [*copy.bin.iterdir(), *copy.lib.glob("*.so")]:
        require(not dynamic(binary, "RUNPATH") + dynamic(binary, "RPATH"), f"{binary.name} has a path of its own")


def cmake(copy, scratch):
    folder = project(scratch)
    out = folder / "build"

    def shared():
        run("cmake", "-S", folder, "-B", out, "-G", "Ninja", f"-DCMAKE_PREFIX_PATH={copy.prefix}")
        run("cmake", "--build", out)
        links(out / "ferry", shared=True)
        prints_what_is_expected(out / "ferry")

    def static():
        links(out / "ferry_static", shared=False)
        prints_what_is_expected(out / "ferry_static")

    def kit():
        run("ctest", "--test-dir", out, "--output-on-failure")

    def nothing_twice():
        said = run("cmake", "--build", out)
        require("no work to do" in said, said)
        (folder / "ferry.fbs").write_text((folder / "ferry.fbs").read_text() + "table Added { number:uint; }\n")
        run("cmake", "--build", out)
        header = (out / "ferry_messages.midplane" / "ferry_generated.h").read_text()
        require("struct Added" in header, "a changed schema was not generated again")

    def refused(call, word):
        lists = scratch / "refused"
        shutil.rmtree(lists, ignore_errors=True)
        lists.mkdir()
        start = "cmake_minimum_required(VERSION 3.20)\nproject(x LANGUAGES CXX)\n"
        (lists / "CMakeLists.txt").write_text(f"{start}{call}\n")
        said = run("cmake", "-S", lists, "-B", lists / "b", "-G", "Ninja", f"-DCMAKE_PREFIX_PATH={copy.prefix}", expected=None)
        require(word in said, said)

    def refusals():
        refused("find_package(midplane 0.0 CONFIG REQUIRED)", "0.0")
        refused("find_package(midplane 0.9 CONFIG REQUIRED)", "0.9")
        refused("find_package(midplane CONFIG REQUIRED COMPONENTS pigeons)", "without its component pigeons")
        refused("find_package(midplane CONFIG REQUIRED)\nmidplane_schema(TARGET x SCHEMAS y.fbs)", "no target x")

    return [("CMake: over ZeroMQ, shared, it prints what is expected", shared),
            ("CMake: linked to the static libraries it prints the same", static),
            ("CMake: a test with the test kit passes", kit),
            ("CMake: a schema is generated again when it has changed, and only then", nothing_twice),
            ("CMake: other versions, unknown components and targets are refused by name", refusals)]


def meson_dependency(copy, scratch):
    folder = project(scratch)

    def setup(linking):
        out = folder / linking
        run("meson", "setup", out, folder, f"-Ddefault_library={linking}", "-Dbuildtype=plain", env=copy.pkgconfig)
        run("ninja", "-C", out)
        return out

    def shared():
        out = setup("shared")
        links(out / "parcels", shared=True)
        prints_what_is_expected(out / "parcels", copy.at_run_time)

    def static():
        out = setup("static")
        links(out / "parcels", shared=False)
        prints_what_is_expected(out / "parcels")

    def kit():
        run("meson", "test", "--no-rebuild", "-C", folder / "static")

    return [("Meson dependency: over ZeroMQ, shared, it prints what is expected", shared),
            ("Meson dependency: linked to the static libraries it prints the same", static),
            ("Meson dependency: a test with the test kit passes", kit)]


def meson_subproject(_, scratch):
    folder = project(scratch)
    out = folder / "build"

    def shared():
        shutil.copytree(tree, folder / "subprojects" / "midplane", symlinks=True,
                        ignore=shutil.ignore_patterns("build*", ".git", "__pycache__"))
        run("meson", "setup", out, folder, "-Dbuildtype=plain")
        run("ninja", "-C", out, "books", "books_static", timeout=3000)
        links(out / "books", shared=True)
        prints_what_is_expected(out / "books")

    def static():
        links(out / "books_static", shared=False)
        prints_what_is_expected(out / "books_static")

    def only_the_library():
        targets = json.loads(run("meson", "introspect", "--targets", out))
        inner = [pathlib.Path(target["defined_in"]) for target in targets if target["subproject"] == "midplane"]
        require(len(inner) >= 4, f"only {len(inner)} targets")
        folders = {path.relative_to(folder / "subprojects" / "midplane").parts[0] for path in inner}
        require(folders <= {"lib", "protocol", "tools", "meson.build"}, f"it also builds {folders}")
        require(not json.loads(run("meson", "introspect", "--tests", out)), "its tests are tests of the consumer")

    return [("Meson subproject: without exceptions and run-time types, shared, it prints what is expected", shared),
            ("Meson subproject: linked to the static library it prints the same", static),
            ("Meson subproject: tests, examples and benchmarks of Midplane are not built", only_the_library)]


if consumer == "meson_subproject":  # nothing is installed for it
    import tempfile
    with tempfile.TemporaryDirectory(prefix="midplane-package-") as scratch_folder:
        prove(meson_subproject(None, pathlib.Path(scratch_folder)))
else:
    with installed(build) as (the_copy, scratch_folder):
        claims = {"pkg_config": pkg_config, "cmake": cmake, "meson_dependency": meson_dependency}[consumer]
        prove(claims(the_copy, scratch_folder))
