"""Rows of docs/licences.md, with the checker of SPDX expressions as it is."""

import pytest

from supply import licences
from supply.lists import Pin


@pytest.fixture(autouse=True)
def one_package_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(licences, "gather_lists", lambda names: {Pin("of-gpus", "1.0"): ["gpu"]})
    monkeypatch.setattr(licences, "find_installed", lambda environments: {})


def test_what_only_other_machines_install_is_listed_as_somebody_read_it() -> None:
    rows, problems = licences.gather_rows({"of-gpus": {"licence": "MIT and BSD-3-Clause"}})
    assert problems == []
    assert rows == [licences.Row(Pin("of-gpus", "1.0"), "MIT AND BSD-3-Clause", ("gpu",))]


def test_what_is_installed_nowhere_and_was_not_read_stops_the_document() -> None:
    rows, problems = licences.gather_rows({})
    assert rows == []
    assert problems == ["of-gpus 1.0 of gpu is not installed: make setup setup-tests"]


def test_a_licence_that_spdx_does_not_know_is_refused() -> None:
    with pytest.raises(ValueError, match="no SPDX expression"):
        licences.check_expression("Do-What-You-Like-9")
