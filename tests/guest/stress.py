#!/usr/bin/env python3
"""Two engines run the same hours of work in a whole Debian, and must not differ in one byte or one count.

The guest of `tools/guest debian` runs rounds without an end: random C programs compiled at five levels, Python's
libraries checked against themselves, the programs of tests/bench/userland, and stress-ng --verify. Machines are
deterministic and stop at the same instruction: the console's bytes and the state's hash must be equal. What
the guest itself finds wrong counts too.

usage: tests/guest/stress.py [HARTLINE] [--engines A,B] [--instructions N] [--harts N] [--log FOLDER] [--one-by-one]

  --engines A,B       interpreter,jit; the same name twice asks whether an engine repeats itself
  --instructions N    how far (300G: half an hour of the interpreter)
  --log FOLDER        keep each machine's console as FOLDER/NUMBER-ENGINE.log
  --one-by-one        not beside each other
"""
import argparse
import os
import pathlib
import re
import selectors
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BOOT = ROOT / "build" / "guests" / "busybox"
DISK = ROOT / "build" / "guests" / "debian" / "root.img"
HERE = ROOT / "tests" / "guest" / "stress"
PARTS = ROOT / "tests" / "bench" / "userland"
APPEND = "console=ttyS0 root=LABEL=debian ro init=/run/carry/stress/init"
LIMIT_REACHED = 4    # exit code


class Failure(Exception):
    """Something a person can act on; the text says what and how."""


def say(text):
    print(f"stress: {text}", flush=True)


class Guest:
    """One machine: its console's lines so far, and how it ended."""

    def __init__(self, name, engine, options, initrd):
        self.name, self.lines, self.ended, self._rest, self._started = name, [], None, b"", time.monotonic()
        self._errors = tempfile.TemporaryFile()
        self._log = open(options.log / f"{name}.log", "wb") if options.log else None
        command = [options.hartline, "run", BOOT / "Image", "--initrd", initrd, "--append", APPEND, "--disk",
                   f"{DISK},ro", "--deterministic", "--engine", engine, "--harts", str(options.harts),
                   "--max-instructions", options.instructions, "--stats", "--quiet"]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self._errors)

    def _tell(self, text):
        say(f"{time.monotonic() - self._started:7.0f} s {self.name:>14}: {text}")

    def read(self):
        """Takes in what came; False at the end."""
        block = os.read(self.process.stdout.fileno(), 1 << 16)
        if self._log:
            self._log.write(block)
            self._log.flush()
        if not block:
            self.ended = self._end()
            self.lines.append(self._rest)
            return False
        *lines, self._rest = (self._rest + block).split(b"\n")
        self.lines += lines
        for line in lines:
            if line.startswith(b"stress "):
                self._tell(line[7:].decode(errors="replace").strip())
        return True

    def _end(self):
        """Instructions and hash of the state, once it has reached the limit."""
        code = self.process.wait()
        self._errors.seek(0)
        text = self._errors.read().decode(errors="replace").strip()
        found = re.search(r"instructions=(\d+).*state_hash=([0-9a-f]+)", text)
        if code != LIMIT_REACHED or not found:
            raise Failure(f"{self.name} ended with code {code} before its limit: {text[-1000:]}")
        self._tell(text.splitlines()[-1])
        return found[1], found[2]

    def stop(self):
        self.process.kill()
        self.process.wait()


class Comparison:
    """Lines that several guests wrote, each held against the first guest's as soon as both are there."""

    def __init__(self, guests):
        self._guests, self._equal = guests, {g: 0 for g in guests}

    def check(self):
        first, *others = self._guests
        for other in others:
            equal = self._equal[other]
            for a, b in zip(first.lines[equal:], other.lines[equal:]):
                if a != b:
                    before = b"\n".join(first.lines[max(0, equal - 5):equal]).decode(errors="replace")
                    raise Failure(f"the consoles differ at line {equal + 1}, after\n{before}\n{first.name} has {a!r}\n"
                                  f"{other.name} has {b!r}\n`hartline diff --engines` with the same options finds the "
                                  "first instruction that differs")
                equal += 1
            self._equal[other] = equal


def watch(guests, comparison):
    """Until all of these have ended."""
    with selectors.DefaultSelector() as selector:
        for guest in guests:
            selector.register(guest.process.stdout, selectors.EVENT_READ, guest)
        while selector.get_map():
            for key, _ in selector.select():
                if not key.data.read():
                    selector.unregister(key.fileobj)
            comparison.check()


def run(options, initrd):
    """The first guest's lines, once all have ended alike."""
    guests = []

    def start(number):
        engine = options.engines[number]
        guests.append(Guest(f"{number + 1}-{engine}", engine, options, initrd))
        return guests[-1]

    try:
        if options.one_by_one:
            for number in range(len(options.engines)):
                watch([start(number)], Comparison(guests))
        else:
            watch([start(number) for number in range(len(options.engines))], Comparison(guests))
        ends = {guest.name: guest.ended for guest in guests}
    finally:
        for guest in guests:
            guest.stop()
    if len(set(ends.values())) != 1:
        raise Failure(f"the consoles are equal, but the machines are not (instructions, state): {ends}")
    if len({len(guest.lines) for guest in guests}) != 1:
        raise Failure(f"one console is longer: {({guest.name: len(guest.lines) for guest in guests})}")
    return guests[0].lines


def make_initrd(target):
    parts = [f"{p}:/carry/stress/parts/{p.name}" for p in sorted(PARTS.glob("*.sh"))]
    own = [f"{p}:/carry/stress/{p.name}" for p in sorted(HERE.iterdir())]
    pack = [ROOT / "tools" / "overlay-initrd", target, BOOT / "initrd.cpio.gz", *own, *parts]
    if subprocess.run([ROOT / "tools" / "guest", "debian"]).returncode or subprocess.run(pack).returncode:
        raise Failure("the guest was not made (see above)")
    return target


def main():
    parser = argparse.ArgumentParser(usage=argparse.SUPPRESS, add_help=False)
    parser.add_argument("hartline", nargs="?", default=ROOT / "build" / "release" / "hartline", type=pathlib.Path)
    parser.add_argument("--engines", default="interpreter,jit", type=lambda text: text.split(","))
    parser.add_argument("--instructions", default="300G")
    parser.add_argument("--harts", default=1, type=int)
    parser.add_argument("--log", type=pathlib.Path)
    for option in ("--one-by-one", "-h", "--help"):
        parser.add_argument(option, action="store_true")
    options = parser.parse_args()
    if options.help or options.h:
        print(__doc__.strip())
        return
    if options.log:
        options.log.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as work:
        lines = run(options, make_initrd(pathlib.Path(work) / "initrd.cpio.gz"))
    results = [line for line in lines if line.startswith(b"stress ")]
    failed = [line.decode(errors="replace") for line in results if b" FAILED " in line]
    if failed or not results:
        raise Failure("the machines agree, but the guest found errors:\n" + "\n".join(failed or ["it gave no result: --instructions is too small"]))
    say(f"no difference in {len(results)} results, {len(lines)} lines of the console, and the state at the end")


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)    # so that no machine is left behind
    try:
        main()
    except (Failure, OSError) as e:
        sys.exit(f"stress: FAILED: {e}")
    except KeyboardInterrupt:
        sys.exit("stress: interrupted")
