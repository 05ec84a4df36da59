#!/usr/bin/env python3
"""Measure Hartline beside QEMU, other emulators and the host itself, on the same programs and the same guest.

Every machine boots the guest of `tools/guest busybox` and runs the same static programs; rounds alternate
between the machines (A B C, A B C, ...). The programs print `BENCH start` and `BENCH end` around their work,
and the clocks that count are the host's, read when these lines arrive: the CPU time of the emulator's process
(all its threads; the figure to trust on a noisy machine) and the wall clock. A guest's own clock may be
virtual, so its figure goes to the CSV file only. `boot` is the time from the start of the process to
/init's "hartline guest up". Checksums must agree on all machines.

A ratio is PEER / REFERENCE in the same round: 2.00 says that the reference is twice as fast as the peer.

examples:
  tests/bench/run.py --only sort,calls,boot --rounds 5
  tests/bench/run.py --without-hartline --scale 0.1
  tests/bench/run.py --peer 'two=qemu-system-riscv64 -M virt -smp 2 -m 1G -nographic -kernel {kernel}
                             -initrd {initrd} -append {append}'
  tests/bench/run.py --userland --rounds 5          (a whole Debian: compiler, Python, package tools...)
"""
import argparse
import csv
import math
import os
import pathlib
import re
import select
import shlex
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True

import userland

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
SOURCES = ROOT / "tests" / "bench"
BUILD = ROOT / "build" / "bench"
GUEST = ROOT / "build" / "guests" / "busybox"
MARKER = "hartline guest up"
# Checksums must agree: no contraction to fused operations on the one machine that has them.
FLAGS = ["-std=gnu11", "-O2", "-Wall", "-Wextra", "-ffp-contract=off"]
COMPILERS = {"riscv64": ["riscv64-linux-gnu-gcc", "-static"], "native": ["gcc"]}

# Each benchmark is a program and its further arguments.
BENCHES = {name: (name, []) for name in ("lists", "sort", "sha256", "bytecode", "calls", "nbody", "mandelbrot",
                                         "triad", "copy")}
BENCHES |= {f"chase-{kib}k": ("chase", [str(kib)]) for kib in (16, 1024, 32768)}
BENCHES |= {name: (name, []) for name in ("syscall", "pipe", "fault", "fork", "signal")}

QEMU = "qemu-system-riscv64 -M virt -m 1G -nographic -kernel {kernel} -initrd {initrd} -append {append}"
HARTLINE = "{binary} run {{kernel}} --initrd {{initrd}} --append {{append}} --stats"
# What they need more with --userland. The disk is the same file for all: nobody may write to it.
QEMU_DISK = " -device virtio-blk-device,drive=disk -drive if=none,id=disk,format=raw,readonly=on,file={disk}"
HARTLINE_DISK = " --disk {{disk}},ro"
RESULT = re.compile(r"^(\S+) (\S+) (\d+) ([\d.]+) (\S+) ([0-9a-f]{16})$")


class Failure(Exception):
    """Something a person can act on; the text says what and how."""


def say(text):
    print(text, file=sys.stderr, flush=True)


