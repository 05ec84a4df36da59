#!/usr/bin/env python3
"""Measure Hartline beside QEMU, other emulators and the host itself, on the same programs and the same guest.

Every machine boots the guest of `tools/guest busybox` and runs the same static programs; rounds alternate
between the machines (A B C, A B C, ...). The programs print `BENCH start` and `BENCH end` around their work,
and the clocks that count are the host's, read when these lines arrive: the CPU time of the emulator's process
(all its threads; the figure to trust on a noisy machine) and the wall clock. A guest's own clock may be
virtual, so its figure goes to the CSV file only; natively the program's own clocks count. `boot` is the time
from the start of the process to /init's "hartline guest up". Checksums must agree on all machines.

A ratio is PEER / REFERENCE in the same round: 2.00 says that the reference is twice as fast as the peer. A
slowdown is MACHINE / NATIVE: 3.00 says that the program needs three times as long as on the host. The bars, the
slowdowns that are aimed at, stand in rows.py.

examples:
  tests/bench/run.py --only sort,calls,boot --rounds 5
  tests/bench/run.py --without-hartline --scale 0.1
  tests/bench/run.py --csv all.csv --summary medians.csv --svg chart.svg
  tests/bench/run.py --peer 'two=qemu-system-riscv64 -M virt -smp 2 -m 1G -nographic -kernel {kernel}
                             -initrd {initrd} -append {append}'
  tests/bench/run.py --userland --rounds 5          (a whole Debian: compiler, Python, package tools...)
"""
import argparse
import os
import pathlib
import re
import select
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True    # the source tree stays clean
import userland    # noqa: E402
from chart import chart    # noqa: E402
from results import Results, disagreements, report, write_csv, write_summary    # noqa: E402
from rows import BENCHES, ROWS, USERLAND    # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
SOURCES = ROOT / "tests" / "bench"
BUILD = ROOT / "build" / "bench"
GUEST = ROOT / "build" / "guests" / "busybox"
MARKER = "hartline guest up"
# A native run may last a few milliseconds only: it is repeated for so long, and its median counts.
NATIVE_SECONDS, NATIVE_RUNS = 0.3, 9
# Checksums must agree: no contraction to fused operations on the one machine that has them.
FLAGS = ["-std=gnu11", "-O2", "-Wall", "-Wextra", "-ffp-contract=off"]
COMPILERS = {"riscv64": ["riscv64-linux-gnu-gcc", "-static"], "native": ["gcc"]}

QEMU = "qemu-system-riscv64 -M virt -m 1G -nographic -kernel {kernel} -initrd {initrd} -append {append}"
HARTLINE = "{binary} run {{kernel}} --initrd {{initrd}} --append {{append}} --stats"
# What they need more with --userland. The disk is the same file for all: nobody may write to it.
QEMU_DISK = " -device virtio-blk-device,drive=disk -drive if=none,id=disk,format=raw,readonly=on,file={disk}"
HARTLINE_DISK = " --disk {{disk}},ro"
RESULT = re.compile(r"^(\S+) (\S+) (\d+) ([\d.]+) ([\d.]+) ([0-9a-f]{16})$")


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

    def command(self, initrd, append, kernel=GUEST / "Image"):
        values = {"kernel": kernel, "initrd": initrd, "append": append, "disk": userland.DISK}
        words = shlex.split(self.template)
        return [re.sub(r"\{(kernel|initrd|append|disk)\}", lambda m: str(values[m[1]]), w) for w in words]


def one_processor():
    """Natively a program gets as many processors as the guest has harts."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def observe(command, timeout, on_line, before=None):
    """Run a command, after before() in its process; call on_line(text, wall, cpu) for each line of its standard
    output as it arrives. Returns what it wrote to standard error. Wall and CPU seconds count from its start."""
    with tempfile.TemporaryFile() as errors:
        started = time.monotonic()
        try:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors,
                                       start_new_session=True, preexec_fn=before)
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

    def __init__(self, machine, number, rounds, quiet=False):
        self.results, self.machine, self._quiet = {}, machine, quiet
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
            raise Failure(f"{m[1]} ended with status {m[2]} on {self.machine.name}")
        elif (m := RESULT.match(text)) and m[1] in self._ended:
            wall, cpu = self._ended.pop(m[1])
            if not self.machine.template:    # the program's own clocks are the host's, and more exact
                wall, cpu = float(m[4]), float(m[5])
            self.add(m[1], wall, cpu, unit=m[2], count=int(m[3]), guest=float(m[4]), checksum=m[6])

    def until(self, name, marker):
        """A function for observe(): the benchmark `name` ends with the first line that has the marker in it."""
        def on_line(text, wall, cpu):
            if marker in text and name not in self.results:
                self.add(name, wall, cpu)
        return on_line

    def add(self, name, wall, cpu, **more):
        self.results[name] = {"wall": wall, "cpu": cpu, **more}
        if not self._quiet:
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


def make_initrd(folder, benches, scale):
    """The guest's initial RAM disk with the programs and a script that runs them."""
    script = folder / "script"
    lines = [f"/bench/{program} {' '.join([scale, *arguments])} || echo BENCH failed {name} $?"
             for name, (program, arguments) in benches.items()]
    script.write_text("\n".join(["#!/bin/sh", *lines, ""]))
    script.chmod(0o755)
    programs = sorted({program for program, _ in benches.values()})
    return pack_initrd(folder, [f"{BUILD}/riscv64/{p}:/bench/{p}" for p in programs] + [f"{script}:/bench/run"])


