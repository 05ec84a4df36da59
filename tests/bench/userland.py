"""The mix of `run.py --userland`: real programs of a whole Debian, run by the scripts of userland/.

Each NAME.sh says in its first line what it does and has a line "# unit: UNIT COUNT", the work at scale 1; COUNT in
its environment is how much to do. Its output has to be the same on all machines. userland/init runs them.
"""
import pathlib
import re
from typing import NamedTuple

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
SCRIPTS = ROOT / "tests" / "bench" / "userland"
DISK = ROOT / "build" / "guests" / "debian" / "root.img"
APPEND = "root=LABEL=debian ro init=/run/carry/userland/init"
TOTAL = "userland"    # the row that sums up all parts of a round


class Part(NamedTuple):
    """One program or a few of a kind."""
    about: str
    unit: str
    count: int


def parts():
    """What there is, by name."""
    found = {}
    for script in sorted(SCRIPTS.glob("*.sh")):
        text = script.read_text()
        unit, count = re.search(r"^# unit: (\S+) (\d+)$", text, re.M).groups()
        found[script.stem] = Part(text.splitlines()[0].lstrip("# "), unit, int(count))
    return found


def carried(names, scale, folder):
    """What goes into the initial RAM disk, as tools/overlay-initrd takes it. Writes the list of parts to `folder`."""
    listing = folder / "userland-parts"
    chosen = {name: part for name, part in parts().items() if name in names}
    listing.write_text("".join(f"{name} {part.unit} {max(1, round(part.count * scale))}\n"
                               for name, part in chosen.items()))
    files = {"parts": listing, "init": SCRIPTS / "init"} | {f"{n}.sh": SCRIPTS / f"{n}.sh" for n in chosen}
    return [f"{file}:/carry/userland/{name}" + (":755" if name == "init" else "") for name, file in files.items()]


def total(results):
    """Wall and CPU seconds of all parts of one machine's round."""
    return {measure: sum(r[measure] for r in results.values()) for measure in ("wall", "cpu")}


def disk_stamp():
    """Changes when a machine writes to the disk that all of them share."""
    status = DISK.stat()
    return status.st_size, status.st_mtime_ns
