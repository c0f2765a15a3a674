"""The pinned lists of requirements/, and which of them are deployed."""

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
REQUIREMENTS = ROOT / "requirements"

# What only tests and watches over Nurie; so does a list that includes one of them. Every other list is deployed.
ONLY_HERE = frozenset({"contract", "fuzz", "page", "s3test", "supply", "test"})

# Lists that share the environment at the root, where people work.
AT_ROOT = frozenset({"api", "server"})

PIN = re.compile(r"(?P<name>[A-Za-z0-9._-]+)(\[[^]]*])?==(?P<version>[^\s;+]+)")


class Pin(NamedTuple):
    """One package of a list, by its normalised name and its exact version (without a local part such as `+cpu`)."""

    name: str
    version: str


def normalise(name: str) -> str:
    """Write a package's name as indexes do (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def name_sources(folder: Path = REQUIREMENTS) -> list[str]:
    """Name the lists that have a source (`*.in`), those that are deployed first."""
    return [*name_deployed(folder), *sorted(path.stem for path in folder.glob("*.in") if is_only_here(path))]


def name_deployed(folder: Path = REQUIREMENTS) -> list[str]:
    """Name the lists that are deployed: on servers, or with teams."""
    return sorted(path.stem for path in folder.glob("*.in") if not is_only_here(path))


def is_only_here(source: Path) -> bool:
    """Whether a list is for work on Nurie, and never deployed."""
    included = re.findall(r"^-r (\S+)\.in", source.read_text(encoding="utf-8"), re.MULTILINE)
    return source.stem in ONLY_HERE or any(name in ONLY_HERE for name in included)


def parse_pins(text: str) -> list[Pin]:
    """Read the pins of a list; comments, markers and our own package's folder are none."""
    found = (PIN.match(line) for line in text.splitlines())
    return [Pin(normalise(pin["name"]), pin["version"]) for pin in found if pin]


def read_pins(name: str, folder: Path = REQUIREMENTS) -> list[Pin]:
    """Read the pins of the list of this name."""
    return parse_pins((folder / f"{name}.txt").read_text(encoding="utf-8"))


def environment(name: str, root: Path = ROOT) -> Path:
    """Say where the environment of a list lies."""
    return root / ".venv" if name in AT_ROOT else root / ".venvs" / name