def pack_initrd(folder, specs):
    target = folder / "initrd.cpio.gz"
    if subprocess.run([ROOT / "tools" / "overlay-initrd", target, GUEST / "initrd.cpio.gz", *specs]).returncode:
        raise Failure("the initial RAM disk was not made")
    return target


def empty_initrd(folder):
    """An archive of nothing, for a kernel with its own RAM disk inside and a command that names one."""
    target = folder / "empty.cpio"
    trailer = b"TRAILER!!!\0"
    header = "070701" + "00000000" * 4 + "00000001" + "00000000" * 6 + f"{len(trailer):08x}" + "00000000"
    target.write_bytes((header.encode() + trailer).ljust(512, b"\0"))
    return target


def run_native(done, number, options, name):
    program, arguments = BENCHES[name]
    runs = []
    while len(runs) < NATIVE_RUNS and sum(r["wall"] for r in runs) < NATIVE_SECONDS:
        once = Round(done.machine, number, options.rounds, quiet=True)
        observe([BUILD / "native" / program, options.scale, *arguments], options.timeout, once.line,
                one_processor)
        if name not in once.results:
            raise Failure(f"{name} ended without a result on the host")
        runs.append(once.results[name])
    middle = sorted(runs, key=lambda r: r[options.measure])[(len(runs) - 1) // 2]
    done.add(name, **middle)


def run_boot(done, options):
    machine = done.machine
    statistics_text = observe(machine.command(GUEST / "initrd.cpio.gz", "hartline.run=true"), options.timeout,
                              done.until("boot", MARKER))
    if "boot" not in done.results:
        raise Failure(f"{machine.name} ended without \"{MARKER}\" on its console: does it boot the guest?")
    if m := re.search(r"(?i)instructions\D{0,20}?(\d[\d,_']*)", statistics_text):
        done.results["boot"]["instructions"] = int(re.sub(r"\D", "", m[1]))


def run_lean(done, options, initrd):
    command = done.machine.command(initrd, options.lean_append, options.lean)
    observe(command, options.timeout, done.until("lean", options.lean_marker))
    if "lean" not in done.results:
        raise Failure(f"{done.machine.name} ended without \"{options.lean_marker}\" on its console: {command}")


def run_round(machine, number, options, names, initrds):
    done = Round(machine, number, options.rounds)
    benches = [name for name in names if name in BENCHES]
    if not machine.template:
        for name in benches:
            run_native(done, number, options, name)
        return done.results
    if "boot" in names:
        run_boot(done, options)
    if "lean" in names:
        run_lean(done, options, initrds["lean"])
    if benches:
        observe(machine.command(initrds["programs"], "hartline.run=/bench/run"), options.timeout, done.line)
        if missing := [name for name in benches if name not in done.results]:
            raise Failure(f"{machine.name} ended without a result of {', '.join(missing)}")
    return done.results


def run_userland(machine, number, options, names, initrds):
    done = Round(machine, number, options.rounds)
    before = userland.disk_stamp()
    observe(machine.command(initrds["userland"], userland.APPEND), options.timeout, done.line)
    if userland.disk_stamp() != before:
        raise Failure(f"{machine.name} wrote to {userland.DISK}, which all machines share: make it again by "
                      "`tools/guest debian`, and have this machine attach it read-only or to a snapshot")
    if missing := [name for name in names if name not in done.results and name != userland.TOTAL]:
        raise Failure(f"{machine.name} ended without a result of {', '.join(missing)}")
    done.add(userland.TOTAL, **userland.total(done.results))
    return done.results


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


def choose_benches(options):
    whole = [row.name for row in USERLAND]
    known = whole if options.userland else [name for name in ROWS if name not in whole]
    names = options.only.split(",") if options.only else [n for n in known if n != "lean" or options.lean]
    if options.userland and userland.TOTAL not in names:
        names.append(userland.TOTAL)
    if unknown := [n for n in names if n not in known]:
        raise Failure(f"no benchmark is called {', '.join(unknown)}: --list names them")
    if "lean" in names and not (options.lean and options.lean.is_file()):
        raise Failure("lean needs --lean IMAGE, a kernel with its initial RAM disk inside")
    return names


def list_benches():
    about = {"boot": f"Debian's kernel, from the start of the process to \"{MARKER}\".",
             "lean": "A kernel of one's own (--lean), from the start of the process to a line on its console."}
    about |= {name: part.about for name, part in userland.parts().items()}
    about[userland.TOTAL] = "The sum of those above, which --userland measures."
    for name in ROWS:
        program, arguments = BENCHES.get(name, (name, []))
        text = about.get(name) or (SOURCES / f"{program}.c").read_text().splitlines()[0][3:]
        print(f"{name:13} {text}{' Here: ' + ' '.join(arguments) + '.' if arguments else ''}")


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
    parser.add_argument("--summary", metavar="FILE",
                        help="also write medians, ratios, slowdowns, bars and geometric means to FILE as CSV")
    parser.add_argument("--svg", metavar="FILE", help="also draw slowdowns (without native: ratios) to FILE")
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=COMMAND",
                        help="one more emulator: a command with {kernel} {initrd} {append}; may be repeated")
    parser.add_argument("--lean", type=pathlib.Path, metavar="IMAGE",
                        help="also time the boot of this kernel, which has its initial RAM disk inside")
    parser.add_argument("--lean-marker", default="GUEST-UP", metavar="TEXT", help="its line that ends the time")
    parser.add_argument("--lean-append", default="run=true", metavar="ARGS", help="its arguments: it must power off")
    parser.add_argument("--hartline", type=pathlib.Path, default=ROOT / "build" / "release" / "hartline",
                        metavar="FILE", help="the binary to measure (build/release/hartline)")
    for name in ("hartline", "qemu", "native"):
        parser.add_argument(f"--without-{name}", action="store_true", help=f"leave out {name}")
    parser.add_argument("--timeout", type=float, default=300, metavar="S",
                        help="give up when a machine prints nothing for S seconds (300)")
    return parser.parse_args()


