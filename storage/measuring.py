"""Every request to a store is timed, and counted where it is not answered."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Final, TypeVar

from common.errors import OutageError
from common.telemetry import STORAGE_ERRORS, STORAGE_SECONDS, timed
from common.tracing import part_span

OPERATIONS: Final = ("put", "get", "open", "stat", "copy", "delete", "delete_prefix", "check")
"""Not the listings, which are read as their reader goes on."""

Store = TypeVar("Store", bound=type)


def measured(store: Store) -> Store:
    """Class decorator: the operations of a store are measured."""
    for operation in OPERATIONS:
        setattr(store, operation, _measure(operation, getattr(store, operation)))
    return store


def _measure(operation: str, call: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(call)
    def measure(*arguments: Any, **named: Any) -> Any:
        # Its errors are shown as 0 from the first request on: the first of them would be missed else.
        errors = STORAGE_ERRORS.labels(operation).count_exceptions(OutageError)
        with timed(STORAGE_SECONDS.labels(operation).observe), part_span(f"storage.{operation}"), errors:
            return call(*arguments, **named)

    return measure
