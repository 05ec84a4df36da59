#!/usr/bin/env python3
"""What a guest has synced is there after the emulator was killed; what it discards goes back to the host; where the
host fails the guest gets an I/O error, and a person one line.

usage: durable.py HARTLINE [raw] [qcow2] [overlay] [discard] [errors]
"""
import os
import resource
import subprocess
import sys
import tempfile

from console import boot, check

MIB = 1 << 20
HARTLINE = sys.argv[1]


def blocks(path):
    return os.stat(path).st_blocks * 512


def image(*arguments):
    subprocess.run([HARTLINE, "image", *arguments], check=True)


def new_disk(path, size):
    """A raw file with an empty ext4."""
    with open(path, "wb") as file:
        file.truncate(size)
    subprocess.run(["mkfs.ext4", "-q", "-F", path], check=True)


def leave(guest):
    guest.run("umount /mnt")
    guest.type("poweroff -f\n")
    guest.finish(0)


def write_sync_kill(option, *machine):
    """Files written by guests that never end by themselves; each is looked at by the next."""
    sums = {}
    for number in range(3):
        guest = boot(HARTLINE, "--disk", option, *machine)
        guest.run("mkdir -p /mnt && mount -t ext4 /dev/vda /mnt")
        for name, expected in sums.items():
            check(guest.run(f"sha256sum /mnt/{name}").split()[0] == expected, f"{option}: {name}", guest)
        guest.run(f"seq {number} 400000 > /mnt/a{number} && dd if=/dev/urandom of=/mnt/b{number} bs=1M count=8")
        for name in (f"a{number}", f"b{number}"):
            sums[name] = guest.run(f"sha256sum /mnt/{name}").split()[0]
        guest.run("sync")
        # It goes on writing: the kill finds requests at every stage.
        guest.type("while :; do dd if=/dev/urandom of=/mnt/torn bs=64k count=64 conv=fsync 2>/dev/null; done\n")
        guest.expect("done\n")
        guest.process.kill()
        guest.process.wait()
    return sums


def check_content(disk, sums):
    subprocess.run(["e2fsck", "-fy", disk], stdout=subprocess.DEVNULL, check=False)  # replays the journal
    fsck = subprocess.run(["e2fsck", "-fn", disk], capture_output=True, text=True)
    check(fsck.returncode == 0, f"e2fsck: {fsck.stdout}{fsck.stderr}")
    for name, expected in sums.items():
        found = subprocess.run(["sh", "-c", f"debugfs -R 'cat /{name}' {disk} 2>/dev/null | sha256sum"],
                               capture_output=True, text=True, check=True).stdout
        check(found.split()[0] == expected, f"{disk}: {name} on the host")


def killed_raw(work):
    disk = os.path.join(work, "raw.img")
    new_disk(disk, 96 * MIB)
    check_content(disk, write_sync_kill(disk))


def killed_qcow2(work):
    raw, disk = os.path.join(work, "raw.img"), os.path.join(work, "disk.qcow2")
    new_disk(raw, 96 * MIB)
    image("convert", raw, disk)
    sums = write_sync_kill(disk, "--harts", "2", "--parallel")
    subprocess.run(["qemu-img", "check", "-q", "-r", "leaks", disk], check=True)
    image("convert", disk, raw, "--force")
    check_content(raw, sums)


def killed_overlay(work):
    base, top = os.path.join(work, "base.img"), os.path.join(work, "top.qcow2")
    new_disk(base, 96 * MIB)
    before = open(base, "rb").read()
    sums = write_sync_kill(f"{base},overlay={top}")
    check(open(base, "rb").read() == before, "an overlay's base has changed")
    subprocess.run(["qemu-img", "check", "-q", "-r", "leaks", top], check=True)
    image("commit", top)
    check_content(base, sums)


def discarded(option, files):
    """Blocks of `files` with 48 MiB written, and after they were removed and discarded."""
    guest = boot(HARTLINE, "--disk", option)
    guest.run("mkdir -p /mnt && mount -t ext4 /dev/vda /mnt && dd if=/dev/urandom of=/mnt/big bs=1M count=48 && sync")
    full = sum(map(blocks, files))
    trimmed = guest.run("rm /mnt/big && sync; fstrim -v /mnt || echo refused")
    leave(guest)
    return full, sum(map(blocks, files)), trimmed


