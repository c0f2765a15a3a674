"""`nurie models add|check`: a set is put in place whole and good or not at all; what is installed is judged."""

import errno
import hashlib
import io
import os
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from admin import adding
from admin.__main__ import main
from admin.adding import AddError, add_set
from admin.checking import check_set
from admin.models import INCEPTION, INKNHUE, MODEL_SETS, STYLE2PAINTS

NETS = Path(__file__).resolve().parents[2] / "golden" / "s2p" / "nets"
"""Stand-ins for the official networks, which the room s2p takes."""
ROOM = """#!/bin/sh
[ "$*" = "-P -m workers.$(basename "$(dirname "$(dirname "$0")")") --check-weights $5" ] || exit 9
[ -d "$PYTHONPATH" ] || exit 9
"""
REFUSES = 'echo "I0000 a library" >&2; echo "workers.s2p: $5/neck.net: the wrong network" >&2; exit 2'


@pytest.fixture
def root(tmp_path):
    """An installation whose rooms take everything."""
    make_room(tmp_path / "root", "s2p", 'echo "tail.net: 4 layers"; echo "all four fit together"')
    make_room(tmp_path / "root", "inknhue", 'ls "$5" "$5"/* >/dev/null && echo "all fit together"')
    return tmp_path / "root"


@pytest.fixture
def models(tmp_path, monkeypatch):
    monkeypatch.setenv("NURIE_MODELS", str(tmp_path / "models"))
    return tmp_path / "models"


@pytest.fixture
def checkpoints(tmp_path):
    """inkn'hue's files, flat."""
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    for number, file in enumerate(INKNHUE.files):
        (folder / Path(file).name).write_bytes(make_zip(number))
    return folder


@pytest.fixture
def named(monkeypatch):
    """The bytes of a network that stands in for Inception's, with the set of one file that promises them."""
    network = os.urandom(3000)
    file = f"network-{hashlib.sha256(network).hexdigest()[:8]}.pth"
    monkeypatch.setitem(MODEL_SETS, INCEPTION.name, replace(INCEPTION, files=(file,)))
    return network


def make_room(root, room, script):
    python = root / ".venvs" / room / "bin" / "python"
    python.parent.mkdir(parents=True, exist_ok=True)
    python.write_text(ROOM + script)
    python.chmod(0o755)
    (root / ".venvs" / room / ".ready-cpu").touch()


def make_zip(number):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as file:
        file.writestr("data.pkl", bytes(1000 + number))
    return data.getvalue()


def add(chosen, given, models, root, **options):
    console = Console(file=io.StringIO(), width=200)
    add_set(chosen, given, models, console, root=root, **options)
    return console.file.getvalue()


