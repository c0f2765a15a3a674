"""Waiting out an outage: storage and the database may be away for a while, and running stages go on afterwards."""

import random
import time
from collections.abc import Callable
from typing import TypeVar

from common.errors import OutageError
from common.logging import get_logger
from storage.protocol import ObjectStore

FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 5.0

T = TypeVar("T")


def wait_out(call: Callable[[], T], limit_s: float) -> T:
    """Call until it is answered, with growing pauses. Raises OutageError of the last try after `limit_s` seconds."""
    deadline = time.monotonic() + limit_s
    longest_s = FIRST_PAUSE_S
    while True:
        try:
            return call()
        except OutageError as error:
            # Drawn, so that a thousand workers do not come back in the same instant.
            pause_s = random.uniform(0.5, 1.0) * longest_s  # noqa: S311  no secret
            if time.monotonic() + pause_s > deadline:
                raise
            get_logger(__name__).warning("waiting for what does not answer", code=error.code, reason=str(error))
        time.sleep(pause_s)
        longest_s = min(longest_s * 2, LONGEST_PAUSE_S)


class PatientStore:
    """What stages do with storage, each call waited out for up to `limit_s` seconds; see `storage.protocol`."""

    def __init__(self, store: ObjectStore, limit_s: float) -> None:
        self._store = store
        self._limit_s = limit_s

    def get(self, key: str) -> bytes:
        return wait_out(lambda: self._store.get(key), self._limit_s)

    def put(self, key: str, data: bytes, *, media_type: str) -> None:
        wait_out(lambda: self._store.put(key, data, media_type=media_type), self._limit_s)

    def copy(self, src: str, dst: str) -> None:
        wait_out(lambda: self._store.copy(src, dst), self._limit_s)

    def delete(self, key: str) -> None:
        """At once or not at all: what stays behind is swept away later."""
        self._store.delete(key)
