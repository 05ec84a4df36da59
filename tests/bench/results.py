"""What the rounds say: medians, ratios, slowdowns, bars and geometric means, as text and CSV."""
import csv
import math
import statistics

from rows import ROWS


class Sample:
    """Values of several rounds: their median, least and greatest."""

    def __init__(self, values):
        self.median, self.low, self.high = statistics.median(values), min(values), max(values)

    def text(self, digits):
        return f"{self.median:.{digits}f} [{self.low:.{digits}f}-{self.high:.{digits}f}]"


def geometric_mean(values):
    return math.exp(statistics.fmean(map(math.log, values)))


class Results:
    """rounds: a list of {machine: {bench: result}}. The first machine that is not the host is the reference."""

    def __init__(self, machines, rounds, names, measure):
        self.rounds, self.names, self.measure = rounds, names, measure
        self.emulators = [m.name for m in machines if m.template]
        self.native = next((m.name for m in machines if not m.template), None)
        self.machines = self.emulators + ([self.native] if self.native else [])
        self.reference, *self.peers = self.machines

    def seconds(self, machine, bench, measure=None):
        values = [r[machine][bench][measure or self.measure] for r in self.rounds if bench in r[machine]]
        return Sample(values) if values else None

    def ratio(self, above, below, bench):
        """Round by round, as the machine's speed drifts."""
        pairs = [(r[above][bench][self.measure], r[below][bench][self.measure]) for r in self.rounds
                 if bench in r[above] and bench in r[below]]
        values = [a / b for a, b in pairs if a > 0 and b > 0]
        return Sample(values) if values else None

    def slowdown(self, machine, bench):
        return self.ratio(machine, self.native, bench) if self.native and machine != self.native else None

    def mean(self, above, below):
        medians = [r.median for bench in self.names
                   if not ROWS[bench].total and (r := self.ratio(above, below, bench))]
        return geometric_mean(medians) if medians else None

    def against_bar(self, bench):
        """What the reference needs and may need, both in the bar's unit; None where either is not known."""
        row = ROWS[bench]
        if not row.bar or self.reference == self.native:
            return None
        s = self.seconds(self.reference, bench, row.seconds) if row.seconds else self.slowdown(self.reference, bench)
        return (s.median, row.bar) if s else None

    def not_fastest(self):
        """Benchmarks on which another emulator beats the reference, with the ratio."""
        ratios = {bench: [r.median for p in self.emulators[1:] if (r := self.ratio(p, self.reference, bench))]
                  for bench in self.names}
        return {bench: min(found) for bench, found in ratios.items() if found and min(found) < 1}


def bar_text(bench):
    row = ROWS[bench]
    return "" if not row.bar else f"{row.bar:g} s {row.seconds}" if row.seconds else f"{row.bar:g}x"


def columns(table):
    widths = [max(len(row[i]) for row in table) for i in range(len(table[0]))]
    for row in table:
        print("  ".join(cell.ljust(w) for cell, w in zip(row, widths)).rstrip())


def print_seconds(results):
    reference, peers = results.reference, [p for p in results.peers if p != results.native]
    what = "CPU seconds of the process" if results.measure == "cpu" else "wall-clock seconds"
    print(f"{what}: median [min-max] of {len(results.rounds)} rounds; ratios above 1: {reference} is faster")
    table = [["bench", *results.machines, *(f"{p}/{reference}" for p in peers)]]
    for bench in results.names:
        times = [results.seconds(m, bench) for m in results.machines]
        ratios = [results.ratio(p, reference, bench) for p in peers]
        table.append([bench, *(t.text(3) if t else "-" for t in times), *(r.text(2) if r else "-" for r in ratios)])
    means = [results.mean(p, reference) for p in peers]
    columns(table + [["geomean", *("" for _ in results.machines), *(f"{m:.2f}" if m else "-" for m in means)]])
    for machine in results.emulators:
        counts = {r[machine]["boot"]["instructions"] for r in results.rounds
                  if r[machine].get("boot", {}).get("instructions")}
        if counts:
            print(f"{machine}: boot to power-off {', '.join(f'{c:,}' for c in sorted(counts))} instructions")


