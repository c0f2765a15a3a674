"""What the client says over again of the house, as it is installed without it, is the same."""

import io
import re
import tomllib
import zipfile
from importlib.metadata import requires
from pathlib import Path

import pytest
from nurie_client import names
from nurie_client.chapters import open_archive
from nurie_client.progress import STAGES as SHOWN_STAGES
from nurie_client.records import ENDED

from common.archives import is_page, list_contents, natural_key
from common.imaging import READ_SUFFIXES
from common.names import EXTENSIONS, STAGES, VERSION
from embedded.services import ROOT
from tests.client.shapes import SHAPES
from workers.control.packaging import _free_name

NAMES = [
    "1.png", "01.jpg", "ch2/10.webp", "ch10/2.PNG", "第12話/３.png", "a-2.png", "a.png", ".hidden.png",
    "__MACOSX/1.png",     "ComicInfo.xml", "x/.y/1.gif", "A.TIF", "b.bmp", "page.jpeg", "notes", "1.png.txt",
]  # fmt: skip
LIGHT = {"click", "httpx", "platformdirs", "rich", "tenacity"}


def test_versions_are_one():
    client = tomllib.loads((ROOT / "client" / "pyproject.toml").read_text())["project"]
    house = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert client["version"] == house["version"] == VERSION


def test_pages_and_their_order_are_the_servers():
    assert [names.is_page(name) for name in NAMES] == [is_page(name) for name in NAMES]
    assert sorted(NAMES, key=names.natural_key) == sorted(NAMES, key=natural_key)
    assert names.PICTURE_SUFFIXES == READ_SUFFIXES


@pytest.mark.parametrize("name", [name for name, shape in SHAPES.items() if shape.raw_names or "names" in name])
def test_names_in_archives_are_read_as_the_server_reads_them(name: str, tmp_path: Path):
    (path,) = SHAPES[name].make(tmp_path)
    if not zipfile.is_zipfile(path):
        pytest.skip("no archive")
    contents = list_contents(io.BytesIO(path.read_bytes()), path.name)
    assert [entry.name for entry in open_archive(path).pages] == [entry.name for entry in contents.pages]


def test_formats_suffixes_and_states_are_the_servers():
    assert {name: suffixes[0] for name, suffixes in names.FORMAT_SUFFIXES.items()} == {
        name: f".{extension}" for name, extension in EXTENSIONS.items()
    }
    assert list(STAGES) == list(SHOWN_STAGES)
    assert set(ENDED) == {"succeeded", "partial", "failed", "cancelled"}


def test_the_second_of_two_names_is_called_the_same_in_both_archives():
    ours, theirs = set[str](), set[str]()
    for name in ("a.png", "A.png", "a.png", "ch/a.png", "a_2.png"):
        assert names.free_name(name, ours) == _free_name(name, theirs)


def test_installing_the_client_brings_nothing_heavy():
    wanted = {re.split(r"[\[<>=]", requirement)[0] for requirement in requires("nurie-client")}
    assert wanted == LIGHT
