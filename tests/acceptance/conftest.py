"""The whole house, started once: Redis, API, control and a worker per stage, each in its own environment."""

import os
import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from nurie_client import Client, Job, Page

from common.jobs.database import Database
from embedded.services import ROOT, Services, free_port

PROCFILE = dict(line.split(": ", 1) for line in (ROOT / "Procfile").read_text().splitlines())
# Short enough that a lost worker is noticed within a test, long enough for a machine that is busy.
LEASES = {"NURIE_LEASE_S": "8", "NURIE_HEARTBEAT_S": "1", "NURIE_QUEUE_LEASE_S": "5"}


class House:
    def __init__(self, services: Services, api: Client, environment: dict[str, str]) -> None:
        self.services, self.api, self._environment = services, api, environment
        self.database = Database(f"sqlite:///{Path(environment['NURIE_DATA']).absolute() / 'nurie.db'}")

    @contextmanager
    def worker(self, stage: str) -> Iterator[subprocess.Popen[bytes]]:
        """One more worker for a stage, exactly as the Procfile starts it, in a process group of its own."""
        command = PROCFILE[stage].removeprefix("exec ").replace("$$", f"extra-{time.time_ns()}")
        process = subprocess.Popen(
            shlex.split(command),
            cwd=ROOT,
            env=os.environ | self._environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(30)

    def finished(self, job_id: str, within_s: float = 240) -> tuple[Job, list[Page]]:
        deadline = time.monotonic() + within_s
        for job, pages in self.api.follow(job_id):
            assert time.monotonic() < deadline, (job, pages)
        return job, pages


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("house")
    environment = {
        "NURIE_DATA": str(folder / "var"),
        "NURIE_BROKER_URL": f"redis://127.0.0.1:{free_port()}/0",
        "NURIE_LOG_FORMAT": "json",
        **LEASES,
    }
    with Services(environment, free_port(), log=folder / "log") as services:
        services.wait_until_ready()
        with Client(services.base_url) as api:
            house = House(services, api, environment)
            yield house
            house.database.close()


@pytest.fixture
def wait_for() -> Callable[[Callable[[], object], float], None]:
    def wait(condition: Callable[[], object], within_s: float) -> None:
        deadline = time.monotonic() + within_s
        while not condition():
            assert time.monotonic() < deadline, "the condition did not come true in time"
            time.sleep(0.05)

    return wait
