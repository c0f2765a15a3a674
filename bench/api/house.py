"""The API as it is served, with Redis and control beside it and nobody at work: what the door alone can do."""

import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from client.services import ROOT, die_with_parent, free_port
from common.api_keys import Scope
from common.jobs.database import Database
from common.jobs.tenants import Limits, TenantStore
from common.settings import Settings

OUT = ROOT / "out" / "bench-api"
START_LIMIT_S = 60
STOP_LIMIT_S = 40
TENANT = "bench"
MANY = 10**9
"""A limit that is counted and never reached."""


class House:
    """Redis, gunicorn as the Procfile has it, and control, as a context manager; at the end only its log is left."""

    def __init__(
        self, name: str, *, auth: str = "off", app: str = "api.app:create_app()", control: bool = True
    ) -> None:
        """`name` is its log's, in out/bench-api; `app` what gunicorn serves."""
        self._app, self._has_control = app, control
        self._data, self._log = OUT / f"var-{name}", OUT / f"{name}.log"
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self.port, self.key = free_port(), None
        # Spelled out, so that no setting of the shell's has us work on somebody's own database or broker.
        self.settings = Settings(
            data=self._data,
            database_url=f"sqlite:///{self._data / 'nurie.db'}",
            broker_url=f"redis://127.0.0.1:{free_port()}/0",
            storage_url=f"file://{self._data / 'storage'}",
        )
        self._environment = {name: value for name, value in os.environ.items() if not name.startswith("NURIE_")} | {
            "NURIE_DATA": str(self._data),
            "NURIE_BROKER_URL": self.settings.broker_url,
            "NURIE_PORT": str(self.port),
            "NURIE_AUTH": auth,
            "NURIE_LOG_LEVEL": "WARNING",
            "TMPDIR": str(self._data),  # where uploads are spooled: a memory-backed /tmp would count as memory
        }

    def __enter__(self) -> Self:
        shutil.rmtree(self._data, ignore_errors=True)
        self._log.unlink(missing_ok=True)
        self._data.mkdir(parents=True)
        if self._environment["NURIE_AUTH"] == "keys":
            self.key = self._make_key()
        try:
            self._start("redis", [sys.executable, "-m", "workers.redis_server"])
            gunicorn = str(Path(sys.executable).with_name("gunicorn"))
            self._start("api", [gunicorn, "-c", "python:api.server", self._app])
            if self._has_control:
                self._start("control", [sys.executable, "-m", "workers.control"])
            self._wait_until_ready()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    @property
    def headers(self) -> dict[str, str]:
        """What every request needs."""
        return {"Authorization": f"Bearer {self.key}"} if self.key else {}

    def memory_bytes(self) -> int:
        """Memory of the API's processes together, shared pages counted once (PSS)."""
        api = self._processes["api"].pid
        total = 0
        for pid in (api, *_children(api)):
            with suppress(FileNotFoundError, ProcessLookupError):
                lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
                total += next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) * 1024
        return total

    def cpu_s(self, name: str) -> float:
        """Processor time that a process and its children have taken since their start, in seconds."""
        pid = self._processes[name].pid
        fields = [Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split() for one in (pid, *_children(pid))]
        return sum(int(field[11]) + int(field[12]) for field in fields) / os.sysconf("SC_CLK_TCK")

    def check(self) -> None:
        """Raises RuntimeError when one of the processes has ended."""
        for name, process in self._processes.items():
            if process.poll() is not None:
                raise RuntimeError(f"{name} ended with {process.returncode}: see {self._log}")

    def _make_key(self) -> str:
        database = Database(self.settings.database_url)
        database.migrate()
        limits = Limits(MANY, 10**15, MANY)
        tenants = TenantStore(database, limits)
        tenants.create_tenant(TENANT, limits)
        key = tenants.create_key(TENANT, [Scope.READ, Scope.SUBMIT], "bench")
        database.close()
        return key

    def _start(self, name: str, command: list[str]) -> None:
        with self._log.open("ab") as log:
            self._processes[name] = subprocess.Popen(
                command,
                cwd=ROOT,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=die_with_parent,  # noqa: PLW1509  no thread runs yet
            )

    def _wait_until_ready(self) -> None:
        from bench.api.exchange import Connection  # it needs a house in turn

        deadline = time.monotonic() + START_LIMIT_S
        while True:
            self.check()
            try:
                with Connection(self) as connection:
                    if connection.ask("GET", "/readyz").status in (200, 404):
                        return
            except OSError:
                pass
            if time.monotonic() > deadline:
                raise TimeoutError(f"the API was not ready within {START_LIMIT_S} s: see {self._log}")
            time.sleep(0.1)

    def _stop(self) -> None:
        for names in ([name for name in self._processes if name != "redis"], ["redis"]):
            stopping = [self._processes[name] for name in names if name in self._processes]
            for process in stopping:
                process.terminate()
            deadline = time.monotonic() + STOP_LIMIT_S
            for process in stopping:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(max(0.1, deadline - time.monotonic()))
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)  # what is left of it
                process.wait()
        shutil.rmtree(self._data, ignore_errors=True)


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
