"""Chapters of all shapes go to the server and come back as they were, in colour."""

import hashlib
import zipfile
from pathlib import Path

import pytest
from nurie_client.chapters import find_chapters

from tests.client.conftest import Shell
from tests.client.pages import draw_page, expect_coloured, is_same_picture
from tests.client.shapes import DATE, SHAPES, Shape, as_folder, read_entries, simple
from tests.client.wire import Wire
from tests.service import Service


@pytest.mark.parametrize("name", SHAPES)
def test_a_chapter_comes_back_in_its_own_shape(shell: Shell, name: str):
    shape = SHAPES[name]
    (shell.folder / "in").mkdir()
    inputs = shape.make(shell.folder / "in")
    before = {path: path.read_bytes() for path in shell.folder.rglob("*") if path.is_file()}
    ended = shell.run("colorize", *inputs, "-r", "cover.png", "--json", *shape.options)
    assert ended.code == 0, ended.err
    (told,) = ended.told["chapters"]
    assert told["status"] == "succeeded"
    found = read_entries(shell.folder / told["output"])
    check_same(shape, found, ordered=not (shell.folder / told["output"]).is_dir())
    assert all(path.read_bytes() == data for path, data in before.items()), "what was sent is as it was"
    litter = [path.name for path in shell.folder.rglob(".*") if path.name.startswith(".") and "in" not in path.parts]
    assert [one for one in litter if one not in (".DS_Store",)] == []


def check_same(shape: Shape, found: dict[str, bytes], *, ordered: bool) -> None:
    assert (list if ordered else sorted)(found) == (list if ordered else sorted)(shape.expected)
    for name, source in shape.expected.items():
        data = shape.files[source]
        if source in shape.grey:
            assert is_same_picture(found[name], expect_coloured(data), shape.tolerance), name
        else:
            assert found[name] == data, name


def test_an_archive_keeps_its_dates_its_comment_and_its_packing(shell: Shell):
    shape = simple("01.png", extras={"credits.txt": b"night scans\n" * 100}, deflated=True, comment=b"a comment")
    (path,) = shape.make(shell.folder)
    assert shell.run("colorize", path, "-r", "cover.png").code == 0
    with zipfile.ZipFile(shell.folder / "ch12-coloured.cbz") as archive:
        assert archive.comment == b"a comment"
        page, text = archive.infolist()
        assert page.date_time == text.date_time == DATE
        assert text.compress_type == zipfile.ZIP_DEFLATED
        assert archive.testzip() is None


def test_several_chapters_at_once_each_come_back(shell: Shell):
    shapes = {f"ch{number}": simple(f"{number}.png", "x.png") for number in (1, 2, 10)}
    for name, shape in shapes.items():
        (path,) = shape.make(shell.folder)
        path.rename(shell.folder / f"{name}.cbz")
    ended = shell.run("colorize", "ch*.cbz", "-r", "cover.png", "-o", "done", "--json")
    assert ended.code == 0, ended.err
    assert [told["chapter"] for told in ended.told["chapters"]] == ["ch1", "ch2", "ch10"]
    for name, shape in shapes.items():
        check_same(shape, read_entries(shell.folder / "done" / f"{name}.cbz"), ordered=True)


def test_a_folder_of_archives_is_all_of_them(shell: Shell):
    (shell.folder / "season").mkdir()
    shape = simple("1.png")
    for name in ("a.cbz", "b.zip"):
        (path,) = shape.make(shell.folder)
        path.rename(shell.folder / "season" / name)
    assert shell.run("colorize", "season", "-r", "cover.png", "-o", "done").code == 0
    assert sorted(path.name for path in (shell.folder / "done").iterdir()) == ["a.cbz", "b.zip"]


