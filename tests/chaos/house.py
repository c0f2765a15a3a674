"""A house whose processes can be killed one by one, each restarted at once as systemd or Kubernetes would do it.

Every process has a process group of its own and is killed with us, should we die. Only what was started here is killed.
"""

import ctypes
import os
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from nurie_client import Client
from redis import Redis
from sqlalchemy import select

from common.jobs.database import Database
from common.jobs.models import Worker
from common.names import STAGES
from common.settings import Settings
from embedded.services import ROOT, free_port
from storage.configured import open_configured_store
from storage.protocol import ObjectStore
from workers.redis_server import find_server, server_arguments

PROCFILE = dict(line.split(": ", 1) for line in (ROOT / "Procfile").read_text().splitlines())
LIBC = ctypes.CDLL(None)
PR_SET_PDEATHSIG = 1
START_LIMIT_S = 180
STOP_LIMIT_S = 10
RESTART_EVERY_S = 0.5
"""A process that ends at once is not started again more often."""


class Process:
    """One process of the house: started, killed, started again."""

    def __init__(self, command: Callable[[], list[str]], environment: Mapping[str, str], log: IO[bytes]) -> None:
        self._command, self._environment, self._log = command, environment, log
        self._started = 0.0
        self.held = False
        """Stays away while this is set."""
        self.start()

    def start(self) -> None:
        self._started = time.monotonic()
        self._process = subprocess.Popen(
            self._command(),
            cwd=ROOT,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_die_with_parent,  # noqa: PLW1509  a single system call, of a library that is loaded already
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    def restart_if_ended(self) -> None:
        ended = self._process.poll() is not None
        if ended and not self.held and time.monotonic() - self._started > RESTART_EVERY_S:
            self.start()

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Parent and children at once."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)

    def wait(self, limit_s: float) -> None:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(limit_s)


class House:
    """Redis, API, control and a worker per stage, as a context manager; ready to take a job once it is entered."""

    def __init__(
        self,
        folder: Path,
        *,
        settings: Mapping[str, str] | None = None,
        keeps_redis: bool = False,
        real_stages: bool = False,
    ) -> None:
        """
        Args:
            folder: for data and logs.
            settings: NURIE_… on top of the defaults; of our own environment's none is taken.
            keeps_redis: let Redis keep its data on disk; the embedded one keeps nothing.
            real_stages: the Procfile's workers, in place of the fast ones.
        """
        self.folder = folder
        self.faults = folder / "faults"
        self.faults.mkdir(parents=True)
        self.port, self.redis_port = free_port(), free_port()
        self.base_url = f"http://127.0.0.1:{self.port}"
        self.broker_url = f"redis://127.0.0.1:{self.redis_port}/0"
        self.settings = {
            "NURIE_DATA": str((folder / "var").absolute()),
            "NURIE_BROKER_URL": self.broker_url,
            "NURIE_PORT": str(self.port),
            "NURIE_LOG_FORMAT": "json",
            "NURIE_TEST_FAULTS": str(self.faults.absolute()),
            **(settings or {}),
        }
        self._keeps_redis, self._real_stages = keeps_redis, real_stages
        self.processes: dict[str, Process] = {}
        self._logs: list[IO[bytes]] = []
        self._stopping = threading.Event()
        self._supervisor = threading.Thread(target=self._supervise, name="supervisor", daemon=True)
        self.database = Database(self.settings.get("NURIE_DATABASE_URL", f"sqlite:///{self.database_path}"))
        self.redis = Redis.from_url(self.broker_url)

    @property
    def database_path(self) -> Path:
        """Where SQLite has it."""
        return Path(self.settings["NURIE_DATA"]) / "nurie.db"

    @property
    def store(self) -> ObjectStore:
        given = {name.removeprefix("NURIE_").lower(): value for name, value in self.settings.items()}
        return open_configured_store(Settings(**given))  # type: ignore[arg-type]

    def __enter__(self) -> Self:
        started = threading.Event()
        # What a thread starts dies with that thread: the supervisor starts all, as it lives as long as the house.
        self._started = started
        self._supervisor.start()
        try:
            self._wait_until_ready()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    @contextmanager
    def away(self, name: str) -> Iterator[None]:
        """Kill a process; it is started again at the end."""
        process = self.processes[name]
        process.held = True
        try:
            process.kill()
            process.wait(STOP_LIMIT_S)
            yield
        finally:
            process.held = False

    def redis_answers(self) -> bool:
        with suppress(Exception):
            return bool(self.redis.ping())
        return False

    def _supervise(self) -> None:
        for name, command in self._commands().items():
            log = (self.folder / f"{name}.log").open("ab")
            self._logs.append(log)
            self.processes[name] = Process(command, self._environment(), log)
        self._started.set()
        while not self._stopping.wait(0.05):
            for process in self.processes.values():
                process.restart_if_ended()
        for process in self.processes.values():
            process.held = True
            process.kill()
        for process in self.processes.values():
            process.wait(STOP_LIMIT_S)

    def _stop(self) -> None:
        self._stopping.set()
        self._supervisor.join()
        for log in self._logs:
            log.close()
        self.database.close()
        self.redis.close()

    def _commands(self) -> dict[str, Callable[[], list[str]]]:
        return {
            "redis": self._redis_command,
            **{name: _procfile_command(name) for name in ("api", "control")},
            **{
                stage.value: _procfile_command(stage) if self._real_stages else _fast_command(stage) for stage in STAGES
            },
        }

    def _redis_command(self) -> list[str]:
        arguments = server_arguments(self.broker_url)
        if self._keeps_redis:
            arguments[arguments.index("--appendonly") + 1] = "yes"
            arguments += ["--dir", str(self.folder.absolute())]
        return [find_server(), *arguments]

    def _environment(self) -> dict[str, str]:
        others = {name: value for name, value in os.environ.items() if not name.startswith("NURIE_")}
        return {**others, **self.settings}

    def _wait_until_ready(self) -> None:
        wait_until(self._started.is_set, START_LIMIT_S, "the processes did not start")
        with Client(self.base_url) as api:
            wait_until(api.is_ready, START_LIMIT_S, f"the API is not ready: see {self.folder}")
        wait_until(self._has_all_workers, START_LIMIT_S, f"a worker did not sign in: see {self.folder}")

    def _has_all_workers(self) -> bool:
        with self.database.reading() as session:
            return set(session.scalars(select(Worker.queue))) == {stage.value for stage in STAGES}


def wait_until(condition: Callable[[], object], within_s: float, otherwise: str, every_s: float = 0.02) -> None:
    """Raises TimeoutError, which says `otherwise`, when the condition does not come true in time."""
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{otherwise}, within {within_s:g} s")
        time.sleep(every_s)


def is_listening(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def _fast_command(stage: str) -> Callable[[], list[str]]:
    celery = [sys.executable, "-m", "celery", "-A", "tests.chaos.stages", "worker", "-Q", stage]
    return lambda: [*celery, "-n", f"{stage}-{time.time_ns()}@%h"]


def _procfile_command(name: str) -> Callable[[], list[str]]:
    command = PROCFILE[name].removeprefix("exec ")
    return lambda: shlex.split(command.replace("$$", str(time.time_ns())))


def _die_with_parent() -> None:
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
