"""Starting and stopping the whole house on one machine: honcho runs the Procfile."""

import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from nurie_client import Client

ROOT = Path(__file__).resolve().parent.parent
START_LIMIT_S = 120
STOP_LIMIT_S = 30
PR_SET_PDEATHSIG = 1


class StartError(Exception):
    """The house did not come up; the message says where to look."""


class Services:
    """All processes of the Procfile, as a context manager: whatever happens inside, they are stopped at the end."""

    def __init__(self, environment: dict[str, str], port: int, log: Path | None = None, formation: str = "") -> None:
        """
        Args:
            environment: settings (NURIE_…) on top of this process's own.
            port: the API's.
            log: where the processes' output goes; None leaves it on the terminal.
            formation: honcho's, such as "cgan=2,s2p=1"; one of each when empty.
        """
        self.base_url = f"http://127.0.0.1:{port}"
        self._environment = os.environ | environment | {"NURIE_PORT": str(port)}
        self._log = log
        self._formation = formation
        self._output: IO[bytes] | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        if self._log is not None:
            self._log.parent.mkdir(parents=True, exist_ok=True)
            self._output = self._log.open("wb")
        honcho = [sys.executable, "-m", "honcho", "--app-root", str(ROOT), "-f", str(ROOT / "Procfile"), "start"]
        self._process = subprocess.Popen(  # noqa: S603  our own command
            honcho + (["-c", self._formation] if self._formation else []),
            cwd=ROOT,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT if self._output else None,
            start_new_session=True,  # Ctrl-C reaches us alone; we stop the others in order
            preexec_fn=die_with_parent,  # noqa: PLW1509  no thread runs yet
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process is not None
        # A second Ctrl-C must not leave half of them running.
        previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            self._process.terminate()
            try:
                self._process.wait(STOP_LIMIT_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            if self._output is not None:
                self._output.close()
        finally:
            signal.signal(signal.SIGINT, previous)

    def wait_until_ready(self) -> None:
        """Raises StartError when a process ends at once, or the API is not ready in time."""
        deadline = time.monotonic() + START_LIMIT_S
        with Client(self.base_url) as api:
            while not api.is_ready():
                if not self.running:
                    raise StartError(f"a process did not start{self._where_to_look()}")
                if time.monotonic() > deadline:
                    raise StartError(f"the API was not ready within {START_LIMIT_S} s{self._where_to_look()}")
                time.sleep(0.1)

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def _where_to_look(self) -> str:
        return f": see {self._log}" if self._log else ""


def free_port() -> int:
    """A TCP port of loopback that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def stop_on_signals() -> None:
    """Let SIGTERM and SIGINT unwind, so that what was started is stopped: also where a shell has SIGINT ignored."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, interrupt)


def die_with_parent() -> None:
    # Should we be killed outright, honcho gets a SIGTERM and stops what it runs.
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
