#!/usr/bin/env python3
"""Four harts brought up by OpenSBI's HSM, under a locking test of our own: interleaved, and on threads of their own."""
import os
import subprocess
import sys
import tempfile

from console import boot, check, with_files

hartline, source, mode = sys.argv[1:4]
with tempfile.TemporaryDirectory() as work:
    program = os.path.join(work, "locking")
    subprocess.run(["riscv64-linux-gnu-gcc", "-O2", "-static", "-pthread", source, "-o", program], check=True)
    initrd = with_files(work, f"{program}:/bin/locking:755")
    guest = boot(hartline, "--harts", "4", *(["--parallel"] if mode == "parallel" else []), initrd=initrd)
    check(guest.run("nproc").strip() == "4", "all four harts are up", guest)
    rounds = "2000" if mode == "parallel" else "500"
    check("locking: all sums right" in guest.run(f"locking {rounds}"), "the locking test", guest)
    guest.type("poweroff -f\n")
    guest.finish(0)
