#!/usr/bin/env python3
"""ext4 on a virtio disk: written in the guest, unmounted, and found whole by the host's e2fsck and debugfs.

usage: disk.py HARTLINE [qcow2]    on a raw image, or in an overlay over a compressed one
"""
import os
import subprocess
import sys
import tempfile

from console import boot, check

with tempfile.TemporaryDirectory() as work:
    disk = os.path.join(work, "disk.img")
    with open(disk, "wb") as file:
        file.truncate(64 << 20)
    subprocess.run(["mkfs.ext4", "-q", "-F", disk], check=True)
    image = disk
    if "qcow2" in sys.argv[2:]:
        base, image = os.path.join(work, "base.qcow2"), os.path.join(work, "top.qcow2")
        subprocess.run([sys.argv[1], "image", "convert", disk, base, "--compress"], check=True)
        subprocess.run([sys.argv[1], "image", "create", image, "--backing", "base.qcow2"], check=True)
    guest = boot(sys.argv[1], "--disk", image)
    guest.run("mkdir -p /mnt && mount -t ext4 /dev/vda /mnt")
    guest.run("seq 1 100000 > /mnt/numbers && mkdir /mnt/deep && cp /mnt/numbers /mnt/deep/copy")
    guest.run("rm /mnt/numbers && sync && echo 3 > /proc/sys/vm/drop_caches")
    expected = guest.run("sha256sum /mnt/deep/copy").split()[0]
    guest.run("fstrim /mnt || true")
    guest.run("umount /mnt")
    guest.type("poweroff -f\n")
    guest.finish(0)

    if image != disk:
        subprocess.run([sys.argv[1], "image", "check", image], check=True)
        subprocess.run([sys.argv[1], "image", "commit", image], check=True)
        subprocess.run([sys.argv[1], "image", "check", base], check=True)
        subprocess.run([sys.argv[1], "image", "convert", base, disk, "--force"], check=True)
    fsck = subprocess.run(["e2fsck", "-fn", disk], capture_output=True, text=True)
    check(fsck.returncode == 0, f"e2fsck: {fsck.stdout}{fsck.stderr}")
    content = subprocess.run(["debugfs", "-R", "cat /deep/copy", disk], capture_output=True, check=True).stdout
    check(content == b"".join(b"%d\n" % i for i in range(1, 100001)), "the file's content on the host")
    check(len(expected) == 64, "sha256sum in the guest")
