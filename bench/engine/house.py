"""Redis, control and a worker a stage on a database of their own: the engine without the door and without networks."""

import os
import shutil
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from bench.engine.chapters import Chapters
from bench.processes import Processes
from common.broker import Broker
from common.jobs.database import Database
from common.names import STAGES, Stage
from common.settings import Settings
from embedded.services import ROOT, free_port
from storage.configured import open_configured_store

OUT = ROOT / "out" / "bench-engine"
START_LIMIT_S = 60


class House:
    """One engine whose stages take known times, as a context manager; at the end only its log is left."""

    def __init__(self, name: str, stage_s: dict[Stage, float]) -> None:
        """`name` is its log's, in out/bench-engine; `stage_s` how long each stage takes, in seconds."""
        self.page_s = sum(stage_s.values())
        self._data = OUT / f"var-{name}"
        # Spelled out, so that no setting of the shell's has us work on somebody's own database or broker.
        self._settings = Settings(
            data=self._data,
            database_url=f"sqlite:///{self._data / 'nurie.db'}",
            broker_url=f"redis://127.0.0.1:{free_port()}/0",
            storage_url=f"file://{self._data / 'storage'}",
        )
        self._processes = Processes(
            OUT / f"{name}.log",
            {
                "NURIE_DATA": str(self._data),
                "NURIE_BROKER_URL": self._settings.broker_url,
                "NURIE_TEST_STAGE_S": ",".join(f"{stage}={stage_s[stage]}" for stage in STAGES),
            },
        )

    def __enter__(self) -> Self:
        shutil.rmtree(self._data, ignore_errors=True)
        database = Database(self._settings.database_url)
        database.migrate()
        store = open_configured_store(self._settings)
        store.ensure()
        self.chapters = Chapters(database, store, Broker(self._settings.broker_url))
        try:
            # As the Procfile has them, but for the workers' app; and not nice: beside other work on this machine the
            # figures would be of that work.
            self._processes.start("redis", [sys.executable, "-m", "workers.redis_server"])
            self._processes.start("control", [sys.executable, "-m", "workers.control"])
            celery = [str(Path(sys.executable).with_name("celery")), "-A", "tests.chaos.stages"]
            for stage in STAGES:
                self._processes.start(stage, [*celery, "worker", "-Q", stage, "-n", f"{stage}-{os.getpid()}@%h"])
            self._warm_up()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def control_cpu_s(self) -> float:
        """Processor time that control has taken since its start, in seconds."""
        return self._processes.cpu_s("control")

    def check(self) -> None:
        """Raises RuntimeError when one of the processes has ended."""
        self._processes.check()

    def _warm_up(self) -> None:
        """One page through all stages: the model is trained, every pool has its process, all are signed in."""
        job_id = self.chapters.submit("warm-up", 1)
        self.wait_for(job_id, START_LIMIT_S)

    def wait_for(self, job_id: str, limit_s: float) -> None:
        """Wait until a job has ended. Raises TimeoutError."""
        deadline = time.monotonic() + limit_s
        while self.chapters.ended_at(job_id) is None:
            self._processes.check()
            if time.monotonic() > deadline:
                raise TimeoutError(f"job {job_id} did not end within {limit_s} s: see {OUT}")
            time.sleep(0.1)

    def _stop(self) -> None:
        self._processes.stop()
        self.chapters.close()
        shutil.rmtree(self._data, ignore_errors=True)
