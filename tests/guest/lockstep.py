#!/usr/bin/env python3
"""Debian's kernel by two engines side by side, from reset to power-off: equal in all state. (Or up to a limit.)"""
import subprocess
import sys

from console import IMAGE, INITRD, check

hartline, *limit = sys.argv[1:]
command = [hartline, "diff", IMAGE, "--initrd", INITRD, "--memory", "256M", "--engines", "interpreter,ir",
           "--append", "console=ttyS0 hartline.run=uname"]
if limit:
    command += ["--max-instructions", limit[0]]
print("+", " ".join(command), flush=True)
done = subprocess.run(command, capture_output=True, text=True)
print(done.stdout, done.stderr)
check(done.returncode == 0 and done.stdout.startswith("equal: "), "the engines differ")
check(("the limit was reached" if limit else "the guest stopped") in done.stdout, "it ended otherwise")
