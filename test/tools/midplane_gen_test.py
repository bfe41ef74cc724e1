#!/usr/bin/python3
"""midplane-gen from outside: exit codes, what it says, and which files it touches.

usage: midplane_gen_test.py MIDPLANE_GEN FLATC FOLDER_OF_MIDPLANE_FBS
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

GEN, FLATC, MARKERS = map(os.path.abspath, sys.argv[1:4])
TABLES = "namespace market;\ntable Tick { price:double; }\ntable Ask { symbol:string; }\n"


def service(method):
    return 'include "midplane.fbs";\n' + TABLES + "rpc_service Market { " + method + " }\n"


class Case(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory(prefix="midplane gen $")  # names that a make rule has to escape
        self.addCleanup(scratch.cleanup)
        self.folder = pathlib.Path(scratch.name).resolve()

    def write(self, name, text):
        path = self.folder / name
        path.write_text(text)
        return path

    def gen(self, *words):
        command = [GEN, *map(str, words), "--flatc", FLATC, "-I", MARKERS]
        return subprocess.run(command, capture_output=True, text=True, cwd=self.folder)

    def outputs(self):
        return {path.name: path for path in (self.folder / "out").iterdir()}

    def expect(self, code, done):
        self.assertEqual(code, done.returncode, done.stdout + done.stderr)


class Generating(Case):
    def test_a_schema_gives_four_files_and_no_leftovers(self):
        self.expect(0, self.gen(self.write("market.fbs", service("ticks(Tick):midplane.Topic;")), "--out", "out"))
        self.assertEqual({"market_generated.h", "market.bfbs", "market_midplane.hpp", "market_midplane.cpp"},
                         set(self.outputs()))

    def test_no_header_of_the_markers_is_included(self):
        self.gen(self.write("market.fbs", service("ticks(Tick):midplane.Topic;")), "--out", "out")
        for name in ("market_generated.h", "market_midplane.hpp"):
            self.assertNotIn("midplane_generated.h", self.outputs()[name].read_text())
            self.assertNotIn("SchemaOf<::midplane::Topic>", self.outputs()[name].read_text())

    def test_a_binary_schema_gives_the_same_contracts(self):
        self.gen(self.write("market.fbs", service("ticks(Tick):midplane.Topic;")), "--out", "out")
        self.expect(0, self.gen("out/market.bfbs", "--out", "again"))
        for name in ("market_midplane.hpp", "market_midplane.cpp"):
            self.assertEqual((self.folder / "out" / name).read_text(), (self.folder / "again" / name).read_text())
        self.assertFalse((self.folder / "again/market_generated.h").exists())

    def test_included_tables_are_left_to_their_own_file(self):
        self.write("common.fbs", "namespace common; table Money { units:long; }\n")
        schema = 'include "common.fbs";\nnamespace market; table Bill { sum:common.Money; }\n'
        self.expect(0, self.gen(self.write("bill.fbs", schema), "--out", "out"))
        header = self.outputs()["bill_midplane.hpp"].read_text()
        self.assertIn("SchemaOf<::market::Bill>", header)
        self.assertNotIn("SchemaOf<::common::Money>", header)
        self.assertIn('#include "common_midplane.hpp"', header)

    def test_unchanged_output_is_not_touched(self):
        schema = self.write("market.fbs", service("ticks(Tick):midplane.Topic;"))
        self.gen(schema, "--out", "out", "--depfile", "out/market.d")
        for path in self.outputs().values():
            os.utime(path, (1, 1))
        self.expect(0, self.gen(schema, "--out", "out", "--depfile", "out/market.d"))
        self.assertEqual({1}, {path.stat().st_mtime for path in self.outputs().values()})
        schema.write_text(service("ticks(Tick):midplane.Topic (retain);"))
        self.expect(0, self.gen(schema, "--out", "out"))
        touched = {name for name, path in self.outputs().items() if path.stat().st_mtime != 1}
        self.assertIn("market_midplane.hpp", touched)
        self.assertNotIn("market_generated.h", touched)

    def test_the_depfile_names_every_schema_that_was_read(self):
        self.write("deep.fbs", "namespace common; table Deep { n:int; }\n")
        self.write("common.fbs", 'include "deep.fbs";\nnamespace common; table Money { deep:Deep; }\n')
        schema = 'include "common.fbs";\n' + service("ticks(Tick):midplane.Topic;")
        self.expect(0, self.gen(self.write("market.fbs", schema), "--out", "out", "--depfile", "market.d"))
        targets, sources = (self.folder / "market.d").read_text().split(":", 1)
        self.assertTrue(targets.startswith("out/market_generated.h "))
        here = str(self.folder).replace("$", "$$").replace(" ", "\\ ")
        for name in ("deep.fbs", "common.fbs"):
            self.assertIn(f"{here}/{name}", sources)
        self.assertIn(str(pathlib.Path(MARKERS).resolve() / "midplane.fbs"), sources)


    def test_a_service_named_like_its_namespace_is_warned_of(self):
        done = self.gen(self.write("market.fbs", service("ticks(Tick):midplane.Topic;")), "--out", "out")
        self.expect(0, done)
        self.assertIn("market.Market is named like the namespace it lies in", done.stderr)
        other = self.write("other.fbs", service("ticks(Tick):midplane.Topic;").replace("rpc_service Market", "rpc_service Feed"))
        self.assertEqual("", self.gen(other, "--out", "out").stderr)


    def test_each_parameter_of_a_name_with_wildcards_is_explained_by_its_place(self):
        methods = 'm(Tick):midplane.Topic (topic: "van.*.position"); n(Ask):Tick (service: "*.fees.*.x");'
        self.expect(0, self.gen(self.write("market.fbs", service(methods)), "--out", "out"))
        header = self.outputs()["market_midplane.hpp"].read_text()
        self.assertIn("/// `van.*.position` with its `*` filled in, each by one token; escape_token() makes any text one.\n"
                      "/// - `token`: the `*`, behind `van`\n[[nodiscard]]", header)
        self.assertIn("/// - `token_1`: the 1st `*`, in front\n/// - `token_2`: the 2nd `*`, behind `*.fees`\n[[nodiscard]]", header)
        self.assertIn("/// All of these topics, to subscribe.\n[[nodiscard]]", header)


class Refusing(Case):
    def refused(self, method, *words):
        done = self.gen(self.write("market.fbs", service(method)), "--out", "out")
        self.expect(3, done)
        for word in ("market.fbs", "market.Market.m", *words):
            self.assertIn(word, done.stderr)
        self.assertEqual({}, self.outputs())

    def test_a_malformed_name(self):
        for name, word in (("a..b", "empty token"), ("a b", "tokens are of"), ("", "is empty"), ("a.>", "only * can"),
                           ("_midplane.x", "choose another"), ("a.x*", "tokens are of"), ("a" * 256, "255")):
            with self.subTest(name=name):
                self.refused(f'm(Tick):midplane.Topic (topic: "{name}");', word)
                self.refused(f'm(Ask):Tick (service: "{name}");', word)

    def test_a_name_with_a_placeholder_is_told_to_use_a_wildcard(self):
        for name in ("van.{id}.position", "van.<id>.position", "van.$id.position", "van.${id}.position"):
            with self.subTest(name=name):
                said = "write `van.*.position`: the constant becomes a function that takes the token\n"
                self.refused(f'm(Tick):midplane.Topic (topic: "{name}");', "tokens are of", said)
                self.refused(f'm(Ask):Tick (service: "{name}");', said)
        self.refused('m(Ask):Tick (service: "{depot}.van.<id>");', "write `*.van.*`: the constant becomes a function that takes the tokens\n")
        self.refused('m(Ask):Tick (service: "$depot.van");', "write `*.van`: the constant becomes a function that takes the token\n")

    def test_a_placeholder_that_is_no_whole_token_is_told_the_rule_and_no_name(self):
        for name in ("depot.{id}.a b", "van-{id}.position", "a<b", "${id}s.position", "van.$.position", "{a.b}"):
            with self.subTest(name=name):
                self.refused(f'm(Ask):Tick (service: "{name}");', "; write a `*` for each filled-in token, as in `van.*.position`\n")

    def test_a_value_that_an_attribute_does_not_have(self):
        self.refused('m(Tick):midplane.Topic (overflow: "newest");', "newest", "drop_newest")
        self.refused("m(Tick):midplane.Topic (queue: 0);", "queue", "whole number from 1")
        self.refused('m(Tick):midplane.Topic (queue: "many");', "many", "whole number from 1")
        self.refused("m(Tick):midplane.Topic (queue: 8388609);", "8388609", "1 to 8388608")
        self.refused("m(Ask):Tick (timeout_ms: -1);", "timeout_ms", "whole number from 1")
        self.refused('m(Ask):Tick (streaming: "bidi");', "bidi", '"server"')
        self.refused('m(Tick):midplane.Topic (retain: "maybe");', "retain", "leave it out")

    def test_an_attribute_of_the_other_kind(self):
        self.refused("m(Tick):midplane.Topic (idempotent);", "idempotent is for services")
        self.refused("m(Ask):Tick (retain);", "retain is for topics")
        self.refused('m(Ask):Tick (topic: "a");', "topic is for topics")

    def test_the_marker_as_a_payload(self):
        self.refused("m(midplane.Topic):midplane.Topic;", "make the payload the argument")

    def test_two_contracts_of_one_name(self):
        self.refused('a(Tick):midplane.Topic (topic: "t"); m(Tick):midplane.Topic (topic: "t");', "Market.a", "rename")
        self.refused("getIt(Ask):Tick (service: \"x\"); m(Ask):Tick; M(Ask):Tick (service: \"y\");", "rename")


class Ending(Case):
    def test_help_shows_examples_and_exit_codes(self):
        done = self.gen("--help")
        self.expect(0, done)
        self.assertIn("Examples:", done.stdout)
        self.assertIn("5 incompatible", done.stdout)

    def test_wrong_usage_is_2(self):
        schema = self.write("market.fbs", TABLES)
        for words in ([], [schema], ["--out", "out"], [schema, "--out", "out", "--nonsense"], ["x.txt", "--out", "out"],
                      ["--check", schema], ["--check", schema, schema, "--out", "out"], [schema, "--out", "out", "--json"]):
            with self.subTest(words=words):
                self.expect(2, self.gen(*words))

    def test_unreadable_or_invalid_input_is_3(self):
        done = self.gen("absent.fbs", "--out", "out")
        self.expect(3, done)
        self.assertIn("absent.fbs", done.stderr)
        self.expect(3, self.gen(self.write("bad.bfbs", "no schema at all"), "--out", "out"))
        self.expect(3, self.gen("--check", "absent.bfbs", "absent.bfbs"))

    def test_a_place_that_can_not_be_written_is_4(self):
        schema = self.write("market.fbs", TABLES)
        self.write("file", "")
        self.expect(4, self.gen(schema, "--out", "file/out"))

    def test_a_flatc_that_fails_or_is_not_there_is_4(self):
        done = self.gen(self.write("market.fbs", "table Tick { price }"), "--out", "out")
        self.expect(4, done)
        self.assertIn("market.fbs", done.stderr)
        self.assertNotIn("midplane.fbs", done.stderr)
        done = subprocess.run([GEN, self.folder / "market.fbs", "--out", self.folder / "out", "--flatc", "/nowhere/flatc"],
                              capture_output=True, text=True)
        self.expect(4, done)
        self.assertIn("--flatc", done.stderr)


    def test_a_flatc_that_writes_nothing_is_4(self):
        done = subprocess.run([GEN, self.write("market.fbs", TABLES), "--out", self.folder / "out", "--flatc", "/bin/true"], capture_output=True, text=True)
        self.expect(4, done)
        self.assertIn("/bin/true: ended well and wrote no market_generated.h", done.stderr)

    def test_output_that_can_not_be_written_is_4(self):
        schema = self.write("market.fbs", TABLES)
        with open("/dev/full", "w") as full:
            done = subprocess.run([GEN, "--check", schema, schema, "--flatc", FLATC], stdout=full, stderr=subprocess.PIPE, text=True)
        self.assertEqual(4, done.returncode, done.stderr)
        self.assertIn("stdout can not be written", done.stderr)

    def test_only_what_flatc_says_of_the_markers_brings_the_hint_to_include_them(self):
        hint = 'need include "midplane.fbs"'
        for name, text in (("a", service("ticks(Tick):midplane.Topic;").replace('include "midplane.fbs";', "")),
                           ("b", service('ask(Ask):Tick (service: "x");').replace('include "midplane.fbs";', "")),
                           ("c", service("ticks(Tick):midplane.Topic;").replace('"midplane.fbs"', '"folder/midplane.fbs"'))):
            done = self.gen(self.write(name + ".fbs", text), "--out", "out")
            self.expect(4, done)
            self.assertIn("error:", done.stderr)  # of flatc itself
            self.assertIn(hint, done.stderr)
        for name, text in (("d", service("ticks(Tick):midplane.Topic;") + "table X { a:nothing; }\n"),
                           ("e", service("ticks(Tick):midplane.Topics;")),
                           ("f", TABLES + "table X { a:int (queue_depth: 3); }\n"),
                           ("midplane.Topic", TABLES + "table X { a:nothing; }\n"),
                           ("g", 'include "midplane.fbs.more";\n' + TABLES)):
            with self.subTest(name=name):
                done = self.gen(self.write(name + ".fbs", text), "--out", "out")
                self.expect(4, done)
                self.assertIn("error:", done.stderr)
                self.assertNotIn(hint, done.stderr)
                self.assertNotIn("the attributes of midplane.fbs", done.stderr)

    def test_a_misspelt_attribute_is_answered_with_those_that_there_are(self):
        for attribute in ('topics: "x"', "queu: 3", "retained", "time_out_ms: 5"):
            with self.subTest(attribute=attribute):
                done = self.gen(self.write("a.fbs", service(f"ticks(Tick):midplane.Topic ({attribute});")), "--out", "out")
                self.expect(4, done)
                self.assertIn("the attributes of midplane.fbs are topic, service, overflow, queue, queue_bytes, retain, idempotent, "
                              "timeout_ms and streaming\n", done.stderr)


class Checking(Case):
    OLD = "namespace m; table Tick { price:double; size:int; } table Ask { a:int; }\n"

    def check(self, new, *words):
        return self.gen("--check", self.write("old.fbs", self.OLD), self.write("new.fbs", new), *words)

    def test_an_added_field_is_compatible(self):
        done = self.check(self.OLD.replace("size:int;", "size:int; venue:string;"))
        self.expect(0, done)
        self.assertTrue(done.stdout.startswith("compatible: "))

    def test_each_incompatible_change_is_named(self):
        done = self.check(self.OLD.replace("price:double", "price:string").replace("a:int", "a:string"))
        self.expect(5, done)
        self.assertIn("m.Tick.price", done.stdout)
        self.assertIn("m.Ask.a", done.stdout)

    def test_a_deleted_trailing_field_is_incompatible(self):
        self.expect(5, self.check(self.OLD.replace("size:int;", "")))

    def test_a_deleted_type_is_incompatible(self):
        done = self.check(self.OLD.replace("table Ask { a:int; }", ""))
        self.expect(5, done)
        self.assertIn("deleted_type", done.stdout)

    def test_only_the_named_type_is_compared(self):
        self.expect(0, self.check(self.OLD.replace("a:int", "a:string"), "--type", "m.Tick"))
        self.expect(5, self.check(self.OLD.replace("a:int", "a:string"), "--type", "m.Ask"))
        self.expect(3, self.check(self.OLD, "--type", "m.Absent"))

    def test_json_says_the_same(self):
        done = self.check(self.OLD.replace("a:int", "a:string"), "--json")
        self.expect(5, done)
        answer = json.loads(done.stdout)
        self.assertFalse(answer["compatible"])
        self.assertEqual(["m.Ask.a"], [change["path"] for change in answer["changes"]])
        self.assertTrue(json.loads(self.check(self.OLD, "--json").stdout)["compatible"])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
