"""`make sbom`: writes a bill of materials (CycloneDX 1.6) for each environment that is deployed, to out/sbom/.

cyclonedx-py reads what is installed; added to that are Nurie's direct dependencies, its own weights, and the licences
that somebody read. Equal environments give equal files: they hold neither a time nor a folder of this machine.
"""

import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from supply.licences import read_table
from supply.lists import REQUIREMENTS, ROOT, environment, name_deployed, name_sources, normalise, read_pins
from supply.metadata import UnknownLicenceError, find_installed, tell_licence
from supply.weights import describe_weights, find_weights

OUT = ROOT / "out" / "sbom"


def name_direct(source: Path) -> set[str]:
    """Name what a source asks for itself, with the sources that it includes."""
    names: set[str] = set()
    for line in source.read_text(encoding="utf-8").splitlines():
        if included := re.match(r"-r (\S+)", line):
            names |= name_direct(source.parent / included[1])
        elif line.endswith("./client"):
            names.add("nurie-client")
        elif name := re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*", line):
            names.add(normalise(name[0]))
    return names


def name_all(*lists: str) -> set[str]:
    """Name all that lists hold, our own client among it."""
    pinned = {pin.name for name in lists for pin in read_pins(name)}
    return pinned.union(*(name_direct(REQUIREMENTS / f"{name}.in") for name in lists))


def read_environment(python: Path, project: Path) -> dict[str, Any]:
    """Have cyclonedx-py read what is installed.

    Raises:
        ValueError: it could not.
    """
    program = Path(sys.executable).parent / "cyclonedx-py"
    options = ("--sv", "1.6", "--of", "JSON", "--output-reproducible", "--short-PURLs", "--no-validate", "-o", "-")
    command = [str(program), "environment", str(python), "--pyproject", str(project), *options]
    # Its warning that the root has no dependencies: they are added below.
    quiet = {**os.environ, "PYTHONWARNINGS": "ignore"}
    ended = subprocess.run(command, check=False, capture_output=True, text=True, env=quiet)  # noqa: S603
    if ended.returncode != 0:
        raise ValueError(f"cyclonedx-py could not read {python.parent.parent}: {ended.stderr.strip()}")
    bom: dict[str, Any] = json.loads(ended.stdout)
    return bom


def set_licence(component: dict[str, Any], licence: str, acknowledgement: str) -> None:
    """Write a licence the way CycloneDX has it: one by its id, several as an expression."""
    if " " in licence:
        component["licenses"] = [{"expression": licence, "acknowledgement": acknowledgement}]
    else:
        component["licenses"] = [{"license": {"id": licence, "acknowledgement": acknowledgement}}]


def drop_local_files(component: dict[str, Any]) -> None:
    """Drop where on this machine a package was installed from."""
    kept = [link for link in component.get("externalReferences", []) if not link["url"].startswith("file:")]
    component.pop("externalReferences", None)
    if kept:
        component["externalReferences"] = kept


def complete_bom(
    bom: dict[str, Any],
    licences: Mapping[str, tuple[str, str]],
    direct: set[str],
    tools: set[str],
    weights: list[dict[str, Any]],
) -> dict[str, Any]:
    """Add to what is installed what only Nurie knows.

    Args:
        bom: as cyclonedx-py writes it; changed in place.
        licences: SPDX expression and `declared` or `concluded` (somebody read the file), by normalised name.
        direct: what Nurie itself asks for.
        tools: what is installed beside it and is not deployed with it.
        weights: components of Nurie's own.

    Returns:
        The same bill.
    """
    refs = {}
    for component in bom["components"]:
        name = normalise(component["name"])
        refs[name] = component["bom-ref"]
        drop_local_files(component)
        if name in licences:
            set_licence(component, *licences[name])
        if name in tools:
            component["scope"] = "excluded"
    bom["components"].extend(weights)
    root = bom["metadata"]["component"]
    drop_local_files(root)
    needed = [refs[name] for name in direct if name in refs] + [component["bom-ref"] for component in weights]
    others = [entry for entry in bom["dependencies"] if entry["ref"] != root["bom-ref"]]
    bom["dependencies"] = [
        *others,
        *({"ref": component["bom-ref"]} for component in weights),
        {"ref": root["bom-ref"], "dependsOn": sorted(needed)},
    ]
    return bom


def validate(text: str) -> str | None:
    """Check a bill against the schema of CycloneDX 1.6, and say what is wrong with it."""
    # Only the environment of the bills has it.
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    problem = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    return None if problem is None else str(problem)


def tell_licences(folder: Path) -> dict[str, tuple[str, str]]:
    """Tell the licences of what is installed in an environment; packages of no list may stay as they say themselves."""
    by_hand = {name: entry["licence"] for name, entry in read_table()["read"].items()}
    told = {}
    for pin, metadata in find_installed([folder]).items():
        try:
            told[pin.name] = (tell_licence(metadata, by_hand), "concluded" if pin.name in by_hand else "declared")
        except UnknownLicenceError:
            continue
    return told


def write_bom(name: str) -> int:
    """Write the bill of one environment.

    Returns:
        The count of its components.

    Raises:
        ValueError: it does not keep to the schema, or names a folder of this machine.
    """
    folder = environment(name)
    project = ROOT / ("client/pyproject.toml" if name == "client" else "pyproject.toml")
    about = tomllib.loads(project.read_text(encoding="utf-8"))["project"]
    direct = name_direct(REQUIREMENTS / f"{name}.in")
    tools = name_all(*name_sources()) - name_all(name)
    if name == "client":
        # It is the root itself; what its source names besides is for its tests.
        needed = {normalise(re.split(r"[^A-Za-z0-9._-]", line)[0]) for line in about["dependencies"]}
        tools, direct = tools | (direct - needed), needed
    weights = [describe_weights(path, about["version"]) for path in find_weights(name)]
    bom = read_environment(folder / "bin" / "python", project)
    text = json.dumps(complete_bom(bom, tell_licences(folder), direct, tools, weights), indent=1, ensure_ascii=False)
    if str(ROOT) in text or "file://" in text:
        raise ValueError(f"the bill of {name} names a folder of this machine")
    if problem := validate(text):
        raise ValueError(f"the bill of {name} does not keep to CycloneDX 1.6: {problem}")
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / f"{name}.cdx.json").write_text(text + "\n", encoding="utf-8")
    return len(bom["components"])


def main() -> int:
    for name in name_deployed():
        if not environment(name).exists():
            print(f"{name}: a list without an environment of its own")
            continue
        count = write_bom(name)
        print(f"{(OUT / name).relative_to(ROOT)}.cdx.json: {count} components")
    return 0


if __name__ == "__main__":
    sys.exit(main())
