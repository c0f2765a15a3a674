"""Where results go, and what is never written over."""

import os
import zipfile
from pathlib import Path

import pytest
from nurie_client.chapters import find_chapters
from nurie_client.errors import OutputError
from nurie_client.outputs import check_free, choose_targets

from tests.client.conftest import Shell
from tests.client.pages import draw_page, expect_coloured, is_same_picture
from tests.client.shapes import INFO, simple


def test_a_chapter_that_was_only_sent_is_taken_home_later(shell: Shell):
    (path,) = simple("1.png", extras={"notes.txt": b"n"}).make(shell.folder)
    detached = shell.run("colorize", path, "-r", "cover.png", "--detach", "--json")
    assert (detached.code, detached.told["chapters"][0]["status"]) == (0, "detached")
    assert not (shell.folder / "ch12-coloured.cbz").exists()
    taken = shell.run("wait", detached.told["chapters"][0]["job"])
    assert taken.code == 0, taken.err
    with zipfile.ZipFile(shell.folder / "ch12-coloured.cbz") as archive:
        assert archive.namelist() == ["1.png", "notes.txt"]


def test_the_servers_own_archive_is_had_on_any_machine(shell: Shell, sent):
    ended = shell.run("download", "last", "-o", "theirs.cbz")
    assert ended.out == "theirs.cbz\n", ended.err
    with zipfile.ZipFile(shell.folder / "theirs.cbz") as archive:
        assert archive.namelist() == ["1.png", "2.png", "ComicInfo.xml", "nurie.json"]
        assert archive.read("ComicInfo.xml") == INFO
    pages = shell.run("download", "last", "--page", "1", "--page", "2", "--artifact", "draft", "-o", "drafts")
    assert pages.out.split() == ["drafts/1-draft.png", "drafts/2-draft.png"]
    assert (shell.folder / "drafts" / "1-draft.png").read_bytes().startswith(b"\x89PNG")
    assert shell.run("download", "last", "--report").out.strip().endswith("-report.html")


def test_a_download_writes_over_nothing_that_nobody_named(shell: Shell, sent):
    name = f"{shell.folder.name}-coloured.cbz"
    before = {path: path.read_bytes() for path in shell.folder.glob("*.cbz")}
    ended = shell.run("download", "last")
    assert (ended.code, f"{name} is there already" in ended.err) == (1, True), ended.err
    assert {path: path.read_bytes() for path in shell.folder.glob("*.cbz")} == before
    (shell.folder / name).unlink()
    assert shell.run("download", "last").out == f"{name}\n"
    nowhere = shell.run("download", "last", "-o", "/proc/nowhere/a.cbz")
    assert (nowhere.code, "Traceback" in nowhere.err) == (1, False)


def test_what_nurie_did_not_write_or_somebody_retouched_is_not_written_over(shell: Shell):
    (path,) = simple("1.png").make(shell.folder)
    (shell.folder / "other.cbz").write_bytes(b"another chapter")
    refused = shell.run("colorize", path, "-r", "cover.png", "-o", "other.cbz")
    assert (refused.code, "other.cbz is there already" in refused.err) == (1, True), refused.err
    assert (shell.folder / "other.cbz").read_bytes() == b"another chapter"
    assert shell.run("colorize", path, "-r", "cover.png", "-o", "done.cbz").code == 0
    assert shell.run("colorize", path, "-r", "cover.png", "-o", "done.cbz").code == 0, "ours is replaced"
    (shell.folder / "done.cbz").write_bytes(b"retouched by hand")
    for command in (("colorize", path, "-r", "cover.png", "-o", "done.cbz"), ("wait", "ch12")):
        assert "done.cbz is there already" in shell.run(*command).err
        assert (shell.folder / "done.cbz").read_bytes() == b"retouched by hand"
    assert shell.run("wait", "ch12", "--force").code == 0
    assert zipfile.is_zipfile(shell.folder / "done.cbz")


def test_a_retouched_page_of_a_folder_is_not_written_over(shell: Shell):
    (shell.folder / "ch").mkdir()
    (shell.folder / "ch" / "1.png").write_bytes(draw_page(1))
    assert shell.run("colorize", "ch", "-r", "cover.png").code == 0
    assert shell.run("colorize", "ch", "-r", "cover.png").code == 0
    (shell.folder / "ch-coloured" / "1.png").write_bytes(b"retouched")
    assert shell.run("colorize", "ch", "-r", "cover.png").code == 1
    assert (shell.folder / "ch-coloured" / "1.png").read_bytes() == b"retouched"