def gives_back(work, kind):
    raw, disk = os.path.join(work, "raw.img"), os.path.join(work, f"disk.{kind}")
    new_disk(raw, 96 * MIB)
    image("convert", raw, disk)
    full, after, _ = discarded(disk, [disk])
    check(full > 48 * MIB and after < full - 40 * MIB, f"{kind}: {full} bytes of the host's, {after} after fstrim")
    full, after, said = discarded(disk + ",discard=off", [disk])
    check(after >= full - MIB and "refused" in said, f"{kind}, discard=off: {full} bytes, {after} after fstrim")
    if kind == "qcow2":
        subprocess.run(["qemu-img", "check", "-q", disk], check=True)


def whole_disk_given_back(work):
    """blkdiscard of all of an overlay: the base shines through nowhere, and no data is left."""
    base, top = os.path.join(work, "base.img"), os.path.join(work, "top.qcow2")
    new_disk(base, 64 * MIB)
    guest = boot(HARTLINE, "--disk", f"{base},overlay={top}")
    guest.run("dd if=/dev/urandom of=/dev/vda bs=1M count=64 conv=fsync")
    full = blocks(top)
    guest.run("blkdiscard /dev/vda && sync && cmp -n $((64 << 20)) /dev/vda /dev/zero")
    guest.type("poweroff -f\n")
    guest.finish(0)
    check(full > 60 * MIB and blocks(top) < 2 * MIB, f"overlay: {full} bytes of the host's, {blocks(top)} after")


def said_once(guest, *parts):
    lines = [line for line in guest.err.splitlines() if all(part in line for part in parts)]
    check(len(lines) == 1, f"{len(lines)} lines with {parts}: {guest.err}", guest)


def cut_short(work):
    disk = os.path.join(work, "cut.img")
    with open(disk, "wb") as file:
        file.truncate(64 * MIB)
    guest = boot(HARTLINE, "--disk", disk)
    guest.run("dd if=/dev/vda of=/dev/null bs=1M count=64")
    os.truncate(disk, 32 * MIB)
    guest.run("echo 3 > /proc/sys/vm/drop_caches; ! dd if=/dev/vda of=/dev/null bs=1M skip=40 2>/dev/null")
    guest.run("dd if=/dev/vda of=/dev/null bs=1M count=32")  # the rest is as good as ever
    guest.type("poweroff -f\n")
    guest.finish(0)
    said_once(guest, f"hartline: {disk}: a read of", "the file was cut short, or is damaged")


def host_full(work):
    """The overlay may not grow beyond 16 MiB, which stands for a full disk."""
    base = os.path.join(work, "base.img")
    with open(base, "wb") as file:
        file.truncate(64 * MIB)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (16 * MIB, limits[1]))
    guest = boot(HARTLINE, "--disk", base + ",overlay")
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    guest.run("dd if=/dev/urandom of=/tmp/some bs=1M count=4 && dd if=/tmp/some of=/dev/vda bs=1M conv=fsync")
    guest.run("! dd if=/dev/zero of=/dev/vda bs=1M seek=8 count=40 conv=fsync 2>/dev/null")
    guest.run("echo 3 > /proc/sys/vm/drop_caches; cmp -n $((4 << 20)) /tmp/some /dev/vda")
    guest.type("poweroff -f\n")
    guest.finish(0)
    said_once(guest, f"hartline: {base}: a write of", "File too large; the guest gets an I/O error")


PARTS = {
    "raw": killed_raw,
    "qcow2": killed_qcow2,
    "overlay": killed_overlay,
    "discard": lambda work: (gives_back(work, "img"), gives_back(work, "qcow2"), whole_disk_given_back(work)),
    "errors": lambda work: (cut_short(work), host_full(work)),
}
for name in sys.argv[2:] or PARTS:
    with tempfile.TemporaryDirectory() as folder:
        PARTS[name](folder)
