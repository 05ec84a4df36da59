#!/usr/bin/env python3
"""Debian's kernel to the shell; a few commands typed; power-off; exit code 0."""
import hashlib
import sys

from console import boot, check

guest = boot(sys.argv[1])
check(guest.run("echo $((6 * 7))").strip() == "42", "arithmetic in the shell", guest)
check("riscv64" in guest.run("uname -m"), "uname", guest)
check("rv64imafdc" in guest.run("cat /proc/cpuinfo"), "cpuinfo", guest)
expected = hashlib.sha256("".join(f"{i}\n" for i in range(1, 2001)).encode()).hexdigest()
check(guest.run("seq 1 2000 | sha256sum").split()[0] == expected, "sha256sum", guest)
guest.type("poweroff -f\n")
guest.finish(0)
