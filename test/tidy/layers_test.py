#!/usr/bin/python3
"""Proves that layers.py sees what it forbids: each seeded offence, alone in a copy of the tree, breaks its own rule.

usage: layers_test.py [TREE]     Speaks TAP.
"""
import os
import shutil
import sys
import tempfile

import layers

# rule, file, text that is added to it (a file that is not there is made)
OFFENCES = [
    ("the_document_lists_every_room", "lib/cellar/wine.hpp", "#pragma once\n"),
    ("includes_go_downward_only", "lib/base/result.cpp", "#include <bus/bus.hpp>\n"),
    ("includes_go_downward_only", "lib/wire/offence.cpp", '#include "route/route.hpp"\n'),
    ("includes_go_downward_only", "lib/mailbox/offence.cpp", "#include <exec/pool.hpp>\n"),
    ("includes_go_downward_only", "lib/link/offence.cpp", "#  include <zmq/transport.hpp>  // a sibling\n"),
    ("includes_go_downward_only", "lib/bus/offence.cpp", "#include <midplane/testing/manual_clock.hpp>\n"),
    ("includes_go_downward_only", "lib/wire/offence.cpp", "#include <midplane/a_typed_shell.hpp>\n"),
    ("includes_go_downward_only", "include/midplane/time.hpp", "#include <midplane/extend/transport.hpp>\n"),
    ("includes_go_downward_only", "include/midplane/result.hpp", "#include <midplane/executors.hpp>\n"),
    ("examples_see_public_headers_only", "examples/offence.cpp", "#include <wire/envelope.hpp>\n"),
    ("public_headers_are_free_of_engines", "include/midplane/offence.hpp", "#pragma once\n#include <zmq.hpp>\n"),
    ("public_headers_are_free_of_engines", "include/midplane/offence.hpp", "#pragma once\n#include <boost/asio.hpp>\n"),
    ("public_headers_are_free_of_engines", "include/midplane/offence.hpp", "#pragma once\n#include <wire_generated.h>\n"),
    ("lockfree_only_in_base", "lib/mailbox/offence.cpp", "#include <boost/lockfree/queue.hpp>\n"),
    ("zeromq_only_in_its_room", "lib/link/offence.cpp", "#include <zmq.h>\n"),
    ("wire_code_only_in_wire", "lib/link/offence.cpp", '#include "offence_generated.h"\n'),
    ("files_are_short", "lib/base/offence.cpp", "\n" * (layers.LINES_MAX + 1)),
    ("headers_say_pragma_once", "lib/base/offence.hpp", "struct Offence {};\n#pragma once\n"),
    ("deadlines_never_read_the_wall_clock", "lib/base/offence.cpp", "clock_gettime(CLOCK_REALTIME, &now);\n"),
    ("deadlines_never_read_the_wall_clock", "lib/base/offence.cpp", "auto now = std::chrono::system_clock::now();\n"),
    ("no_test_sleeps", "test/offence.cpp", "void f() { std::this_thread::sleep_for(1s); }\n"),
    ("no_test_sleeps", "examples/offence.cpp", "void f() { ::sleep(1); }\n"),
    ("no_test_sleeps", "test/offence.cpp", "void f() { usleep(1); }\n"),
    ("every_test_is_built", "test/wire/offence_test.cpp", "// forgotten\n"),
    ("every_test_is_built", "test/offence_test.cpp", "// forgotten\n"),
]
# what looks like an offence and is none
INNOCENT = [
    ("lib/base/innocent.cpp", "// #include <bus/bus.hpp>\n/*\n#include <zmq.hpp>\n*/\n#include <vector>\n"),
    ("lib/bus/innocent.cpp", "#include <base/names.hpp>\n#include <route/route.hpp>\n#include <midplane/bus.hpp>\n"),
    ("lib/zmq/innocent.cpp", "#include <zmq.hpp>\n#include <midplane/extend/transport.hpp>\n"),
    ("examples/innocent.cpp", '#include <midplane/result.hpp>\n#include "innocent.cpp"\n'),
    ("test/innocent.cpp", 'auto text = "usleep(1)";  // never sleep_for\nauto policy = Wait::sleep;\nwith(Wait::sleep, 1);\n'),
]


def copy_of(top, where):
    for folder in ("include", "lib", "test", "examples", "protocol", "docs"):
        if os.path.isdir(os.path.join(top, folder)):
            shutil.copytree(os.path.join(top, folder), os.path.join(where, folder))
    os.makedirs(os.path.join(where, "protocol"), exist_ok=True)
    add(where, "protocol/offence.fbs", "table Offence {}\n")
    return where


def add(where, path, text):
    """Adds `text` and returns how to take it away again."""
    full = os.path.join(where, path)
    old = None
    if os.path.exists(full):
        with open(full, encoding="utf-8") as file:
            old = file.read()
    os.makedirs(os.path.dirname(full), exist_ok=True)
    with open(full, "w", encoding="utf-8") as file:
        file.write((old or "") + text)

    def undo():
        if old is None:
            os.remove(full)
        else:
            with open(full, "w", encoding="utf-8") as file:
                file.write(old)
    return undo


def count(results):
    return {name: len(places) for name, places in results.items()}


def main():
    top = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
    print(f"1..{len(OFFENCES) + len(INNOCENT)}")
    number = failures = 0
    with tempfile.TemporaryDirectory(prefix="midplane-tidy-") as where:
        copy_of(os.path.abspath(top), where)
        before = count(layers.broken_rules(where))

        def report(good, text):
            nonlocal number, failures
            number += 1
            failures += not good
            print(f"{'ok' if good else 'not ok'} {number} - {text}", flush=True)

        for rule, path, text in OFFENCES:
            undo = add(where, path, text)
            after = count(layers.broken_rules(where))
            undo()
            if not os.listdir(os.path.dirname(os.path.join(where, path))):
                os.rmdir(os.path.dirname(os.path.join(where, path)))
            line = next(line for line in text.split("\n") + ["empty lines"] if line and line != "#pragma once")
            report(after[rule] > before[rule], f"{rule}: {path} with {line}".replace("#", ""))
        for path, text in INNOCENT:
            undo = add(where, path, text)
            after = count(layers.broken_rules(where))
            undo()
            report(after == before, f"innocent: {path}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
