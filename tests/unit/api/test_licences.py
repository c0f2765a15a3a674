"""Licences: everything that is deployed is listed, with its version, under a licence that somebody allowed."""

import importlib.metadata
import re
from email.message import Message
from pathlib import Path
from typing import cast

import pytest

from supply.licences import DOCUMENT, Row, find_forbidden, gather_lists, read_table, write_document
from supply.lists import ROOT, Pin, name_deployed, name_sources, read_pins
from supply.metadata import UnknownLicenceError, find_installed, name_licences, tell_licence

ROW = re.compile(r"\| (?P<name>\S+) \| (?P<version>\S+) \| (?P<licence>[^|]+) \| (?P<lists>[a-z0-9 -]+) \|")


def read_document() -> list[Row]:
    found = (ROW.fullmatch(line) for line in DOCUMENT.read_text(encoding="utf-8").splitlines())
    rows = (row.groupdict() for row in found if row and row["version"] != "version")
    return [Row(Pin(r["name"], r["version"]), r["licence"], tuple(r["lists"].split())) for r in rows]


def test_the_document_lists_every_package_of_every_list() -> None:
    listed = {row.pin: sorted(row.lists) for row in read_document()}
    pinned = {pin: sorted(lists) for pin, lists in gather_lists(name_sources()).items()}
    missing = {pin: lists for pin, lists in pinned.items() if listed.get(pin) != lists}
    gone = sorted(set(listed) - set(pinned))
    assert (missing, gone) == ({}, []), "docs/licences.md is older than requirements/: make licences"


def test_what_is_deployed_has_a_licence_that_is_allowed() -> None:
    rows = [row for row in read_document() if set(row.lists) & set(name_deployed())]
    assert {"flask", "torch", "tensorflow-cpu", "psycopg"} <= {row.pin.name for row in rows}
    assert find_forbidden(rows, read_table()["allowed"], name_deployed()) == []


def test_the_document_is_written_as_it_lies_here() -> None:
    # What the table of people says is in it as well, so that neither is edited alone.
    text = write_document(read_document(), read_table(), name_deployed())
    assert text == DOCUMENT.read_text(encoding="utf-8"), "make licences"


def test_what_is_installed_says_what_the_document_says() -> None:
    by_hand = {name: entry["licence"] for name, entry in read_table()["read"].items()}
    installed = find_installed([ROOT / ".venv"])
    listed = {row.pin: row.licence for row in read_document() if set(row.lists) & set(name_deployed())}
    assert len(set(listed) & set(installed)) > 50
    for pin in set(listed) & set(installed):
        assert set(name_licences(tell_licence(installed[pin], by_hand))) == set(name_licences(listed[pin])), pin


def test_a_licence_that_nobody_allowed_is_found_where_it_is_deployed_only() -> None:
    rows = [
        Row(Pin("closed", "1.0"), "MIT AND AGPL-3.0-only", ("api", "page")),
        Row(Pin("tool", "1.0"), "AGPL-3.0-only", ("page",)),
    ]
    found = find_forbidden(rows, ["MIT"], ["api"])
    assert found == ["closed 1.0: AGPL-3.0-only is not allowed in supply/licences.toml"]


def describe(**fields: str | list[str]) -> importlib.metadata.PackageMetadata:
    metadata = Message()
    for name, value in {"Name": "Some.Thing", "Version": "1.0", **fields}.items():
        for one in [value] if isinstance(value, str) else value:
            metadata[name.replace("_", "-")] = one
    return cast(importlib.metadata.PackageMetadata, metadata)


@pytest.mark.parametrize(
    ("metadata", "licence"),
    [
        (describe(License_Expression="MIT OR Apache-2.0", License="Proprietary"), "MIT OR Apache-2.0"),
        (describe(License="Apache License 2.0"), "Apache-2.0"),
        (describe(License="BSD-3-Clause"), "BSD-3-Clause"),
        (
            describe(License="PSFL", Classifier="License :: OSI Approved :: Python Software Foundation License"),
            "PSF-2.0",
        ),
        (describe(Classifier=["Framework :: Flask", "License :: OSI Approved :: MIT License"]), "MIT"),
    ],
)
def test_metadata_that_is_exact_is_believed(metadata: importlib.metadata.PackageMetadata, licence: str) -> None:
    assert tell_licence(metadata, {}) == licence


@pytest.mark.parametrize(
    "metadata",
    [
        describe(),
        describe(License="BSD", Classifier="License :: OSI Approved :: BSD License"),
        describe(License="see the file", Classifier="License :: OSI Approved :: BSD License"),
        describe(License="UNKNOWN"),
    ],
)
def test_metadata_that_is_not_exact_has_somebody_read_the_file(metadata: importlib.metadata.PackageMetadata) -> None:
    with pytest.raises(UnknownLicenceError, match=r"some-thing 1\.0: .*licences\.toml"):
        tell_licence(metadata, {})
    assert tell_licence(metadata, {"some-thing": "BSD-2-Clause"}) == "BSD-2-Clause"


def test_notices_are_those_of_the_swagger_ui_that_is_served() -> None:
    version = dict(read_pins("api"))["flask-openapi-swagger"]
    assert f"Swagger UI {version}" in (ROOT / "NOTICE").read_text(encoding="utf-8")
    assert [entry["version"] for entry in read_table()["other"] if entry["name"] == "Swagger UI"] == [version]
    bundle = Path(find_swagger()) / "swagger-ui-bundle.js"
    notices = ROOT / "docs" / "notices" / f"{bundle.name}.LICENSE.txt"
    assert notices.name in bundle.read_text(encoding="utf-8")[:200]
    assert "Permission is hereby granted" in notices.read_text(encoding="utf-8")


def find_swagger() -> Path:
    from api.web import SWAGGER_FOLDER

    return SWAGGER_FOLDER / "js"


def test_axe_is_listed_with_the_version_that_tests_install() -> None:
    listed = next(entry["version"] for entry in read_table()["other"] if entry["name"] == "axe-core")
    assert f"axe-core@{listed}" in (ROOT / "tests" / "install_browser").read_text(encoding="utf-8")


def test_the_model_cards_credits_are_in_the_notices() -> None:
    notice = (ROOT / "NOTICE").read_text(encoding="utf-8")
    for card in ROOT.glob("workers/*/weights/README.md"):
        assert "David Revoy" in card.read_text(encoding="utf-8")
        assert f"{card.parent.relative_to(ROOT)}/" in notice
    assert "David Revoy" in notice
