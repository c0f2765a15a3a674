"""The whole house with stages that only tint, the wire to it, and the command as teams install it."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from embedded.services import ROOT
from tests.client.wire import Wire
from tests.service import FAST_STAGES, PROCFILE, STAGES, Service

OUT = ROOT / "out" / "bench-client"
NURIE = ROOT / ".venvs" / "client" / "bin" / "nurie"


@contextmanager
def open_house(name: str, **settings: str) -> Iterator[tuple[Service, Wire, Path]]:
    """Everything, on an empty store, and a folder to work in; logs stay in out/bench-client."""
    folder = OUT / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with Wire() as wire:
        environment = {"NURIE_TEST_STAGE_S": "0.01", "NURIE_LOG_LEVEL": "WARNING", "NURIE_PUBLIC_URL": wire.url}
        everybody = ("control", *STAGES)
        with Service(folder, "off", everybody, {**PROCFILE, **FAST_STAGES}, environment | settings) as service:
            wire.upstream = service.port
            work = folder / "work"
            work.mkdir()
            yield service, wire, work
        shutil.rmtree(folder / "work")
        shutil.rmtree(folder / "var")


def start_nurie(wire: Wire, folder: Path, *arguments: str) -> subprocess.Popen[bytes]:
    """The command, in a folder and with a memory of its own."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("NURIE_", "XDG_"))}
    environment |= {"NURIE_SERVER": wire.url, "XDG_STATE_HOME": str(folder / "state")}
    with (folder / "nurie.log").open("ab") as log:
        return subprocess.Popen(
            [NURIE, *arguments], cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
