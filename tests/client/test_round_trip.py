"""Chapters of all shapes go to the server and come back as they were, in colour."""

import zipfile

import pytest

from tests.client.conftest import Shell
from tests.client.pages import draw_page, expect_coloured, is_same_picture
from tests.client.shapes import DATE, SHAPES, Shape, as_folder, read_entries, simple
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
        (["ch12.cbz", "-r", "cover.png", "-o", "ch12.cbz"], "the chapter itself"),
        (["ch12", "-r", "cover.png", "-o", "ch12/out"], "within the chapter"),
        (["1.png", "-r", "cover.png", "-o", "1.png"], "where the pages lie"),
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
    for folder in ("a", "empty"):
        (shell.folder / folder).mkdir()
    (shell.folder / "a" / "ch12.cbz").write_bytes(path.read_bytes())
    (shell.folder / "cover.rar").write_bytes(b"Rar!")
    (shell.folder / "broken.cbz").write_bytes(path.read_bytes()[:40])
    before = sorted(shell.folder.rglob("*"))
    ended = shell.run("colorize", *arguments)
    assert (ended.code, said in ended.err) == (1, True), ended.err
    assert sorted(shell.folder.rglob("*")) == before


def test_a_page_that_fails_leaves_the_others_and_exit_code_3(shell: Shell, service: Service):
    (shell.folder / "1.png").write_bytes(draw_page(1))
    (shell.folder / "unpaintable.png").write_bytes(draw_page(2))
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
    (shell.folder / "unpaintable.png").write_bytes(draw_page(3))
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
