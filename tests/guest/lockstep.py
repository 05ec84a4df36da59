#!/usr/bin/env python3
"""Debian's kernel and userland by two engines side by side, from reset to power-off: equal in all state.

usage: lockstep.py HARTLINE ENGINES brief|busy [OPTION of hartline diff]...
"""
import subprocess
import sys

from console import IMAGE, INITRD, check

WORK = {
    "brief": "uname",
    # Forks, pipes, compression, files that come and go, more processes than harts.
    "busy": "seq 1 9000 | sort -r | gzip -9 | gunzip | md5sum; for i in 1 2 3 4 5 6 7 8; do ls -lR /bin | wc; done; "
            "tar cf /tmp/a /bin /etc; bzip2 /tmp/a; ls -l /tmp; for i in 1 2 3 4; do seq 1 20000 | sha256sum & done; "
            "wait; date",
}

hartline, engines, work, *options = sys.argv[1:]
command = [hartline, "diff", IMAGE, "--initrd", INITRD, "--memory", "256M", "--engines", engines, "--quiet",
           "--append", "console=ttyS0 hartline.run=" + WORK[work].replace(" ", "+"), *options]
print("+", " ".join(command), flush=True)
done = subprocess.run(command, capture_output=True, text=True)
print(done.stdout, done.stderr)
check(done.returncode == 0 and done.stdout.startswith("equal: "), "the engines differ")
check("the guest stopped" in done.stdout, "it ended otherwise")
