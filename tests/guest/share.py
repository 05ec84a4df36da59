#!/usr/bin/env python3
"""Shared folders in a Linux guest: POSIX's rules (posix.c) by every way to cache, both directions, read-only.

usage: share.py HARTLINE POSIX.C
"""
import os
import subprocess
import sys
import tempfile

from console import boot, check, with_files

# Linux' client keeps times in whole seconds (no s_time_gran in fs/9p): so it is beside QEMU too.
KNOWN = ("st_mtim.tv_nsec",)


def failures(report):
    lines = [line for line in report.splitlines() if line.startswith("posix: line")]
    return [line for line in lines if not any(known in line for known in KNOWN)]


def posix(guest, folder):
    guest.type(f"echo =be''gin=; posix {folder}; echo =en''d=\n")
    guest.expect("=begin=\n")
    report = guest.expect("=end=\n")
    check("posix: 1" in report and " checks, " in report, f"no report of posix {folder}: {report}", guest)
    check(not failures(report), f"posix {folder}: {report}", guest)


with tempfile.TemporaryDirectory() as work:
    program, shared, fixed = (os.path.join(work, name) for name in ("posix", "shared", "fixed"))
    subprocess.run(["riscv64-linux-gnu-gcc", "-O1", "-static", "-o", program, sys.argv[2]], check=True)
    for folder in shared, fixed:
        os.mkdir(folder)
        with open(os.path.join(folder, "from-host"), "w") as file:
            file.write("".join(f"{i}\n" for i in range(200000)))
    for options in [], ["--parallel", "--harts", "2"]:
        guest = boot(sys.argv[1], "--share", f"{shared}:src", "--share", f"{fixed}:fixed:ro", *options,
                     initrd=with_files(work, f"{program}:/bin/posix"))
        line = "mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000 src /mnt/src"
        check(line in guest.err, "the line that mounts it", guest)
        check(guest.run("tail -n 1 /mnt/src/from-host") == "199999\n", "a file of the host", guest)
        guest.run("cp /mnt/src/from-host /mnt/src/from-guest && cmp /mnt/src/from-host /mnt/src/from-guest")
        guest.run("! touch /mnt/fixed/new 2> /dev/null && cmp /mnt/fixed/from-host /mnt/src/from-guest")
        for cache in ("none",) if options else ("none", "loose", "mmap", "fscache"):
            guest.run(f"umount /mnt/src && {line.replace(',msize', f',cache={cache},msize')}")
            posix(guest, "/mnt/src")
        guest.run("umount /mnt/src && mount -t tmpfs none /mnt/src")
        posix(guest, "/mnt/src")
        guest.type("poweroff -f\n")
        guest.finish(0)
        with open(os.path.join(shared, "from-guest"), "rb") as file:
            check(len(file.read()) == 1288890, "the guest's copy on the host")
        os.unlink(os.path.join(shared, "from-guest"))
        check(sorted(os.listdir(shared)) == ["from-host"], f"left over: {os.listdir(shared)}")
print("shared folders: ok")