def cpu_seconds(pid):
    """CPU time of a process, of its threads that ended, and of its children. Nothing once it is reaped."""
    try:
        used = time.clock_gettime((~pid << 3) | 2)    # what clock_getcpuclockid(3) computes
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        used += (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")    # children waited for
        for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
            used += sum(cpu_seconds(int(child)) for child in (task / "children").read_text().split())
        return used
    except OSError:
        return 0.0


class Machine:
    """Something that runs benchmarks: an emulator's command with {kernel} {initrd} {append} and, for a whole Debian,
    {disk}; or the host."""

    def __init__(self, name, template=None):
        self.name, self.template = name, template

    def command(self, initrd, append):
        values = {"kernel": GUEST / "Image", "initrd": initrd, "append": append, "disk": userland.DISK}
        words = shlex.split(self.template)
        return [re.sub(r"\{(kernel|initrd|append|disk)\}", lambda m: str(values[m[1]]), w) for w in words]


def observe(command, timeout, on_line):
    """Run a command; call on_line(text, wall, cpu) for each line of its standard output as it arrives.
    Returns what it wrote to standard error. Wall and CPU seconds count from its start."""
    with tempfile.TemporaryFile() as errors:
        started = time.monotonic()
        try:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors,
                                       start_new_session=True)
        except OSError as e:
            raise Failure(f"{command[0]} does not start: {e.strerror}") from None
        last, rest = "", b""

        def failed(why):
            errors.seek(0)
            tail = errors.read()[-2000:].decode(errors="replace").strip()
            return Failure(f"{why}: {shlex.join(map(str, command))}\nlast line: {last!r}\n{tail}".rstrip())

        try:
            while True:
                if not select.select([process.stdout], [], [], timeout)[0]:
                    raise failed(f"nothing printed for {timeout:g} s (--timeout sets the limit)")
                block = os.read(process.stdout.fileno(), 65536)
                wall, cpu = time.monotonic() - started, cpu_seconds(process.pid)
                *lines, rest = (rest + block).split(b"\n")
                for line in lines + ([rest] if not block and rest else []):
                    last = line.decode(errors="replace").strip()
                    on_line(last, wall, cpu)
                if not block:
                    break
            if process.wait(timeout=timeout):
                raise failed(f"exit code {process.returncode}")
        except subprocess.TimeoutExpired:
            raise failed(f"its output ended, but it did not within {timeout:g} s") from None
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)    # a peer may be a script around an emulator
                process.wait()
            process.stdout.close()
        errors.seek(0)
        return errors.read().decode(errors="replace")


class Round:
    """One machine's results in one round: name -> {wall, cpu, guest, unit, count, checksum, instructions}."""

    def __init__(self, machine, number, rounds):
        self.results, self._machine = {}, machine
        self._prefix = f"round {number}/{rounds} {machine.name:>10}"
        self._open, self._ended = {}, {}

    def line(self, text, wall, cpu):
        # The kernel's own messages may stand before a marker on its line.
        if m := re.search(r"BENCH start (\S+)$", text):
            self._open[m[1]] = (wall, cpu)
        elif m := re.search(r"BENCH end (\S+)$", text):
            start = self._open.pop(m[1], None)
            if start:
                self._ended[m[1]] = (wall - start[0], cpu - start[1])
        elif m := re.search(r"BENCH failed (\S+) (\d+)$", text):
            raise Failure(f"{m[1]} ended with status {m[2]} on {self._machine.name}")
        elif (m := RESULT.match(text)) and m[1] in self._ended:
            wall, cpu = self._ended.pop(m[1])
            self.add(m[1], wall, cpu, unit=m[2], count=int(m[3]), guest=float(m[4]), checksum=m[6])

    def boot_line(self, text, wall, cpu):
        if MARKER in text and "boot" not in self.results:
            self.add("boot", wall, cpu)

    def add(self, name, wall, cpu, **more):
        self.results[name] = {"wall": wall, "cpu": cpu, **more}
        say(f"{self._prefix} {name:12} {cpu:8.3f} s CPU {wall:8.3f} s wall")


def build(arch, programs):
    """Compile what is missing or older than its source."""
    compiler, *flags = COMPILERS[arch]
    if not shutil.which(compiler):
        raise Failure(f"{compiler} is missing: `tools/test` installs it (package gcc-riscv64-linux-gnu or gcc)")
    folder = BUILD / arch
    folder.mkdir(parents=True, exist_ok=True)
    for name in programs:
        inputs = [SOURCES / f"{name}.c", SOURCES / "bench.h", SOURCES / "run.py"]
        if (folder / name).exists() and all(i.stat().st_mtime <= (folder / name).stat().st_mtime for i in inputs):
            continue
        say(f"compiling {name} for {arch}")
        partial = folder / f".{name}"
        command = [compiler, *FLAGS, *flags, "-o", partial, inputs[0], "-lm"]
        if subprocess.run(command).returncode:
            raise Failure(f"{name}.c does not compile: {shlex.join(map(str, command))}")
        partial.replace(folder / name)


