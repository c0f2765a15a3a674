"""Work that nobody waits for, done beside the next stage in a thread of its own."""

import threading
from collections.abc import Callable
from contextvars import copy_context


class Aside:
    """One thing at a time, so that what is late holds up the next one rather than piling up."""

    def __init__(self) -> None:
        self._is_free = threading.Event()
        self._is_free.set()

    def do(self, call: Callable[[], None]) -> None:
        """Begin a call that raises nothing, once the one before has ended."""
        self.wait()
        self._is_free.clear()
        # Lines that it logs carry the ids of the stage that it is for.
        threading.Thread(target=copy_context().run, args=(self._work, call), name="aside", daemon=True).start()

    def wait(self) -> None:
        """Until nothing is under way."""
        self._is_free.wait()  # not a thread's join, which a time limit that interrupts it spoils

    def _work(self, call: Callable[[], None]) -> None:
        try:
            call()
        finally:
            self._is_free.set()
