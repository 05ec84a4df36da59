"""A bar chart of the results as SVG: a group of bars a row, a bar a machine, on a logarithmic scale."""
import dataclasses
import html
import math

from rows import ROWS

COLOURS = ["#1f5fa8", "#d9822b", "#4a9a5a", "#9a5ab0", "#b04a4a", "#6b7480"]
INK, PALE, BAR_INK = "#1c2430", "#d9dee5", "#c01f2e"
LEFT, PLOT, RIGHT = 140, 720, 70    # widths
THICK, GAP = 11, 9                   # a bar, and between groups


@dataclasses.dataclass
class Group:
    label: str
    bars: list             # (machine, Sample) where it was measured
    limit: float = None    # the bar, in the panel's unit


@dataclasses.dataclass
class Panel:
    title: str
    unit: str
    groups: list

    def height(self):
        return 62 + sum(THICK * len(g.bars) + GAP for g in self.groups)


def mean_group(results, below):
    means = [(m, results.mean(m, below)) for m in results.emulators if m != below]
    return Group("geometric mean", [(m, mean) for m, mean in means if mean])


def panels(results):
    """Slowdown against the host where it was measured, otherwise against the reference; then the rows in seconds."""
    below = results.native or results.reference
    title = ("Slowdown against native code (1 = as fast as the host; shorter is better)" if results.native else
             f"Time relative to {below} (above 1 = {below} is faster)")
    groups = []
    for bench in results.names:
        bars = [(m, r.median) for m in results.emulators if m != below and (r := results.ratio(m, below, bench))]
        limit = ROWS[bench].bar if results.native and not ROWS[bench].seconds else None
        groups += [Group(bench, bars, limit)] if bars else []
    found = [Panel(title, "x", [*groups, mean_group(results, below)])] if groups else []
    for measure, what in (("wall", "Wall-clock seconds"), ("cpu", "CPU seconds")):
        timed = [Group(bench, [(m, s.median) for m in results.emulators if (s := results.seconds(m, bench, measure))],
                       ROWS[bench].bar) for bench in results.names if ROWS[bench].seconds == measure]
        found += [Panel(f"{what} from the start of the process to userland", " s", timed)] if timed else []
    return found


def text(x, y, content, size=12, anchor="start", fill=INK, weight="normal"):
    return (f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" fill="{fill}" '
            f'font-weight="{weight}">{html.escape(content)}</text>')


def number(value):
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


class Scale:
    """A logarithmic axis from a power of ten (or a third of one) below the least value to one above the greatest."""

    def __init__(self, values):
        steps = [m * 10.0**e for e in range(-4, 7) for m in (1, 3)]
        self.low = max((s for s in steps if s <= min(values) * 0.999), default=steps[0])
        self.high = min((s for s in steps if s >= max(values)), default=steps[-1])
        self.ticks = [s for s in steps if self.low <= s <= self.high]

    def x(self, value):
        return LEFT + PLOT * math.log(value / self.low) / math.log(self.high / self.low)


def draw_panel(panel, top, colour):
    values = [v for g in panel.groups for _, v in g.bars] + [g.limit for g in panel.groups if g.limit]
    scale, bottom = Scale(values), top + panel.height() - 26
    out = [text(LEFT, top + 14, panel.title, 14, weight="bold")]
    for tick in scale.ticks:
        x = scale.x(tick)
        heavy = INK if tick == 1 and panel.unit == "x" else PALE
        out.append(f'<line x1="{x:.1f}" y1="{top + 26}" x2="{x:.1f}" y2="{bottom}" stroke="{heavy}"/>')
        out.append(text(x, bottom + 15, f"{tick:g}{panel.unit}", 11, "middle"))
    y = top + 32
    for group in panel.groups:
        thick = THICK * len(group.bars)
        weight = "bold" if group.label == "geometric mean" else "normal"
        out.append(text(LEFT - 8, y + thick / 2 + 4, group.label, 12, "end", weight=weight))
        for i, (machine, value) in enumerate(group.bars):
            end = scale.x(value)
            out.append(f'<rect x="{LEFT}" y="{y + THICK * i:.1f}" width="{max(end - LEFT, 1):.1f}" '
                       f'height="{THICK - 1}" fill="{colour[machine]}"/>')
            label = number(value) + panel.unit
            hidden = group.limit and -2 < scale.x(group.limit) - end < 8 + 6 * len(label)
            out.append(text((scale.x(group.limit) if hidden else end) + 4, y + THICK * i + 9, label, 10))
        if group.limit:
            x = scale.x(group.limit)
            out.append(f'<line x1="{x:.1f}" y1="{y - 3:.1f}" x2="{x:.1f}" y2="{y + thick + 2:.1f}" '
                       f'stroke="{BAR_INK}" stroke-width="2.5"/>')
        y += thick + GAP
    return out


def draw_legend(machines, colour, limits):
    out, x = [], LEFT
    for machine in machines:
        out.append(f'<rect x="{x}" y="40" width="14" height="12" fill="{colour[machine]}"/>')
        out.append(text(x + 20, 50, machine))
        x += 40 + 8 * len(machine)
    if limits:
        out.append(f'<line x1="{x + 6}" y1="38" x2="{x + 6}" y2="54" stroke="{BAR_INK}" stroke-width="2.5"/>')
        out.append(text(x + 14, 50, f"the bar for {machines[0]}"))
    return out


def chart(results):
    parts = panels(results)
    colour = {m: COLOURS[i % len(COLOURS)] for i, m in enumerate(results.emulators)}
    limits = any(g.limit for p in parts for g in p.groups)
    what = "CPU time of the emulator" if results.measure == "cpu" else "Wall-clock time"
    body = [text(LEFT, 24, f"{what}, median of {len(results.rounds)} rounds", 16, weight="bold")]
    body += draw_legend(results.emulators, colour, limits)
    top = 72
    for panel in parts:
        body += draw_panel(panel, top, colour)
        top += panel.height() + 14
    width = LEFT + PLOT + RIGHT
    return "\n".join([f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {top}" width="{width}" '
                      f'height="{top}" font-family="DejaVu Sans, Verdana, sans-serif">',
                      f'<rect width="{width}" height="{top}" fill="white"/>', *body, "</svg>", ""])