def make_initrd(benches, scale):
    """The guest's initial RAM disk with the programs and a script that runs them."""
    script = BUILD / "script"
    lines = [f"/bench/{program} {' '.join([scale, *arguments])} || echo BENCH failed {name} $?"
             for name, (program, arguments) in benches.items()]
    script.write_text("\n".join(["#!/bin/sh", *lines, ""]))
    script.chmod(0o755)
    programs = sorted({program for program, _ in benches.values()})
    return pack_initrd([f"{BUILD}/riscv64/{p}:/bench/{p}" for p in programs] + [f"{script}:/bench/run"])


def pack_initrd(specs):
    target = BUILD / "initrd.cpio.gz"
    if subprocess.run([ROOT / "tools" / "overlay-initrd", target, GUEST / "initrd.cpio.gz", *specs]).returncode:
        raise Failure("the initial RAM disk was not made")
    return target


def run_round(machine, number, options, benches, initrd):
    done = Round(machine, number, options.rounds)
    if not machine.template:
        for program, arguments in benches.values():
            observe([BUILD / "native" / program, options.scale, *arguments], options.timeout, done.line)
        return done.results
    if options.boot:
        statistics_text = observe(machine.command(GUEST / "initrd.cpio.gz", "hartline.run=true"), options.timeout,
                                  done.boot_line)
        if "boot" not in done.results:
            raise Failure(f"{machine.name} ended without \"{MARKER}\" on its console: does it boot the guest?")
        if m := re.search(r"(?i)instructions\D{0,20}?(\d[\d,_']*)", statistics_text):
            done.results["boot"]["instructions"] = int(re.sub(r"\D", "", m[1]))
    if benches:
        observe(machine.command(initrd, "hartline.run=/bench/run"), options.timeout, done.line)
        missing = [name for name in benches if name not in done.results]
        if missing:
            raise Failure(f"{machine.name} ended without a result of {', '.join(missing)}")
    return done.results


def run_userland_round(machine, number, options, names, initrd):
    done = Round(machine, number, options.rounds)
    before = userland.disk_stamp()
    observe(machine.command(initrd, userland.APPEND), options.timeout, done.line)
    if userland.disk_stamp() != before:
        raise Failure(f"{machine.name} wrote to {userland.DISK}, which all machines share: make it again by "
                      "`tools/guest debian`, and have this machine attach it read-only or to a snapshot")
    missing = [name for name in names if name not in done.results]
    if missing:
        raise Failure(f"{machine.name} ended without a result of {', '.join(missing)}")
    done.add(userland.TOTAL, **userland.total(done.results))
    return done.results


def spread(values, form="{:.3f}"):
    low, middle, high = (form.format(f(values)) for f in (min, statistics.median, max))
    return f"{middle} [{low}-{high}]"


def report(machines, rounds, names, measure):
    """rounds: a list of {machine: {bench: result}}."""
    reference, *peers = [m.name for m in machines]

    def samples(machine, bench):
        return [r[machine][bench][measure] for r in rounds if bench in r[machine]]

    heads = ["bench", *(m.name for m in machines), *(f"{p}/{reference}" for p in peers)]
    table, means = [], {p: [] for p in peers}
    for bench in names:
        row = [bench] + [spread(s) if (s := samples(m.name, bench)) else "-" for m in machines]
        for peer in peers:
            mine, theirs = samples(reference, bench), samples(peer, bench)
            ratios = [t / m for m, t in zip(mine, theirs) if m > 0 and t > 0]
            row.append(spread(ratios, "{:.2f}") if ratios else "-")
            if ratios and bench != userland.TOTAL:    # its parts are counted
                means[peer].append(statistics.median(ratios))
        table.append(row)
    table.append(["geomean", *("" for _ in machines),
                  *(f"{math.exp(statistics.fmean(map(math.log, v))):.2f}" if v else "-" for v in means.values())])
    widths = [max(len(row[i]) for row in [heads, *table]) for i in range(len(heads))]
    what = "CPU seconds of the process" if measure == "cpu" else "wall-clock seconds"
    print(f"{what}: median [min-max] of {len(rounds)} rounds; ratios above 1: {reference} is faster")
    for row in [heads, *table]:
        print("  ".join(cell.ljust(w) for cell, w in zip(row, widths)).rstrip())
    for m in machines:
        counts = {r[m.name]["boot"]["instructions"] for r in rounds if r[m.name].get("boot", {}).get("instructions")}
        if counts:
            print(f"{m.name}: boot to power-off {', '.join(f'{c:,}' for c in sorted(counts))} instructions")


