#!/usr/bin/python3
"""Compiles each installed public header on its own, with nothing of the source tree in reach.

usage: headers_test.py BUILD
"""
import concurrent.futures
import os
import shutil
import subprocess
import sys

from installed import installed, prove, require, run

COMPILERS = {"g++": ["g++"], "g++ without exceptions and run-time types": ["g++", "-fno-exceptions", "-fno-rtti"],
             "clang++-14": ["clang++-14"]}


def alone(copy, command, header):
    """Twice in one unit, so that a header without #pragma once is seen too."""
    flags = run("pkg-config", "--cflags", "midplane", env=copy.pkgconfig).split()
    unit = f"#include <{header}>\n#include <{header}>\n"
    options = ["-std=c++20", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", *flags, "-x", "c++", "-"]
    done = subprocess.run([*command, *options], input=unit, capture_output=True, text=True, check=False)
    return f"{header}:\n{done.stderr[:2000]}" if done.returncode else None


def every_header(copy, command):
    if not shutil.which(command[0]):
        return f"{command[0]} is not installed"
    headers = sorted(str(path.relative_to(copy.include)) for path in copy.include.rglob("*.hpp"))
    require(len(headers) > 30, f"only {len(headers)} headers")
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        faults = [fault for fault in pool.map(lambda header: alone(copy, command, header), headers) if fault]
    require(not faults, "\n".join(faults))
    return None


def broken_is_seen(copy):
    header = copy.include / "midplane" / "broken_on_purpose.hpp"
    header.write_text("#pragma once\ninline std::size_t needs_an_include() { return 0; }\n")
    fault = alone(copy, ["g++"], "midplane/broken_on_purpose.hpp")
    header.unlink()
    require(fault and "size_t" in fault, "a header that needs another one was not seen")


with installed(sys.argv[1]) as (the_copy, _):
    prove([(f"each installed header compiles on its own: {name}",
            lambda command=command: every_header(the_copy, command)) for name, command in COMPILERS.items()] +
          [("a header that lacks an include is seen", lambda: broken_is_seen(the_copy))])
