#!/usr/bin/env python3
"""PCI Express in a Linux guest: a file copied over disks on every bus, and then the whole system on an NVMe disk.

usage: pci.py HARTLINE [OPTION...]     the options are of `hartline run`: --harts 4 --parallel
"""
import os
import shutil
import subprocess
import sys
import tempfile

from console import PROMPT, Console, IMAGE, INITRD, boot, check

hartline, options = sys.argv[1], sys.argv[2:]
DISKS = {"mmio": "/dev/vda", "pci": "/dev/vdb", "nvme": "/dev/nvme0n1"}
LINES = 200000
CONTENT = b"".join(b"%d\n" % i for i in range(1, LINES + 1))


def make_disk(path):
    with open(path, "wb") as file:
        file.truncate(64 << 20)
    subprocess.run(["mkfs.ext4", "-q", "-F", path], check=True)


def disks_on_every_bus(work):
    images = {bus: os.path.join(work, bus) for bus in DISKS}
    for path in images.values():
        make_disk(path)
    arguments = [word for bus, path in images.items() for word in ("--disk", f"{path},bus={bus}")]
    guest = boot(hartline, *arguments, "--bus", "pci", *options)
    guest.run("seq 1 %d > /tmp/numbers" % LINES)
    before = "/tmp/numbers"
    for bus, device in DISKS.items():
        guest.run(f"mkdir -p /mnt/{bus} && mount -t ext4 {device} /mnt/{bus} && cp {before} /mnt/{bus}/numbers")
        guest.run(f"sync && echo 3 > /proc/sys/vm/drop_caches && cmp /tmp/numbers /mnt/{bus}/numbers")
        guest.run(f"dd if=/dev/zero of=/mnt/{bus}/large bs=1M count=24 conv=fsync && rm /mnt/{bus}/large")
        guest.run(f"sync && fstrim /mnt/{bus}")
        before = f"/mnt/{bus}/numbers"
    # The bridge, disks, network, console and entropy.
    functions = guest.run("ls /sys/bus/pci/devices").split()
    check(len(functions) >= 6, f"a function a device: {functions}", guest)
    interrupts = guest.run("cat /proc/interrupts")
    check("nvme0q0" in interrupts and "virtio" in interrupts, "interrupts reach the drivers", guest)
    check("I/O error" not in guest.run("dmesg"), "no errors in the kernel's log", guest)
    guest.run("umount /mnt/*")
    guest.type("poweroff -f\n")
    guest.finish(0)
    for bus, path in images.items():
        fsck = subprocess.run(["e2fsck", "-fn", path], capture_output=True, text=True)
        check(fsck.returncode == 0, f"e2fsck of {bus}: {fsck.stdout}{fsck.stderr}")
        found = subprocess.run(["debugfs", "-R", "cat /numbers", path], capture_output=True, check=True).stdout
        check(found == CONTENT, f"the file's content on {bus}")
        check(os.stat(path).st_blocks * 512 < 16 << 20, f"{bus}: discards give the host its space back")


def root_on_nvme(work):
    """A guest installs BusyBox onto the disk; the next has it for its root."""
    disk = os.path.join(work, "root")
    make_disk(disk)
    guest = boot(hartline, "--disk", f"{disk},bus=nvme", *options)
    guest.run("mount -t ext4 /dev/nvme0n1 /mnt && mkdir /mnt/dev /mnt/proc /mnt/sys /mnt/run /mnt/bin")
    guest.run("cp /bin/busybox /mnt/bin && for tool in sh mount cat sync poweroff; do "
              "ln -s busybox /mnt/bin/$tool; done")
    guest.run(r"printf '#!/bin/sh\nmount -o remount,rw /\necho up from $(cat /proc/cmdline)\nexec sh\n' > /mnt/init")
    guest.run("chmod 755 /mnt/init && umount /mnt")
    guest.type("poweroff -f\n")
    guest.finish(0)
    guest = Console(hartline, IMAGE, "--initrd", INITRD, "--memory", "512M", "--disk", f"{disk},bus=nvme",
                    "--append", "root=/dev/nvme0n1 ro init=/init", *options)
    guest.expect("up from root=/dev/nvme0n1")
    guest.expect(PROMPT)
    check("/dev/nvme0n1 / ext4 rw" in guest.run("cat /proc/mounts"), "the root is the NVMe disk", guest)
    guest.run("echo written > /proof && sync")
    guest.type("poweroff -f\n")
    guest.finish(0)
    proof = subprocess.run(["debugfs", "-R", "cat /proof", disk], capture_output=True, check=True).stdout
    check(proof == b"written\n", "what the root's system wrote")


def comes_again(work):
    """An exact run, and one that goes on from a snapshot in the middle of its I/O, end in the same state."""
    fresh, disk, saved = (os.path.join(work, name) for name in ("fresh", "disk", "saved"))
    make_disk(fresh)
    busy = "for+i+in+1+2+3;do+mount+-t+ext4+/dev/nvme0n1+/mnt;seq+1+90000+>/mnt/$i;umount+/mnt;done"
    command = [IMAGE, "--initrd", INITRD, "--memory", "512M", "--deterministic", "--stats", "--bus", "pci", "--disk",
               f"{disk},bus=nvme", "--append", f"console=ttyS0 hartline.run={busy}"]

    def run(*more, code=0):
        shutil.copyfile(fresh, disk)
        guest = Console(hartline, *command, *more)
        guest.process.stdin.close()
        guest.finish(code)
        return guest.stats()
    instructions, state = run()
    check(run() == (instructions, state), "an exact run comes again")
    for part in 0.7, 0.9:
        tick = int(instructions * part)
        run("--save-at", f"{tick}:{saved}", "--max-instructions", str(tick), code=4)
        guest = Console(hartline, *command, "--load", saved)    # with the disk as the other run left it
        guest.process.stdin.close()
        guest.finish(0)
        check(guest.stats() == (instructions - tick, state), f"the same end after a snapshot at {tick}")


with tempfile.TemporaryDirectory() as work:
    disks_on_every_bus(work)
    root_on_nvme(work)
    if not options:
        comes_again(work)
