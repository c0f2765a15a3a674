"""What installed packages say of their licence, as SPDX."""

import importlib.metadata
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from supply.lists import Pin, normalise

# What packages write in the field License, in lower case; free text, so only what has been met and is not ambiguous.
PHRASES = {
    "3-clause bsd license": "BSD-3-Clause",
    "apache 2": "Apache-2.0",
    "apache 2.0": "Apache-2.0",
    "apache license 2.0": "Apache-2.0",
    "bsd 2-clause license": "BSD-2-Clause",
    "bsd 3-clause": "BSD-3-Clause",
    "mit license": "MIT",
    "new bsd": "BSD-3-Clause",
}

# The classifiers that name one licence: `BSD License` does not.
CLASSIFIERS = {
    "License :: OSI Approved :: Apache Software License": "Apache-2.0",
    "License :: OSI Approved :: ISC License (ISCL)": "ISC",
    "License :: OSI Approved :: MIT License": "MIT",
    "License :: OSI Approved :: Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "License :: OSI Approved :: Python Software Foundation License": "PSF-2.0",
}

SPDX_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*( (AND|OR|WITH) [A-Za-z0-9][A-Za-z0-9.-]*)*")


class UnknownLicenceError(Exception):
    """A package whose licence nobody has read yet."""


def find_installed(environments: Iterable[Path]) -> dict[Pin, importlib.metadata.PackageMetadata]:
    """Collect the metadata of all packages that are installed in the environments."""
    found = {}
    for environment in environments:
        folders = [str(folder) for folder in environment.glob("lib/python3*/site-packages")]
        for package in importlib.metadata.distributions(path=folders):
            version = package.version.partition("+")[0]
            found[Pin(normalise(package.metadata["Name"]), version)] = package.metadata
    return found


def tell_licence(metadata: importlib.metadata.PackageMetadata, read: Mapping[str, str]) -> str:
    """Tell a package's licence as an SPDX expression.

    Args:
        metadata: of the installed package.
        read: licences that somebody read in the package's files, by normalised name; they come first.

    Raises:
        UnknownLicenceError: the metadata does not say it, or not exactly.
    """
    name = normalise(metadata["Name"])
    if name in read:
        return read[name]
    if metadata["License-Expression"]:
        return str(metadata["License-Expression"])
    said = (metadata["License"] or "").strip()
    if said.lower() in PHRASES:
        return PHRASES[said.lower()]
    classified = [text for text in metadata.get_all("Classifier") or [] if text.startswith("License :: ")]
    if SPDX_NAME.fullmatch(said) and said not in {"BSD", "PSFL", "UNKNOWN"}:
        return said
    if classified and all(text in CLASSIFIERS for text in classified):
        return " AND ".join(sorted({CLASSIFIERS[text] for text in classified}))
    raise UnknownLicenceError(
        f"{name} {metadata['Version']}: metadata says {said.splitlines()[:1]} and {classified}; "
        "read its licence file, and add the package to supply/licences.toml under [read]"
    )


def name_licences(expression: str) -> list[str]:
    """Name the licences of an expression, an exception with its licence, each once."""
    parts = re.split(r"\s+(?:AND|OR)\s+", expression.replace("(", " ").replace(")", " ").strip())
    return sorted({part.strip() for part in parts})
