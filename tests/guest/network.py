#!/usr/bin/env python3
"""A guest's network: its address by DHCP, the gateway, servers on the host's loopback, ports published to the host,
and much data both ways with checksums.

usage: network.py HARTLINE [OPTION...]     the options are of `hartline run`: --harts 4 --parallel
"""
import hashlib
import os
import random
import socket
import subprocess
import sys
import tempfile
import threading

from console import boot, check, with_files
from loopback import free_port, serve

SIZE = 24 << 20    # bytes of one large transfer
DATA = random.Random(5).randbytes(SIZE)
DIGEST = hashlib.sha256(DATA).hexdigest()


def sink():
    """A TCP server that reads one connection to its end; -> (port, thread, {"digest": ...})."""
    listener, result = socket.create_server(("127.0.0.1", 0)), {}

    def serve():
        digest = hashlib.sha256()
        connection, _ = listener.accept()
        with connection:
            while block := connection.recv(1 << 16):
                digest.update(block)
        result["digest"] = digest.hexdigest()
    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    return listener.getsockname()[1], thread, result


def echo_tcp(port):
    """Everything that is sent comes back."""
    with socket.create_connection(("127.0.0.1", port), timeout=100) as connection:
        sender = threading.Thread(target=lambda: (connection.sendall(DATA[:SIZE // 4]),
                                                  connection.shutdown(socket.SHUT_WR)), daemon=True)
        sender.start()
        back = b""
        while block := connection.recv(1 << 16):
            back += block
    return back == DATA[:SIZE // 4]


def echo_udp(port):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(2)
        for size in (1, 100, 1400):
            for attempt in range(20):
                s.sendto(DATA[:size], ("127.0.0.1", port))
                try:
                    if s.recv(65536) == DATA[:size]:
                        break
                except socket.timeout:
                    pass
            else:
                return False
    return True


url = serve(DATA)
tcp, udp = free_port(), free_port(socket.SOCK_DGRAM)

with tempfile.TemporaryDirectory() as work:
    program = os.path.join(work, "echo_server")
    source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "echo.c")
    subprocess.run(["riscv64-linux-gnu-gcc", "-O2", "-static", source, "-o", program], check=True)
    initrd = with_files(work, f"{program}:/bin/echo_server:755")
    guest = boot(sys.argv[1], *sys.argv[2:], "--publish", f"{tcp}:7", "--publish", f"127.0.0.1:{udp}:9/udp",
                 initrd=initrd)
guest.run("for i in $(seq 100); do [ -e /run/network ] && break; sleep 0.2; done; cat /run/udhcpc.log")
check("inet 10.0.2.15/24" in guest.run("ip addr show eth0"), "the address by DHCP", guest)
check("default via 10.0.2.2" in guest.run("ip route"), "the route by DHCP", guest)
check("nameserver 10.0.2.3" in guest.run("cat /etc/resolv.conf"), "the name server by DHCP", guest)
check(" 0% packet loss" in guest.run("ping -c 3 -W 5 10.0.2.2"), "ping of the gateway", guest)

check(DIGEST in guest.run(f"wget -q -O /tmp/data {url}; sha256sum /tmp/data"), "what was fetched", guest)
port, thread, result = sink()
guest.run(f"nc 10.0.2.2 {port} < /tmp/data")
thread.join(100)
check(result.get("digest") == DIGEST, "what was sent", guest)

guest.run("echo_server tcp 7 udp 9")
check(echo_tcp(tcp), "TCP echo of a published port", guest)
check(echo_udp(udp), "UDP echo of a published port", guest)
counters = guest.run("cat /sys/class/net/eth0/statistics/rx_errors /sys/class/net/eth0/statistics/tx_errors")
check(counters.split() == ["0", "0"], f"errors of the card: {counters}", guest)
guest.type("poweroff -f\n")
guest.finish(0)