def prepare(folder, names, machines, options):
    """Build what the machines need; returns their initial RAM disks."""
    benches = {name: BENCHES[name] for name in names if name in BENCHES}
    programs = sorted({program for program, _ in benches.values()})
    if not options.without_native:
        build("native", programs)
    if not any(m.template for m in machines):
        return {}
    if subprocess.run([ROOT / "tools" / "guest", "busybox"], stdout=sys.stderr).returncode:
        raise Failure("the guest was not made (see above)")
    build("riscv64", programs)
    return {"lean": empty_initrd(folder),
            "programs": make_initrd(folder, benches, options.scale) if benches else None}


def prepare_userland(folder, names, _, options):
    """The same for a whole Debian: its disk is made too."""
    if subprocess.run([ROOT / "tools" / "guest", "debian"], stdout=sys.stderr).returncode:
        raise Failure("the guest was not made (see above)")
    return {"userland": pack_initrd(folder, userland.carried(names, float(options.scale), folder))}


def main():
    options = parse_options()
    if options.list:
        list_benches()
        return
    names = choose_benches(options)
    if options.rounds < 1 or not re.fullmatch(r"\d*\.?\d+", options.scale) or float(options.scale) <= 0:
        raise Failure(f"--rounds {options.rounds} and --scale {options.scale} must be above 0")
    machines = choose_machines(options)
    for path in filter(None, (options.csv, options.summary, options.svg)):
        open(path, "w").close()    # a path that cannot be written should not cost the run
    rounds = []
    with tempfile.TemporaryDirectory(prefix="hartline-bench-") as folder:    # two runs may go on at once
        make, run = (prepare_userland, run_userland) if options.userland else (prepare, run_round)
        initrds = make(pathlib.Path(folder), names, machines, options)
        try:
            for number in range(1, options.rounds + 1):
                rounds.append({m.name: run(m, number, options, names, initrds) for m in machines})
        finally:    # what was measured is kept, whatever ends the run
            if rounds:
                show(Results(machines, rounds, names, options.measure), options)
    if wrong := disagreements(rounds):
        raise Failure("checksums differ, so something computes wrongly:\n" + "\n".join(wrong))


def show(results, options):
    if options.csv:
        write_csv(options.csv, results.rounds)
    if options.summary:
        write_summary(options.summary, results)
    if options.svg:
        pathlib.Path(options.svg).write_text(chart(results))
    report(results)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)    # so that no emulator is left behind
    try:
        main()
    except (Failure, OSError) as e:
        sys.exit(f"bench: {e}")
    except KeyboardInterrupt:
        sys.exit("bench: interrupted")
