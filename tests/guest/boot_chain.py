#!/usr/bin/env python3
"""`hartline run DISK` finds what starts: extlinux.conf, a kernel in /boot, GRUB by EDK2 and by U-Boot, on raw and qcow2
images, and says so in a line; a disk is not changed by surprise; EDK2's variables stay in their file.

usage: boot_chain.py HARTLINE kernel|edk2|uboot
"""
import os
import subprocess
import sys
import tempfile

from console import IMAGE, INITRD, ROOT, Console, check

HARTLINE, WHAT = sys.argv[1], sys.argv[2]
GRUB = os.path.join(ROOT, "build", "guests", "grub", "grubriscv64.efi")
SAY = "hartline.run=cat+/proc/cmdline"
MIB = 1 << 20
GRUB_CONFIG = f"""set timeout=3
set default=0
menuentry 'The only entry' {{
    linux /Image {SAY} by=grub
    initrd /initrd
}}
"""


def run(*command):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write(text)


def system(folder):
    """What is in the root file system: a kernel and an initrd, and older ones that must not be taken."""
    os.makedirs(f"{folder}/boot")
    run("cp", IMAGE, f"{folder}/boot/vmlinux-6.12-9")
    run("cp", INITRD, f"{folder}/boot/initrd.img-6.12-9")
    write(f"{folder}/boot/vmlinux-6.9-10", "no kernel")


def gpt_disk(work, root):
    """GPT with an empty EFI system partition, and ext4 behind it."""
    disk = f"{work}/disk.img"
    with open(disk, "wb") as file:
        file.truncate(130 * MIB)
    run("sgdisk", "-n1:1M:+4M", "-t1:ef00", "-n2:5M:+100M", "-t2:8300", disk)
    run("mkfs.vfat", f"--offset={MIB // 512}", disk, "4096")
    run("mke2fs", "-q", "-t", "ext4", "-d", root, "-E", f"offset={5 * MIB}", disk, "100M")
    return disk


def esp_disk(work):
    """GPT with an EFI system partition that has GRUB, its configuration, and a kernel."""
    disk, esp = f"{work}/efi.img", f"{work}/efi.img@@1M"
    with open(disk, "wb") as file:
        file.truncate(70 * MIB)
    run("sgdisk", "-n1:1M:+64M", "-t1:ef00", disk)
    run("mkfs.vfat", "-F", "32", "-s", "1", "-h", str(MIB // 512), f"--offset={MIB // 512}", disk, str(64 << 10))
    write(f"{work}/grub.cfg", GRUB_CONFIG)
    run("mmd", "-i", esp, "::/EFI", "::/EFI/BOOT", "::/EFI/debian")
    for source, target in ((GRUB, "EFI/BOOT/BOOTRISCV64.EFI"), (f"{work}/grub.cfg", "EFI/debian/grub.cfg"),
                           (IMAGE, "Image"), (INITRD, "initrd")):
        run("mcopy", "-i", esp, source, f"::/{target}")
    return disk


def start(*arguments):
    return Console(HARTLINE, *arguments, "--net", "none")


def expect_arguments(guest, *wanted):
    guest.expect("hartline guest up")
    said = guest.expect("hartline guest status: 0")
    for word in wanted:
        check(word in said, f"{word} among the kernel's arguments, which are {said.strip()}", guest)
    guest.finish(0)


def kernels(work):
    root = f"{work}/root"
    system(root)
    write(f"{root}/boot/extlinux/extlinux.conf", f"""default l0
label old
    linux /boot/vmlinux-6.9-10
label l0
    menu label Debian
    linux ../vmlinux-6.12-9
    initrd /boot/initrd.img-6.12-9
    append {SAY} root=/nowhere by=extlinux
""")
    disk = gpt_disk(work, root)
    before = os.stat(disk).st_mtime_ns
    # The initrd goes on in root= where there is one: this one is not there, so that its shell runs the command.
    guest = start(disk, "--append", "mine=1")
    expect_arguments(guest, "by=extlinux", "mine=1")
    check("partition 2 (ext4), /boot/extlinux/extlinux.conf: starting /boot/vmlinux-6.12-9" in guest.err,
          f"the line that says what starts: {guest.err}")
    check("changes are temporary" in guest.err and os.stat(disk).st_mtime_ns == before, "the disk is not written to")

    os.remove(f"{root}/boot/extlinux/extlinux.conf")
    run("mke2fs", "-q", "-t", "ext4", "-F", "-d", root, f"{work}/whole.img", "100M")
    run(HARTLINE, "image", "convert", f"{work}/whole.img", f"{work}/whole.qcow2", "--compress")
    guest = start(f"{work}/whole.qcow2,ro", "--append", f"{SAY} root=")    # the last root= is what counts: none
    expect_arguments(guest, "root=UUID=")
    check("the whole disk (ext4): starting /boot/vmlinux-6.12-9 with /boot/initrd.img-6.12-9" in guest.err,
          f"the newest kernel is started: {guest.err}")


def loader(work, which):
    disk = esp_disk(work)
    variables = ["--efi-vars", f"{work}/vars.fd"] if which == "edk2" else []
    chosen = ["--firmware", "uboot", "--disk", disk] if which == "uboot" else [disk]
    for again in (False, True):    # the second time with the variables that the first one left
        guest = start(*chosen, *variables)
        guest.expect("GNU GRUB")
        guest.expect("The only entry")
        expect_arguments(guest, "by=grub", "BOOT_IMAGE=")
        if which == "uboot":
            return
        check("has EFI/BOOT/BOOTRISCV64.EFI: EDK2 starts it" in guest.err, f"the line that says so: {guest.err}")
        with open(f"{work}/vars.fd", "rb") as file:
            store = file.read()
        check(b"B\0o\0o\0t\0O\0r\0d\0e\0r\0" in store, "BootOrder is among the variables in their file")


with tempfile.TemporaryDirectory() as work:
    if WHAT == "kernel":
        kernels(work)
    else:
        loader(work, WHAT)
