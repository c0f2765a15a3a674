"""Pins: the same version of a package in all that is deployed together, and nothing of the machine that pinned them."""

import re
import stat
import subprocess
from collections import defaultdict
from pathlib import Path

import pytest

from supply.lists import REQUIREMENTS, Pin, name_deployed, name_sources, parse_pins, read_pins
from supply.requirements import choose_options, clean, gather_seed, name_direct, pin_all


def test_what_is_deployed_together_has_one_version_of_each_package() -> None:
    versions: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for name in name_sources():
        for pin in read_pins(name):
            versions[pin.name][pin.version].append(name)
    assert {"cgan", "s2p", "inknhue", "metrics", "client"} <= set(name_deployed())
    assert {"celery", "sqlalchemy", "certifi"} <= set(versions)
    assert {package: dict(found) for package, found in versions.items() if len(found) > 1} == {}


def test_every_source_has_its_list_and_holds_what_it_names_exactly() -> None:
    for name in name_sources():
        source = (REQUIREMENTS / f"{name}.in").read_text(encoding="utf-8")
        named = set(parse_pins(source))
        assert named <= set(read_pins(name)), f"requirements/{name}.txt is older than its source: make requirements"


@pytest.mark.parametrize("path", sorted(REQUIREMENTS.glob("*.txt")), ids=lambda path: path.stem)
def test_a_list_names_no_host_no_folder_of_a_machine_and_no_gpu_build(path: Path) -> None:
    text = re.sub(r"#.*", "", path.read_text(encoding="utf-8"))
    assert "://" not in text and "@" not in text
    assert not re.search(r"(^|\s)/", text)
    assert "+c" not in text
    assert clean(text, name_direct(REQUIREMENTS)).split() == text.split()


def test_a_list_with_tests_in_it_is_not_deployed(tmp_path: Path) -> None:
    for name, source in (("server", "flask==3\n"), ("test", "pytest==9\n"), ("api", "-r server.in\n-r test.in\n")):
        (tmp_path / f"{name}.in").write_text(source, encoding="utf-8")
    assert name_deployed(tmp_path) == ["server"]
    assert name_sources(tmp_path) == ["server", "api", "test"]


def test_a_gpu_build_of_torch_brings_its_libraries_unpinned() -> None:
    of_uv = (
        "cuda-bindings==13.5.0\nfilelock==4.2.11\nnvidia-cublas==13.1.1.3\nnvidia-ml-py==13.580.82\n"
        "torch==2.13.0+cpu\ntriton==3.7.1\n"
    )
    assert clean(of_uv, {"torch", "nvidia-ml-py"}) == "filelock==4.2.11\nnvidia-ml-py==13.580.82\ntorch==2.13.0\n"


def test_names_are_read_as_indexes_write_them() -> None:
    text = '-e ./client\n# a comment\nPasteDeploy==3.1.0\ncelery[redis]==5.7.0\ntensorflow ; sys_platform == "never"\n'
    assert parse_pins(text) == [Pin("pastedeploy", "3.1.0"), Pin("celery", "5.7.0")]


def test_what_is_upgraded_is_what_was_asked_for() -> None:
    assert choose_options("") == []
    assert choose_options("1") == ["--upgrade"]
    assert choose_options("certifi, pillow") == ["--upgrade-package=certifi", "--upgrade-package=pillow"]


def lay_out(folder: Path, program: str) -> Path:
    """Lay two lists out that disagree, and a stand-in for uv that runs `program` for each list it solves."""
    for name, pins in (("api", "certifi==2\n"), ("cgan", "certifi==1\n"), ("page", "axe==1\n")):
        (folder / f"{name}.in").write_text("certifi\n", encoding="utf-8")
        (folder / f"{name}.txt").write_text(pins, encoding="utf-8")
    uv = folder / "uv"
    uv.write_text(f"#!/bin/sh\nfor output; do :; done\n{program}\n", encoding="utf-8")
    uv.chmod(uv.stat().st_mode | stat.S_IXUSR)
    return uv


def test_the_first_deployed_list_decides_where_lists_disagree(tmp_path: Path) -> None:
    lay_out(tmp_path, "")
    assert gather_seed(["api", "cgan"], tmp_path) == "certifi==2\n"


def test_nothing_is_written_unless_all_lists_were_solved(tmp_path: Path) -> None:
    uv = lay_out(tmp_path, 'case "$output" in */page.txt) exit 2;; esac; echo new==1 > "$output"')
    before = {path.name: path.read_text() for path in tmp_path.glob("*.txt")}
    with pytest.raises(subprocess.CalledProcessError, match="exit status 2"):
        pin_all(uv, [], tmp_path)
    assert {path.name: path.read_text() for path in tmp_path.glob("*.txt")} == before


def test_lists_that_change_are_named_and_the_others_left(tmp_path: Path) -> None:
    uv = lay_out(tmp_path, 'case "$output" in */cgan.txt) echo certifi==2 > "$output";; esac')
    untouched = (tmp_path / "api.txt").stat().st_mtime_ns
    assert pin_all(uv, [], tmp_path) == ["cgan"]
    assert (tmp_path / "cgan.txt").read_text() == "certifi==2\n"
    assert (tmp_path / "api.txt").stat().st_mtime_ns == untouched


def test_tools_are_solved_within_the_versions_of_what_is_deployed(tmp_path: Path) -> None:
    log = tmp_path / "log"
    uv = lay_out(tmp_path, f'echo "$@" | tr -s " " "\\n" | grep -E "^/.*[.]in$|^--constraint" | xargs echo >> {log}')
    pin_all(uv, [], tmp_path)
    calls = [line.replace(f"{tmp_path}/", "") for line in log.read_text().splitlines()]
    assert calls == [
        "api.in cgan.in",
        "--constraint api.in cgan.in page.in",
        *(f"--constraint --constraint {name}.in" for name in ("api", "cgan", "page")),
    ]