def disagreements(rounds):
    """Benchmarks whose checksum or count differs between machines or rounds."""
    seen = {}
    for r in rounds:
        for machine, results in r.items():
            for bench, result in results.items():
                if "checksum" in result:
                    seen.setdefault(bench, {}).setdefault((result["checksum"], result["count"]), set()).add(machine)
    return [f"{bench}: " + "; ".join(f"{c} on {', '.join(sorted(m))}" for (c, _), m in found.items())
            for bench, found in seen.items() if len(found) > 1]


def write_csv(path, rounds):
    columns = ["round", "machine", "bench", "cpu", "wall", "guest", "unit", "count", "checksum", "instructions"]
    with open(path, "w", newline="") as f:
        out = csv.DictWriter(f, columns, restval="")
        out.writeheader()
        for number, r in enumerate(rounds, 1):
            for machine, results in r.items():
                for bench, result in results.items():
                    out.writerow({"round": number, "machine": machine, "bench": bench, **result})


def choose_machines(options):
    machines = []
    if not options.without_hartline:
        if not os.access(options.hartline, os.X_OK):
            raise Failure(f"{options.hartline} is missing: build it with `cmake --preset release && cmake --build "
                          "build/release`, name another with --hartline, or leave it out with --without-hartline")
        template = HARTLINE + (HARTLINE_DISK if options.userland else "")
        machines.append(Machine("hartline", template.format(binary=shlex.quote(str(options.hartline)))))
    if not options.without_qemu:
        machines.append(Machine("qemu", QEMU + (QEMU_DISK if options.userland else "")))
    for peer in options.peer:
        name, separator, template = peer.partition("=")
        if not separator or not re.fullmatch(r"[\w.-]+", name) or "{kernel}" not in template:
            raise Failure(f"--peer '{peer}' is not NAME=COMMAND with {{kernel}}, {{initrd}} and {{append}} in it")
        if options.userland and "{disk}" not in template:
            raise Failure(f"--peer '{peer}' has no {{disk}} in its command, which --userland needs")
        machines.append(Machine(name, template))
    for m in machines:
        if not shutil.which(shlex.split(m.template)[0]):
            way_out = "install qemu-system-misc or pass --without-qemu" if m.name == "qemu" else "is it installed?"
            raise Failure(f"{shlex.split(m.template)[0]} (machine {m.name}) is not there: {way_out}")
    if not options.without_native and not options.userland:
        machines.append(Machine("native"))
    names = [m.name for m in machines]
    if not machines or len(set(names)) != len(names):
        raise Failure(f"machines must be there and have different names, not: {', '.join(names) or 'none'}")
    return machines


