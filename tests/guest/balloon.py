#!/usr/bin/env python3
"""Memory that a guest frees goes back to the host: by free page reporting, and by the balloon. Host RSS before and after.

usage: balloon.py HARTLINE [OPTION...]     the options are of `hartline run`: --harts 2 --parallel
"""
import re
import sys
import time

from console import IMAGE, INITRD, PROMPT, Console, check

MIB = 512    # that the guest takes for a while
SLACK = 100    # MiB that may stay with the host: what the kernel keeps for itself, pieces of blocks


def boot(balloon):
    console = Console(sys.argv[1], IMAGE, "--initrd", INITRD, "--memory", "1G", "--balloon", balloon, *sys.argv[2:])
    console.expect("hartline guest up")
    console.expect(PROMPT)
    return console


def resident(guest):
    """MiB of the emulator's memory in the host."""
    with open(f"/proc/{guest.process.pid}/status") as status:
        return int(re.search(r"VmRSS:\s+(\d+) kB", status.read())[1]) // 1024


def memory(guest):
    """MiB that the guest has for its programs. (Its total stays: it may take back what it gave.)"""
    return int(re.search(r"MemAvailable:\s+(\d+)", guest.run("cat /proc/meminfo"))[1]) // 1024


def wait_until(guest, holds, what):
    """The guest runs meanwhile: it reports every two seconds while it frees."""
    for _ in range(60):
        if holds():
            return
        guest._pump(0.5)
    check(False, f"{what}: {resident(guest)} MiB", guest)


guest = boot("on")
began = resident(guest)
guest.run(f"mount -t tmpfs -o size=90% none /mnt && dd if=/dev/urandom of=/mnt/seed bs=1M count=8 2> /dev/null && "
          f"for i in $(seq {MIB // 8}); do cat /mnt/seed; done > /mnt/big && sync")
full = resident(guest)
check(full > began + MIB * 3 // 4, f"only {full} MiB resident with {MIB} MiB in use, after {began}", guest)
guest.run("rm /mnt/big")
wait_until(guest, lambda: resident(guest) < began + SLACK, f"from {full} MiB back to {began} and {SLACK} more")
freed = resident(guest)
# What was given back is memory like any other, with the content that is put there.
guest.run(f"cat /mnt/seed /mnt/seed /mnt/seed > /mnt/a && cp /mnt/a /mnt/b && cmp /mnt/a /mnt/b && rm /mnt/a /mnt/b")
print(f"resident: {began} MiB at the start, {full} with {MIB} in use, {freed} when freed")
available = memory(guest)
guest.type("poweroff -f\n")
guest.finish(0)

guest = boot("512M")
for _ in range(60):
    left = memory(guest)
    if left < available - 450:
        break
    time.sleep(0.5)
check(available - 560 < left < available - 450, f"{left} MiB of {available} left with --balloon 512M", guest)
# Short of memory, it takes back what it needs (DEFLATE_ON_OOM).
guest.run("mount -t tmpfs -o size=90% none /mnt; dd if=/dev/zero of=/mnt/big bs=1M count=600 2> /dev/null; "
          "ls -l /mnt/big | grep -q 629145600")
guest.type("poweroff -f\n")
guest.finish(0)
