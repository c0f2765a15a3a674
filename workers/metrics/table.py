"""Figures as rows of text: for the shell, the report and CSV. Pure."""

import csv
import io
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from workers.metrics.result import Evaluation


@dataclass(frozen=True)
class Column:
    """A figure of a page: where `PageScore.to_dict` has it, and how it is written."""

    heading: str
    path: tuple[str, ...]
    decimals: int

    @property
    def key(self) -> str:
        """What CSV calls it."""
        return "_".join(self.path)

    def find(self, figures: Mapping[str, Any]) -> float | None:
        """The figure; infinite for the PSNR of equal pictures, None where it is not known."""
        value: Any = figures
        for part in self.path:
            if value is None:
                return None
            side, value = value, value[part]
        if value is None and self.path[-1] == "psnr_db" and side["identical"]:
            return math.inf
        return None if value is None else float(value)

    def write(self, figures: Mapping[str, Any]) -> str:
        """The figure as text, a dash where it is not known."""
        value = self.find(figures)
        if value is None:
            return "–"
        return "∞" if math.isinf(value) else f"{value:.{self.decimals}f}"


COLUMNS: Final = (
    Column("PSNR dB", ("final", "psnr_db"), 2),
    Column("grey", ("grey", "psnr_db"), 2),
    Column("SSIM", ("final", "ssim"), 4),
    Column("grey", ("grey", "ssim"), 4),
    Column("MS-SSIM", ("final", "ms_ssim"), 4),
    Column("ΔE2000", ("final", "delta_e2000"), 2),
    Column("grey", ("grey", "delta_e2000"), 2),
    Column("ΔE p95", ("final", "delta_e2000_p95"), 2),
    Column("chroma err", ("final", "chroma_error"), 2),
    Column("grey", ("grey", "chroma_error"), 2),
    Column("ratio", ("chroma_ratio",), 3),
    Column("edges", ("final", "edge_preservation"), 4),
    Column("colourful", ("colourfulness",), 1),
    Column("truth", ("colourfulness_truth",), 1),
)


@dataclass(frozen=True)
class Row:
    """One row of the table: a page, the mean, or a bound of its interval."""

    name: str
    cells: tuple[str, ...]


def table_rows(evaluation: Evaluation) -> tuple[list[Row], list[Row]]:
    """The rows of the pages, and those of the set: the mean and, of two pages or more, its 95 % interval."""
    pages = [Row(name, _cells(score.to_dict(), Column.write)) for name, score in evaluation.scores.items()]
    summary = [Row("mean", _cells(evaluation.mean, Column.write))]
    intervals = evaluation.interval_95
    if intervals["colourfulness"]:
        low, high = _bound(intervals, 0), _bound(intervals, 1)
        summary += [Row("95 % from", _cells(low, Column.write)), Row("to", _cells(high, Column.write))]
    return pages, summary


def format_table(evaluation: Evaluation) -> str:
    """The table for a terminal, columns aligned."""
    pages, summary = table_rows(evaluation)
    head = Row("page", tuple(column.heading for column in COLUMNS))
    widths = [
        max(map(len, cells))
        for cells in zip(*((row.name, *row.cells) for row in (head, *pages, *summary)), strict=True)
    ]

    def line(row: Row) -> str:
        return "  ".join([row.name.ljust(widths[0]), *map(str.rjust, row.cells, widths[1:])])

    rule = "─" * len(line(head))
    return "\n".join([line(head), rule, *map(line, pages), rule, *map(line, summary)])


def format_csv(evaluation: Evaluation) -> str:
    """A row a page, in full precision, with what went wrong beside; `inf` is the PSNR of equal pictures."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")  # RFC 4180
    writer.writerow(["page", "width", "height", *(column.key for column in COLUMNS), "error"])
    for name, score in evaluation.scores.items():
        figures = score.to_dict()
        values = ["" if value is None else value for value in (column.find(figures) for column in COLUMNS)]
        writer.writerow([_defuse(name), *score.size, *values, ""])
    for name, fault in evaluation.failed.items():
        writer.writerow([_defuse(name), "", "", *[""] * len(COLUMNS), _defuse(fault)])
    return out.getvalue()


def _cells(figures: Mapping[str, Any], write: Callable[[Column, Mapping[str, Any]], str]) -> tuple[str, ...]:
    return tuple(write(column, figures) for column in COLUMNS)


def _bound(intervals: Mapping[str, Any], side: int) -> dict[str, Any]:
    """One end of every interval, shaped as the figures are."""

    def pick(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {"identical": False, **{key: pick(inner) for key, inner in value.items()}}
        return None if value is None else value[side]

    return {key: pick(value) for key, value in intervals.items()}


def _defuse(text: str) -> str:
    """A spreadsheet takes a cell that begins like this for a formula; a file's name comes from outside."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
