"""One stage's work in a process of its own, as a worker does it: load once, then task after task. Prints JSON.

Run in the stage's environment, with the house's settings: WHAT and the arguments of its messages, as JSON lists. The
tasks are the real ones, with storage and the truth; only Celery's own handling of messages is left out.
"""

import importlib
import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

from bench.counting import CountingStore
from common.names import PAGE_TASKS, SET_TASK, TRAIN_TASK, Stage

TASKS = {stage.value: (stage, PAGE_TASKS[stage]) for stage in Stage} | {
    "training": (Stage.CGAN, TRAIN_TASK),
    "report": (Stage.METRICS, SET_TASK),
}
"""Name of a piece of work → its room and its task."""


def main(what: str, messages: list[list[Any]]) -> dict[str, Any]:
    """Work on the messages one after the other; what each took, and what the process needed."""
    stage, task = TASKS[what]
    importlib.import_module(f"workers.{stage}.tasks")
    from workers import stage as shared
    from workers.celery import app

    counted: list[CountingStore] = []
    open_store = shared.open_configured_store

    def open_counting(*settings: Any) -> Any:
        counted.append(CountingStore(open_store(*settings)))
        return counted[0]

    shared.open_configured_store = open_counting  # before the process's resources are made
    loaded_bytes = _memory_bytes("VmRSS")
    runs = []
    for message in messages:
        before, started = _cpu_s(), time.monotonic()
        app.tasks[task].apply(args=message, throw=True)
        runs.append({"seconds": time.monotonic() - started, "cpu_s": _cpu_s() - before})
    shared.get_resources().aside.wait()
    return {
        "runs": runs,
        "loaded_bytes": loaded_bytes,
        "peak_bytes": _memory_bytes("VmHWM"),
        "requests": dict(counted[0].requests),
        "bytes_read": counted[0].bytes_read,
        "bytes_written": counted[0].bytes_written,
    }


def _cpu_s() -> float:
    """Of all threads of the process, and of children that have ended."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def _memory_bytes(what: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(what))


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], [json.loads(argument) for argument in sys.argv[2:]])))
