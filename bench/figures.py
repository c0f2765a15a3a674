"""A measured figure beside its bar, and the table of them."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Figure:
    """One measured figure and the most (or, with `at_least`, the least) that it may be; None: no bar, only beside."""

    what: str
    value: float
    unit: str
    bar: float | None = None
    at_least: bool = False

    @property
    def is_met(self) -> bool:
        if self.bar is None:
            return True
        return self.value >= self.bar if self.at_least else self.value <= self.bar


def report(figures: Sequence[Figure], file: Path) -> int:
    """Print the figures, write them to a JSON file; returns the exit code: 1 when a bar was missed."""
    for figure in figures:
        line = f"{figure.what:<72}{figure.value:>9.2f} {figure.unit:<5}"
        if figure.bar is not None:
            line += f" bar {'≥' if figure.at_least else '≤'} {figure.bar:g}  {'ok' if figure.is_met else 'MISSED'}"
        print(line)
    file.write_text(json.dumps([asdict(figure) for figure in figures], indent=1))
    print(f"written to {file}")
    return 0 if all(figure.is_met for figure in figures) else 1