def here(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_flat_folder_is_put_at_the_sets_own_paths(models, root, checkpoints):
    said = add(INKNHUE, checkpoints, models, root)
    wanted = {f"inknhue/{file}": (checkpoints / Path(file).name).read_bytes() for file in INKNHUE.files}
    assert here(models) == wanted
    assert said.count("put in place") == 3
    assert [path.name for path in models.iterdir()] == ["inknhue"]  # nothing of the copying is left


def test_a_folder_laid_out_as_the_set_is_taken_too(models, root, checkpoints, tmp_path):
    add(INKNHUE, checkpoints, models, root)
    add(INKNHUE, models / "inknhue", tmp_path / "others", root)
    assert here(tmp_path / "others") == here(models)


def test_files_that_are_missing_are_named_and_nothing_is_put_in_place(models, root, checkpoints):
    (checkpoints / "shader.ckpt").unlink()
    (checkpoints / "kl-f8.ckpt").unlink()
    with pytest.raises(AddError, match=r"kl-f8\.ckpt, pretrained_nets/shader\.ckpt not found"):
        add(INKNHUE, checkpoints, models, root)
    assert not models.exists()


@pytest.mark.parametrize(
    ("given", "said"), [("none", "no such file or folder"), ("checkpoints/kl-f8.ckpt", "no folder")]
)
def test_what_is_no_folder_is_refused_in_words(models, root, checkpoints, tmp_path, given, said):
    with pytest.raises(AddError, match=f"{given}: {said}; inknhue is pretrained_nets"):
        add(INKNHUE, tmp_path / given, models, root)


def test_a_damaged_file_keeps_the_whole_set_out(models, root, checkpoints):
    whole = (checkpoints / "shader.ckpt").read_bytes()
    (checkpoints / "shader.ckpt").write_bytes(whole[:-30])
    with pytest.raises(AddError, match=r"nothing was put in place\n  pretrained_nets/shader\.ckpt: damaged or cut off"):
        add(INKNHUE, checkpoints, models, root)
    assert here(models) == {}


def test_what_the_room_refuses_is_not_put_in_place(models, root):
    make_room(root, "s2p", REFUSES)
    with pytest.raises(AddError, match=r"put in place\n  neck\.net: the wrong network$"):
        add(STYLE2PAINTS, NETS, models, root)
    assert list(models.iterdir()) == []


def test_when_the_disk_is_full_nothing_is_left(models, root, monkeypatch):
    def copy(reader, writer, length):
        if reader.name.endswith("neck.net"):
            raise OSError(errno.ENOSPC, "No space left on device")
        shutil.copyfileobj(reader, writer, length)

    monkeypatch.setattr(adding, "shutil", type("Shutil", (), {"copyfileobj": staticmethod(copy)}))
    with pytest.raises(OSError, match="No space left"):
        add(STYLE2PAINTS, NETS, models, root)
    assert list(models.iterdir()) == []


def test_no_file_is_seen_in_its_place_while_others_are_copied_or_checked(models, root):
    make_room(root, "s2p", f'[ -e "{models}/style2paints" ] && exit 3; [ $(ls "$5" | wc -l) = 4 ] || exit 4')
    add(STYLE2PAINTS, NETS, models, root)
    assert len(here(models)) == 4


def test_files_with_the_same_bytes_are_left(models, root):
    add(STYLE2PAINTS, NETS, models, root)
    (models / "style2paints" / "neck.net").unlink()
    before = {path.name: path.stat().st_ino for path in (models / "style2paints").iterdir()}
    said = add(STYLE2PAINTS, NETS, models, root)
    assert said.count("here already") == 3
    assert said.count("put in place") == 1
    after = {path.name: path.stat().st_ino for path in (models / "style2paints").iterdir()}
    assert before.items() <= after.items()
    assert not any(path.is_symlink() for path in (models / "style2paints").iterdir())


def test_other_bytes_are_replaced_only_when_asked_for(models, root):
    target = models / "style2paints" / "neck.net"
    target.parent.mkdir(parents=True)
    target.write_bytes(b"other")
    with pytest.raises(AddError, match=r"neck\.net: here already with other bytes; --replace"):
        add(STYLE2PAINTS, NETS, models, root)
    assert here(models) == {"style2paints/neck.net": b"other"}
    add(STYLE2PAINTS, NETS, models, root, replace=True)
    assert here(models / "style2paints") == here(NETS)


def test_a_refused_replacement_leaves_what_was_there(models, root):
    add(STYLE2PAINTS, NETS, models, root)
    make_room(root, "s2p", REFUSES)
    (models / "style2paints" / "head.net").write_bytes(b"mine")
    with pytest.raises(AddError):
        add(STYLE2PAINTS, NETS, models, root, replace=True)
    assert (models / "style2paints" / "head.net").read_bytes() == b"mine"


def test_a_folder_in_a_files_place_is_named(models, root):
    (models / "style2paints" / "head.net").mkdir(parents=True)
    with pytest.raises(AddError, match=r"head\.net: is there, and no file"):
        add(STYLE2PAINTS, NETS, models, root, replace=True)


def test_without_the_rooms_environment_it_says_that_they_were_not_checked(models, root):
    (root / ".venvs" / "s2p" / ".ready-cpu").unlink()
    assert "not checked: no environment .venvs/s2p (make setup)" in add(STYLE2PAINTS, NETS, models, root)
    assert len(here(models)) == 4


def test_a_set_of_one_file_may_be_given_as_that_file_under_any_name(models, named, tmp_path, capsys):
    (tmp_path / "download (1).pth").write_bytes(named)
    assert main(["models", "add", "inception", str(tmp_path / "download (1).pth")]) == 0
    assert list(here(models).values()) == [named]
    (tmp_path / "wrong.pth").write_bytes(named[:-1])
    assert main(["models", "add", "inception", str(tmp_path / "wrong.pth"), "--replace"]) == 2
    assert "where its name promises" in capsys.readouterr().err
    assert list(here(models).values()) == [named]


def test_the_check_without_anything_installed_is_good_and_says_what_is_used(models, capsys):
    assert main(["models", "check"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "style2paints: not installed; used instead: the embedded weights",
        "inknhue: not installed; used instead: the embedded weights",
        "inception: not installed; used instead: nothing: FID and KID are left out",
    ]


def test_the_check_goes_by_the_sha256_that_a_name_promises(models, named, capsys):
    [place] = MODEL_SETS["inception"].paths(models)
    place.parent.mkdir(parents=True)
    place.write_bytes(named)
    assert main(["models", "check", "inception"]) == 0
    assert f"{place.name}  whole, 3.0 kB" in capsys.readouterr().out
    place.write_bytes(named[1:])
    assert main(["models", "check", "inception"]) == 1
    assert "where its name promises" in capsys.readouterr().out


def test_a_set_that_is_only_partly_here_is_not_good(models, root, checkpoints):
    add(INKNHUE, checkpoints, models, root)
    (models / "inknhue" / INKNHUE.files[2]).unlink()
    check = check_set(INKNHUE, models / "inknhue", root)
    assert not check.is_good
    assert f"  {INKNHUE.files[2]}  missing" in check.describe()
    assert list(check.describe())[-1].startswith("  used instead: the first two where both are there")


def test_no_room_is_asked_of_files_that_its_stage_never_looks_at(models, root):
    make_room(root, "inknhue", "exit 1")
    shader = models / "inknhue" / INKNHUE.files[2]
    shader.parent.mkdir(parents=True)
    shader.write_bytes(make_zip(0))
    assert check_set(INKNHUE, models / "inknhue", root).verdict is None


@pytest.mark.parametrize(
    ("file", "content", "fault"),
    [
        ("tail.net", b"", "empty"),
        ("tail.net", b"PK\3\4" * 100, "not an HDF5 file"),
        ("tail.net", (NETS / "tail.net").read_bytes()[:40], "cut off after 40 bytes"),
        ("tail.net", (NETS / "tail.net").read_bytes()[:-1], "cut off: 20127 of 20128 bytes"),
        ("shader.ckpt", b"<html>Not found</html>", "no PyTorch checkpoint"),
        ("shader.ckpt", make_zip(0)[:-1], "a zip without its list of contents"),
    ],
)
def test_a_file_that_is_not_whole_says_why(models, root, file, content, fault):
    chosen = replace(STYLE2PAINTS, files=(file,), together=())
    (models / file).parent.mkdir()
    (models / file).write_bytes(content)
    [found] = check_set(chosen, models, root).files
    assert fault in found.describe()


@pytest.mark.parametrize("content", [make_zip(0), b"\x80\x02}q\x00.", (NETS / "head.net").read_bytes()])
def test_a_whole_file_is_told_without_opening_what_is_in_it(models, root, content):
    file = "x.net" if content.startswith(b"\x89") else "x.ckpt"
    models.mkdir()
    (models / file).write_bytes(content)
    [found] = check_set(replace(STYLE2PAINTS, files=(file,), together=()), models, root).files
    assert found.fault is None


def test_what_the_room_says_is_told_and_counts(models, root):
    add(STYLE2PAINTS, NETS, models, root)
    good = check_set(STYLE2PAINTS, models / "style2paints", root)
    assert good.is_good
    assert "  the stage s2p: all four fit together" in good.describe()
    make_room(root, "s2p", REFUSES)
    bad = check_set(STYLE2PAINTS, models / "style2paints", root)
    assert not bad.is_good
    assert [line for line in bad.describe() if "stage" in line] == ["  the stage s2p: neck.net: the wrong network"]


def test_a_room_that_breaks_off_is_told_too(models, root):
    add(STYLE2PAINTS, NETS, models, root)
    make_room(root, "s2p", "echo 'ImportError: no' >&2; exit 7")
    bad = check_set(STYLE2PAINTS, models / "style2paints", root)
    assert bad.find_faults() == ["its check broke off (exit code 7): ImportError: no"]


def test_without_its_environment_a_whole_set_is_not_checked_and_not_bad(models, root):
    add(STYLE2PAINTS, NETS, models, root)
    (root / ".venvs" / "s2p" / ".ready-cpu").unlink()
    check = check_set(STYLE2PAINTS, models / "style2paints", root)
    assert check.is_good
    assert "  not checked: no environment .venvs/s2p (make setup)" in check.describe()


def test_the_rooms_themselves_judge_what_is_added(models, tmp_path, capsys):
    folder = tmp_path / "nets"
    shutil.copytree(NETS, folder)
    shutil.copy(NETS / "tail.net", folder / "head.net")
    assert main(["models", "add", "style2paints", str(folder)]) == 2
    assert "head.net: the wrong network" in capsys.readouterr().err
    assert list(models.iterdir()) == []


def test_inknhues_room_itself_refuses_another_checkpoint(models, checkpoints, capsys):
    assert main(["models", "add", "inknhue", str(checkpoints)]) == 2
    assert "pretrained_nets/kl-f8.ckpt: damaged, cut off, or no PyTorch checkpoint" in capsys.readouterr().err
    assert list(models.iterdir()) == []
