#!/usr/bin/env python3
"""iperf3 between a guest and the host's loopback, beside QEMU: alternating pairs, both directions, ratios.

usage: tests/bench/iperf.py HARTLINE [--pairs N] [--seconds S] [--qemu PATH] [-- OPTION...]

Debian's iperf3 for riscv64 is put into the guest's initial RAM disk. The server is the host's iperf3; the guest is
the client, `-R` turns the direction. CPU seconds are those of the emulator's process while the guest runs, boot
included. Options behind `--` go to `hartline run`.
"""
import argparse
import json
import os
import pathlib
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tools"))
sys.dont_write_bytecode = True
import guest_apt

GUEST = ROOT / "build" / "guests" / "busybox"
PACKAGES = ["iperf3", "libiperf0", "libsctp1", "libssl3t64", "libzstd1", "zlib1g", "libc6", "libgcc-s1"]
WANTED = r"(iperf3|ld-linux-riscv64-lp64d\.so\.1|lib(c|m|iperf|sctp|ssl|crypto|zstd|z|gcc_s|pthread|dl)\.so\.[\d.]+)$"
LIMIT = 150    # seconds for one run


def initrd(work):
    """The guest's RAM disk with iperf3 in it."""
    path, tree = work / "initrd.cpio.gz", work / "tree"
    for deb in guest_apt.Packages([], None, "riscv64").all(PACKAGES):
        subprocess.run(["dpkg-deb", "-x", deb, tree], check=True)
    files = {}
    for file in sorted(tree.rglob("*")):
        if not file.is_dir() and re.match(WANTED, file.name) and file.exists() and "doc" not in file.parts:
            home = {"iperf3": "/bin/"}.get(file.name, "/lib/")
            files[home + file.name] = file.resolve()
    specs = [f"{file}:{path_in_guest}:755" for path_in_guest, file in files.items()]
    subprocess.run([ROOT / "tools" / "overlay-initrd", path, GUEST / "initrd.cpio.gz", *specs], check=True)
    return path


def guest_command(port, seconds):
    iperf = f"iperf3 -c 10.0.2.2 -p {port} -t {seconds} -i 0"
    lines = ["for i in $(seq 20); do [ -e /run/network ] && break; sleep 1; done",
             f"{iperf} -J > /tmp/up", f"{iperf} -R -J > /tmp/down",
             "echo =up=; cat /tmp/up; echo =down=; cat /tmp/down; echo =end=; poweroff -f"]
    return "; ".join(lines)


def run(command, text):
    """Runs an emulator to its end; -> (output, CPU seconds)."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        out, typed, end = b"", False, time.monotonic() + LIMIT
        while time.monotonic() < end:
            block = os.read(process.stdout.fileno(), 1 << 16)
            if not block:
                break
            out += block
            if not typed and b"# " in out.partition(b"guest up")[2]:
                process.stdin.write(text.encode() + b"\n")
                process.stdin.flush()
                typed = True
        else:
            print(out.decode("utf-8", "replace")[-2000:], file=sys.stderr)
        process.kill()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return out.decode("utf-8", "replace").replace("\r", ""), (after.ru_utime + after.ru_stime -
                                                               before.ru_utime - before.ru_stime)


def megabits(out):
    """(up, down) as the receiving side counted, in Mbit/s."""
    found = []
    for part in (r"\n=up=\n(.*?)\n=down=\n", r"\n=down=\n(.*?)\n=end=\n"):
        match = re.search(part, out, re.S)
        if not match:
            sys.exit(f"iperf.py: the guest told no figures:\n{out[-3000:]}")
        found.append(json.loads(match[1])["end"]["sum_received"]["bits_per_second"] / 1e6)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("hartline")
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--qemu", default="qemu-system-riscv64")
    parser.add_argument("--port", type=int, default=5301)
    parser.add_argument("options", nargs="*")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        disk = initrd(pathlib.Path(folder))
        server = subprocess.Popen(["iperf3", "-s", "-p", str(options.port)], stdout=subprocess.DEVNULL)
        commands = {
            "hartline": [options.hartline, "run", GUEST / "Image", "--initrd", disk, "--quiet", *options.options],
            "qemu": [options.qemu, "-M", "virt", "-m", "1G", "-nographic", "-kernel", GUEST / "Image", "-initrd", disk,
                     "-netdev", "user,id=n", "-device", "virtio-net-device,netdev=n", "-append", "console=ttyS0"]}
        ratios = {"up": [], "down": []}
        try:
            for pair in range(options.pairs):
                figures = {}
                for name in ("hartline", "qemu") if pair % 2 == 0 else ("qemu", "hartline"):
                    out, cpu = run(commands[name], guest_command(options.port, options.seconds))
                    figures[name] = megabits(out)
                    print(f"{name:9} guest to host {figures[name][0]:8.1f} Mbit/s, host to guest "
                          f"{figures[name][1]:8.1f} Mbit/s, CPU {cpu:6.1f} s", flush=True)
                for i, way in enumerate(ratios):
                    ratios[way].append(figures["hartline"][i] / figures["qemu"][i])
        finally:
            server.terminate()
            server.wait()
    for way, all_of_it in ratios.items():
        print(f"{way}: hartline/qemu median {statistics.median(all_of_it):.2f} "
              f"({', '.join(f'{r:.2f}' for r in all_of_it)})")


if __name__ == "__main__":
    main()
