"""Charts as SVG, in the report's own colours and without scripts. Pure.

They are drawn in user units (about pixels) and grow with the page; colours come from the style sheet's variables, so
that dark mode and print follow.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

import numpy as np

WIDTH: Final = 420
HEIGHT: Final = 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 14, 12, 40


@dataclass(frozen=True)
class _Axis:
    """A linear scale from values to user units."""

    low: float
    high: float
    start: float
    stop: float

    def place(self, value: float) -> float:
        return self.start + (value - self.low) / (self.high - self.low) * (self.stop - self.start)

    @property
    def ticks(self) -> list[float]:
        """Round values on the axis, about five."""
        step = _round_step((self.high - self.low) / 5)
        first = np.ceil(self.low / step - 1e-9) * step
        return [float(value) for value in np.arange(first, self.high + step * 1e-6, step)]


def draw_scatter(points: Mapping[str, tuple[float, float]], x_title: str, y_title: str) -> str:
    """Points by name, both axes of one scale from 0, with the diagonal on which both are equal."""
    most = max([1e-9, *(value for point in points.values() for value in point)]) * 1.05
    x, y = _axes((0, most), (0, most))
    diagonal = _line(x.place(0), y.place(0), x.place(most), y.place(most), "rule")
    dots = "".join(
        f'<circle class="dot" cx="{x.place(across):.1f}" cy="{y.place(up):.1f}" r="4.5">'
        f"<title>{escape(name)}: {across:.2f}, {up:.2f}</title></circle>"
        for name, (across, up) in points.items()
    )
    below = f'<text class="hint" x="{x.stop - 6:.0f}" y="{y.start - 8:.0f}" text-anchor="end">better than grey</text>'
    return _frame(x, y, x_title, y_title, diagonal + below + dots)


def draw_histogram(counts: Sequence[int], x_title: str, y_title: str = "share of pixels, %") -> str:
    """Bars of bins of 1 from 0; bins after the last one that matters are left out."""
    shares = 100 * np.asarray(counts, dtype=np.float64) / max(1, sum(counts))
    reached = np.cumsum(shares)
    shown = max(10, int(np.searchsorted(reached, 99.9)) + 2)
    x, y = _axes((0, float(min(shown, len(shares)))), (0, max(1.0, float(shares.max()) * 1.05)))
    width = x.place(1) - x.place(0)
    bars = "".join(
        f'<rect class="bar" x="{x.place(at):.1f}" y="{y.place(share):.1f}" width="{max(0.5, width - 1):.1f}" '
        f'height="{y.start - y.place(share):.1f}"><title>{at} to {at + 1}: {share:.1f} %</title></rect>'
        for at, share in enumerate(shares[:shown])
        if share > 0
    )
    return _frame(x, y, x_title, y_title, bars)


def draw_distributions(groups: Mapping[str, Sequence[float]], title: str) -> str:
    """One row a group: every value as a dot, the quartiles as a box, the median as a line."""
    known = {name: np.asarray(values, dtype=np.float64) for name, values in groups.items() if len(values)}
    if not known:
        return ""
    every = np.concatenate(list(known.values()))
    margin = max(1e-6, float(np.ptp(every)) * 0.06)
    height = _TOP + _BOTTOM + 46 * len(known)
    x = _Axis(float(every.min()) - margin, float(every.max()) + margin, _LEFT + 30, WIDTH - _RIGHT)
    rows = "".join(_draw_box(name, values, x, _TOP + 46 * at + 23) for at, (name, values) in enumerate(known.items()))
    ticks = "".join(
        _line(x.place(tick), _TOP, x.place(tick), height - _BOTTOM, "grid")
        + _text(x.place(tick), height - _BOTTOM + 16, _short(tick), "middle")
        for tick in x.ticks
    )
    label = _text((x.start + x.stop) / 2, height - 6, title, "middle", "title")
    return _svg(WIDTH, height, title, ticks + rows + label)


def _draw_box(name: str, values: np.ndarray, x: _Axis, middle: float) -> str:
    low, median, high = np.quantile(values, (0.25, 0.5, 0.75))
    box = (
        f'<rect class="box" x="{x.place(low):.1f}" y="{middle - 11:.1f}" '
        f'width="{max(1.0, x.place(high) - x.place(low)):.1f}" height="22"/>'
    )
    # Dots that would lie upon each other stand in three rows.
    dots = "".join(
        f'<circle class="dot small" cx="{x.place(value):.1f}" cy="{middle + 6 * (at % 3 - 1):.1f}" r="2.5"/>'
        for at, value in enumerate(np.sort(values))
    )
    line = _line(x.place(median), middle - 14, x.place(median), middle + 14, "median")
    return _text(x.start - 8, middle + 4, name, "end") + box + dots + line


def _axes(across: tuple[float, float], up: tuple[float, float]) -> tuple[_Axis, _Axis]:
    return _Axis(*across, _LEFT, WIDTH - _RIGHT), _Axis(*up, HEIGHT - _BOTTOM, _TOP)


def _frame(x: _Axis, y: _Axis, x_title: str, y_title: str, inside: str) -> str:
    grid = "".join(
        _line(x.place(tick), y.start, x.place(tick), y.stop, "grid")
        + _text(x.place(tick), y.start + 16, _short(tick), "middle")
        for tick in x.ticks
    ) + "".join(
        _line(x.start, y.place(tick), x.stop, y.place(tick), "grid")
        + _text(x.start - 6, y.place(tick) + 4, _short(tick), "end")
        for tick in y.ticks
    )
    middle = (y.start + y.stop) / 2
    titles = _text((x.start + x.stop) / 2, HEIGHT - 6, x_title, "middle", "title") + (
        f'<text class="title" x="14" y="{middle:.0f}" text-anchor="middle" transform="rotate(-90 14 {middle:.0f})">'
        f"{escape(y_title)}</text>"
    )
    return _svg(WIDTH, HEIGHT, f"{y_title} by {x_title}", grid + inside + titles)


def _svg(width: float, height: float, label: str, inside: str) -> str:
    return f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(label, quote=True)}">{inside}</svg>'


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _text(x: float, y: float, text: str, anchor: str, kind: str = "tick") -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _short(value: float) -> str:
    return f"{value:.4g}" if abs(value) > 1e-9 else "0"


def _round_step(step: float) -> float:
    """The next of 1, 2, 5 times a power of ten."""
    power = 10.0 ** np.floor(np.log10(step))
    return float(next(factor * power for factor in (1, 2, 5, 10) if factor * power >= step * (1 - 1e-9)))
