"""What the parent of a pool tells the truth when its child was killed: nobody waits for the lease to run out."""

import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

from celery import signals
from celery.exceptions import TimeLimitExceeded, WorkerLostError

from common.errors import OutOfMemoryError, RetryableError, StageTimeoutError
from common.errors import WorkerLostError as PageLostError
from common.jobs.work import PageRef
from common.logging import get_logger
from common.names import PAGE_TASKS, SET_TASK, TRAIN_TASK, TRAINING, Stage
from common.telemetry import ATTEMPTS
from workers.patience import wait_out
from workers.stage import Resources, get_resources, retry_pause_s

CGROUP = Path("/proc/self/cgroup")
CGROUPS = Path("/sys/fs/cgroup")
VMSTAT = Path("/proc/vmstat")

_STAGES = {name: stage for stage, name in PAGE_TASKS.items()} | {SET_TASK: Stage.METRICS}


class DeathWatch:
    """Connected in the parent process only: what a child reports itself ends in the truth without us."""

    def __init__(self) -> None:
        self._oom_kills = count_oom_kills()

    def connect(self) -> None:
        signals.task_failure.connect(self._on_failure, weak=False)

    def _on_failure(self, sender: Any, exception: BaseException, args: Any, **_: Any) -> None:
        if not isinstance(exception, (WorkerLostError, TimeLimitExceeded)):
            return
        cause = self._sort(exception)
        get_logger(__name__).warning("a stage's process died", task=sender.name, code=cause.code, reason=str(cause))
        # The pool must go on meanwhile, also when the database is away.
        report = threading.Thread(target=report_death, args=(get_resources(), sender.name, tuple(args), cause))
        report.start()

    def _sort(self, exception: BaseException) -> RetryableError:
        if isinstance(exception, TimeLimitExceeded):
            return StageTimeoutError("the stage ran over its time limit, and its process was killed")
        kills, before = count_oom_kills(), self._oom_kills
        self._oom_kills = kills
        if kills > before:
            return OutOfMemoryError("the system killed the stage's process when memory ran out")
        return PageLostError(f"the stage's process died: {exception}")


def report_death(resources: Resources, task: str, ids: tuple[Any, ...], cause: RetryableError) -> None:
    """Give up what a killed child worked on: another try after a pause, or none after the last failure allowed."""
    settings, work = resources.settings, resources.work

    def give_up() -> None:
        if task == TRAIN_TASK:
            key, _, attempt = ids
            pause_s = retry_pause_s(settings, cause, work.model_failures(key) + 1)
            if work.fail_model(key, attempt, cause.code, str(cause), pause_s, of_child=True):
                ATTEMPTS.labels(TRAINING, cause.code).inc()
        elif task in _STAGES:
            ref, stage = PageRef(*ids), _STAGES[task]
            pause_s = retry_pause_s(settings, cause, work.page_failures(ref) + 1)
            if work.fail_page(ref, stage, cause.code, str(cause), pause_s, of_child=True):
                ATTEMPTS.labels(stage, cause.code).inc()

    wait_out(give_up, settings.outage_limit_s)
    resources.wake_control()


def count_oom_kills() -> int:
    """How many processes the kernel has killed for memory: of our control group, else of the machine."""
    with suppress(OSError, IndexError):
        group = CGROUP.read_text().rpartition("0::/")[2].splitlines()[0]
        return _read_count(CGROUPS / group / "memory.events")
    with suppress(OSError):
        return _read_count(VMSTAT)
    return 0


def _read_count(file: Path) -> int:
    fields = dict(line.split()[:2] for line in file.read_text().splitlines())
    return int(fields.get("oom_kill", 0))
