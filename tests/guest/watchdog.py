#!/usr/bin/env python3
"""The watchdog of a Linux guest: fed, closed, and starved with each of its actions.

usage: watchdog.py HARTLINE [OPTION...]     the options are of `hartline run`: --harts 4 --parallel
"""
import sys

from console import PROMPT, boot, check

hartline, options = sys.argv[1], sys.argv[2:]
STARVE = "watchdog -T 2 -t 600 /dev/watchdog"    # fed once, and then for ten minutes not


def guest_with(action):
    guest = boot(hartline, "--watchdog", action, *options)
    check("sunxi_wdt" in guest.run("lsmod"), "the driver is loaded", guest)
    check("16" in guest.run("cat /sys/class/watchdog/watchdog0/timeout"), "its time-out", guest)
    return guest


def told(guest, action):
    check(f"hartline: the guest's watchdog expired: {action}" in guest.err, "it is told", guest)


guest = guest_with("reset")
guest.run("watchdog -T 2 -t 1 -F /dev/watchdog & sleep 5")
guest.run("kill $! && sleep 3")    # which closes it, so that it does not matter any more
check("expired" not in guest.err, "a watchdog that is fed or closed does nothing", guest)
guest.run(STARVE)
guest.expect("hartline guest up")    # again
guest.expect(PROMPT)
told(guest, "reset")
check(guest.run("cat /sys/class/watchdog/watchdog0/state").strip() == "inactive", "it is idle after a reset", guest)
guest.type("poweroff -f\n")
guest.finish(0)

guest = guest_with("poweroff")
guest.type(STARVE + "\n")
guest.finish(0)
told(guest, "poweroff")

guest = guest_with("pause")    # with a pipe for its console, where nobody can let it go on
guest.type(STARVE + "\n")
guest.finish(3)
told(guest, "pause")

guest = guest_with("none")
guest.run(STARVE + "; sleep 4")
told(guest, "none")
guest.type("poweroff -f\n")
guest.finish(0)
