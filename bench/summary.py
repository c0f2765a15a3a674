"""What all rooms measured in one run, as Markdown: every figure as a ratio, missed bars and failures first."""

from collections.abc import Iterable, Mapping, Sequence

from bench.calibration import Calibration
from bench.figures import Figure
from bench.rooms import RoomResult

SECONDS = {"s": 1.0, "ms": 1e-3}
RATES = ("1/s", "/s")
GIB = {"GiB": 1.0, "MB": 1e6 / 1024**3}
NOISY = 1.2
"""Calibrations around a room that differ by more than this factor: others were at work on the machine."""
LOAD = "load of the last minute"


def summarise(results: Sequence[RoomResult], machine: Mapping[str, str]) -> str:
    """The whole file."""
    parts = [
        "# What `make bench` measured, in short form",
        "Every room's bench with fewer pages, repeats and epochs than `make bench-ROOM` takes: good for comparing, not "
        "the figures that the docs speak of. All ratios are of this one run.",
        "\n".join(f"- {name}: {value}" for name, value in machine.items()),
        "## Bars that were missed, and what could not be measured",
        _complaints(results),
        "## Calibration",
        "A fixed load (`bench/calibration.py`: products of matrices, a page written as PNG, a convolution) before and "
        "after each room. *In calibrations* below: times as multiples of its time, rates by it, memory as a multiple "
        "of its process's. So figures of other machines, and of noisy moments, compare.",
        _calibrations(results),
        *(part for result in results for part in (f"## {result.room}, short, {result.seconds:.0f} s", _room(result))),
    ]
    return "\n\n".join(parts) + "\n"


def _complaints(results: Iterable[RoomResult]) -> str:
    lines = []
    for result in results:
        noise = ", in a noisy moment" if is_noisy(result.before, result.after) else ""
        lines += [f"- **failed** {result.room}, {what}: {reason}" for what, reason in result.failures.items()]
        for figure in result.missed:
            lines.append(
                f"- **missed** {result.room}: {figure.what}: {_number(figure.value)} {figure.unit}".rstrip()
                + f", bar {_bar(figure)}, {_number(to_bar(figure))} of it{noise}"
            )
    return "\n".join(lines) or "None."


def _calibrations(results: Iterable[RoomResult]) -> str:
    rows = []
    for result in results:
        before, after = result.before, result.after
        rows.append(
            (
                result.room,
                f"{before.seconds:.3f}",
                f"{after.seconds:.3f}",
                f"{after.seconds / before.seconds:.2f}" + (" noisy" if is_noisy(before, after) else ""),
                *(f"{one:.3f} → {other:.3f}" for one, other in zip(_parts(before), _parts(after), strict=True)),
                " ".join(f"{figure.value:.1f}" for figure in result.figures if figure.what.startswith(LOAD)) or "–",
            )
        )
    return _table(("room", "before, s", "after, s", "after/before", "matrices", "PNG", "convolution", "load"), rows)


def is_noisy(before: Calibration, after: Calibration) -> bool:
    return not 1 / NOISY < after.seconds / before.seconds < NOISY


def _parts(calibration: Calibration) -> tuple[float, float, float]:
    return calibration.matmul_s, calibration.png_s, calibration.conv_s


def _room(result: RoomResult) -> str:
    rows = [
        (
            figure.what,
            _number(figure.value),
            figure.unit or "–",
            _bar(figure),
            _number(to_bar(figure)),
            _number(to_calibration(figure, result.calibration)),
            "–" if figure.bar is None else "yes" if figure.is_met else "**no**",
        )
        for figure in result.figures
        if not figure.what.startswith(LOAD)
    ]
    failed = [(what, "failed", "–", "–", "–", "–", "**no**") for what in result.failures]
    return _table(("figure", "value", "unit", "bar", "value/bar", "in calibrations", "met"), [*rows, *failed])


def to_bar(figure: Figure) -> float | None:
    """The value as a multiple of its bar; None without one, or where the bar is 0."""
    return figure.value / figure.bar if figure.bar else None


def to_calibration(figure: Figure, calibration: Calibration) -> float | None:
    """A time, a rate or an amount of memory as a multiple of the calibration's; None for what is a ratio already."""
    if figure.unit in SECONDS:
        return figure.value * SECONDS[figure.unit] / calibration.seconds
    if figure.unit in RATES:
        return figure.value * calibration.seconds
    if figure.unit in GIB:
        return figure.value * GIB[figure.unit] / calibration.peak_gib
    return None


def _bar(figure: Figure) -> str:
    return "–" if figure.bar is None else f"{'≥' if figure.at_least else '≤'} {figure.bar:g}"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (head, ["---"] * len(head), *rows))
