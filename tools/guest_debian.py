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
from guest_debian_files import CONFIGURE, FILES, GRUB_OF_ESP, MONOLITHIC_GRUB

OUTPUTS = ["root.img", "debian.qcow2", "Image", "initrd.img"]

LABEL = "debian"        # of the root file system
ESP_LABEL = "EFI"
# The disk: GPT with an EFI system partition, and behind it the root file system up to the end.
SIZE = 8 << 30    # sparse
ESP_AT, ROOT_AT, ALIGN = 1 << 20, 65 << 20, 1 << 20    # ALIGN: what is left behind for GPT's copy
SECTOR = 512
SILENCE = 900    # seconds without a line from a guest that configures packages: it hangs

# Who may run the second stage, the best first (its console is standard input and output), and pack the disk.
EMULATORS = {
    "hartline": (ROOT / "build/release/hartline", [
        "run", "{kernel}", "--initrd", "{initrd}", "--append", "{append}", "--disk", "{disk}", "--net", "none",
        "--quiet"],
        [ROOT / "build/release/hartline", "image", "convert", "--compress", "--compression", "zstd", "--force",
         "{disk}", "{packed}"]),
    "qemu": ("qemu-system-riscv64", [
        "-M", "virt", "-m", "1G", "-nographic", "-kernel", "{kernel}", "-initrd", "{initrd}", "-append", "{append}",
        "-device", "virtio-blk-device,drive=root", "-drive", "if=none,id=root,format=raw,cache=unsafe,file={disk}"],
        ["qemu-img", "convert", "-c", "-f", "raw", "-O", "qcow2", "-o", "compression_type=zstd", "{disk}",
         "{packed}"])}


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
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        if text.startswith("#!"):
            file.chmod(0o755)
    make_disk(work / "root.img", root)


def quietly(*command):
    """Runs what is of interest only when it fails."""
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise Failure(f"{command[0]} failed: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def make_disk(image, root):
    """A disk with what is in the folder `root` on it, and a GRUB that EFI firmware finds."""
    say("making the file system")
    with open(image, "wb") as f:
        f.truncate(SIZE)
    end = SIZE - ALIGN
    sectors = {"1": (ESP_AT, ROOT_AT, "ef00", "EFI"), "2": (ROOT_AT, end, "8300", LABEL)}
    options = [word for number, (first, behind, kind, name) in sectors.items() for word in
               (f"--new={number}:{first // SECTOR}:{behind // SECTOR - 1}", f"--typecode={number}:{kind}",
                f"--change-name={number}:{name}")]
    quietly("sgdisk", *options, image)
    quietly("mke2fs", "-q", "-F", "-t", "ext4", "-L", LABEL, "-m", "1", "-E", f"root_owner=0:0,offset={ROOT_AT}",
            "-d", root, image, f"{(end - ROOT_AT) >> 10}k")
    esp = f"{image}@@{ESP_AT}"
    quietly("mkfs.vfat", "-F", "32", "-s", "1", "-n", ESP_LABEL, "-h", str(ESP_AT // SECTOR),
            f"--offset={ESP_AT // SECTOR}", image, str((ROOT_AT - ESP_AT) >> 10))
    grub = image.parent / "grub.cfg"
    grub.write_text(GRUB_OF_ESP)
    quietly("mmd", "-i", esp, "::/EFI", "::/EFI/BOOT", "::/EFI/debian")
    for source, target in ((root / MONOLITHIC_GRUB, "BOOT/BOOTRISCV64.EFI"),    # what firmware tries first
                           (root / MONOLITHIC_GRUB, "debian/grubriscv64.efi"), (grub, "debian/grub.cfg")):
        quietly("mcopy", "-i", esp, source, f"::/EFI/{target}")


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
        elif m := re.match(r"(?:update-initramfs: |second stage: making )(.*)", text):
            say(f"in the guest: {m[0]}")
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
    for name, (program, run, pack) in EMULATORS.items():
        if shutil.which(program) and shutil.which(pack[0]):
            return name, [program, *run], pack
    raise Failure("no emulator to configure the packages in: build Hartline (tools/start), or install "
                  "qemu-system-misc and qemu-utils")


def filled(command, **values):
    return [re.sub(r"\{(\w+)\}", lambda m: str(values[m[1]]), str(word)) for word in command]


def second_stage(image, kernel, initrd, log, total):
    name, command, _ = emulator()
    say(f"configuring {total} packages in the guest, by {name}")
    words = filled(command, kernel=kernel, initrd=initrd, disk=image,
                   append=f"root=LABEL={LABEL} rw init=/run/carry/configure")
    log.unlink(missing_ok=True)
    with open(log, "w") as f:
        stage = SecondStage(f, total)
        if not stage.run(words):
            raise Failure(f"packages were not configured ({stage.end or 'the guest ended early'}): {log} tells more")
    if subprocess.run(["e2fsck", "-fp", f"{image}?offset={ROOT_AT}"], stdout=subprocess.DEVNULL).returncode:
        raise Failure(f"the file system of {image} is damaged after its packages were configured by {name}")


def copy_out(image, pattern, target):
    """The one file of the disk's /boot whose name matches, for those that start a kernel by themselves."""
    def debugfs(request):
        return quietly("debugfs", "-R", request, f"{image}?offset={ROOT_AT}")
    names = re.findall(rf"^/\d+/\d+/\d+/\d+/({pattern})/\d*/$", debugfs("ls -p /boot"), re.M)
    if len(names) != 1:
        raise Failure(f"the disk's /boot holds {len(names)} files like {pattern}, not one: the recipe must follow")
    debugfs(f"dump /boot/{names[0]} {target}")


def make(folder, debs, boot):
    """The files of OUTPUTS in the folder, from packages in the order to unpack them; `boot` holds a kernel and an
    initrd for the second stage."""
    need_tools("fakeroot", "mke2fs", "e2fsck", "debugfs", "sgdisk", "mkfs.vfat", "mcopy",
               "dpkg-deb")
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
    image, packed = work / "root.img", work / "debian.qcow2"
    second_stage(image, boot / "Image", initrd, folder / "configure.log", len(debs))
    copy_out(image, r"vmlinu[xz]-\S+", work / "Image")
    copy_out(image, r"initrd\.img-\S+", work / "initrd.img")
    say("packing the disk as debian.qcow2")
    subprocess.run(filled(emulator()[2], disk=image, packed=packed), check=True)
    for name in OUTPUTS:
        (work / name).replace(folder / name)
    shutil.rmtree(work)


if __name__ == "__main__":
    try:
        first_stage(pathlib.Path(sys.argv[1]), list(map(pathlib.Path, sys.argv[2:])))
    except (Failure, OSError, subprocess.CalledProcessError) as e:
        sys.exit(f"guest: {e}")
    except KeyboardInterrupt:
        sys.exit("guest: interrupted")
