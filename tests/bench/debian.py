#!/usr/bin/env python3
"""A whole Debian's boot, from the emulator's start to the login prompt, beside QEMU and other emulators: alternating
rounds, medians, ratios.

usage: tests/bench/debian.py [HARTLINE] [--rounds N] [--qemu PATH] [--peer NAME=COMMAND]... [-- OPTION...]

Each boot starts from the same disk (tools/guest debian), with an overlay or a copy of its own. Wall and CPU seconds
(all threads of the emulator's process) are read when the prompt arrives on the serial console. QEMU's instructions are
counted by a plugin, in a boot of its own that is not timed. Options behind `--` go to `hartline run`; a peer's command
may name {kernel} {initrd} {append} {disk}, where disk is a raw copy.
"""
import argparse
import os
import pathlib
import re
import select
import shlex
import signal
import statistics
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True    # the source tree stays clean
from run import cpu_seconds    # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
GUEST = ROOT / "build" / "guests" / "debian"
APPEND = "root=LABEL=debian ro console=ttyS0"
LOGIN = re.compile(rb"ttyS0\s+debian login: ")
LIMIT = 400    # seconds for one boot

HARTLINE = "{binary} run {kernel} --initrd {initrd} --append {append} --disk {overlay},backing=any --stats"
QEMU = ("{binary} -M virt -m 1G -nographic -kernel {kernel} -initrd {initrd} -append {append} "
        "-drive if=none,id=disk,format=qcow2,file={overlay} -device virtio-blk-device,drive=disk "
        "-netdev user,id=net -device virtio-net-device,netdev=net -device virtio-rng-device")
COUNTED = " -plugin {plugin} -d plugin -D {log}"


class Failure(Exception):
    """Something a person can act on; the text says what and how."""


def boot(template, values):
    """To the login prompt -> (wall seconds, CPU seconds, what it wrote to standard error)."""
    command = [re.sub(r"\{(\w+)\}", lambda m: str(values[m[1]]), word) for word in shlex.split(template)]
    with tempfile.TemporaryFile() as errors:
        started, out = time.monotonic(), b""
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors,
                                   start_new_session=True)
        try:
            while not LOGIN.search(out[-4096:]):
                left = started + LIMIT - time.monotonic()
                block = left > 0 and select.select([process.stdout], [], [], left)[0] and \
                    os.read(process.stdout.fileno(), 1 << 16)
                if not block:
                    errors.seek(0)
                    raise Failure(f"no login prompt: {shlex.join(command)}\n{out[-2000:].decode(errors='replace')}\n"
                                  f"{errors.read()[-1000:].decode(errors='replace')}")
                out += block
            wall, cpu = time.monotonic() - started, cpu_seconds(process.pid)
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=60)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)    # a peer may be a script around an emulator
                process.wait()
        errors.seek(0)
        return wall, cpu, errors.read().decode(errors="replace")


def instructions(text):
    found = re.search(r"instructions=(\d+)", text)
    return int(found[1]) if found else None


def boot_anew(options, template, values, work):
    """Boots from the disk as it was made."""
    overlay, copy = work / "overlay.qcow2", work / "copy.img"
    subprocess.run([options.hartline, "image", "create", overlay, "--backing", GUEST / "debian.qcow2", "--force"],
                   check=True, stdout=subprocess.DEVNULL)
    if "{disk}" in template:
        subprocess.run(["cp", "--sparse=always", GUEST / "root.img", copy], check=True)
    return boot(template, values | {"overlay": overlay, "disk": copy})


def count_qemu(options, values, work):
    """Instructions of a boot under QEMU, or None where it takes no plugins of this kind."""
    plugin, log = work / "instructions.so", work / "log"
    source = pathlib.Path(__file__).with_name("instructions.c")
    subprocess.run(["gcc", "-O2", "-shared", "-fPIC", "-o", plugin, source], check=True)
    try:
        boot_anew(options, QEMU + COUNTED, values | {"binary": options.qemu, "plugin": plugin, "log": log}, work)
    except Failure as e:
        print(f"debian: QEMU's instructions are not counted: {e}", file=sys.stderr)
        return None
    return instructions(log.read_text())


def report(results, counted):
    """A table of medians; ratios are PEER / HARTLINE in the same round."""
    print(f"\n{'':12}{'wall s':>9}{'CPU s':>9}{'G instr.':>10}{'wall ratio':>12}{'CPU ratio':>11}")
    first = results["hartline"]
    for name, rows in results.items():
        wall, cpu = (statistics.median(row[i] for row in rows) for i in (0, 1))
        ratios = [statistics.median(row[i] / other[i] for row, other in zip(rows, first)) for i in (0, 1)]
        counts = [row[2] for row in rows if row[2]] or [c for c in [counted.get(name)] if c]
        count = f"{statistics.median(counts) / 1e9:10.2f}" if counts else f"{'':10}"
        print(f"{name:12}{wall:9.1f}{cpu:9.1f}{count}{ratios[0]:12.2f}{ratios[1]:11.2f}")


def measure(options):
    values = {"kernel": GUEST / "Image", "initrd": GUEST / "initrd.img", "append": APPEND}
    machines = {"hartline": (HARTLINE + "".join(f" {shlex.quote(o)}" for o in options.options), options.hartline),
                "qemu": (QEMU, options.qemu)}
    machines |= {name: (command, None) for name, _, command in (p.partition("=") for p in options.peer)}
    results = {name: [] for name in machines}
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        for _ in range(options.rounds):
            for name, (template, binary) in machines.items():
                wall, cpu, errors = boot_anew(options, template, values | {"binary": binary}, work)
                results[name].append((wall, cpu, instructions(errors)))
                print(f"{name:12}{wall:9.1f} s wall {cpu:9.1f} s CPU", flush=True)
        report(results, {"qemu": count_qemu(options, values, work)})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("hartline", nargs="?", default=ROOT / "build" / "release" / "hartline")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--qemu", default="qemu-system-riscv64")
    parser.add_argument("--peer", action="append", default=[])
    parser.add_argument("options", nargs="*")
    options = parser.parse_args()
    if subprocess.run([ROOT / "tools" / "guest", "debian"]).returncode:
        raise Failure("the guest was not made (see above)")
    measure(options)


if __name__ == "__main__":
    try:
        main()
    except (Failure, OSError) as e:
        sys.exit(f"debian: FAILED: {e}")
    except KeyboardInterrupt:
        sys.exit("debian: interrupted")
