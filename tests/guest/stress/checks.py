#!/usr/bin/env python3
"""What Python's libraries compute, in two ways each where there are two: bytes, numbers, text, containers, processes.

usage: checks.py SEED
"""
import bz2
import ctypes
import decimal
import fractions
import hashlib
import heapq
import json
import lzma
import math
import mmap
import pickle
import queue
import random
import re
import sqlite3
import struct
import subprocess
import sys
import threading
import zlib


def compression(r):
    data = b"".join(r.choice([b"alpha", b"beta", r.randbytes(5)]) for _ in range(20000))
    for library in (zlib, bz2, lzma):
        packed = library.compress(data)
        assert library.decompress(packed) == data
        yield library.__name__, hashlib.sha256(packed).hexdigest()


def checksums(r):
    data = r.randbytes(20000)
    table = [0] * 256
    for n in range(256):
        value = n
        for _ in range(8):
            value = value >> 1 ^ (0xEDB88320 if value & 1 else 0)
        table[n] = value
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ table[(crc ^ byte) & 255]
    assert crc ^ 0xFFFFFFFF == zlib.crc32(data)
    for name in ("md5", "sha1", "sha256", "sha512", "sha3_256", "blake2b", "blake2s"):
        yield name, hashlib.new(name, data).hexdigest()


def integers(r):
    for _ in range(300):
        a, b = r.getrandbits(r.randrange(1, 4000)), r.getrandbits(r.randrange(1, 2000)) + 1
        quotient, rest = divmod(a, b)
        assert quotient * b + rest == a and 0 <= rest < b
        assert int(str(a)) == a and pow(a, 65537, b) == pow(a % b, 65537, b)
        root = math.isqrt(a)
        assert root * root <= a < (root + 1) ** 2
    yield "product", math.prod(r.getrandbits(64) | 1 for _ in range(500)) % (1 << 128)


def floats(r):
    for _ in range(3000):
        bits = r.getrandbits(64)
        value, = struct.unpack("<d", bits.to_bytes(8, "little"))
        if math.isfinite(value):
            assert float(repr(value)) == value and float.fromhex(value.hex()) == value
            assert float(fractions.Fraction(value)) == value
    values = [r.uniform(-1e6, 1e6) for _ in range(2000)]
    assert abs(math.fsum(values) - float(sum(map(fractions.Fraction, values)))) < 1e-9
    for function in (math.sin, math.exp2, math.atan, math.tanh, math.erf, math.gamma, math.cbrt):
        text = "".join(function(v / 1e5).hex() for v in values if v > 0)
        yield function.__name__, hashlib.md5(text.encode()).hexdigest()
    with decimal.localcontext() as context:
        context.prec = 80
        yield "decimal", str(sum(decimal.Decimal(v).sqrt() for v in values if v > 0))


def containers(r):
    items = [(r.getrandbits(30), f"item {n}") for n in range(20000)]
    ordered = sorted(items)
    heap = list(items)
    heapq.heapify(heap)
    assert [heapq.heappop(heap) for _ in range(len(items))] == ordered
    assert json.loads(json.dumps(items)) == [list(i) for i in items] and pickle.loads(pickle.dumps(items)) == items
    text = " ".join(name for _, name in items)
    assert len(re.findall(r"item \d+", text)) == len(items) and text.split(" item ")[-1] == "19999"
    yield "ordered", hashlib.md5(repr(ordered).encode()).hexdigest()


def database(r):
    base = sqlite3.connect("test.db")
    base.execute("create table t (k integer primary key, v integer, s text)")
    rows = [(n, r.getrandbits(20), f"s{r.getrandbits(8)}") for n in range(4000)]
    base.executemany("insert into t values (?, ?, ?)", rows)
    base.commit()
    total, = base.execute("select sum(v) from t where s like 's1%'").fetchone()
    assert total == sum(v for _, v, s in rows if s.startswith("s1"))
    groups = base.execute("select s, count(*), sum(v) from t group by s order by s").fetchall()
    yield "groups", hashlib.md5(repr(groups).encode()).hexdigest()


def memory(r):
    with open("map", "wb") as f:
        f.truncate(1 << 20)
    with open("map", "r+b") as f, mmap.mmap(f.fileno(), 0) as view:
        places = {r.randrange(1 << 20): r.getrandbits(8) for _ in range(5000)}
        for place, value in places.items():
            view[place] = value
        view.flush()
    with open("map", "rb") as f:
        data = f.read()
    assert all(data[p] == v for p, v in places.items())
    yield "map", zlib.crc32(data)


def calls(r):
    libc = ctypes.CDLL(None)
    compare = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_int), ctypes.POINTER(ctypes.c_int))
    values = [r.randrange(-1 << 30, 1 << 30) for _ in range(500)]
    array = (ctypes.c_int * len(values))(*values)
    libc.qsort(array, len(values), ctypes.sizeof(ctypes.c_int), compare(lambda a, b: (a[0] > b[0]) - (a[0] < b[0])))
    assert list(array) == sorted(values)    # a callback: code made at run time
    yield "qsort", sum(array[::2])


def threads(r):
    jobs, results = queue.Queue(), queue.Queue()
    numbers = [r.getrandbits(40) for _ in range(300)]

    def work():
        while (number := jobs.get()) is not None:
            results.put((number, hashlib.sha1(str(number).encode()).hexdigest()))

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for job in numbers + [None] * len(workers):
        jobs.put(job)
    for worker in workers:
        worker.join()
    found = sorted(results.get() for _ in numbers)
    assert [n for n, _ in found] == sorted(numbers)
    yield "threads", hashlib.md5(repr(found).encode()).hexdigest()


def processes(r):
    for _ in range(10):
        a, b = r.getrandbits(40), r.getrandbits(20) + 1
        done = subprocess.run(["awk", f"BEGIN {{ printf \"%d %d\", {a} % {b}, {a} / {b} }}"], capture_output=True,
                              text=True)
        assert done.stdout == f"{a % b} {a // b}", done
    yield "processes", 10


def main():
    seed = int(sys.argv[1])
    for test in (compression, checksums, integers, floats, containers, database, memory, calls, threads, processes):
        for name, value in test(random.Random(f"{seed} {test.__name__}")):
            print(test.__name__, name, value, flush=True)


if __name__ == "__main__":
    main()
