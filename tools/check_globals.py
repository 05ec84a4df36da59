#!/usr/bin/env python3
"""Fail when a static library holds mutable process-wide data: a process holds many machines, so no globals.

usage: tools/check_globals.py LIBRARY...    check archives or object files
       tools/check_globals.py --self-test   prove that the check can fail (compiles with $CXX or g++)

Data sections (.data, .bss, thread-local ones, common symbols) must be empty, but for what compilers,
sanitizers and the headers of third parties put there.
"""
import contextlib
import io
import os
import pathlib
import re
import subprocess
import sys
import tempfile

# objdump -tC: address, seven flags and a blank, section, tab, size, [visibility], name
SYMBOL = re.compile(r"^[0-9a-f]+ (.{7}) (\S+)\s+([0-9a-f]+)(?: +\.(?:hidden|internal|protected)| +0x\w\w)* (.+)$")
MUTABLE = re.compile(r"^(\*COM\*|\.(data|bss|sdata|sbss|ldata|lbss|tdata|tbss|tm_clone_table)(\.|$))")
CONSTANT = re.compile(r"^\.data\.rel\.ro(\.|$)")    # read-only once relocated: tables of pointers
COMPILER_MADE = re.compile(
    r"^(\.|DW\.ref\.|__(asan|odr_asan|ubsan|sanitizer|tsan|gcov|llvm|profc|profd|profn|sancov|start_|stop_)|"
    r"___asan|(guard variable for |TLS init function for )?(std|boost|__gnu_cxx|__cxxabiv1)::)")


def mutable_symbols(library):
    """[(name, size, section, member)] of an archive or object file."""
    done = subprocess.run(["objdump", "-tC", "-w", library], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"check_globals: {library} cannot be read: {done.stderr.strip() or 'objdump failed'} "
                 "(build it first: cmake --build build/release)")
    found, member, symbols = [], "", 0
    for line in done.stdout.splitlines():
        if ":     file format " in line:
            member = line.split(":")[0]
        elif m := SYMBOL.match(line):
            symbols += 1
            _, section, size, name = m.groups()
            if (MUTABLE.match(section) and not CONSTANT.match(section) and int(size, 16)
                    and name != section and not COMPILER_MADE.match(name)):
                found.append((name, int(size, 16), section, member))
    return found, symbols


def check(libraries):
    bad = total = 0
    for library in libraries:
        found, symbols = mutable_symbols(library)
        total += symbols
        for name, size, section, member in found:
            print(f"{library}({member}): mutable global '{name}', {size} bytes in {section}: make it constexpr, or "
                  "a member of what owns it")
        bad += len(found)
    print(f"globals: {len(libraries)} libraries, {total} symbols, {bad} complaints")
    if not total:
        print("globals: nothing was looked at: are these the libraries?")
    return not bad and total > 0


def self_test():
    good = """
        #include <iostream>
        #include <string>
        constexpr int table[] = {1, 2, 3};
        static const char* const names[] = {"a", "b"};
        struct Base { virtual ~Base() = default; virtual int f(int i) { return table[i] + (names[i] != nullptr); } };
        Base* make() { try { std::cout << ""; return new Base; } catch (...) { return nullptr; } }
        """
    wrong = {"data": "int counter = 3;", "bss": "int counter;", "static": "static int n; int f() { return ++n; }",
             "static local": "int f() { static int n = 1; return ++n; }",
             "lazy constant": "#include <string>\nconst std::string& f() { static const std::string s(40, 'x'); "
                              "return s; }",
             "thread-local": "thread_local int n = 1; int f() { return ++n; }",
             "inline": "inline int n = 5; int f() { return ++n; }",
             "template": "template <class T> struct S { static T n; }; template <class T> T S<T>::n = 2;\n"
                         "int f() { return ++S<int>::n; }",
             "mutable table": "const char* words[] = {\"a\"}; const char* f() { return words[0]; }",
             "anonymous": "namespace { long n = 1; } long f() { return ++n; }"}
    failed = []
    with tempfile.TemporaryDirectory() as folder:
        for name, text in {"good code": good, **{k: good + v for k, v in wrong.items()}}.items():
            source, object_file, library = (pathlib.Path(folder, f"x.{s}") for s in ("cpp", "o", "a"))
            source.write_text(text)
            library.unlink(missing_ok=True)
            subprocess.run([os.environ.get("CXX", "g++"), "-std=c++20", "-O1", "-c", "-o", object_file, source],
                           check=True)
            subprocess.run(["ar", "rc", library, object_file], check=True)
            with contextlib.redirect_stdout(io.StringIO()):
                passed = check([library])
            print(f"globals self-test: {name}: {'passes' if passed else 'fails'}")
            if passed != (name == "good code"):
                failed.append(name)
    print(f"globals self-test: {'wrong about ' + ', '.join(failed) if failed else 'ok'}")
    return not failed


def main(arguments):
    if "-h" in arguments or "--help" in arguments:
        print(__doc__.strip())
        return True
    if arguments == ["--self-test"]:
        return self_test()
    if not arguments or arguments[0].startswith("-"):
        sys.exit("check_globals: name the libraries to check (--help)")
    return check(arguments)


if __name__ == "__main__":
    sys.exit(not main(sys.argv[1:]))
