"""A job at the door that continues a series: with the series' references, or with new ones that the series gets.

Storage comes before the truth: what a series is to have is stored under keys that nobody refers to yet, and the job is
made only if the series is still what it was seen to be. Otherwise it is looked up again.
"""

from collections.abc import Collection
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final

from api.context import Context
from common.errors import DatabaseError, InputError, NotFoundError, SeriesChangedError
from common.jobs.ids import new_id
from common.jobs.models import Series
from common.jobs.records import NewJob, SeriesUse
from common.logging import get_logger
from storage import keys

TRIES: Final = 20
"""How often a series that others change is looked up again: of so many submissions at once the last gets through."""


def require_known(context: Context, name: str) -> None:
    """Raises InputError: there is no series of this name, so that a job needs references of its own."""
    if context.series.find(context.tenant_id, name) is None:
        raise _unknown(name)


def create_in_series(context: Context, new: NewJob, name: str) -> set[str]:
    """Create a job in a series; the series is made where there is none.

    With references the series has these from now on; without, the job gets copies of the series' own.

    Returns:
        Keys of objects that the series refers to no longer, for `delete_replaced`.

    Raises:
        InputError: neither the job nor the series has references.
        SeriesChangedError: others changed the series again and again, or an object of it is gone.
        QuotaError, ConflictError: see `JobStore.create_job`.
    """
    for _ in range(TRIES - 1):
        with suppress(SeriesChangedError):
            return _try_to_create(context, new, name)
    return _try_to_create(context, new, name)


def delete_replaced(context: Context, replaced: Collection[str]) -> None:
    """Delete what a series refers to no longer; what cannot be deleted now is left to the sweep."""
    try:
        for key in replaced:
            context.store.delete(key)
    except Exception as error:  # noqa: BLE001  whatever it is, the job is there, and its client is told so
        get_logger(__name__).warning("references are left to the sweep", keys=sorted(replaced), reason=str(error))


def _try_to_create(context: Context, new: NewJob, name: str) -> set[str]:
    series = context.series.find(context.tenant_id, name)
    if new.references:
        return _create_with_own(context, new, name, series)
    if series is None:
        raise _unknown(name)
    context.jobs.create_job(_with_references_of(context, new, series), context.limits)
    return set()


def _create_with_own(context: Context, new: NewJob, name: str, series: Series | None) -> set[str]:
    seen = series.references if series else []
    kept = _kept_objects(context, new, seen)
    series_id = series.id if series else new_id()
    fresh: list[str] = []
    references: list[dict[str, Any]] = []
    try:
        for reference in new.references:
            key = kept.get(reference["sha256"])
            if key is None:
                key = kept[reference["sha256"]] = keys.series_reference(series_id, new_id())
                fresh.append(key)
                context.store.copy(reference["key"], key)
            references.append(_entry(reference, key))
        use = SeriesUse(series_id, name, series.references if series else None, references)
        context.jobs.create_job(replace(new, series=use), context.limits)
    except DatabaseError:
        raise  # what was lost may be the answer only, and the series refer to them; otherwise they are swept away
    except Exception:
        for key in fresh:
            context.store.delete(key)
        raise
    return {one["key"] for one in seen} - {one["key"] for one in references}


def _kept_objects(context: Context, new: NewJob, seen: list[dict[str, Any]]) -> dict[str, str]:
    """Keys, by digest, of the job's references that the series has already; one that was lost is stored anew."""
    sent = {reference["sha256"] for reference in new.references}
    had: dict[str, str] = {one["sha256"]: one["key"] for one in seen if one["sha256"] in sent}
    return {sha256: key for sha256, key in had.items() if context.store.stat(key)}


def _with_references_of(context: Context, new: NewJob, series: Series) -> NewJob:
    """The job with copies of the series' references: it stays what it is whatever becomes of these."""
    references = []
    for number, reference in enumerate(series.references, 1):
        key = keys.reference(new.id, number)
        try:
            context.store.copy(reference["key"], key)
        except NotFoundError:
            raise SeriesChangedError(
                f"series {series.name!r}: reference {number} ({reference['name']}) is gone: send references"
            ) from None
        references.append(_entry(reference, key) | {"filename": reference["name"]})
    use = SeriesUse(series.id, series.name, series.references, series.references)
    copied: int = sum(reference["size"] for reference in references)
    return replace(new, references=references, stored_bytes=new.stored_bytes + copied, series=use)


def _entry(reference: dict[str, Any], key: str) -> dict[str, Any]:
    return {"name": reference["name"], "key": key, "sha256": reference["sha256"], "size": reference["size"]}


def _unknown(name: str) -> InputError:
    return InputError(f"series {name!r} is not there yet: its first chapter needs references")
