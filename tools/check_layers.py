#!/usr/bin/env python3
"""Fail when a folder includes, or a library links, something that it may not depend on.

usage: tools/check_layers.py [ROOT]      check the tree (default: the one this script is in)
       tools/check_layers.py --self-test  prove that the check can fail
"""
import contextlib
import io
import pathlib
import re
import sys
import tempfile

# The dependency graph of the house: a folder, and the folders that it may include and link.
MAY = {
    "core": {"core"},
    "roms": {"core", "roms"},
    "mmu": {"core", "mmu"},
    "cpu": {"core", "mmu", "cpu"},
    "devices": {"core", "devices"},
    "frontend": {"core", "mmu", "cpu", "devices", "roms", "frontend"},
    "tests": {"core", "mmu", "cpu", "devices", "roms", "frontend", "tests"},
}
# Engines and devices meet in core's interfaces; these folders alone name both in one file.
WIRING = ("frontend/session/", "tests/")

SOURCES = {".c", ".cc", ".cpp", ".h", ".hpp", ".def", ".inc", ".in", ".S"}
INCLUDE = re.compile(r'\s*#\s*include\s+["<]([^">]+)[">]')
# hartline_floor(NAME LIBRARIES...) is CMakeLists.txt's own: a folder's library and what it links.
COMMAND = re.compile(r"\b(hartline_floor|target_link_libraries|add_library|target_sources)\s*\(([^()]*)\)")


def folder_of(root, source, header):
    """The folder of the house that an include reaches, or None: "cpu/x.hpp", "../cpu/x.hpp"."""
    if not header.startswith("."):
        first = header.split("/")[0]
        return first if "/" in header and first in MAY else None
    target = (source.parent / header).resolve()
    return target.relative_to(root).parts[0] if target.is_relative_to(root) else None


def check_includes(root, folder):
    """-> (files seen, [complaints])"""
    seen, bad = 0, []
    for path in sorted((root / folder).rglob("*")):
        if path.suffix not in SOURCES or not path.is_file():
            continue
        seen += 1
        name, reached = path.relative_to(root).as_posix(), {}
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
            if m := INCLUDE.match(line):
                target = folder_of(root, path, m[1])
                reached.setdefault(target, number)
                if target in MAY and target not in MAY[folder]:
                    bad.append(f"{name}:{number}: {folder}/ may not include {m[1]} (it may use: "
                               f"{', '.join(sorted(MAY[folder]))})")
        if {"cpu", "devices"} <= reached.keys() and not name.startswith(WIRING):
            bad.append(f"{name}:{max(reached['cpu'], reached['devices'])}: includes both cpu/ and devices/; only "
                       f"{' and '.join(WIRING)} may (elsewhere use the interfaces in core/)")
    return seen, bad


def library(word):
    """The folder that a CMake target is the library of: core, hartline_core, hartline::core."""
    name = re.sub(r"^hartline(?:_|-|::)", "", word)
    return name if name in MAY else None


def check_cmake(root, path):
    """-> (commands seen, [complaints])"""
    text = re.sub(r"#.*", "", path.read_text())
    seen, bad = 0, []
    for m in COMMAND.finditer(text):
        words = re.findall(r"[\w:./${}-]+", re.sub(r"\$<\w+:", " ", m[2]))
        target = library(words[0]) if words else None
        if not target:
            continue
        seen += 1
        where = f"{path.relative_to(root).as_posix()}:{text.count(chr(10), 0, m.start()) + 1}"
        for word in words[1:]:
            linked = library(word)
            part = word.removeprefix("${PROJECT_SOURCE_DIR}/").removeprefix("${CMAKE_SOURCE_DIR}/").split("/")[0]
            if m[1] in ("target_link_libraries", "hartline_floor"):
                if linked and linked not in MAY[target]:
                    bad.append(f"{where}: library {target} may not link {linked}")
            elif "/" in word and part in MAY and part != target and path.parent == root:
                bad.append(f"{where}: library {target} may not be built from {word}")
    return seen, bad


def check(root):
    root = root.resolve()
    bad, files, commands = [], 0, 0
    for folder in MAY:
        seen, complaints = check_includes(root, folder)
        files, bad = files + seen, bad + complaints
    lists = [root / "CMakeLists.txt", *(p for folder in MAY for p in (root / folder).rglob("CMakeLists.txt"))]
    for path in filter(pathlib.Path.is_file, lists):
        seen, complaints = check_cmake(root, path)
        commands, bad = commands + seen, bad + complaints
    if not files:
        bad.append(f"{root}: no source found in {', '.join(MAY)}: is this the root of the tree?")
    print(*bad, f"layers: {files} files, {commands} CMake commands, {len(bad)} complaints", sep="\n")
    return not bad


def self_test():
    good = {"core/a.hpp": "", "mmu/b.hpp": '#include "core/a.hpp"\n', "cpu/c.cpp": '#include "mmu/b.hpp"\n',
            "devices/d.cpp": '#include "core/a.hpp"\n#include <vector>\n', "tests/e.cpp": '#include "cpu/c.hpp"\n',
            "frontend/session/f.cpp": '#include "cpu/c.hpp"\n#include "devices/d.hpp"\n',
            "CMakeLists.txt": "add_library(core STATIC core/a.cpp)\ntarget_link_libraries(cpu PUBLIC core mmu)\n"}
    wrong = {"upward": {"core/a.hpp": '#include "cpu/c.hpp"\n'},
             "sideways": {"devices/d.cpp": '  #  include <cpu/c.hpp>\n'},
             "relative": {"devices/virtio/d.cpp": '#include "../../mmu/b.hpp"\n'},
             "a .def": {"cpu/isa/x.def": '#include "frontend/f.hpp"\n'},
             "wiring": {"frontend/cli/f.cpp": '#include "cpu/c.hpp"\n#include "devices/d.hpp"\n'},
             "link": {"CMakeLists.txt": "target_link_libraries(devices\n  PUBLIC core cpu)\n"},
             "link by alias": {"core/CMakeLists.txt": "target_link_libraries(hartline_core hartline::mmu)\n"},
             "floor": {"CMakeLists.txt": "hartline_floor(cpu mmu atomic)\nhartline_floor(core cpu)\n"},
             "source": {"CMakeLists.txt": "add_library(core STATIC core/a.cpp cpu/c.cpp)\n"}}
    failed = []
    for name, tree in {"the good tree": good, "an empty tree": {},
                       **{name: {**good, **change} for name, change in wrong.items()}}.items():
        with tempfile.TemporaryDirectory() as folder:
            for path, text in tree.items():
                file = pathlib.Path(folder, path)
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text)
            with contextlib.redirect_stdout(io.StringIO()):
                passed = check(pathlib.Path(folder))
        print(f"layers self-test: {name}: {'passes' if passed else 'fails'}")
        if passed != (tree is good):
            failed.append(name)
    print(f"layers self-test: {'wrong about ' + ', '.join(failed) if failed else 'ok'}")
    return not failed


def main(arguments):
    if "-h" in arguments or "--help" in arguments:
        print(__doc__.strip())
        return True
    if arguments == ["--self-test"]:
        return self_test()
    if len(arguments) > 1 or (arguments and arguments[0].startswith("-")):
        sys.exit(f"check_layers: {' '.join(arguments)}: one ROOT at most (--help)")
    return check(pathlib.Path(arguments[0]) if arguments else pathlib.Path(__file__).resolve().parent.parent)


if __name__ == "__main__":
    sys.exit(not main(sys.argv[1:]))
