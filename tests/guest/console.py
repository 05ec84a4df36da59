"""Drives a Hartline process by its console: types, waits for text, looks at how it ended."""
import os
import re
import selectors
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
GUEST = os.path.join(ROOT, "build", "guests", "busybox")
IMAGE = os.path.join(GUEST, "Image")
INITRD = os.path.join(GUEST, "initrd.cpio.gz")
PROMPT = "# "
LIMIT = 120.0  # seconds for any one wait: a stop for hangs, no measure of speed


class Console:
    def __init__(self, hartline, *arguments):
        self.command = [hartline, "run", *arguments]
        print("+", " ".join(self.command), flush=True)
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE)
        self.out = ""
        self.err = ""
        self.seen = 0
        self.selector = selectors.DefaultSelector()
        for stream, name in ((self.process.stdout, "out"), (self.process.stderr, "err")):
            os.set_blocking(stream.fileno(), False)
            self.selector.register(stream, selectors.EVENT_READ, name)

    def _pump(self, seconds):
        """Takes in what came; False when both streams have ended."""
        for key, _ in self.selector.select(seconds):
            data = key.fileobj.read()
            if not data:
                self.selector.unregister(key.fileobj)
                continue
            setattr(self, key.data, getattr(self, key.data) + data.decode("utf-8", "replace").replace("\r", ""))
        return bool(self.selector.get_map())

    def expect(self, text):
        """Waits for `text` behind what was expected before; returns what came between."""
        end = time.monotonic() + LIMIT
        while True:
            at = self.out.find(text, self.seen)
            if at >= 0:
                between = self.out[self.seen:at]
                self.seen = at + len(text)
                return between
            if time.monotonic() > end or not self._pump(0.5):
                self.fail(f"never saw {text!r}")

    def type(self, text):
        self.process.stdin.write(text.encode())
        self.process.stdin.flush()

    def run(self, command):
        """Types a command at the shell's prompt and returns what it printed."""
        # Quotes keep the shell's echo of the line from looking like the markers.
        self.type(f"echo =be''gin=; {command}; echo =$?=\n")
        self.expect("=begin=\n")
        output = self.expect("=0=\n")
        self.expect(PROMPT)
        return output

    def finish(self, code=0):
        """Waits for the process to end by itself, with this exit code."""
        end = time.monotonic() + LIMIT
        while self._pump(0.5):
            if time.monotonic() > end:
                self.fail("did not end")
        self.process.wait()
        check(self.process.returncode == code, f"exit code {self.process.returncode}, wanted {code}", self)

    def stats(self):
        found = re.search(r"instructions=(\d+).*state_hash=([0-9a-f]{16})", self.err)
        check(found, "no --stats line", self)
        return int(found[1]), found[2]

    def fail(self, why):
        self.process.kill()
        print(self.out[-6000:])
        print(self.err[-2000:], file=sys.stderr)
        sys.exit(f"FAILED: {why}: {' '.join(self.command)}")


def check(holds, what, console=None):
    if not holds:
        if console:
            console.fail(what)
        sys.exit(f"FAILED: {what}")


def boot(hartline, *arguments, image=IMAGE, initrd=INITRD):
    """Debian's kernel to its shell."""
    console = Console(hartline, image, "--initrd", initrd, "--memory", "512M", *arguments)
    console.expect("hartline guest up")
    console.expect(PROMPT)
    return console


def with_files(work, *files):
    """The guest's initrd with further files in it, given as HOST_FILE:GUEST_PATH."""
    path = os.path.join(work, "initrd.cpio.gz")
    subprocess.run([os.path.join(ROOT, "tools", "overlay-initrd"), path, INITRD, *files], check=True)
    return path
