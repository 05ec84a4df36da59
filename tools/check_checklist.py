#!/usr/bin/env python3
"""Fail when a line of tests/checklist.txt has no test, or its tests are not those that are built.

usage: tools/check_checklist.py LIST TESTS HARTLINE BUILD   the list, the built unit tests, the program, ctest's folder
       tools/check_checklist.py --self-test                 prove that the check can fail
"""
import pathlib
import re
import subprocess
import sys

LINES = {"checklist": 67, "seen": 75}
HEADING = re.compile(r"(checklist|seen) (\d+): \S")
CLAIM = re.compile(r"((?:checklist|seen) \d[\d, andsechklit]*): ")
# Tests of ctest by their first word. A family may be absent as a whole (not configured); then it counts for nothing.
FAMILIES = ("bare_", "guest_")
NEVER_IN_THE_TABLE = {"rv32"}


def read(text):
    """-> {("checklist", 12): [entries]}, [complaints]"""
    lines, bad, current = {}, [], None
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        if line.startswith("    ") and current:
            lines[current].append(line.strip())
        elif m := HEADING.match(line):
            current = (m[1], int(m[2]))
            if current in lines:
                bad.append(f"line {number}: {m[1]} {m[2]} is there twice")
            lines.setdefault(current, [])
        else:
            bad.append(f"line {number} is neither a heading (\"seen 12: what\") nor an entry below one")
    wanted = {(kind, n) for kind, last in LINES.items() for n in range(1, last + 1)}
    bad += [f"{kind} {n} is missing" for kind, n in sorted(wanted - lines.keys())]
    bad += [f"{kind} {n} is no line of the checklist" for kind, n in sorted(lines.keys() - wanted)]
    return lines, bad


def claims(test):
    """The lines that a unit test's name says that it serves."""
    found, kind = set(), None
    if m := CLAIM.match(test):
        for word in re.findall(r"checklist|seen|\d+", m[1]):
            if word in LINES:
                kind = word
            else:
                found.add((kind, int(word)))
    return found


def check(text, units, ctests, implemented):
    """-> [complaints], lines with tests, lines that do not apply"""
    lines, bad = read(text)
    tested = absent = 0
    for line, entries in lines.items():
        name, present = f"{line[0]} {line[1]}", 0
        reasons = [e for e in entries if e.startswith("not ")]
        for entry in (e for e in entries if e not in reasons):
            family = next((f for f in FAMILIES if entry.startswith(f)), None)
            if family and not any(t.startswith(family) for t in ctests):
                continue
            if entry not in (ctests if family else units):
                bad.append(f"{name}: there is no test \"{entry}\"")
            elif not family and line not in claims(entry):
                bad.append(f"{name}: the test \"{entry}\" does not name this line")
            else:
                present += 1
        for reason in reasons:
            m = re.match(r"not (\w+): \S", reason)
            if not m or not (m[1] in implemented or m[1] in NEVER_IN_THE_TABLE):
                bad.append(f"{name}: \"{reason}\" does not read \"not EXTENSION: why\"")
            elif implemented.get(m[1]) and not present:
                bad.append(f"{name}: {m[1]} has {implemented[m[1]]} rows now, and the line still has no test")
        if not present and not reasons:
            bad.append(f"{name} has no test")
        tested += present > 0
        absent += not present
    for unit in units:
        bad += [f"{kind} {n}: its test \"{unit}\" is not listed" for kind, n in sorted(claims(unit))
                if unit not in lines.get((kind, n), [])]
    return bad, tested, absent


def output(*command):
    return subprocess.run(command, stdout=subprocess.PIPE, text=True).stdout.splitlines()


def self_test():
    whole = "".join(f"{kind} {n}: text\n    {kind} {n}: test\n" for kind, last in LINES.items()
                    for n in range(1, last + 1))
    units = {f"{kind} {n}: test" for kind, last in LINES.items() for n in range(1, last + 1)}
    later = whole.replace("    seen 67: test\n", "    not v: later\n")
    without = units - {"seen 67: test"}
    cases = [
        ("all there", whole, units, set(), {}, 0),
        ("a line is missing", whole.replace("seen 3: text\n", "", 1), units, set(), {}, 3),
        ("a test is gone", whole, without, set(), {}, 2),
        ("a test is not listed", whole, units | {"checklist 1, seen 2: more"}, set(), {}, 2),
        ("another line's test", whole.replace("    seen 67: test", "    seen 66: test"), without, set(), {}, 2),
        ("not yet", later, without, set(), {"v": 0}, 0),
        ("now it is", later, without, set(), {"v": 3}, 1),
        ("no such extension", later, without, set(), {}, 1),
        ("a family that is absent counts for nothing", whole.replace("    seen 67: test", "    bare_x"), without,
         set(), {}, 1),
        ("a family that is there", whole.replace("    seen 67: test", "    bare_x"), without, {"bare_x"}, {}, 0),
        ("one that lacks the test", whole.replace("    seen 67: test", "    bare_x"), without, {"bare_y"}, {}, 2),
    ]
    for what, text, names, ctests, implemented, complaints in cases:
        bad, _, _ = check(text, names, ctests, implemented)
        if len(bad) != complaints:
            sys.exit(f"self-test: \"{what}\" gives {len(bad)} complaints, not {complaints}: {bad}")
    print(f"checklist: the check finds what it should ({len(cases)} cases)")


def main():
    if sys.argv[1:] == ["--self-test"]:
        return self_test()
    if len(sys.argv) != 5:
        sys.exit(__doc__.strip())
    text = pathlib.Path(sys.argv[1]).read_text()
    units = set(output(sys.argv[2], "--list-test-names-only"))
    isa = (re.match(r"(\S+)\s+(\d+)\s+(\d+)$", line) for line in output(sys.argv[3], "isa"))
    implemented = {m[1]: int(m[2]) for m in isa if m}
    listed = (re.match(r"\s*Test\s+#\d+: (\S+)", line) for line in output("ctest", "--test-dir", sys.argv[4], "-N"))
    bad, tested, absent = check(text, units, {m[1] for m in listed if m}, implemented)
    for complaint in bad:
        print(f"checklist: {complaint}", file=sys.stderr)
    print(f"checklist: {tested} lines have tests, {absent} do not apply yet")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
