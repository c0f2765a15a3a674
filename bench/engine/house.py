"""Redis, control and a worker a stage on a database of their own: the engine without the door and without networks."""

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

from bench.engine.chapters import Chapters
from client.services import ROOT, die_with_parent, free_port
from common.broker import Broker
from common.jobs.database import Database
from common.names import STAGES, Stage
from common.settings import Settings
from storage.configured import open_configured_store

OUT = ROOT / "out" / "bench-engine"
START_LIMIT_S = 60
STOP_LIMIT_S = 15


class House:
    """One engine whose stages take known times, as a context manager; at the end only its log is left."""

    def __init__(self, name: str, stage_s: dict[Stage, float]) -> None:
        """`name` is its log's, in out/bench-engine; `stage_s` how long each stage takes, in seconds."""
        self.page_s = sum(stage_s.values())
        self._data = OUT / f"var-{name}"
        self._log = OUT / f"{name}.log"
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        # Spelled out, so that no setting of the shell's has us work on somebody's own database or broker.
        self._settings = Settings(
            data=self._data,
            database_url=f"sqlite:///{self._data / 'nurie.db'}",
            broker_url=f"redis://127.0.0.1:{free_port()}/0",
            storage_url=f"file://{self._data / 'storage'}",
        )
        self._environment = {name: value for name, value in os.environ.items() if not name.startswith("NURIE_")} | {
            "NURIE_DATA": str(self._data),
            "NURIE_BROKER_URL": self._settings.broker_url,
            "NURIE_TEST_STAGE_S": ",".join(f"{stage}={stage_s[stage]}" for stage in STAGES),
        }

    def __enter__(self) -> Self:
        shutil.rmtree(self._data, ignore_errors=True)
        self._log.unlink(missing_ok=True)
        database = Database(self._settings.database_url)
        database.migrate()
        store = open_configured_store(self._settings)
        store.ensure()
        self.chapters = Chapters(database, store, Broker(self._settings.broker_url))
        try:
            # As the Procfile has them, but for the workers' app; and not nice: beside other work on this machine the
            # figures would be of that work.
            self._start("redis", [sys.executable, "-m", "workers.redis_server"])
            self._start("control", [sys.executable, "-m", "workers.control"])
            celery = [str(Path(sys.executable).with_name("celery")), "-A", "tests.chaos.stages"]
            for stage in STAGES:
                self._start(stage, [*celery, "worker", "-Q", stage, "-n", f"{stage}-{os.getpid()}@%h"])
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
        fields = Path(f"/proc/{self._processes['control'].pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def check(self) -> None:
        """Raises RuntimeError when one of the processes has ended."""
        for name, process in self._processes.items():
            if process.poll() is not None:
                raise RuntimeError(f"{name} ended with {process.returncode}: see {self._log}")

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

    def _warm_up(self) -> None:
        """One page through all stages: the model is trained, every pool has its process, all are signed in."""
        job_id = self.chapters.submit("warm-up", 1)
        self.wait_for(job_id, START_LIMIT_S)

    def wait_for(self, job_id: str, limit_s: float) -> None:
        """Wait until a job has ended. Raises TimeoutError."""
        deadline = time.monotonic() + limit_s
        while self.chapters.ended_at(job_id) is None:
            self.check()
            if time.monotonic() > deadline:
                raise TimeoutError(f"job {job_id} did not end within {limit_s} s: see {self._log}")
            time.sleep(0.1)

    def _stop(self) -> None:
        # Redis last: workers that lose their broker while they stop only fill the log.
        for names in ([name for name in self._processes if name != "redis"], ["redis"]):
            stopping = [self._processes[name] for name in names if name in self._processes]
            for process in stopping:
                process.terminate()
            deadline = time.monotonic() + STOP_LIMIT_S
            for process in stopping:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(max(0.1, deadline - time.monotonic()))
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)  # what is left of it, a pool's process too
                process.wait()
        self.chapters.close()
        shutil.rmtree(self._data, ignore_errors=True)
