"""The pinned lists of requirements/, and which of them are deployed."""

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
REQUIREMENTS = ROOT / "requirements"

# What only builds, tests and watches over Nurie. Every other list is deployed, and shares its versions with the others.
ONLY_HERE = frozenset({"contract", "fuzz", "page", "s3test", "supply"})

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
    names = sorted(path.stem for path in folder.glob("*.in"))
    return sorted(names, key=lambda name: name in ONLY_HERE)


def name_deployed(folder: Path = REQUIREMENTS) -> list[str]:
    """Name the lists that are deployed: on servers, or with teams."""
    return [name for name in name_sources(folder) if name not in ONLY_HERE]


def parse_pins(text: str) -> list[Pin]:
    """Read the pins of a list; comments, markers and our own package's folder are none."""
    found = (PIN.match(line) for line in text.splitlines())
    return [Pin(normalise(pin["name"]), pin["version"]) for pin in found if pin]


def read_pins(name: str, folder: Path = REQUIREMENTS) -> list[Pin]:
    """Read the pins of the list of this name."""
    return parse_pins((folder / f"{name}.txt").read_text(encoding="utf-8"))


def environment(name: str, root: Path = ROOT) -> Path:
    """Say where the environment of a list lies."""
    return root / ".venv" if name == "api" else root / ".venvs" / name
