#!/usr/bin/env python3
"""A whole Debian on a disk: its packages are unpacked on the host, and configured by their own scripts in the guest.

Nothing of the guest runs on the host. tools/guest imports this file, and starts it under fakeroot for the part in which
files belong to the guest's root:

usage: fakeroot tools/guest_debian.py FOLDER PACKAGE.deb...    unpack into FOLDER/root, make FOLDER/root.img
"""
import hashlib
import os
import pathlib
import re
import select
import shutil
import subprocess
import sys

from guest_apt import ROOT, Failure, need_tools, say

# A bootable system as debootstrap would install it, and what the benchmarks use.
PACKAGES = ["?or(?essential,?priority(required),?priority(important))", "apt", "gcc", "libc6-dev", "python3", "gawk",
            "xz-utils", "openssl", "stress-ng"]
LABEL = "debian"
SIZE = 8 << 30    # sparse
FILES = {"etc/fstab": f"LABEL={LABEL} / ext4 errors=remount-ro 0 1\n", "etc/hostname": "debian\n",
         "etc/hosts": "127.0.0.1 localhost\n127.0.1.1 debian\n::1 localhost ip6-localhost ip6-loopback\n"}
SILENCE = 900    # seconds without a line from a guest that configures packages: it hangs

# Who may run the second stage, the best first. Its console is standard input and output.
EMULATORS = {
    "hartline": [ROOT / "build/release/hartline", "run", "{kernel}", "--initrd", "{initrd}", "--append", "{append}",
                 "--disk", "{disk}", "--quiet"],
    "qemu": ["qemu-system-riscv64", "-M", "virt", "-m", "1G", "-nographic", "-kernel", "{kernel}", "-initrd",
             "{initrd}", "-append", "{append}", "-device", "virtio-blk-device,drive=root",
             "-drive", "if=none,id=root,format=raw,cache=unsafe,file={disk}"]}

# In the guest: what dpkg would have done after it had unpacked, in the order of a first installation.
CONFIGURE = r"""#!/bin/sh
export PATH=/usr/sbin:/usr/bin HOME=/root TERM=dumb LC_ALL=C.UTF-8
export DEBIAN_FRONTEND=noninteractive DEBCONF_NONINTERACTIVE_SEEN=true
end() {
    echo "second stage: $1"
    sync
    mount -o remount,ro /
    exec systemctl poweroff --force --force
}
mount -t tmpfs tmpfs /tmp
cd /var/lib/dpkg/info || end "no database of packages"
export DPKG_MAINTSCRIPT_NAME=preinst DPKG_ROOT=
for script in base-passwd.preinst $(ls *.preinst | grep -v '^base-passwd\.'); do
    package=${script%.preinst}
    DPKG_MAINTSCRIPT_PACKAGE=${package%:*} DPKG_MAINTSCRIPT_ARCH=riscv64 "./$script" install < /dev/null ||
        end "$script failed"
done
unset DPKG_MAINTSCRIPT_NAME DPKG_ROOT
cd /
# The scripts of the first two are what the others' rely on.
for packages in base-passwd base-files -a; do
    dpkg --force-depends --force-unsafe-io --force-confnew --configure $packages < /dev/null || end "dpkg failed"
done
passwd --delete root
: > /etc/machine-id    # made by the first boot
rm -rf /var/lib/dpkg/*-old /var/cache/debconf/*-old /var/log/*.log
fstrim /
end done
"""


def unpack(deb, root, info):
    """One package into the folder `root`, and the files of dpkg's database for it. Returns its entry in `status`."""
    listing = subprocess.run(["dpkg-deb", "--vextract", deb, root], capture_output=True, text=True)
    if listing.returncode:
        raise Failure(f"{deb} does not unpack: {listing.stderr.strip()}: delete it and run this again")
    control = info / ".control"
    shutil.rmtree(control, ignore_errors=True)
    subprocess.run(["dpkg-deb", "--control", deb, control], check=True)
    entry = (control / "control").read_text().strip()
    fields = dict(re.findall(r"^([\w-]+): (.*)$", entry, re.M))
    same = fields.get("Multi-Arch") == "same"
    name = fields["Package"] + (f":{fields['Architecture']}" if same else "")
    paths = (line.removeprefix(".").rstrip("/") or "/." for line in listing.stdout.splitlines())
    (info / f"{name}.list").write_text("".join(f"{p}\n" for p in paths))
    conffiles = ""
    for file in sorted(control.iterdir()):
        if file.name == "control":
            continue
        if file.name == "conffiles":
            conffiles = conffile_lines(file.read_text().splitlines(), root)
        if file.name == "triggers":
            note_triggers(file.read_text(), name, info.parent / "triggers")
        shutil.copy(file, info / f"{name}.{file.name}")
    shutil.rmtree(control)
    head, _, rest = entry.partition("\n")
    return f"{head}\nStatus: install ok unpacked\n{rest}\n{conffiles}\n"


def conffile_lines(paths, root):
    files = [(p, root / p.lstrip("/")) for p in paths if p.startswith("/")]    # others are "remove-on-upgrade PATH"
    lines = [f" {p} {hashlib.md5(f.read_bytes()).hexdigest()}\n" for p, f in files if f.is_file()]
    return "Conffiles:\n" + "".join(lines) if lines else ""


