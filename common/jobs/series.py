"""Series in the truth: what chapters of one work have in common, their references and corrected colours.

Who locks a series and jobs locks the series first, and who locks a series and a tenant does so, too.
"""

import time
from collections.abc import Mapping

from sqlalchemy import String, cast, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from common.colours import merge_colours
from common.errors import NotFoundError, SeriesChangedError
from common.hints import Rgb
from common.jobs.database import Database
from common.jobs.ids import is_id
from common.jobs.models import Job, Series
from common.jobs.records import SeriesUse


class SeriesStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    def list_series(self, tenant_id: str, limit: int, before: str | None, name: str | None) -> list[Series]:
        """Own series, newest first; `before` is the id of the last one of the page before, `name` the exact name."""
        query = select(Series).where(Series.tenant_id == tenant_id).order_by(Series.id.desc()).limit(limit)
        if before is not None:
            query = query.where(Series.id < before)
        if name is not None:
            query = query.where(Series.name == name)
        with self._database.reading() as session:
            return list(session.scalars(query))

    def find(self, tenant_id: str, name: str) -> Series | None:
        return next(iter(self.list_series(tenant_id, 1, None, name)), None)

    def find_reference(self, tenant_id: str, sha256: str, size: int) -> str | None:
        """The object of a reference with these bytes (SHA-256 in hex, and how many), of any series of the tenant."""
        # As JSON is kept as text: a name in it that has these characters has its quotes escaped.
        text = cast(Series.references, String)
        query = select(Series.references).where(Series.tenant_id == tenant_id, text.contains(f'"sha256": "{sha256}"'))
        with self._database.reading() as session:
            references = session.scalar(query.limit(1)) or []
        found = (one for one in references if (one["sha256"], one["size"]) == (sha256, size))
        return next((str(reference["key"]) for reference in found), None)

    def get(self, tenant_id: str, series_id: str) -> Series:
        """Raises NotFoundError."""
        with self._database.reading() as session:
            return _own_series(session, tenant_id, series_id)

    def set_colours(self, tenant_id: str, series_id: str, colours: Mapping[Rgb, Rgb]) -> Series:
        """Replace the corrected colours. Raises NotFoundError, InputError (too many)."""
        with self._database.writing() as session:
            series = _own_series(session, tenant_id, series_id, lock=True)
            series.colours = merge_colours([], colours, f"series {series.name!r}")
            series.updated_at = time.time()
            return series

    def delete(self, tenant_id: str, series_id: str) -> None:
        """Delete a series; its jobs stay, and its objects are the caller's to delete. Raises NotFoundError."""
        with self._database.writing() as session:
            session.delete(_own_series(session, tenant_id, series_id, lock=True))


def hold_series(session: Session, tenant_id: str, use: SeriesUse) -> Series:
    """Lock the series that a job to be belongs to, or make it, with nothing in it yet.

    Raises:
        SeriesChangedError: it is not what it was seen to be.
    """
    if use.seen is not None:
        series = session.get(Series, use.id, with_for_update=True)
        if series is None or series.references != use.seen:
            raise SeriesChangedError(f"series {use.name!r} has changed meanwhile")
        return series
    now = time.time()
    series = Series(id=use.id, tenant_id=tenant_id, name=use.name, created_at=now, updated_at=now)
    series.references, series.colours, series.stored_bytes = [], [], 0
    session.add(series)
    try:
        session.flush()
    except IntegrityError:  # another submission was first
        raise SeriesChangedError(f"series {use.name!r} was made meanwhile") from None
    return series


def set_references(series: Series, use: SeriesUse, now: float) -> None:
    """Give a series that the caller holds the references that it is to have from now on."""
    if series.references != use.references:
        series.references, series.stored_bytes, series.updated_at = use.references, use.size, now


def lock_series_of(session: Session, job_id: str) -> Series | None:
    """The series of a job, locked before the job is."""
    series_id = session.scalar(select(Job.series_id).where(Job.id == job_id))
    return session.get(Series, series_id, with_for_update=True) if series_id else None


def remember_colours(job: Job, series: Series | None, colours: Mapping[Rgb, Rgb]) -> None:
    """Have corrected colours hold for what the job's cgan makes from now on, and for the series' chapters to come.

    The caller holds both rows. Raises InputError: too many.
    """
    job.colours = merge_colours(job.colours, colours, f"job {job.id}")
    if series is not None:
        series.colours = merge_colours(series.colours, colours, f"series {series.name!r}")
        series.updated_at = time.time()


def _own_series(session: Session, tenant_id: str, series_id: str, *, lock: bool = False) -> Series:
    series = session.get(Series, series_id, with_for_update=lock) if is_id(series_id) else None
    if series is None or series.tenant_id != tenant_id:
        raise NotFoundError(f"no series {series_id}")
    return series
