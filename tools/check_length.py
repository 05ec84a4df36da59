#!/usr/bin/env python3
"""Warn about source files over 500 lines, fail over 1000: a file is one thing, read from top to bottom.

usage: tools/check_length.py [ROOT]       check the tree (default: the one this script is in)
       tools/check_length.py --self-test  prove that the check can fail
"""
import contextlib
import io
import os
import pathlib
import sys
import tempfile

SUFFIXES = (".cpp", ".hpp", ".def", ".py")
WARN, FAIL = 500, 1000


def sources(root):
    """Source files under a folder; build folders and hidden ones are not the house's."""
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(f for f in folders if not f.startswith((".", "build", "__")))
        for name in sorted(files):
            if name.endswith(SUFFIXES):
                yield pathlib.Path(folder, name)


def check(root):
    seen = warned = bad = 0
    for path in sources(root):
        seen += 1
        with open(path, "rb") as f:
            lines = sum(1 for _ in f)
        if lines > FAIL:
            bad += 1
            print(f"{path.relative_to(root)}: {lines} lines, over {FAIL}: split it by what its parts are about")
        elif lines > WARN:
            warned += 1
            print(f"{path.relative_to(root)}: warning: {lines} lines, over {WARN}")
    print(f"length: {seen} files, {warned} warnings, {bad} complaints")
    if not seen:
        print(f"length: no source under {root}: is this the root of the tree?")
    return seen > 0 and not bad


def self_test():
    cases = {"at the limit": ({"core/a.cpp": FAIL}, True), "over the limit": ({"core/a.cpp": FAIL + 1}, False),
             "a .def": ({"cpu/isa/a.def": FAIL + 1}, False), "a .py": ({"a.py": 5, "tools/b.py": FAIL + 1}, False),
             "a header": ({"core/a.hpp": FAIL + 1}, False), "a warning": ({"a.hpp": WARN + 1}, True),
             "a build folder": ({"a.py": 5, "build/release/a.cpp": FAIL + 1}, True), "nothing": ({}, False)}
    failed = []
    for name, (files, expected) in cases.items():
        with tempfile.TemporaryDirectory() as folder:
            for path, lines in files.items():
                file = pathlib.Path(folder, path)
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text("x\n" * lines)
            with contextlib.redirect_stdout(io.StringIO()):
                passed = check(pathlib.Path(folder))
        print(f"length self-test: {name}: {'passes' if passed else 'fails'}")
        if passed != expected:
            failed.append(name)
    print(f"length self-test: {'wrong about ' + ', '.join(failed) if failed else 'ok'}")
    return not failed


def main(arguments):
    if "-h" in arguments or "--help" in arguments:
        print(__doc__.strip())
        return True
    if arguments == ["--self-test"]:
        return self_test()
    if len(arguments) > 1 or (arguments and arguments[0].startswith("-")):
        sys.exit(f"check_length: {' '.join(arguments)}: one ROOT at most (--help)")
    return check(pathlib.Path(arguments[0]) if arguments else pathlib.Path(__file__).resolve().parent.parent)


if __name__ == "__main__":
    sys.exit(not main(sys.argv[1:]))