def choose_benches(text, whole_debian):
    known = list(userland.parts()) if whole_debian else ["boot", *BENCHES]
    names = known if not text else text.split(",")
    unknown = [n for n in names if n not in known]
    if unknown:
        raise Failure(f"no benchmark is called {', '.join(unknown)}: --list names them")
    return names


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", action="store_true", help="name the benchmarks")
    parser.add_argument("--userland", action="store_true",
                        help="programs of a whole Debian (`tools/guest debian`) instead; a peer's command needs {disk} "
                             "too, and must not write to it")
    parser.add_argument("--only", metavar="A,B", help="these benchmarks only (--list names them)")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="how often each machine runs (3)")
    parser.add_argument("--scale", default="1", metavar="X", help="multiplies every benchmark's work (1)")
    parser.add_argument("--measure", choices=("cpu", "wall"), default="cpu", help="what the table shows (cpu)")
    parser.add_argument("--csv", metavar="FILE", help="also write every single result to FILE")
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=COMMAND",
                        help="one more emulator: a command with {kernel} {initrd} {append}; may be repeated")
    parser.add_argument("--hartline", type=pathlib.Path, default=ROOT / "build" / "release" / "hartline",
                        metavar="FILE", help="the binary to measure (build/release/hartline)")
    for name in ("hartline", "qemu", "native"):
        parser.add_argument(f"--without-{name}", action="store_true", help=f"leave out {name}")
    parser.add_argument("--timeout", type=float, default=300, metavar="S",
                        help="give up when a machine prints nothing for S seconds (300)")
    return parser.parse_args()


def prepare(options, machines, names):
    """Builds what the rounds need. Returns what runs one round of one machine."""
    options.boot = "boot" in names
    benches = {n: BENCHES[n] for n in names if n != "boot"}
    programs = sorted({program for program, _ in benches.values()})
    initrd = None
    if any(m.template for m in machines):
        if subprocess.run([ROOT / "tools" / "guest", "busybox"], stdout=sys.stderr).returncode:
            raise Failure("the guest was not made (see above)")
        build("riscv64", programs)
        initrd = make_initrd(benches, options.scale) if benches else None
    if not options.without_native:
        build("native", programs)
    return lambda machine, number: run_round(machine, number, options, benches, initrd)


def prepare_userland(options, names):
    """The same for a whole Debian: its disk, and an initial RAM disk with the scripts that run its programs."""
    if subprocess.run([ROOT / "tools" / "guest", "debian"], stdout=sys.stderr).returncode:
        raise Failure("the guest was not made (see above)")
    BUILD.mkdir(parents=True, exist_ok=True)
    initrd = pack_initrd(userland.carried(names, float(options.scale), BUILD))
    return lambda machine, number: run_userland_round(machine, number, options, names, initrd)


def main():
    options = parse_options()
    if options.list and options.userland:
        for name, part in userland.parts().items():
            print(f"{name:15} {part.about}")
        return
    if options.list:
        for name in ["boot", *BENCHES]:
            source = SOURCES / f"{BENCHES.get(name, (name,))[0]}.c"
            about = source.read_text().splitlines()[0][3:] if name != "boot" else f"From start to \"{MARKER}\"."
            print(f"{name:13} {about}")
        return
    names = choose_benches(options.only, options.userland)
    if options.rounds < 1 or not re.fullmatch(r"\d*\.?\d+", options.scale) or float(options.scale) <= 0:
        raise Failure(f"--rounds {options.rounds} and --scale {options.scale} must be above 0")
    machines = choose_machines(options)
    if options.csv:
        write_csv(options.csv, [])    # a path that cannot be written should not cost the run
    run = prepare_userland(options, names) if options.userland else prepare(options, machines, names)
    rounds = []
    try:
        for number in range(1, options.rounds + 1):
            rounds.append({m.name: run(m, number) for m in machines})
    finally:    # what was measured is kept, whatever ends the run
        if options.csv and rounds:
            write_csv(options.csv, rounds)
    report(machines, rounds, names + [userland.TOTAL] * options.userland, options.measure)
    if wrong := disagreements(rounds):
        raise Failure("checksums differ, so something computes wrongly:\n" + "\n".join(wrong))


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)    # so that no emulator is left behind
    try:
        main()
    except (Failure, OSError) as e:
        sys.exit(f"bench: {e}")
    except KeyboardInterrupt:
        sys.exit("bench: interrupted")
