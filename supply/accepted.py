"""Known vulnerabilities that people accepted for a while: requirements/accepted.toml."""

import tomllib
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import NamedTuple

from supply.lists import REQUIREMENTS, normalise

FIELDS = {"id": str, "package": str, "reason": str, "until": date}


class Finding(NamedTuple):
    """A known vulnerability of a pinned package; `ids` are the names that one goes by, its own first."""

    package: str
    version: str
    ids: tuple[str, ...]
    summary: str
    fixed_in: tuple[str, ...]


class Accepted(NamedTuple):
    """One entry of the file."""

    id: str
    package: str
    reason: str
    until: date

    def covers(self, finding: Finding) -> bool:
        """Whether it speaks of this vulnerability, be it over or not."""
        return self.id in finding.ids and normalise(self.package) == finding.package


def read_accepted(path: Path = REQUIREMENTS / "accepted.toml") -> list[Accepted]:
    """Read the file.

    Raises:
        ValueError: an entry lacks a field, or has one of another kind.
    """
    entries = tomllib.loads(path.read_text(encoding="utf-8")).get("accepted", [])
    for entry in entries:
        if set(entry) != set(FIELDS) or not all(isinstance(entry[name], kind) for name, kind in FIELDS.items()):
            raise ValueError(f"{path.name}: an entry has id, package, reason and until (a date); found {entry}")
        if not entry["reason"].strip():
            raise ValueError(f"{path.name}: {entry['id']} has no reason")
    return [Accepted(**entry) for entry in entries]


def sort_findings(
    findings: Iterable[Finding], accepted: Iterable[Accepted], today: date
) -> tuple[list[tuple[Finding, Accepted | None]], list[Finding], list[Accepted]]:
    """Sort what was found by what was accepted.

    Returns:
        What stands against the pins, with the entry that is over where there is one; what is accepted; entries that
        nothing was found for.
    """
    entries = list(accepted)
    open_ones: list[tuple[Finding, Accepted | None]] = []
    lived_with: list[Finding] = []
    used: set[Accepted] = set()
    for finding in findings:
        covering = [entry for entry in entries if entry.covers(finding)]
        used.update(covering)
        if any(today <= entry.until for entry in covering):
            lived_with.append(finding)
        else:
            open_ones.append((finding, covering[0] if covering else None))
    return open_ones, lived_with, [entry for entry in entries if entry not in used]