def test_pages_of_the_same_name_in_two_folders_are_told_apart(shell: Shell):
    for folder, seed in (("a", 1), ("b", 2)):
        (shell.folder / folder).mkdir()
        (shell.folder / folder / "1.png").write_bytes(draw_page(seed))
    assert shell.run("colorize", "b/1.png", "a/1.png", "-r", "cover.png", "-o", "out.cbz").code == 0
    assert list(read_entries(shell.folder / "out.cbz")) == ["b/1.png", "a/1.png"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["ch12.cbz"], "-r"),
        (["nothing.cbz", "-r", "cover.png"], "no such file"),
        (["ch12.cbz", "-r", "cover.png", "-o", "ch12.cbz"], "ch12.cbz would be written over"),
        (["1.png", "-r", "cover.png", "-o", "cover.png"], "cover.png would be written over"),
        (["ch12.cbz", "-r", "1.png", "-o", "1.cbz", "-r", "cover.png", "1.png"], "do not go into one file"),
        (["ch12", "-r", "cover.png", "-r", "done/1.png", "-o", "done"], "done/1.png would be written over"),
        (["1.png", "-r", "cover.png", "-o", "1.gif"], "results are png"),
        (["ch12", "-r", "cover.png", "-o", "ch12/out"], "within the chapter"),
        (["1.png", "-r", "cover.png", "-o", "1.png"], "1.png would be written over"),
        (["ch12.cbz", "ch12", "-r", "cover.png", "-o", "all.cbz"], "do not go into one file"),
        (["ch12.cbz", "a/ch12.cbz", "-r", "cover.png", "-o", "out"], "would both become"),
        (["cover.rar", "-r", "cover.png"], "only ZIP and CBZ"),
        (["empty", "-r", "cover.png"], "holds no pictures"),
        (["broken.cbz", "-r", "cover.png"], "no ZIP or CBZ"),
        (["1.png", "-r", "missing.png"], "missing.png"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_sent(shell: Shell, arguments: list[str], said: str):
    shape = simple("1.png")
    (path,) = shape.make(shell.folder)
    as_folder(shape, shell.folder)
    (shell.folder / "1.png").write_bytes(shape.files["1.png"])
    for folder in ("a", "empty", "done"):
        (shell.folder / folder).mkdir()
    (shell.folder / "a" / "ch12.cbz").write_bytes(path.read_bytes())
    (shell.folder / "done" / "1.png").write_bytes((shell.folder / "cover.png").read_bytes())
    (shell.folder / "cover.rar").write_bytes(b"Rar!")
    (shell.folder / "broken.cbz").write_bytes(path.read_bytes()[:40])
    before = sorted(shell.folder.rglob("*"))
    ended = shell.run("colorize", *arguments)
    assert (ended.code, said in ended.err) == (1, True), ended.err
    assert sorted(shell.folder.rglob("*")) == before


def test_a_page_that_fails_leaves_the_others_and_exit_code_3(shell: Shell, service: Service):
    (shell.folder / "1.png").write_bytes(draw_page(1))
    (shell.folder / "unpaintable.png").write_bytes(draw_page(78_001))
    ended = shell.run("colorize", "1.png", "unpaintable.png", "-r", "cover.png", "-o", "out.cbz", "--json")
    (told,) = ended.told["chapters"]
    assert (ended.code, told["status"]) == (3, "partial"), ended.err
    assert [(page["name"], page["code"]) for page in told["failed"]] == [("unpaintable.png", "bad_image")]
    assert "page 2 (unpaintable.png)" in ended.err
    assert list(read_entries(shell.folder / "out.cbz")) == ["1.png"]
    # The same command tries again what failed.
    attempts = service.ask("GET", f"/v1/jobs/{told['job']}/pages/2")["attempt"]
    assert shell.run("colorize", "1.png", "unpaintable.png", "-r", "cover.png", "-o", "out.cbz").code == 3
    assert service.ask("GET", f"/v1/jobs/{told['job']}/pages/2")["attempt"] > attempts


def test_a_chapter_of_which_every_page_fails_is_exit_code_1(shell: Shell):
    (shell.folder / "unpaintable.png").write_bytes(draw_page(78_002))
    ended = shell.run("colorize", "unpaintable.png", "-r", "cover.png", "-o", "out.cbz", "--json")
    assert (ended.code, ended.told["chapters"][0]["status"]) == (1, "failed"), ended.err
    assert not (shell.folder / "out.cbz").exists()


def test_a_page_that_is_no_picture_is_refused_by_name(shell: Shell):
    (shell.folder / "1.png").write_bytes(b"no picture")
    ended = shell.run("colorize", "1.png", "-r", "cover.png")
    assert (ended.code, "1.png" in ended.err) == (1, True), ended.err


def test_some_chapters_that_fail_are_exit_code_3(shell: Shell):
    (shell.folder / "done").mkdir()
    for name, data in (("a", draw_page(1)), ("b", b"no picture")):
        (shell.folder / name).mkdir()
        (shell.folder / name / "1.png").write_bytes(data)
    ended = shell.run("colorize", "a", "b", "-r", "cover.png", "-o", "done", "--json")
    assert (ended.code, [told["status"] for told in ended.told["chapters"]]) == (3, ["succeeded", "error"])


def test_the_same_command_again_does_not_colour_what_it_made(shell: Shell):
    for name in ("ch1", "ch2"):
        simple("1.png").make(shell.folder)[0].rename(shell.folder / f"{name}.cbz")
    for _ in range(2):
        ended = shell.run("colorize", "ch*.cbz", "-r", "cover.png", "--json")
        assert [told["chapter"] for told in ended.told["chapters"]] == ["ch1", "ch2"], ended.err
    archives = sorted(path.name for path in shell.folder.glob("*.cbz"))
    assert archives == ["ch1-coloured.cbz", "ch1.cbz", "ch2-coloured.cbz", "ch2.cbz"]
    by_folder = shell.run("colorize", ".", "-r", "cover.png", "-o", "done", "--json")
    assert by_folder.code in (0, 1)  # the cover is a picture: then the folder is a chapter, and done lies within it
    one = shell.run("colorize", "ch1-coloured.cbz", "-r", "cover.png", "--json")
    assert one.told["chapters"][0]["output"] == "ch1-coloured-coloured.cbz"


def test_a_single_page_is_called_what_it_is(shell: Shell):
    (shell.folder / "7.gif").write_bytes(draw_page(7, kind="GIF"))
    assert shell.run("colorize", "7.gif", "-r", "cover.png").out == f"{shell.folder / '7-coloured.png'}\n"
    (shell.folder / "c.jpg").write_bytes(draw_page(8, kind="JPEG", colour=True))
    kept = shell.run("colorize", "c.jpg", "-r", "cover.png", "-o", "out.png")
    assert kept.out == "out.jpg\n", kept.err
    assert (shell.folder / "out.jpg").read_bytes() == (shell.folder / "c.jpg").read_bytes()


def test_a_page_with_a_format_of_its_own_is_called_what_it_is(shell: Shell):
    for number in (1, 2):
        (shell.folder / "ch12").mkdir(exist_ok=True)
        (shell.folder / "ch12" / f"{number}.png").write_bytes(draw_page(78_100 + number))
    assert shell.run("colorize", "ch12", "-r", "cover.png", "-o", "ch12-coloured.cbz").code == 0
    assert shell.run("rerun", "last", "2", "--set", "format=jpeg").code == 0
    assert shell.run("wait", "last").code == 0
    found = read_entries(shell.folder / "ch12-coloured.cbz")
    assert list(found) == ["1.png", "2.jpg"]
    assert found["2.jpg"].startswith(b"\xff\xd8")


def test_a_result_may_go_where_the_command_is_called(shell: Shell):
    (shell.folder / "sub").mkdir()
    (shell.folder / "sub" / "7.png").write_bytes(draw_page(7))
    assert shell.run("colorize", "sub/7.png", "-r", "cover.png", "-o", ".").code == 0
    assert is_same_picture((shell.folder / "7.png").read_bytes(), expect_coloured(draw_page(7)))
    assert [path.name for path in shell.folder.iterdir() if path.name.startswith(".")] == []


def test_references_of_many_chapters_are_sent_once(shell: Shell, wire: Wire):
    (shell.folder / "fresh.png").write_bytes(draw_page(77_001, colour=True))
    for number in range(4):
        shape = simple(f"{number}.png")
        shape.files[f"{number}.png"] = draw_page(77_100 + number)
        shape.make(shell.folder)[0].rename(shell.folder / f"ch{number}.cbz")
    before = len(wire.begun)
    assert shell.run("colorize", "ch*.cbz", "-r", "fresh.png", "-o", "done").code == 0
    assert len(wire.begun[before:]) == 5


def test_many_chapters_that_wait_hold_no_files_open(tmp_path: Path):
    for number in range(20):
        simple("1.png").make(tmp_path)[0].rename(tmp_path / f"ch{number}.cbz")
    before = len(list(Path("/proc/self/fd").iterdir()))
    chapters = find_chapters([tmp_path])
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    assert chapters[3].sources()[0].sha256() == hashlib.sha256(simple("1.png").files["1.png"]).hexdigest()


def test_a_terminal_that_knows_no_japanese_ends_nothing(shell: Shell):
    (path,) = simple("1.png").make(shell.folder)
    path.rename(shell.folder / "第12話.cbz")
    shell.environment["PYTHONIOENCODING"] = "cp1252"
    ended = shell.run("colorize", "第12話.cbz", "-r", "cover.png", "--json")
    assert (ended.code, ended.told["chapters"][0]["chapter"]) == (0, "第12話"), ended.err
    assert shell.run("jobs").code == 0
    assert shell.run("doctor").code == 0
