"""The whole service with stages that only tint, and the command as teams install it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.client.pages import draw_page
from tests.client.shapes import INFO, simple
from tests.client.wire import Wire
from tests.service import FAST_STAGES, PROCFILE, STAGES, Service

LIMIT_S = 120
REFERENCE = draw_page(5000, colour=True)


@dataclass
class Ended:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def told(self) -> Any:
        """Its `--json`."""
        return json.loads(self.out)


def _hear_interrupts() -> None:
    # What runs in the background of a shell has Ctrl-C ignored, and hands that on.
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Shell:
    """Runs `nurie` in a folder of its own, as a user does."""

    def __init__(self, folder: Path, url: str, key: str = "") -> None:
        self.folder = folder
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("NURIE_", "XDG_"))},
            "NURIE_SERVER": url,
            "XDG_STATE_HOME": str(folder / "home" / "state"),
            "XDG_CONFIG_HOME": str(folder / "home" / "config"),
            **({"NURIE_KEY": key} if key else {}),
        }
        (folder / "cover.png").write_bytes(REFERENCE)

    def start(self, *arguments: str | Path, **options: Any) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "nurie_client", *map(str, arguments)]
        streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=self.environment,
            text=True,
            preexec_fn=_hear_interrupts,  # noqa: PLW1509  it does nothing that threads could disturb
            **{**streams, **options},
        )

    def run(self, *arguments: str | Path, stdin: str | None = None) -> Ended:
        process = self.start(*arguments, stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL)
        try:
            out, err = process.communicate(stdin, LIMIT_S)
        finally:
            process.kill()
            process.wait()
        return Ended(process.returncode, out, err)

    def interrupt(self, process: subprocess.Popen[str]) -> Ended:
        process.send_signal(signal.SIGINT)
        try:
            out, err = process.communicate(None, LIMIT_S)
        finally:
            process.kill()
        return Ended(process.returncode, out, err)


@pytest.fixture(scope="session")
def wire() -> Iterator[Wire]:
    with Wire() as wire:
        yield wire


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory, wire: Wire) -> Iterator[Service]:
    """Clients reach it over the wire, and signed URLs lead there, too."""
    settings = {"NURIE_TEST_STAGE_S": "0.01", "NURIE_LOG_LEVEL": "WARNING", "NURIE_PUBLIC_URL": wire.url}
    folder = tmp_path_factory.mktemp("service")
    with Service(folder, "off", ("control", *STAGES), {**PROCFILE, **FAST_STAGES}, settings) as service:
        wire.upstream = service.port
        yield service


@pytest.fixture
def shell(tmp_path: Path, service: Service, wire: Wire) -> Shell:
    return Shell(tmp_path, wire.url)


@pytest.fixture
def sent(shell: Shell) -> dict[str, str]:
    """A chapter that has been coloured; what `--json` says of it."""
    shape = simple("1.png", "2.png", extras={"ComicInfo.xml": INFO})
    (path,) = shape.make(shell.folder)
    path.rename(shell.folder / f"{shell.folder.name}.cbz")
    ended = shell.run("colorize", f"{shell.folder.name}.cbz", "-r", "cover.png", "--json")
    assert ended.code == 0, ended.err
    return ended.told["chapters"][0]


@pytest.fixture
def wait_for() -> Callable[..., None]:
    def wait(condition: Callable[[], object], within_s: float = LIMIT_S) -> None:
        deadline = time.monotonic() + within_s
        while not condition():
            assert time.monotonic() < deadline, "the condition did not come true in time"
            time.sleep(0.02)

    return wait
