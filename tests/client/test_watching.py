"""A folder that is watched: what lands is coloured once it is whole, and a restart goes on."""

import json
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from nurie_client import Client
from nurie_client.colouring import Order
from nurie_client.errors import ApiError, InputError, OutputError, UnreachableError
from nurie_client.notes import Notes
from nurie_client.watching import RECORD_FILE, Watcher, find_items

from tests.client.conftest import Shell
from tests.client.pages import draw_page, expect_coloured, is_same_picture
from tests.client.shapes import as_folder, read_entries, simple


@contextmanager
def watching(shell: Shell, *options: str) -> Iterator[subprocess.Popen[str]]:
    process = shell.start("watch", "inbox", "-o", "outbox", "-r", "cover.png", "--settle", "0.5", *options)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def inbox(shell: Shell) -> Path:
    folder = shell.folder / "inbox"
    folder.mkdir()
    return folder


def record(shell: Shell, name: str) -> dict[str, object]:
    try:
        return json.loads((shell.folder / "outbox" / RECORD_FILE).read_text())[name]
    except (FileNotFoundError, KeyError):
        return {"status": None}


def test_what_lands_is_coloured(shell: Shell, inbox: Path, wait_for: Callable[..., None]):
    shape = simple("1.png", "2.png")
    with watching(shell):
        (archive,) = shape.make(shell.folder)
        archive.rename(inbox / "ch12.cbz")
        as_folder(simple("a.png"), shell.folder)[0].rename(inbox / "ch13")
        (inbox / "7.jpg").write_bytes(draw_page(7, kind="JPEG"))
        for name in ("ch12.cbz", "ch13", "7.jpg"):
            wait_for(lambda name=name: record(shell, name)["status"] == "succeeded")
    outbox = shell.folder / "outbox"
    assert list(read_entries(outbox / "ch12.cbz")) == ["1.png", "2.png"]
    assert is_same_picture((outbox / "ch13" / "a.png").read_bytes(), expect_coloured(draw_page(1)))
    assert is_same_picture((outbox / "7.png").read_bytes(), expect_coloured(draw_page(7, kind="JPEG")))


def test_a_restart_goes_on_and_does_nothing_twice(shell: Shell, inbox: Path, service, wait_for: Callable[..., None]):
    shape = simple("1.png", "2.png")
    (archive,) = shape.make(shell.folder)
    archive.rename(inbox / "first.cbz")
    with watching(shell) as process:
        wait_for(lambda: record(shell, "first.cbz")["status"] == "succeeded")
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
    done = (shell.folder / "outbox" / "first.cbz").stat().st_mtime_ns
    jobs = service.ask("GET", "/v1/jobs?limit=100")["jobs"]

    # Killed in the middle of the second: nothing of it is there, and the next start finds the same job.
    service.signal("control", signal.SIGSTOP)
    try:
        with watching(shell):
            (inbox / "second.png").write_bytes(draw_page(31))
            wait_for(lambda: len(service.ask("GET", "/v1/jobs?limit=100")["jobs"]) == len(jobs) + 1)
    finally:
        service.signal("control", signal.SIGCONT)
    with watching(shell):
        wait_for(lambda: record(shell, "second.png")["status"] == "succeeded")
    assert len(service.ask("GET", "/v1/jobs?limit=100")["jobs"]) == len(jobs) + 1
    assert (shell.folder / "outbox" / "first.cbz").stat().st_mtime_ns == done


def test_what_changes_is_coloured_again_and_what_is_refused_waits_for_a_change(
    shell: Shell, inbox: Path, wait_for: Callable[..., None]
):
    (inbox / "1.png").write_bytes(b"no picture")
    with watching(shell):
        wait_for(lambda: record(shell, "1.png")["status"] == "error")
        assert "1.png" in str(record(shell, "1.png")["detail"])
        (inbox / "1.png").write_bytes(draw_page(1))
        wait_for(lambda: record(shell, "1.png")["status"] == "succeeded")


class _Begun(Watcher):
    """Says what it would colour."""

    def __init__(self, inbox: Path, outbox: Path, settled_s: float = 0) -> None:
        client = Client("http://127.0.0.1:9")
        super().__init__(client, Notes(outbox), Order(), inbox, outbox, say=lambda _: None, settled_s=settled_s)
        self.begun: list[str] = []

    def _colour(self, item) -> None:
        self.begun.append(item.name)


def refuse(path: Path, error: OSError) -> None:
    raise AssertionError(f"{path}: {error}")


def looked(watcher: _Begun) -> list[str]:
    watcher.look()
    watcher.look()
    for thread in watcher._busy.values():
        thread.join(10)
    return watcher.begun


