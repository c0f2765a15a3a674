"""What the doctor found, one line each, and how that is shown."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text


class State(StrEnum):
    OK = "ok"
    WARNING = "warning"
    """Nurie runs, but less well or not as meant."""
    BROKEN = "broken"


@dataclass(frozen=True)
class Finding:
    """Attributes:
    what: was looked at.
    remedy: what to do; None where nothing need be done.
    """

    state: State
    what: str
    detail: str
    remedy: str | None = None


_MARKS: Final = {State.OK: "ok", State.WARNING: "!", State.BROKEN: "x"}
_STYLES: Final = {State.OK: "green", State.WARNING: "yellow", State.BROKEN: "bold red"}


def is_broken(findings: Iterable[Finding]) -> bool:
    return any(finding.state is State.BROKEN for finding in findings)


def format_json(findings: Sequence[Finding]) -> str:
    """A list of objects with the keys state, what, detail and remedy (null where nothing need be done)."""
    return json.dumps([asdict(finding) for finding in findings], ensure_ascii=False, indent=2)


def show(findings: Sequence[Finding], console: Console) -> None:
    """As a table on a terminal; elsewhere one line each, whatever its width."""
    if not console.is_terminal:
        width = max((len(finding.what) for finding in findings), default=0)
        for finding in findings:
            remedy = f" -> {finding.remedy}" if finding.remedy else ""
            line = f"{_MARKS[finding.state]:<2}  {finding.what:<{width}}  {finding.detail}{remedy}"
            console.print(line, markup=False, highlight=False, soft_wrap=True)
        return
    table = Table("", "", "", "what to do", box=None, show_header=any(finding.remedy for finding in findings))
    for finding in findings:
        mark = Text(_MARKS[finding.state], style=_STYLES[finding.state])
        # As Text: what stands in brackets in a path is no markup.
        table.add_row(mark, *(Text(part) for part in (finding.what, finding.detail, finding.remedy or "")))
    console.print(table)
