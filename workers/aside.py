"""Work that nobody waits for, done beside the next stage in a thread of its own."""

import threading
from collections.abc import Callable
from contextvars import copy_context


class Aside:
    """One thing at a time, so that what is late holds up the next one rather than piling up."""

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None

    def do(self, call: Callable[[], None]) -> None:
        """Begin a call that raises nothing, once the one before has ended."""
        self.wait()
        # Lines that it logs carry the ids of the stage that it is for.
        self._thread = threading.Thread(target=copy_context().run, args=(call,), name="aside", daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Until nothing is under way."""
        if self._thread is not None:
            self._thread.join()
            self._thread = None
