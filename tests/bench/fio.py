#!/usr/bin/env python3
"""Disk I/O in a guest: Debian's fio under Hartline beside QEMU, alternating, on copies of one full disk.

usage: tests/bench/fio.py HARTLINE [--pairs N] [--seconds S] [--row WORD]... [--format raw|qcow2] [--qemu PATH]
                          [-- OPTION...]

Rows are sequential 128 KiB and random 4 KiB, read and write, with 1 and 16 requests at once, direct; --row takes those
whose name has WORD in it. Figures are MiB/s by the guest's clock, which follows the host's in both. A ratio is
HARTLINE / QEMU of one pair; shown is the median. fio comes from Debian, for riscv64, into build/bench/fio.img; this
needs a network once. Options behind `--` go to `hartline run`.
"""
import argparse
import os
import pathlib
import re
import resource
import shutil
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
TOOLS = ROOT / "build" / "bench" / "fio.img"
DISK_MIB = 256
ROWS = [(f"{name} {depth:2}", pattern, size, depth) for depth in (1, 16)
        for name, pattern, size in (("seq read 128k", "read", "128k"), ("seq write 128k", "write", "128k"),
                                    ("rand read 4k", "randread", "4k"), ("rand write 4k", "randwrite", "4k"))]


def make_tools():
    """A disk with fio and what it needs, to chroot into."""
    TOOLS.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        root, image = pathlib.Path(folder) / "root", TOOLS.with_suffix(".new")
        for deb in guest_apt.Packages([], None, "riscv64").closure(["fio"]):
            subprocess.run(["dpkg-deb", "-x", deb, root], check=True)
        for name in ("doc", "man", "locale"):
            shutil.rmtree(root / "usr" / "share" / name, ignore_errors=True)
        for name in ("lib", "bin", "sbin"):
            if not (root / name).exists():
                (root / name).symlink_to(f"usr/{name}")
        for name in ("dev", "proc", "sys", "tmp"):
            (root / name).mkdir(exist_ok=True)
        size = int(subprocess.run(["du", "-sm", root], capture_output=True, text=True, check=True).stdout.split()[0])
        subprocess.run(["mke2fs", "-q", "-F", "-t", "ext4", "-d", root, image, f"{size * 5 // 4 + 32}M"], check=True)
        image.replace(TOOLS)


def script(rows, seconds):
    """What is typed in the guest."""
    lines = ["mkdir -p /mnt", "mount -t ext4 -o ro /dev/vdb /mnt", "mount --bind /dev /mnt/dev",
             "mount -t tmpfs none /mnt/tmp", "mount -t proc none /mnt/proc", "mount -t sysfs none /mnt/sys",
             f"f() {{ chroot /mnt fio --name=j --filename=/dev/vda --direct=1 --ioengine=libaio --size={DISK_MIB}M "
             f"--time_based --runtime={seconds} --ramp_time=1 --thread --output-format=terse --terse-version=3 "
             "--rw=$1 --bs=$2 --iodepth=$3 | tail -n 1; }"]
    lines += [f"echo =row=$(f {pattern} {size} {depth})" for _, pattern, size, depth in rows]
    return "\n".join(lines + ["echo =end=", "poweroff -f"]) + "\n"


def run(command, text, limit):
    """Runs an emulator to its end, typing when its shell is there; -> (output, CPU seconds)."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        out, lines, prompts, end = b"", text.splitlines(), 0, time.monotonic() + limit
        while time.monotonic() < end:
            block = os.read(process.stdout.fileno(), 1 << 16)
            if not block:
                break
            out += block
            seen = len(re.findall(rb"^\S*# ", out.partition(b"guest up")[2], re.M))
            if seen > prompts and lines:
                prompts = seen
                process.stdin.write(lines.pop(0).encode() + b"\n")
                process.stdin.flush()
        process.kill()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return out.decode("utf-8", "replace").replace("\r", ""), (after.ru_utime + after.ru_stime -
                                                               before.ru_utime - before.ru_stime)


def figures(out, rows):
    """MiB/s of each row."""
    found = [line.split(";") for line in re.findall(r"^=row=(3;.*)$", out, re.M)]
    if len(found) != len(rows) or any(len(fields) < 48 for fields in found):
        sys.exit(f"fio.py: the guest told {len(found)} of {len(rows)} figures:\n{out[-3000:]}")
    return [(int(fields[6]) + int(fields[47])) / 1024 for fields in found]  # KiB/s read, and written


def make_disk(path, image_format):
    raw = path.with_suffix(".raw")
    with raw.open("wb") as disk:
        for _ in range(DISK_MIB):
            disk.write(os.urandom(1 << 20))
    if image_format == "raw":
        raw.rename(path)
    else:
        subprocess.run(["qemu-img", "convert", "-O", "qcow2", raw, path], check=True)
        raw.unlink()
    return path


def commands(options, folder):
    ours, theirs = (make_disk(folder / f"{name}.{options.format}", options.format) for name in ("hartline", "qemu"))
    boot = ["-kernel", GUEST / "Image", "-initrd", GUEST / "initrd.cpio.gz", "-append", "console=ttyS0 quiet"]
    return {
        "hartline": [options.hartline, "run", GUEST / "Image", "--initrd", GUEST / "initrd.cpio.gz", "--append",
                     "console=ttyS0 quiet", "--quiet", "--disk", f"{ours},format={options.format}", "--disk",
                     f"{TOOLS},ro", *options.options],
        "qemu": [options.qemu, "-M", "virt", "-m", "1G", "-nographic", *boot,
                 "-drive", f"file={theirs},format={options.format},if=none,id=a", "-device",
                 "virtio-blk-device,drive=a", "-drive", f"file={TOOLS},format=raw,if=none,id=b,readonly=on",
                 "-device", "virtio-blk-device,drive=b"]}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("hartline")
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=3, help="of each row")
    parser.add_argument("--row", action="append", help="part of a row's name")
    parser.add_argument("--format", choices=("raw", "qcow2"), default="raw")
    parser.add_argument("--qemu", default="qemu-system-riscv64")
    parser.add_argument("options", nargs="*")
    options = parser.parse_args()
    if not TOOLS.exists():
        make_tools()
    rows = [row for row in ROWS if not options.row or any(word in row[0] for word in options.row)]
    results = {"hartline": [], "qemu": []}
    with tempfile.TemporaryDirectory(prefix="fio-") as folder:
        machines = commands(options, pathlib.Path(folder))
        for pair in range(options.pairs):
            for name in ("hartline", "qemu") if pair % 2 == 0 else ("qemu", "hartline"):
                out, cpu = run(machines[name], script(rows, options.seconds), 90 + 4 * options.seconds * len(rows))
                results[name].append(figures(out, rows))
                print(f"{name:9} " + " ".join(f"{n:8.1f}" for n in results[name][-1]) + f"  CPU {cpu:6.1f} s",
                      flush=True)
    print(f"\n{'':18}{'hartline':>10}{'qemu':>10}   MiB/s, medians of {options.pairs}; ratios")
    for i, row in enumerate(rows):
        ours, theirs = ([one[i] for one in results[who]] for who in ("hartline", "qemu"))
        ratios = [a / max(b, 1e-9) for a, b in zip(ours, theirs)]
        print(f"{row[0]:18}{statistics.median(ours):10.1f}{statistics.median(theirs):10.1f}   "
              f"{statistics.median(ratios):.2f} ({', '.join(f'{r:.2f}' for r in ratios)})")


if __name__ == "__main__":
    main()