def test_a_half_copied_archive_is_left_alone_however_long_it_stays(tmp_path: Path):
    (inbox := tmp_path / "in").mkdir()
    shape = simple("1.png", "2.png")
    (archive,) = shape.make(tmp_path)
    whole = archive.read_bytes()
    watcher = _Begun(inbox, tmp_path / "out")
    (inbox / "ch12.cbz").write_bytes(whole[: len(whole) // 2])
    assert looked(watcher) == []
    (inbox / "ch12.cbz").write_bytes(whole)
    assert looked(watcher) == ["ch12.cbz"]


@pytest.mark.parametrize("name", ["ch12/2.png.part", "ch12/2.png.crdownload", "ch12/2.tmp"])
def test_a_folder_that_a_program_still_writes_is_left_alone(tmp_path: Path, name: str):
    (inbox := tmp_path / "in").mkdir()
    as_folder(simple("1.png"), inbox)
    (inbox / name).write_bytes(b"half")
    watcher = _Begun(inbox, tmp_path / "out")
    assert looked(watcher) == []
    (inbox / name).unlink()
    assert looked(watcher) == ["ch12"]


def test_what_still_grows_is_left_alone(tmp_path: Path):
    (inbox := tmp_path / "in").mkdir()
    watcher = _Begun(inbox, tmp_path / "out", settled_s=1000)
    (inbox / "1.png").write_bytes(b"a")
    assert looked(watcher) == []
    assert [item.name for item in find_items(inbox, refuse)] == ["1.png"]


def test_what_is_hidden_or_no_chapter_is_no_item(tmp_path: Path):
    for name in (".hidden.png", "notes.txt", ".git/1.png", "season/a.cbz", "season/b.txt", "ch/1.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"PK")
    assert [item.name for item in find_items(tmp_path, refuse)] == ["ch", "season/a.cbz"]


@pytest.mark.parametrize(("inbox", "outbox"), [("a", "a"), ("a", "a/b"), ("a/b", "a")])
def test_an_outbox_within_the_inbox_would_colour_its_own_results(tmp_path: Path, inbox: str, outbox: str):
    (tmp_path / "a" / "b").mkdir(parents=True)
    with pytest.raises(InputError, match="within the other"):
        _Begun(tmp_path / inbox, tmp_path / outbox)


def test_a_record_that_is_not_ours_is_not_written_over(tmp_path: Path):
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / RECORD_FILE).write_text("[]")
    with pytest.raises(InputError, match=RECORD_FILE):
        _Begun(tmp_path / "in", tmp_path / "out")


class _Failing(Watcher):
    """Every chapter ends with this error."""

    def __init__(self, inbox: Path, outbox: Path, error: Exception) -> None:
        super().__init__(Client("http://127.0.0.1:9"), Notes(outbox), Order(), inbox, outbox, say=print, settled_s=0)
        self._error = error

    def _target(self, item, chapter):
        raise self._error


@pytest.mark.parametrize(
    ("error", "is_kept"),
    [
        (ApiError(400, "bad_image", "1.png is no picture"), True),
        (ApiError(413, "too_large", "1.png is too large"), True),
        (InputError("1.png cannot be read"), True),
        (ApiError(503, "database_unavailable", "away"), False),
        (ApiError(401, "unauthorized", "no such key"), False),
        (UnreachableError("no route"), False),
        (OutputError("no room"), False),
        (ValueError("a bug"), False),
    ],
)
def test_only_what_concerns_the_chapter_itself_is_held_against_it(tmp_path: Path, error: Exception, is_kept: bool):
    (inbox := tmp_path / "in").mkdir()
    (outbox := tmp_path / "out").mkdir()
    (inbox / "1.png").write_bytes(draw_page(1))
    watcher = _Failing(inbox, outbox, error)
    for _ in range(2):
        watcher.look()
    for thread in watcher._busy.values():
        thread.join(10)
    assert (outbox / RECORD_FILE).exists() == is_kept
    watcher.look()
    assert watcher._busy == {}, "not begun again at once"


def test_what_cannot_be_read_ends_nothing_and_is_said_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (inbox := tmp_path / "in").mkdir()
    (inbox / "loop.cbz").symlink_to(inbox / "loop.cbz")
    (inbox / "1.png").write_bytes(draw_page(1))
    watcher = _Begun(inbox, tmp_path / "out")
    watcher._say = print
    assert looked(watcher) == ["1.png"]
    assert capsys.readouterr().out.count("loop.cbz cannot be read") == 1


def test_pages_that_would_have_the_same_name_both_come_out(shell: Shell, inbox: Path, wait_for: Callable[..., None]):
    (inbox / "1.jpg").write_bytes(draw_page(1, kind="JPEG"))
    (inbox / "1.png").write_bytes(draw_page(2))
    with watching(shell):
        for name in ("1.jpg", "1.png"):
            wait_for(lambda name=name: record(shell, name)["status"] == "succeeded")
    outputs = {str(record(shell, name)["output"]) for name in ("1.jpg", "1.png")}
    assert outputs == {"1.png", "1_2.png"}