def note_triggers(text, package, folder):
    """What a package wants to be told of: dpkg notes it when it unpacks, one file for all paths, one for each name."""
    for kind, name in re.findall(r"^\s*(interest\S*)\s+(\S+)", text, re.M):
        option = "/noawait" if kind == "interest-noawait" else ""
        with open(folder / ("File" if name.startswith("/") else name), "a") as f:
            f.write(f"{name} {package}{option}\n" if name.startswith("/") else f"{package}{option}\n")


def first_stage(work, debs):
    """Runs under fakeroot."""
    root, dpkg = work / "root", work / "root/var/lib/dpkg"
    root.mkdir(mode=0o755)
    links = [d for d in debs if d.name.startswith("base-files_")]    # /bin, /lib and /sbin, which others unpack into
    for deb in links:
        subprocess.run(["dpkg-deb", "--extract", deb, root], check=True)
    for folder in ("info", "triggers", "updates", "alternatives", "parts"):
        (dpkg / folder).mkdir(parents=True, exist_ok=True)
    entries = []
    for number, deb in enumerate(debs, 1):
        if number % 25 == 0 or number == len(debs):
            say(f"unpacking packages: {number}/{len(debs)}")
        entries.append(unpack(deb, root, dpkg / "info"))
    (dpkg / "status").write_text("\n".join(entries))
    (dpkg / "info/format").write_text("1\n")
    for path, text in FILES.items():
        (root / path).write_text(text)
    say("making the file system")
    image = work / "root.img"
    with open(image, "wb") as f:
        f.truncate(SIZE)
    subprocess.run(["mke2fs", "-q", "-F", "-t", "ext4", "-L", LABEL, "-m", "1", "-E", "root_owner=0:0", "-d", root,
                    image], check=True)


class SecondStage:
    """The guest that runs CONFIGURE, watched by its console."""

    def __init__(self, log, total):
        self._log, self._total, self._done, self.end = log, total, 0, None

    def line(self, text):
        self._log.write(text + "\n")
        if text.startswith("Setting up "):
            self._done += 1
            if self._done % 25 == 0 or self._done == self._total:
                say(f"configuring packages in the guest: {self._done}/{self._total}")
        elif m := re.search(r"second stage: (.*)", text):
            self.end = m[1]

    def run(self, command):
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        try:
            rest = b""
            while select.select([process.stdout], [], [], SILENCE)[0]:
                block = os.read(process.stdout.fileno(), 1 << 16)
                *lines, rest = (rest + block).split(b"\n")
                for text in lines:
                    self.line(text.decode(errors="replace").rstrip("\r"))
                if not block:
                    return process.wait() == 0 and self.end == "done"
            self.end = f"nothing came for {SILENCE} s"
            return False
        finally:
            process.kill()
            process.wait()
            process.stdout.close()


def emulator():
    for name, command in EMULATORS.items():
        if shutil.which(command[0]):
            return name, command
    raise Failure("no emulator to configure the packages in: build Hartline (tools/start) or install qemu-system-misc")


def second_stage(image, kernel, initrd, log, total):
    name, command = emulator()
    say(f"configuring {total} packages in the guest, by {name}")
    values = {"kernel": kernel, "initrd": initrd, "disk": image,
              "append": f"root=LABEL={LABEL} rw init=/run/carry/configure"}
    words = [re.sub(r"\{(\w+)\}", lambda m: str(values[m[1]]), str(word)) for word in command]
    with open(log, "w") as f:
        stage = SecondStage(f, total)
        if not stage.run(words):
            raise Failure(f"packages were not configured ({stage.end or 'the guest ended early'}): {log} tells more")
    if subprocess.run(["e2fsck", "-fp", image], stdout=subprocess.DEVNULL).returncode:
        raise Failure(f"the file system of {image} is damaged after its packages were configured by {name}")


def make(folder, debs, boot):
    """root.img in the folder, from packages in the order to unpack them; `boot` holds a kernel and an initrd for it."""
    need_tools("fakeroot", "mke2fs", "e2fsck", "dpkg-deb")
    work = folder / ".work"
    work.mkdir()
    this = pathlib.Path(__file__).resolve()
    if subprocess.run(["fakeroot", sys.executable, this, work, *debs]).returncode:
        raise Failure("the packages were not unpacked (see above)")
    shutil.rmtree(work / "root")
    script, initrd = work / "configure", work / "initrd.cpio.gz"
    script.write_text(CONFIGURE)
    subprocess.run([ROOT / "tools/overlay-initrd", initrd, boot / "initrd.cpio.gz", f"{script}:/carry/configure:755"],
                   check=True)
    second_stage(work / "root.img", boot / "Image", initrd, folder / "configure.log", len(debs))
    (work / "root.img").replace(folder / "root.img")
    shutil.rmtree(work)


if __name__ == "__main__":
    try:
        first_stage(pathlib.Path(sys.argv[1]), list(map(pathlib.Path, sys.argv[2:])))
    except (Failure, OSError, subprocess.CalledProcessError) as e:
        sys.exit(f"guest: {e}")
    except KeyboardInterrupt:
        sys.exit("guest: interrupted")
