#!/usr/bin/env python3
"""A boot with work in it, hermetic: twice alike; and broken in the middle by a save and a load, alike again."""
import os
import sys
import tempfile

from console import IMAGE, INITRD, Console, check

hartline, harts = sys.argv[1], sys.argv[2]
WORK = "seq+1+3000+|+sort+-r+|+md5sum;+cat+/proc/interrupts+|+wc;+sleep+1;+date"


def run(*more):
    guest = Console(hartline, IMAGE, "--initrd", INITRD, "--memory", "256M", "--harts", harts, "--deterministic",
                    "--stats", "--append", f"console=ttyS0 hartline.run={WORK}", *more)
    guest.process.stdin.close()  # input of a hermetic run is read whole before the start
    guest.finish(0)
    return guest


with tempfile.TemporaryDirectory() as work:
    snapshot = os.path.join(work, "middle.snapshot")
    first = run()
    check("hartline guest status: 0" in first.out, "the guest's work", first)
    instructions, digest = first.stats()
    second = run()
    check(second.stats() == (instructions, digest), f"{second.stats()} after {(instructions, digest)}", second)
    check(second.out == first.out, "the console's output differs", second)

    middle = instructions * 2 // 5
    saved = run("--save-at", f"{middle}:{snapshot}")
    check(saved.stats() == (instructions, digest), "a run that saved in the middle differs", saved)
    loaded = run("--load", snapshot)
    # The count is of this process: what ran before the break is not in it.
    check(loaded.stats() == (instructions - middle, digest), f"{loaded.stats()} after a load in the middle", loaded)
    check(first.out.endswith(loaded.out), "the console after the load", loaded)
