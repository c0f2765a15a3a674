"""A measured figure beside its bar, the table of them, and the file that they go to."""

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType


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


def add_short_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--short", action="store_true", help="measure less, in a minute or two: what `make bench` does")


def figures_file(out: Path, name: str, *, is_short: bool = False) -> Path:
    """Where the figures of a bench go; those of the short form never over those of the long one."""
    return out / f"bench-{name}{'-short' if is_short else ''}.json"


def report(figures: Sequence[Figure], file: Path, failures: Mapping[str, str] = MappingProxyType({})) -> int:
    """Print the figures, write them to a JSON file; returns the exit code: 1 when a bar was missed, or a part failed.

    Args:
        figures: all that were measured.
        file: gets a list of them, and of the failures.
        failures: what could not be measured, and why.
    """
    for figure in figures:
        line = f"{figure.what:<72}{figure.value:>9.2f} {figure.unit:<5}"
        if figure.bar is not None:
            line += f" bar {'≥' if figure.at_least else '≤'} {figure.bar:g}  {'ok' if figure.is_met else 'MISSED'}"
        print(line)
    for part, reason in failures.items():
        print(f"{part} FAILED: {reason}")
    failed = [{"what": part, "failure": reason} for part, reason in failures.items()]
    file.write_text(json.dumps([*(asdict(figure) for figure in figures), *failed], indent=1))
    print(f"written to {file}")
    return 0 if all(figure.is_met for figure in figures) and not failures else 1
