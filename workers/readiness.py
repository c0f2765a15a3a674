"""A worker takes no work before its process is warm and its golden page came out right.

The pool's child loads its networks and does the golden page in a thread beside its main loop: it answers its parent
meanwhile, and ends at once when told to. It says how it stands in a file by its process id; the parent reads that
before it asks the broker for a message. A child that follows a dead one has another id, so it is asked anew.
"""

import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from billiard.pool import EX_RECYCLE
from celery import Task, bootsteps, signals
from celery.exceptions import Reject
from celery.worker.consumer.tasks import Tasks

from common.logging import get_logger
from common.names import Stage
from common.telemetry import FOLDER_VARIABLE, GOLDEN_ERROR, GOLDEN_RUNS, WORKER_REFUSED, begin_counting
from workers.golden import Check, WarmUp

AGAIN_S: float = 60.0
"""How long after a golden page that failed it is tried again, in seconds."""
LIMIT_S: float = 180.0
"""How long a warm-up may take until it counts as failed, in seconds: drivers may hang rather than fail."""
TRIES: Final = 5
"""So often a process tries; then another one takes its place. What a GPU spoils in a process stays spoilt in it."""
WARMING: Final = "warming up: it loads its networks and does its golden page"
ADVICE: Final = "it takes no page until this passes: docs/runbooks.md#nurieworkerrefused"
_PASSED, _FAILED = "passed", "failed"


class Readiness:
    """How a process stands; one per process, child or parent."""

    def __init__(self) -> None:
        self._task: tuple[Stage, WarmUp] | None = None
        self._refusal: str | None = None
        self._pool: Any = None
        self._ready_pids: set[int] = set()
        self.is_warm = threading.Event()
        self.is_warm.set()  # where nobody asked for a warm-up, as in tests and in the shell

    def warm_before_work(self, stage: Stage, warm_up: WarmUp) -> None:
        """Have every process of this worker do this before it takes work: called where its tasks are defined."""
        self._task = stage, warm_up
        signals.worker_process_init.connect(self._start, weak=False)

    # In the child

    def _start(self, **_: Any) -> None:
        assert self._task
        self.is_warm.clear()
        # What follows a process that refused is not known to be better yet, and what was said need not be said again.
        self._refusal = _read(_last_refusal())
        self._tell(_say(self._refusal))
        threading.Thread(target=self._warm_until_ready, args=self._task, name="warm-up", daemon=True).start()

    def _warm_until_ready(self, stage: Stage, warm_up: WarmUp) -> None:
        begin_counting(GOLDEN_RUNS, [stage], [_PASSED, _FAILED])
        for _ in range(TRIES):
            trial = threading.Thread(target=self._try, args=(stage, warm_up), name="golden-page", daemon=True)
            trial.start()
            trial.join(LIMIT_S)
            if trial.is_alive():
                self._refuse(stage, f"the warm-up is not through after {LIMIT_S:g} s")
            if self.is_warm.wait(AGAIN_S):
                self._accept(stage)  # in the end, should it have come through as it was given up
                return
            if trial.is_alive():  # two at once would disturb each other
                break
        os._exit(EX_RECYCLE)  # it has no task, and a thread that hangs would keep Python's own end waiting

    def _try(self, stage: Stage, warm_up: WarmUp) -> None:
        try:
            refusal, error = judge(stage, warm_up()), None
        except Exception as raised:  # noqa: BLE001  whatever it is, this process must not work with it
            refusal, error = f"the warm-up failed: {type(raised).__name__}: {raised}", raised
        if refusal is not None:
            self._refuse(stage, refusal, error)
            return
        GOLDEN_RUNS.labels(stage, _PASSED).inc()
        get_logger(__name__).info("the golden page passed: this process takes work")
        self.is_warm.set()
        self._accept(stage)

    def _accept(self, stage: Stage) -> None:
        WORKER_REFUSED.labels(stage).set(0)
        _last_refusal().unlink(missing_ok=True)
        self._tell("")

    def _refuse(self, stage: Stage, refusal: str, error: Exception | None = None) -> None:
        refusal = " ".join(refusal.split())
        GOLDEN_RUNS.labels(stage, _FAILED).inc()
        WORKER_REFUSED.labels(stage).set(1)
        if refusal != self._refusal:  # every minute the same is told once
            get_logger(__name__).error("this worker refuses work", reason=refusal, advice=ADVICE, exc_info=error)
        self._refusal = refusal
        _write(_last_refusal(), refusal)
        self._tell(_say(refusal))

    def _tell(self, obstacle: str) -> None:
        """Tell the parent what keeps this process from work; nothing when it is ready."""
        _write(_file_of(os.getpid()), obstacle)

    # In the parent

    def watch(self, pool: Any) -> None:
        """Ask the processes of Celery's pool from now on."""
        self._pool = pool

    def find_obstacle(self) -> str | None:
        """What keeps the pool's processes from work; None when nothing does."""
        if self._task is None:
            return None
        if self._pool is None:  # before the broker answered for the first time
            return WARMING
        processes = list(self._pool._pool._pool) if self._pool._pool else []
        for process in processes:
            if process.pid in self._ready_pids:
                continue
            obstacle = _read(_file_of(process.pid))
            if obstacle is None:
                return _say(_read(_last_refusal()))
            if obstacle:
                return obstacle
            self._ready_pids.add(process.pid)
        return None if processes else WARMING


readiness: Final = Readiness()


def judge(stage: Stage, checks: Sequence[Check]) -> str | None:
    """Why a worker must refuse work after its golden page; None when all is well."""
    worst = max(checks, key=lambda check: check.share)
    GOLDEN_ERROR.labels(stage).set(worst.share)
    if worst.passed:
        return None
    return "its golden page failed: " + "; ".join(f"{one.what}: {one.said}" for one in checks if not one.passed)


class CarefulTask(Task):  # type: ignore[misc]
    """Hands a message back when its process is not ready.

    One may come where a process died while its parent was already waiting for a message. Nothing was claimed: no
    attempt of the page is used up.
    """

    abstract = True

    def __call__(self, *args: Any, **options: Any) -> Any:
        if not readiness.is_warm.is_set():
            raise Reject("this process is not ready", requeue=True)
        return super().__call__(*args, **options)


class TakeWhenReady(bootsteps.StartStopStep):  # type: ignore[misc]
    """Asks the broker for no message while a process is not ready; anew with each connection."""

    requires = (Tasks,)

    def start(self, consumer: Any) -> None:
        readiness.watch(consumer.pool)
        channel = consumer.task_consumer.channel
        may_take = channel.qos.can_consume  # Celery's own, which knows how many are being worked on

        def can_consume() -> bool:
            if readiness.find_obstacle() is None:
                return bool(may_take())
            # What was asked for before the process died is taken, and handed back by the next one: kombu would leave
            # the answer unread, and with it a message that Redis gave away, for as long as the worker refuses.
            return bool(channel._in_poll)

        channel.qos.can_consume = can_consume


def _say(refusal: str | None) -> str:
    return WARMING if refusal is None else f"refused: {refusal}"


def _file_of(pid: int) -> Path:
    return Path(os.environ[FOLDER_VARIABLE], f"ready-{pid}")


def _last_refusal() -> Path:
    """Why the last process refused, for the one that follows it; not there once one was ready."""
    return Path(os.environ[FOLDER_VARIABLE], "refusal")


def _write(file: Path, text: str) -> None:
    half = file.with_suffix(".half")
    half.write_text(text)
    half.replace(file)


def _read(file: Path) -> str | None:
    try:
        return file.read_text()
    except FileNotFoundError:
        return None
