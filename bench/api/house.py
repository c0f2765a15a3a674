"""The API as it is served, with Redis and control beside it and nobody at work: what the door alone can do."""

import shutil
import sys
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from bench.processes import Processes
from common.api_keys import Scope
from common.jobs.database import Database
from common.jobs.tenants import Limits, TenantStore
from common.settings import Settings
from embedded.services import ROOT, free_port

OUT = ROOT / "out" / "bench-api"
START_LIMIT_S = 60
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
        self._data, self._auth = OUT / f"var-{name}", auth
        self.port, self.key = free_port(), None
        # Spelled out, so that no setting of the shell's has us work on somebody's own database or broker.
        self.settings = Settings(
            data=self._data,
            database_url=f"sqlite:///{self._data / 'nurie.db'}",
            broker_url=f"redis://127.0.0.1:{free_port()}/0",
            storage_url=f"file://{self._data / 'storage'}",
        )
        self._processes = Processes(
            OUT / f"{name}.log",
            {
                "NURIE_DATA": str(self._data),
                "NURIE_BROKER_URL": self.settings.broker_url,
                "NURIE_PORT": str(self.port),
                "NURIE_AUTH": auth,
                "NURIE_LOG_LEVEL": "WARNING",
                "TMPDIR": str(self._data),  # where uploads are spooled: a memory-backed /tmp would count as memory
            },
        )

    def __enter__(self) -> Self:
        shutil.rmtree(self._data, ignore_errors=True)
        self._data.mkdir(parents=True)
        if self._auth == "keys":
            self.key = self._make_key()
        try:
            self._processes.start("redis", [sys.executable, "-m", "workers.redis_server"])
            gunicorn = str(Path(sys.executable).with_name("gunicorn"))
            self._processes.start("api", [gunicorn, "-c", "python:api.server", self._app])
            if self._has_control:
                self._processes.start("control", [sys.executable, "-m", "workers.control"])
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
        total = 0
        for pid in self._processes.pids("api"):
            with suppress(FileNotFoundError, ProcessLookupError):
                lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
                total += next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) * 1024
        return total

    def cpu_s(self, name: str) -> float:
        """Processor time that a process and its children have taken since their start, in seconds."""
        return self._processes.cpu_s(name)

    def check(self) -> None:
        """Raises RuntimeError when one of the processes has ended."""
        self._processes.check()

    def _make_key(self) -> str:
        database = Database(self.settings.database_url)
        database.migrate()
        limits = Limits(MANY, 10**15, MANY)
        tenants = TenantStore(database, limits)
        tenants.create_tenant(TENANT, limits)
        key = tenants.create_key(TENANT, [Scope.READ, Scope.SUBMIT], "bench")
        database.close()
        return key

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
                raise TimeoutError(f"the API was not ready within {START_LIMIT_S} s: see {OUT}")
            time.sleep(0.1)

    def _stop(self) -> None:
        self._processes.stop()
        shutil.rmtree(self._data, ignore_errors=True)
