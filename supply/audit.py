"""`make audit`: looks for known vulnerabilities in all lists of requirements, with pip-audit, at OSV.

`make lint` runs it as well where the service can be asked, and then forgives a service that breaks down on the way.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from supply.accepted import Accepted, Finding, read_accepted, sort_findings
from supply.lists import REQUIREMENTS, Pin, normalise, parse_pins
from supply.service import CANNOT_BE_ASKED, OSV_URL, find_obstacle

# pip-audit asks for one package after the other: two hundred of them take a minute, or two.
LIMIT_S = 300.0
PATIENCE_S = 10  # for each of them
PROGRAM = (str(Path(sys.executable).parent / "pip-audit"),)


class ServiceError(Exception):
    """The service broke down while it was asked."""


def gather_pins(folder: Path = REQUIREMENTS) -> dict[Pin, list[str]]:
    """Gather all that is pinned, with the lists that hold it."""
    gathered: dict[Pin, list[str]] = {}
    for path in sorted(folder.glob("*.txt")):
        for pin in parse_pins(path.read_text(encoding="utf-8")):
            gathered.setdefault(pin, []).append(path.stem)
    return gathered


def run_audit(pins: Sequence[Pin], url: str, program: Sequence[str] = PROGRAM, limit_s: float = LIMIT_S) -> Any:
    """Have pip-audit ask for every pin.

    Raises:
        ServiceError: it came to no end; it ends with 1 then as well as where it finds something.
    """
    with tempfile.TemporaryDirectory() as temporary:
        asked, report = Path(temporary) / "pins.txt", Path(temporary) / "report.json"
        asked.write_text("".join(f"{pin.name}=={pin.version}\n" for pin in pins), encoding="utf-8")
        what = ("-r", str(asked), "--no-deps", "--disable-pip", "-f", "json", "-o", str(report))
        how = ("-s", "osv", "--osv-url", url, "--timeout", str(PATIENCE_S), "--progress-spinner", "off")
        command = [*program, *what, *how, "--cache-dir", str(Path(temporary) / "cache")]
        try:
            ended = subprocess.run(command, check=False, capture_output=True, text=True, timeout=limit_s)  # noqa: S603
        except subprocess.TimeoutExpired:
            raise ServiceError(f"pip-audit has not ended within {limit_s:g} s") from None
        if not report.exists():
            said = ended.stderr.strip().splitlines() or ["without a word"]
            raise ServiceError(f"pip-audit broke off: {said[-1]}")
        return json.loads(report.read_text(encoding="utf-8"))


def read_findings(report: Mapping[str, Any], pins: Sequence[Pin]) -> list[Finding]:
    """Read what pip-audit found.

    Raises:
        ServiceError: it did not look at every pin.
    """
    looked_at = [entry for entry in report["dependencies"] if "skip_reason" not in entry]
    missing = {pin.name for pin in pins} - {normalise(entry["name"]) for entry in looked_at}
    if missing:
        raise ServiceError(f"pip-audit did not look at {', '.join(sorted(missing))}")
    return [
        Finding(
            normalise(entry["name"]),
            entry["version"],
            (found["id"], *found.get("aliases", [])),
            found.get("description", ""),
            tuple(found["fix_versions"]),
        )
        for entry in looked_at
        for found in entry["vulns"]
    ]


def describe(finding: Finding, lists: Sequence[str], over: Accepted | None) -> str:
    """Describe a finding in one line: name, version, advisory, where it is fixed."""
    also = f" ({', '.join(finding.ids[1:])})" if finding.ids[1:] else ""
    fixed = f"fixed in {', '.join(finding.fixed_in)}" if finding.fixed_in else "no fixed version yet"
    ended = f"; was accepted until {over.until}" if over else ""
    summary = finding.summary if len(finding.summary) <= 120 else f"{finding.summary[:119]}…"
    where = f"requirements/{{{','.join(lists)}}}.txt" if len(lists) > 1 else f"requirements/{lists[0]}.txt"
    return f"{finding.package} {finding.version}: {finding.ids[0]}{also}: {summary}; {fixed}{ended} [{where}]"


def audit(url: str, program: Sequence[str] = PROGRAM, folder: Path = REQUIREMENTS, limit_s: float = LIMIT_S) -> int:
    """Look for known vulnerabilities, and print what was found.

    Returns:
        0 where there are none, or accepted ones only; 1 otherwise.

    Raises:
        ServiceError: the service cannot be asked, or broke down.
    """
    accepted, lists = read_accepted(folder / "accepted.toml"), gather_pins(folder)
    if obstacle := find_obstacle(url):
        raise ServiceError(f"{url}: {obstacle}")
    findings = read_findings(run_audit(list(lists), url, program, limit_s), list(lists))
    open_ones, lived_with, idle = sort_findings(findings, accepted, datetime.now(UTC).date())
    for entry in idle:
        print(f"accepted.toml: {entry.id} of {entry.package} is found no longer: remove it")
    held_by = {pin.name: names for pin, names in lists.items()}
    for finding, over in open_ones:
        print(describe(finding, held_by[finding.package], over))
    counts = (
        f"{len(lists)} pins, {len(open_ones)} known {'vulnerability' if len(open_ones) == 1 else 'vulnerabilities'}"
    )
    print(f"pip-audit: {counts}" + (f", and {len(lived_with)} accepted" if lived_with else ""))
    return 1 if open_ones else 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="make audit", description=__doc__.splitlines()[0])
    parser.add_argument("--osv-url", default=OSV_URL)
    parser.add_argument("--forgiving", action="store_true", help="a service that breaks down is no failure")
    arguments = parser.parse_args()
    try:
        return audit(arguments.osv_url)
    except ServiceError as problem:
        if arguments.forgiving:
            print(f"pip-audit was skipped: {problem}")
            return 0
        print(f"pip-audit could not look: {problem}", file=sys.stderr)
        return CANNOT_BE_ASKED


if __name__ == "__main__":
    sys.exit(main())
