"""`make licences`: writes docs/licences.md, the licences of all that the lists of requirements name."""

import sys
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from supply.lists import ROOT, Pin, environment, name_deployed, name_sources, read_pins
from supply.metadata import UnknownLicenceError, find_installed, name_licences, tell_licence

TABLE = ROOT / "supply" / "licences.toml"
DOCUMENT = ROOT / "docs" / "licences.md"

INTRODUCTION = """\
# Licences

Written by `make licences` from what is installed; a test holds it to the lists in `requirements/`. How it is made, and
what to do with a licence that is not known yet: [supply-chain.md](supply-chain.md).
"""


class Row(NamedTuple):
    """A package of some lists, and its licence as an SPDX expression."""

    pin: Pin
    licence: str
    lists: tuple[str, ...]


def read_table(path: Path = TABLE) -> dict[str, Any]:
    """Read what people wrote about licences: `allowed`, `read`, `inside`, `other`."""
    return tomllib.loads(path.read_text(encoding="utf-8"))


def gather_lists(names: Iterable[str]) -> dict[Pin, list[str]]:
    """Say of each package in which lists it is."""
    gathered: dict[Pin, list[str]] = {}
    for name in names:
        for pin in read_pins(name):
            gathered.setdefault(pin, []).append(name)
    return gathered


def gather_rows(read: Mapping[str, Mapping[str, str]]) -> tuple[list[Row], list[str]]:
    """Tell the licence of every package of every list.

    Returns:
        The packages by name, and what kept some of them from being told.
    """
    installed = find_installed(environment(name) for name in name_sources())
    by_hand = {name: entry["licence"] for name, entry in read.items()}
    rows, problems = [], []
    for pin, lists in sorted(gather_lists(name_sources()).items()):
        # What only other machines install (GPUs) may have been read by somebody.
        if pin not in installed and pin.name not in by_hand:
            problems.append(f"{pin.name} {pin.version} of {', '.join(lists)} is not installed: make setup setup-tests")
            continue
        try:
            licence = tell_licence(installed[pin], by_hand) if pin in installed else by_hand[pin.name]
            rows.append(Row(pin, check_expression(licence), tuple(lists)))
        except (UnknownLicenceError, ValueError) as problem:
            problems.append(str(problem))
    return rows, problems


def check_expression(expression: str) -> str:
    """Write an SPDX expression as SPDX does.

    Raises:
        ValueError: it is none.
    """
    # Only the environment that writes the document has it; the tests that read it do without.
    from license_expression import ExpressionError, get_spdx_licensing

    try:
        parsed = get_spdx_licensing().parse(expression, validate=True, strict=True)
    except ExpressionError as problem:
        raise ValueError(f"{expression!r} is no SPDX expression: {problem}") from problem
    return str(parsed)


def find_forbidden(rows: Iterable[Row], allowed: Iterable[str], deployed: Iterable[str]) -> list[str]:
    """Find what is deployed under a licence that nobody allowed."""
    known, servers = set(allowed), set(deployed)
    return [
        f"{row.pin.name} {row.pin.version}: {licence} is not allowed in supply/licences.toml"
        for row in rows
        if servers & set(row.lists)
        for licence in name_licences(row.licence)
        if licence not in known
    ]


def write_rows(rows: Iterable[Row]) -> list[str]:
    """Write packages as a table."""
    head = ["| package | version | licence | lists |", "|---|---|---|---|"]
    return [*head, *(f"| {row.pin.name} | {row.pin.version} | {row.licence} | {' '.join(row.lists)} |" for row in rows)]


def write_document(rows: Iterable[Row], table: Mapping[str, Any], deployed: Iterable[str]) -> str:
    """Write docs/licences.md."""
    servers = set(deployed)
    shipped = [row for row in rows if servers & set(row.lists)]
    tools = [row for row in rows if not servers & set(row.lists)]
    notes = [f"- **{licence}**: {note}." for licence, note in table["allowed"].items() if note]
    lines = [
        INTRODUCTION,
        "## Deployed\n",
        *write_rows(shipped),
        "\n`base` is what every process of the servers has; `api` is the environment that people work in.\n",
        *notes,
        "\n## Inside wheels\n",
        "Libraries that come in a package's wheel, with its own notices.\n",
        "| package | brings |",
        "|---|---|",
        *(f"| {entry['packages']} | {entry['what']} |" for entry in table["inside"]),
        "\n## Not from Python's index\n",
        "| what | version | licence | where |",
        "|---|---|---|---|",
        *(f"| {e['name']} | {e['version']} | {e['licence']} | {e['where']} |" for e in table["other"]),
        "\n## Only for work on Nurie\n",
        "Tests, fuzzing and audits; not deployed.\n",
        *write_rows(tools),
        "\n## Read by hand\n",
        "Where metadata says too little, the package's licence file was read.\n",
        "| package | licence | why |",
        "|---|---|---|",
        *(f"| {name} | {entry['licence']} | {entry['why']} |" for name, entry in table["read"].items()),
    ]
    return "\n".join(lines) + "\n"


def main() -> int:
    table, deployed = read_table(), name_deployed()
    rows, problems = gather_rows(table["read"])
    named = {row.pin.name for row in rows}
    problems += [f"{name} is in no list: remove it from [read]" for name in table["read"] if name not in named]
    problems += find_forbidden(rows, table["allowed"], deployed)
    if problems:
        print("\n".join(["licences: nothing was written", *problems]), file=sys.stderr)
        return 1
    DOCUMENT.write_text(write_document(rows, table, deployed), encoding="utf-8")
    print(f"{DOCUMENT.relative_to(ROOT)}: {len(rows)} packages")
    return 0


if __name__ == "__main__":
    sys.exit(main())
