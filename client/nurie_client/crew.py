"""Chapters side by side, each in a thread that does not outlive the command."""

import queue
import threading
from collections.abc import Callable, Sequence
from typing import Final

from nurie_client.colouring import Run
from nurie_client.errors import NurieError

CHAPTERS_AT_ONCE: Final = 4
POLL_S: Final = 0.2


def run_chapters(runs: Sequence[Run], work: Callable[[Run], None], look: Callable[[], None]) -> None:
    """Do the work for every run, a few at a time; returns when all have ended.

    A `NurieError` ends its own run only, and is kept in `run.error`; so is any other error, which ends all.

    Args:
        work: what to do with one run.
        look: called a few times a second in this thread, and may raise.
    """
    waiting: queue.SimpleQueue[Run] = queue.SimpleQueue()
    for run in runs:
        if run.error is None:
            waiting.put(run)
    broken: list[BaseException] = []

    def serve() -> None:
        while not broken:
            try:
                run = waiting.get_nowait()
            except queue.Empty:
                return
            if run.halt.is_set():
                continue
            try:
                work(run)
            except NurieError as error:
                run.error = error
            except BaseException as error:  # noqa: BLE001  raised again by who waits
                broken.append(error)
            finally:
                run.phase = "done"
                run.chapter.close()

    # Daemons: after Ctrl-C one of them may be waiting for an answer, and nobody waits for it.
    threads = [threading.Thread(target=serve, daemon=True) for _ in range(min(CHAPTERS_AT_ONCE, len(runs)))]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        for thread in threads:
            thread.join(POLL_S / len(threads))
        look()
    if broken:
        raise broken[0]
