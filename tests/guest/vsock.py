#!/usr/bin/env python3
"""Sockets between host and guest: both ways, several at once, much data, and ends that close.

usage: vsock.py HARTLINE [OPTION...]     the options are of `hartline run`
"""
import os
import random
import socket
import subprocess
import sys
import tempfile
import threading

from console import boot, check, with_files

DATA = random.Random(3).randbytes(2 << 20)


def reach(folder, port):
    """A connection to the guest's port."""
    peer = socket.socket(socket.AF_UNIX)
    peer.settimeout(60)
    peer.connect(os.path.join(folder, "connect"))
    peer.sendall(f"CONNECT {port}\n".encode())
    answer = b""
    while not answer.endswith(b"\n"):
        byte = peer.recv(1)
        if not byte:
            return None
        answer += byte
    return peer if answer == f"OK {port}\n".encode() else None


def echoed(folder, port, size):
    peer = reach(folder, port)
    if peer is None:
        return False
    with peer:
        sender = threading.Thread(target=lambda: (peer.sendall(DATA[:size]), peer.shutdown(socket.SHUT_WR)),
                                  daemon=True)
        sender.start()
        back = b""
        while block := peer.recv(1 << 16):
            back += block
    return back == DATA[:size]


with tempfile.TemporaryDirectory() as work:
    program, folder = os.path.join(work, "vsock"), os.path.join(work, "sockets")
    source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "vsock.c")
    subprocess.run(["riscv64-linux-gnu-gcc", "-O1", "-static", source, "-o", program], check=True)
    guest = boot(sys.argv[1], "--vsock", f"5,{folder}", *sys.argv[2:],
                 initrd=with_files(work, f"{program}:/bin/vsock:755"))

    guest.run("for i in 1 2 3 4; do vsock echo 100$i & done; sleep 1")
    results = {}
    threads = [threading.Thread(target=lambda n=n: results.update({n: echoed(folder, 1000 + n, len(DATA) // n)}))
               for n in (1, 2, 3, 4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        while thread.is_alive():
            guest._pump(0.1)
    check(all(results[n] for n in (1, 2, 3, 4)), f"what came back: {results}", guest)
    check(echoed(folder, 1001, 10), "another connection to a port that was used", guest)
    check(reach(folder, 999) is None, "a port where nobody is", guest)

    listener = socket.socket(socket.AF_UNIX)
    listener.bind(os.path.join(folder, "77"))
    listener.listen()
    received = bytearray()

    def serve():
        peer, _ = listener.accept()
        with peer:
            while block := peer.recv(1 << 16):
                received.extend(block)
            peer.sendall(b"thank you\n")
    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    check("thank you" in guest.run("seq 100000 | vsock connect 77"), "the host's answer", guest)
    check(received.decode() == "".join(f"{i}\n" for i in range(1, 100001)), "what the host got", guest)
    guest.run("vsock refused 78")
    guest.type("poweroff -f\n")
    guest.finish(0)
    check(os.listdir(folder) == ["77"], f"left over: {os.listdir(folder)}")
print("vsock: ok")
