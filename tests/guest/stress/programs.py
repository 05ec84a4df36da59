#!/usr/bin/env python3
"""Random C programs: compiled at several levels of optimisation, they must all print the same.

usage: programs.py SEED COUNT
"""
import random
import subprocess
import sys

LEVELS = ["-O0", "-O1", "-O2", "-O3", "-Os"]
TYPES = ["uint8_t", "uint16_t", "uint32_t", "uint64_t", "int32_t", "int64_t", "float", "double"]
HEAD = """#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
static uint64_t mix(uint64_t h, uint64_t v) { return (h ^ v) * 0x9e3779b97f4a7c15u ^ h >> 29; }
static uint64_t bits(double d) { uint64_t b; if (d != d) return 1; memcpy(&b, &d, 8); return b; }
static double tame(double d) { return d == d && fabs(d) < 1e15 ? d : 1.5; }
"""


class Program:
    """Functions of a few typed variables, in loops; no overflow of signed integers, no undefined shift or division."""

    def __init__(self, seed):
        self._random = random.Random(seed)
        self._text = [HEAD]
        count = self._random.randint(3, 6)
        for number in range(count):
            self._function(number)
        calls = "".join(f"    h = mix(h, f{n}(h, i));\n" for n in range(count))
        self._text.append(f"int main(void) {{\n  uint64_t h = {seed};\n  for (uint64_t i = 0; i < 400; ++i) {{\n{calls}"
                          '    if (i % 50 == 0) printf("%016llx\\n", (unsigned long long)h);\n  }\n  return 0;\n}\n')

    def text(self):
        return "".join(self._text)

    def _function(self, number):
        r = self._random
        kinds = [r.choice(TYPES) for _ in range(r.randint(3, 7))]
        lines = [f"__attribute__((noinline)) static uint64_t f{number}(uint64_t a, uint64_t b) {{\n",
                 "  uint64_t t[16];\n  for (int k = 0; k < 16; ++k) t[k] = mix(a, b + (uint64_t)k);\n"]
        lines += [f"  {kind} v{n} = {self._from_bits(kind, f't[{n}]')};\n" for n, kind in enumerate(kinds)]
        lines.append(f"  for (int k = 0; k < {r.randint(2, 12)}; ++k) {{\n")
        for _ in range(r.randint(4, 14)):
            n = r.randrange(len(kinds))
            guard = f"if ((t[k % 16] >> {r.randrange(64)}) & 1) " if r.random() < 0.3 else ""
            lines.append(f"    {guard}v{n} = {self._expression(kinds[n], kinds)};\n")
        value = self._to_bits(kinds, r.randrange(len(kinds)))
        lines.append(f"    t[(k * {r.randrange(1, 16)}) % 16] ^= a + {value};\n  }}\n")
        for n in range(len(kinds)):
            lines.append(f"  a = mix(a, {self._to_bits(kinds, n)});\n")
        self._text.append("".join(lines) + "  for (int k = 0; k < 16; ++k) a = mix(a, t[k]);\n  return a;\n}\n")

    @staticmethod
    def _from_bits(kind, text):
        return f"({kind})((double)(int32_t){text} / 64.0)" if kind in ("float", "double") else f"({kind}){text}"

    @staticmethod
    def _to_bits(kinds, n):
        return f"bits(v{n})" if kinds[n] in ("float", "double") else f"(uint64_t)v{n}"

    def _expression(self, kind, kinds):
        r = self._random
        if kind in ("float", "double"):
            a, b, c = (f"(double)v{r.randrange(len(kinds))}" for _ in range(3))
            return f"({kind})tame(" + r.choice([
                f"{a} + {b}", f"{a} - {b} * {c}", f"{a} * {b}", f"{a} / ({b} * {b} + 1.0)", f"sqrt(fabs({a}))",
                f"floor({a}) - {b}", f"fma({a}, {b}, {c})", f"{a} < {b} ? {b} : {c}",
                f"copysign({a}, {b})", f"fmin({a}, {b}) + rint({c})"]) + ")"
        a, b = (self._integer(kinds) for _ in range(2))
        shift = r.randrange(64)
        return f"({kind})(" + r.choice([
            f"{a} + {b}", f"{a} - {b}", f"{a} * {b}", f"{a} / ({b} | 1)", f"{a} % ({b} | 1)", f"{a} ^ {b}",
            f"{a} & ~{b}", f"{a} << {shift} | {b} >> {64 - shift if shift else 0}",
            f"(uint64_t)((int64_t){a} >> {shift})", f"(uint64_t)((unsigned __int128){a} * {b} >> 64)",
            f"(uint64_t)__builtin_popcountll({a}) + {b}",
            f"(uint64_t)__builtin_clzll({a} | 1)", f"__builtin_bswap64({a})", f"{a} < {b} ? {a} : {b}",
            f"t[{a} % 16] + {b}", f"(uint64_t)((int64_t){a} < (int64_t){b})"]) + ")"

    def _integer(self, kinds):
        n = self._random.randrange(len(kinds))
        if kinds[n] in ("float", "double"):
            return f"(uint64_t)(int64_t)v{n}"
        return f"(uint64_t)v{n}" if self._random.random() < 0.8 else f"{self._random.getrandbits(64)}u"


def main():
    seed, count = map(int, sys.argv[1:])
    for number in range(count):
        with open("program.c", "w") as f:
            f.write(Program(seed * 1000 + number).text())
        outputs = {}
        for level in LEVELS:
            subprocess.run(["gcc", "-std=gnu11", level, "-w", "-fwrapv", "-ffp-contract=off", "-o", "program",
                            "program.c", "-lm"], check=True)
            outputs[level] = subprocess.run(["./program"], capture_output=True, text=True, check=True).stdout
        if len(set(outputs.values())) != 1:
            sys.exit(f"program {seed * 1000 + number} prints other things at other levels: {outputs}")
        print(outputs["-O0"])


if __name__ == "__main__":
    main()
