"""A Prometheus of the tests' own: on a random loopback port, with its data in a temporary folder."""

import ctypes
import json
import math
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ROOT = Path(__file__).resolve().parents[2]
UNPACKED = ROOT / ".venvs" / "prometheus"
"""Where tests/install_prometheus puts it."""
START_LIMIT_S = 30
STOP_LIMIT_S = 20
STEP_S = 2
LIBC = ctypes.CDLL(None)
PR_SET_PDEATHSIG = 1

Series = tuple[dict[str, str], list[float]]
"""Labels, and the values that are numbers."""


def find_program(name: str) -> Path | None:
    """prometheus or promtool: of the PATH, or the unpacked one."""
    found = shutil.which(name) or shutil.which(name, path=UNPACKED)
    return Path(found) if found else None


class Prometheus:
    """A context manager; scrapes by `config`, which is written as JSON, and so as YAML."""

    def __init__(self, program: Path, folder: Path, config: dict[str, Any]) -> None:
        self._program, self._folder = program, folder
        self._config = folder / "prometheus.json"
        self._config.write_text(json.dumps(config))
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._address = f"127.0.0.1:{probe.getsockname()[1]}"
        self.started_at = 0.0

    def __enter__(self) -> Self:
        self.started_at = time.time()
        with (self._folder / "prometheus.log").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    str(self._program),
                    f"--config.file={self._config}",
                    f"--web.listen-address={self._address}",
                    f"--storage.tsdb.path={self._folder / 'data'}",
                    "--log.level=warn",
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_die_with_parent,  # noqa: PLW1509  a single system call, of a library that is loaded already
            )
        try:
            wait_until(self._is_ready, START_LIMIT_S, lambda: f"Prometheus did not start: {self.log()}")
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def log(self) -> str:
        return (self._folder / "prometheus.log").read_text()[-2000:]

    def ask(self, path: str, **parameters: object) -> Any:
        """What the HTTP API answers as data. Raises AssertionError, which says why, when it answers with an error."""
        url = f"http://{self._address}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=30) as reply:
                return json.load(reply)["data"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{parameters}: {json.load(error)['error']}") from None

    def now(self, query: str) -> list[Series]:
        """What a query gives at this moment."""
        found = self.ask("query", query=query)["result"]
        return [(one["metric"], _numbers([one["value"]])) for one in found]

    def since_start(self, query: str) -> list[Series]:
        """What a query gave at any moment since this server started."""
        found = self.ask("query_range", query=query, start=self.started_at, end=time.time(), step=STEP_S)["result"]
        return [(one["metric"], _numbers(one["values"])) for one in found]

    def _is_ready(self) -> bool:
        if self._process.poll() is not None:
            raise AssertionError(f"Prometheus ended: {self.log()}")
        try:
            with urllib.request.urlopen(f"http://{self._address}/-/ready", timeout=5) as reply:
                return bool(reply.status == 200)
        except OSError:
            return False

    def _stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


def wait_until(condition: Callable[[], object], within_s: float, otherwise: Callable[[], str]) -> None:
    """Raises AssertionError, which says `otherwise`, when the condition does not come true in time."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, otherwise()
        time.sleep(0.1)


def _numbers(samples: Sequence[tuple[float, str]]) -> list[float]:
    return [value for _, text in samples if not math.isnan(value := float(text))]


def _die_with_parent() -> None:
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