def print_slowdowns(results):
    reference = results.reference
    print(f"\nslowdown, the time of each divided by the native one, and the bar for {reference}")
    table = [["bench", *results.emulators, "bar", "met"]]
    for bench in results.names:
        if measure := ROWS[bench].seconds:
            cells = [f"{s.median:.2f} s" if (s := results.seconds(m, bench, measure)) else "-"
                     for m in results.emulators]
        else:
            cells = [s.text(2) if (s := results.slowdown(m, bench)) else "-" for m in results.emulators]
        known = results.against_bar(bench)
        table.append([bench, *cells, bar_text(bench), "" if not known else "yes" if known[0] <= known[1] else "NO"])
    means = [results.mean(m, results.native) for m in results.emulators]
    columns(table + [["geomean", *(f"{m:.2f}" if m else "-" for m in means), "", ""]])


def print_verdict(results):
    known = {bench: k for bench in results.names if (k := results.against_bar(bench))}
    missed = [bench for bench, (needs, bar) in known.items() if needs > bar]
    if known:
        print(f"\n{results.reference} meets {len(known) - len(missed)} of {len(known)} bars"
              + (f", not {', '.join(missed)}" if missed else ""))
    if len(results.emulators) > 1:
        slower = [f"{bench} ({ratio:.2f})" for bench, ratio in results.not_fastest().items()]
        print(f"{results.reference} is " + (f"not the fastest on {', '.join(slower)}" if slower else
                                            "the fastest emulator on every row"))


def report(results):
    print_seconds(results)
    if results.native and results.emulators:
        print_slowdowns(results)
    print_verdict(results)


def disagreements(rounds):
    """Benchmarks whose checksum or count differs between machines or rounds."""
    seen = {}
    for r in rounds:
        for machine, found in r.items():
            for bench, result in found.items():
                if "checksum" in result:
                    seen.setdefault(bench, {}).setdefault((result["checksum"], result["count"]), set()).add(machine)
    return [f"{bench}: " + "; ".join(f"{c} on {', '.join(sorted(m))}" for (c, _), m in found.items())
            for bench, found in seen.items() if len(found) > 1]


def write_csv(path, rounds):
    """Every single result."""
    fields = ["round", "machine", "bench", "cpu", "wall", "guest", "unit", "count", "checksum", "instructions"]
    with open(path, "w", newline="") as f:
        out = csv.DictWriter(f, fields, restval="", extrasaction="raise")
        out.writeheader()
        for number, r in enumerate(rounds, 1):
            for machine, found in r.items():
                for bench, result in found.items():
                    out.writerow({"round": number, "machine": machine, "bench": bench, **result})


def write_summary(path, results):
    """A line for each benchmark and machine, and one for each machine's geometric means."""
    fields = ["bench", "machine", "cpu", "cpu_min", "cpu_max", "wall", "wall_min", "wall_max", "ratio", "ratio_min",
              "ratio_max", "slowdown", "slowdown_min", "slowdown_max", "bar", "bar_unit", "met"]

    def numbers(name, sample):
        return {name: f"{sample.median:.6g}", f"{name}_min": f"{sample.low:.6g}",
                f"{name}_max": f"{sample.high:.6g}"} if sample else {}

    with open(path, "w", newline="") as f:
        out = csv.DictWriter(f, fields, restval="")
        out.writeheader()
        for bench in results.names:
            for machine in (m for m in results.machines if results.seconds(m, bench)):
                line = {"bench": bench, "machine": machine}
                for measure in ("cpu", "wall"):
                    line |= numbers(measure, results.seconds(machine, bench, measure))
                line |= numbers("ratio", results.ratio(machine, results.reference, bench))
                line |= numbers("slowdown", results.slowdown(machine, bench))
                if machine == results.reference and (known := results.against_bar(bench)):
                    line |= {"bar": known[1], "bar_unit": ROWS[bench].seconds or "slowdown",
                             "met": "yes" if known[0] <= known[1] else "no"}
                out.writerow(line)
        for machine in results.machines:
            means = {"ratio": results.mean(machine, results.reference)}
            if results.native and machine != results.native:
                means["slowdown"] = results.mean(machine, results.native)
            out.writerow({"bench": "geomean", "machine": machine,
                          **{name: f"{mean:.6g}" for name, mean in means.items() if mean}})