def test_a_break_while_a_folder_is_put_in_place_is_gone_on_from(shell: Shell):
    """Some files are the new ones already, others the old ones: both are ours."""
    (shell.folder / "ch").mkdir()
    for number in (1, 2):
        (shell.folder / "ch" / f"{number}.png").write_bytes(draw_page(80_000 + number))
    assert shell.run("colorize", "ch", "-r", "cover.png").code == 0
    old = (shell.folder / "ch-coloured" / "2.png").read_bytes()
    os.link(shell.folder / "ch-coloured" / "2.png", shell.folder / "old")
    assert shell.run("rerun", "last", "2", "--set", "saturation=1.0").code == 0
    assert shell.run("wait", "ch").code == 0
    (shell.folder / "old").replace(shell.folder / "ch-coloured" / "2.png")
    assert (shell.folder / "ch-coloured" / "2.png").read_bytes() == old
    assert shell.run("wait", "ch").code == 0


def test_one_shelf_for_many_chapters_takes_them_all(shell: Shell):
    (shell.folder / "nurie.toml").write_text('references = ["cover.png"]\nout = "coloured"\n')
    for name, seed in (("ch1", 1), ("ch2", 2)):
        (shell.folder / name).mkdir()
        (shell.folder / name / "001.png").write_bytes(draw_page(seed))
        assert shell.run("colorize", name).code == 0
    for name, seed in (("ch1", 1), ("ch2", 2)):
        page = (shell.folder / "coloured" / name / "001.png").read_bytes()
        assert is_same_picture(page, expect_coloured(draw_page(seed)))
    same_place = shell.run("colorize", "ch2", "-o", "coloured/ch1")
    assert (same_place.code, "is there already" in same_place.err) == (1, True), "another chapter's is not written over"


def test_pages_into_one_folder_one_by_one_stay_ours(shell: Shell):
    for number in (1, 2):
        (shell.folder / f"{number}.png").write_bytes(draw_page(number))
    for number in (1, 2, 1):
        assert shell.run("colorize", f"{number}.png", "-r", "cover.png", "-o", "done").code == 0
    for picture_format in ("webp", "png"):
        assert shell.run("colorize", "1.png", "-r", "cover.png", "-o", "done", "--format", picture_format).code == 0


def test_a_folder_of_one_page_goes_into_a_picture_and_a_page_into_another_format(shell: Shell):
    (shell.folder / "ch").mkdir()
    (shell.folder / "ch" / "1.png").write_bytes(draw_page(1))
    assert shell.run("colorize", "ch", "-r", "cover.png", "-o", "x.png").code == 0
    (shell.folder / "7.jpg").write_bytes(draw_page(7, kind="JPEG"))
    (shell.folder / "7.webp").write_bytes(b"something else")
    assert shell.run("colorize", "7.jpg", "-r", "cover.png", "-o", "7.png").code == 0
    (shell.folder / "c.jpg").write_bytes(kept := draw_page(8, kind="JPEG", colour=True))
    assert shell.run("colorize", "c.jpg", "-r", "cover.png", "-o", "c.png").code == 0
    assert (shell.folder / "c.jpg").read_bytes() == kept


def test_a_place_that_may_not_be_written_to_is_refused_before_anything_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    simple("1.png").make(tmp_path)
    (chapter,) = find_chapters([tmp_path / "ch12.cbz"])
    (target,) = choose_targets([chapter], tmp_path / "out.cbz")
    check_free(chapter, target, lambda *_: False)
    monkeypatch.setattr("os.access", lambda *_: False)
    with pytest.raises(OutputError, match="may not be written to"):
        check_free(chapter, target, lambda *_: False)


def test_several_jobs_are_taken_home_side_by_side(shell: Shell):
    jobs = []
    for name, seed in (("a", 1), ("b", 2)):
        (shell.folder / name).mkdir()
        (shell.folder / name / "001.png").write_bytes(draw_page(seed))
        jobs.append(shell.run("colorize", name, "-r", "cover.png", "--detach", "--json").told["chapters"][0]["job"])
    assert shell.run("wait", *jobs, "-o", "done").code == 0
    for name, seed in (("a", 1), ("b", 2)):
        assert is_same_picture(
            (shell.folder / "done" / name / "001.png").read_bytes(), expect_coloured(draw_page(seed))
        )


def test_a_chapter_that_is_another_one_by_now_is_not_written(shell: Shell):
    (path,) = simple("1.png", "2.png").make(shell.folder)
    job = shell.run("colorize", path, "-r", "cover.png", "--detach", "--json").told["chapters"][0]["job"]
    simple("new.png", "other.png").make(shell.folder)
    ended = shell.run("wait", job)
    assert (ended.code, "has changed" in ended.err, "nurie download" in ended.err) == (1, True, True), ended.err
    assert not (shell.folder / "ch12-coloured.cbz").exists()


def test_a_job_that_is_taken_up_again_goes_where_it_was_told_last(shell: Shell):
    (path,) = simple("1.png").make(shell.folder)
    first = shell.run("colorize", path, "-r", "cover.png", "-o", "first.cbz", "--json").told["chapters"][0]["job"]
    assert shell.run("colorize", path, "-r", "cover.png", "-o", "second.cbz", "--detach").code == 0
    assert shell.run("wait", first).out.strip().endswith("second.cbz")
