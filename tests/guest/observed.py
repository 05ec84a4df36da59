#!/usr/bin/env python3
"""The first 50 million instructions of a boot, watched and unwatched: the same state, and the log has its window."""
import os
import sys
import tempfile

from console import IMAGE, INITRD, Console, check

hartline = sys.argv[1]


def run(*more):
    guest = Console(hartline, IMAGE, "--initrd", INITRD, "--memory", "256M", "--deterministic", "--stats", "--quiet",
                    "--max-instructions", "50M", "--append", "console=ttyS0", *more)
    guest.process.stdin.close()
    guest.finish(4)
    return guest.stats()


with tempfile.TemporaryDirectory() as work:
    log = os.path.join(work, "log")
    plain = run()
    check(run("--coverage", os.path.join(work, "c.json")) == plain, "a run whose coverage is counted differs")
    check(run("--commit-log", log, "--log-window", "40M:40001k") == plain, "a run that is logged differs")
    with open(log) as lines:
        count = sum(1 for _ in lines)
    check(count == 1000, f"{count} lines in a window of 1000 instructions")
