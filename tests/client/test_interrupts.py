"""Ctrl-C, and the live picture: the command on a terminal."""

import os
import pty
import signal
import time
from collections.abc import Callable

import pytest

from tests.client.conftest import LIMIT_S, Shell
from tests.client.pages import draw_page
from tests.client.shapes import simple
from tests.service import Service


@pytest.mark.parametrize(("answer", "cancels"), [("y\n", True), ("n\n", False)])
def test_an_interrupt_asks_whether_the_server_shall_stop_too(
    shell: Shell, service: Service, wait_for: Callable[..., None], answer: str, cancels: bool
):
    (shell.folder / "1.png").write_bytes(draw_page(60_000 + cancels))
    service.signal("control", signal.SIGSTOP)
    terminal, theirs = pty.openpty()
    try:
        shell.environment["TERM"] = "xterm"
        process = shell.start("colorize", "1.png", "-r", "cover.png", stdin=theirs, stdout=theirs, stderr=theirs)
        os.close(theirs)
        notes = shell.folder / "home" / "state" / "nurie" / "jobs"
        wait_for(lambda: list(notes.glob("*.json")))
        (job,) = (path.stem for path in notes.glob("*.json"))
        wait_for(lambda: "queued" in read_screen(terminal))
        process.send_signal(signal.SIGINT)
        wait_for(lambda: "on the server, too?" in read_screen(terminal))
        os.write(terminal, answer.encode())
        wait_for(lambda: ((cancels and "is cancelled") or "goes on at the server") in read_screen(terminal))
        assert process.wait(LIMIT_S) == 130
    finally:
        os.close(terminal)
        service.signal("control", signal.SIGCONT)
    assert (service.ask("GET", f"/v1/jobs/{job}")["status"] == "cancelled") == cancels
    assert shell.run("cancel", job).code == 0


_screens: dict[int, str] = {}


def read_screen(terminal: int) -> str:
    """Everything that was written to a terminal so far."""
    os.set_blocking(terminal, False)
    try:
        while data := os.read(terminal, 1 << 16):
            _screens[terminal] = _screens.get(terminal, "") + data.decode(errors="replace")
    except (BlockingIOError, OSError):
        pass
    return " ".join(_screens.get(terminal, "").split())


def test_a_live_picture_shows_chapters_and_pages(shell: Shell, wait_for: Callable[..., None]):
    shape = simple(*(f"{number}.png" for number in range(1, 9)))
    (path,) = shape.make(shell.folder)
    terminal, theirs = pty.openpty()
    try:
        shell.environment |= {"TERM": "xterm", "COLUMNS": "100"}
        process = shell.start("colorize", path, "-r", "cover.png", stdin=theirs, stdout=theirs, stderr=theirs)
        os.close(theirs)
        deadline = time.monotonic() + LIMIT_S
        while process.poll() is None and time.monotonic() < deadline:
            read_screen(terminal)
            time.sleep(0.05)
        assert process.returncode == 0
        shown = read_screen(terminal)
    finally:
        process.kill()
        os.close(terminal)
    assert "of 8 pages" in shown
    assert "8 pages coloured" in shown
