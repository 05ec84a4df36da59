#!/usr/bin/env python3
"""Named ports of the virtio console: a file, a socket that comes and goes, the terminal.

usage: ports.py HARTLINE [OPTION...]     the options are of `hartline run`
"""
import os
import random
import socket
import sys
import tempfile
import threading

from console import IMAGE, INITRD, Console, boot, check

DATA = random.Random(7).randbytes(3 << 20)
PORT = ("port() { for p in /sys/class/virtio-ports/*; do [ \"$(cat $p/name 2> /dev/null)\" = $1 ] && echo /dev/${p##*/}; done; "
        "return 0; }")


def connect(path):
    peer = socket.socket(socket.AF_UNIX)
    peer.settimeout(100)
    peer.connect(path)
    return peer


def echo(path):
    """DATA there and back."""
    with connect(path) as peer:
        sender = threading.Thread(target=peer.sendall, args=(DATA,), daemon=True)
        sender.start()
        back = b""
        while len(back) < len(DATA):
            back += peer.recv(1 << 16)
    return back == DATA


with tempfile.TemporaryDirectory() as work:
    log, agent = os.path.join(work, "log"), os.path.join(work, "agent")
    guest = boot(sys.argv[1], *sys.argv[2:], "--port", f"org.example.log={log}", "--port", f"agent=socket:{agent}")
    guest.run(PORT)
    check(guest.run("cat /sys/class/virtio-ports/*p[1-9]/name").split() == ["org.example.log", "agent"], "the names", guest)
    guest.run("echo 'a line' > $(port org.example.log); seq 100000 > $(port org.example.log)")
    with open(log) as file:
        check(file.read() == "a line\n" + "".join(f"{i}\n" for i in range(1, 100001)), "what is in the file", guest)
    # A read ends when he at the host's end goes. A port is open once at a time: for both directions.
    guest.run("(exec 3<> $(port agent); while :; do cat <&3 >&3; sleep 0.1; done) > /dev/null 2>&1 & true")
    check(echo(agent), "3 MiB there and back by a socket", guest)
    check(echo(agent), "and once more, by another connection", guest)
    guest.type("poweroff -f\n")
    guest.finish(0)
    check(not os.path.exists(agent), "the socket is gone with the machine")

    # What is typed goes to the port: the guest's own command reads it.
    guest = Console(sys.argv[1], IMAGE, "--initrd", INITRD, *sys.argv[2:], "--port", "chat=stdio", "--append",
                    "console=ttyS0 hartline.run=echo+got+$(head+-n+1+/dev/vport*p1)")
    guest.type("hello\n")
    guest.expect("got hello\n")
    guest.expect("hartline guest status: 0")
    guest.finish(0)
print("ports: ok")
