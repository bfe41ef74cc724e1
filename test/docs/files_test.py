#!/usr/bin/python3
"""What documents quote of files is the very text of these files.

usage: files_test.py SOURCE_TREE [--write]     A quotation is `<!-- file: PATH -->` and the code block after it.
"""
import pathlib
import re
import sys

tree = pathlib.Path(sys.argv[1])
QUOTATION = re.compile(r"(<!-- file: (\S+) -->\n```\w*\n)(.*?)(^```$)", re.M | re.S)
results = []
for document in [tree / "README.md", *sorted((tree / "docs").glob("*.md"))]:
    text = document.read_text()
    if "--write" in sys.argv:
        document.write_text(QUOTATION.sub(lambda m: m[1] + (tree / m[2]).read_text() + m[4], text))
        continue
    quotations = QUOTATION.findall(text)
    if len(quotations) != text.count("<!-- file: "):
        results.append((f"every quotation in {document.name} has its code block", False))
    for _, path, shown, _ in quotations:
        source = tree / path
        results.append((f"{document.name} quotes {path} as it is", source.is_file() and source.read_text() == shown))
if "--write" not in sys.argv:
    results.append(("documents quote files at all", bool(results)))
    print(f"1..{len(results)}")
    for number, (name, good) in enumerate(results, 1):
        print(f"{'ok' if good else 'not ok'} {number} - {name}")
    sys.exit(0 if all(good for _, good in results) else 1)
