#!/usr/bin/env python3
"""A whole Debian on a disk: systemd to the login prompt, a compiler, Python's own tests, network, ssh, disk and share
under verified load, a power cut behind sync, power-off.

usage: debian.py HARTLINE [OPTION...]     the options are of `hartline run`: --harts 4 --parallel
"""
import hashlib
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time

import console
from console import Console, check
from loopback import free_port, serve

HERE = pathlib.Path(__file__).resolve().parent
GUEST = HERE.parent.parent / "build" / "guests" / "debian"
ROOT_AT = 65 << 20    # of the disk's root file system (tools/guest_debian.py)
DATA = random.Random(7).randbytes(8 << 20)
DIGEST = hashlib.sha256(DATA).hexdigest()
# Modules of Python's own tests that look at other things: text and numbers, files, processes, sockets, threads, time.
PYTHON_TESTS = "test_json test_struct test_math test_re test_hashlib test_zlib test_shutil test_tempfile test_select " \
               "test_threading_local test_time test_posix test_sched"
PROGRAM = r"""
#include <math.h>
#include <pthread.h>
#include <stdio.h>
static void* square_roots(void* sum) {
    for (int i = 1; i <= 1000000; ++i) *(double*)sum += sqrt(i);
    return 0;
}
int main(void) {
    pthread_t thread;
    double sum = 0;
    if (pthread_create(&thread, 0, square_roots, &sum)) return 1;
    pthread_join(thread, 0);
    printf("%.3f\n", sum);
    return 0;
}
"""
SUM = "666667166.459"    # of the square roots of 1 to 1000000, with three digits
console.LIMIT = 600.0    # a busy host compiles and tests slowly


class Disk:
    """An overlay over the cached image, which nobody writes to."""

    def __init__(self, hartline, work):
        self._hartline, self.top = hartline, work / "top.qcow2"
        self._image("create", self.top, "--backing", GUEST / "debian.qcow2")

    def _image(self, *words):
        subprocess.run([self._hartline, "image", *words], check=True, stdout=subprocess.DEVNULL)

    def option(self):
        return f"{self.top},backing=any"

    def check(self):
        """The image agrees with itself, and the file system on it too."""
        self._image("check", self.top)
        raw = self.top.with_suffix(".img")
        self._image("convert", self.top, raw, "--from-backing", "any", "--force")
        fsck = subprocess.run(["e2fsck", "-fn", f"{raw}?offset={ROOT_AT}"], capture_output=True, text=True)
        check(fsck.returncode == 0, f"e2fsck: {fsck.stdout}{fsck.stderr}")


def by_kernel(disk):
    """Its kernel and RAM disk, given by name."""
    return [str(GUEST / "Image"), "--initrd", str(GUEST / "initrd.img"), "--append", "root=LABEL=debian ro", "--disk",
            disk.option()]


def by_itself(disk):
    """What is found on it: firmware, GRUB."""
    return [f"{disk.option()},rw"]


def log_in(hartline, *arguments):
    """From nothing to a shell of root's."""
    started = time.monotonic()
    guest = Console(hartline, *arguments)
    guest.expect("debian ttyS0\n\ndebian login: ")
    print(f"login after {time.monotonic() - started:.1f} s", flush=True)
    guest.type("root\n")
    guest.expect(console.PROMPT)
    guest.type("dmesg --console-level 1; TERM=dumb PS1='# ' exec dash\n")    # a shell that prints little
    guest.expect("exec dash\n")
    guest.expect(console.PROMPT)
    return guest


def look_at_system(guest):
    # One prompt, on the console that is typed to.
    check("hvc" not in guest.run("systemctl --no-pager --plain list-units '*getty@*'"), "no prompt on hvc0", guest)
    state = guest.run("systemctl is-system-running --wait || true").strip()
    if state != "running":
        check(False, f"the system is {state}: {guest.run('systemctl --failed --no-pager || true')}", guest)
    print(guest.run("systemd-analyze --no-pager; systemd-analyze blame --no-pager | head -n 8"), flush=True)


def look_at_network(guest, url, port, work):
    check("inet 10.0.2.15/24" in guest.run("ip -color=never -4 address"), "the address by DHCP", guest)
    check(DIGEST in guest.run(f"wget -q -O /root/data {url} && sha256sum /root/data"), "what was fetched", guest)
    key = work / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    guest.run(f"mkdir -p -m 700 /root/.ssh && echo '{key.with_suffix('.pub').read_text().strip()}' "
              "> /root/.ssh/authorized_keys")
    ssh = ["ssh", "-F", "none", "-i", key, "-p", str(port), "-o", "StrictHostKeyChecking=no", "-o", "BatchMode=yes",
           "-o", f"UserKnownHostsFile={work / 'known_hosts'}", "-o", "ConnectTimeout=300", "root@127.0.0.1"]
    done = subprocess.run([*ssh, "sha256sum /dev/stdin; uname -m"], input=DATA, capture_output=True, timeout=600)
    text = done.stdout.decode() + done.stderr.decode(errors="replace")
    check(done.returncode == 0 and DIGEST in text and "riscv64" in text, f"ssh: {text}", guest)


def compile_and_test(guest):
    guest.run("cat > /root/program.c << 'END'\n" + PROGRAM + "END\n:")
    check(guest.run("cd /root && gcc -O2 -Wall -Werror -o program program.c -lm && ./program").strip() == SUM,
          "the compiled program", guest)
    report = guest.run(f"python3 -m test --tempdir /root {PYTHON_TESTS} 2>&1 | tail -n 6; true")
    check("Result: SUCCESS" in report, f"Python's own tests: {report}", guest)


def load(guest, folder, engine, stressors):
    """Writes that are read back and compared, on a disk or on a share."""
    job = "--size=16M --bs=4k --rw=randwrite --verify=crc32c --verify_fatal=1 --fsync=64"
    guest.run(f"fio --name=verify --directory={folder} {engine} {job} --output=/dev/null && rm {folder}/verify.0.0")
    guest.run(f"stress-ng --temp-path {folder} --verify --timeout 60 --quiet {stressors}")


def main():
    hartline, *options = sys.argv[1:]
    url, port = serve(DATA), free_port()
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        share, disk = work / "share", Disk(hartline, work)
        share.mkdir()

        guest = log_in(hartline, *by_kernel(disk), "--publish", f"{port}:22", "--share", f"{share}:work", *options)
        look_at_system(guest)
        look_at_network(guest, url, port, work)
        compile_and_test(guest)
        load(guest, "/root", "--ioengine=libaio --iodepth=8 --direct=1", "--hdd 1 --hdd-ops 400 --rename 1 "
             "--rename-ops 1000 --copy-file 1 --copy-file-ops 40 --dir 1 --dir-ops 200")
        guest.run("mkdir -p /mnt/work && mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000 work /mnt/work")
        load(guest, "/mnt/work", "--ioengine=psync", "--hdd 1 --hdd-ops 200 --rename 1 --rename-ops 500 "
             "--dir 1 --dir-ops 100")
        guest.run("cp /root/data /mnt/work && sync")
        check((share / "data").read_bytes() == DATA, "the file on the share", guest)

        # The power is cut while the guest goes on writing.
        guest.run("cp /root/data /root/kept && sync /root/kept /root; (cat /dev/zero > /root/growing &); sleep 1")
        guest.process.send_signal(signal.SIGKILL)
        guest.process.wait()
        guest = log_in(hartline, *by_itself(disk), *options)
        check(DIGEST in guest.run("sha256sum /root/kept"), "what was there before the power cut", guest)
        guest.run("rm /root/growing; dmesg | grep -i 'ext4.*error' && exit 1; true")
        look_at_system(guest)
        guest.type("systemctl poweroff\n")
        guest.finish(0)
        disk.check()


if __name__ == "__main__":
    main()
