"""Archives that clients sent become pages in storage. A page that cannot be read fails alone."""

import tempfile
from typing import Any, BinaryIO

from common.archives import ArchiveEntry, ArchiveLimits, list_contents, read_entry
from common.errors import BadArchiveError, InputError, NurieError, RetryableError
from common.jobs.dispatch import DispatchStore
from common.jobs.ids import sha256_hex
from common.jobs.models import Job
from common.logging import get_logger
from common.settings import Settings
from common.tracing import job_span
from storage import keys
from storage.protocol import ObjectStore

SPOOL_BYTES = 8 * 1024**2
"""Archives up to this are held in memory, larger ones in a temporary file: a ZIP must be read out of order."""


def unpack_archives(dispatch: DispatchStore, store: ObjectStore, settings: Settings) -> None:
    """Unpack every archive that waits; one that cannot be unpacked now does not hold up the others."""
    log = get_logger(__name__)
    for job in dispatch.archives_to_unpack():
        try:
            with job_span("control.unpack", job.id):
                _unpack_job(dispatch, store, settings, job)
        except (RetryableError, OSError) as error:  # OSError: such as a temporary folder that is full
            log.warning("unpacking is tried again", job=job.id, reason=str(error))
        except Exception as error:  # a job that can never be unpacked must end, or it would be tried for ever
            cause = error if isinstance(error, NurieError) else NurieError("internal error while unpacking the archive")
            log.warning("unpacking failed", job=job.id, code=cause.code, exc_info=error)
            for number in dispatch.page_names(job.id):
                dispatch.fail_page(job.id, number, cause.code, str(cause))
            dispatch.set_unpacked(job.id)


def _unpack_job(dispatch: DispatchStore, store: ObjectStore, settings: Settings, job: Job) -> None:
    assert job.archive_key is not None
    with tempfile.SpooledTemporaryFile(max_size=SPOOL_BYTES) as spool:
        with store.open(job.archive_key) as stream:
            while chunk := stream.read(1024**2):
                spool.write(chunk)
        _unpack(dispatch, store, settings, job, spool)  # type: ignore[arg-type]
    dispatch.set_unpacked(job.id)
    get_logger(__name__).info("archive unpacked", job=job.id, pages=job.pages_total)


def _unpack(dispatch: DispatchStore, store: ObjectStore, settings: Settings, job: Job, archive: BinaryIO) -> None:
    limits = settings.archive_limits
    contents = list_contents(archive, job.archive_name or "archive", limits)
    # Before the pages: once these are there the job may come to its end.
    dispatch.set_extras(job.id, _keep_extras(store, job.id, archive, contents.extras, limits))
    entries = {entry.name: entry for entry in contents.pages}
    for number, name in dispatch.page_names(job.id).items():
        try:
            if name not in entries:
                raise BadArchiveError(f"{job.archive_name}: {name} is no longer in it")
            data = read_entry(archive, entries[name], limits)
        except InputError as error:
            dispatch.fail_page(job.id, number, error.code, str(error))
            continue
        dispatch.set_source(job.id, number, _keep(store, keys.source(job.id, number), data) | {"filename": name})


def _keep_extras(
    store: ObjectStore, job_id: str, archive: BinaryIO, extras: list[ArchiveEntry], limits: ArchiveLimits
) -> list[dict[str, Any]]:
    """Store what is no page; what is damaged is left out, and named with the reason."""
    kept: list[dict[str, Any]] = []
    for index, entry in enumerate(extras, 1):
        try:
            data = read_entry(archive, entry, limits)
        except InputError as error:
            get_logger(__name__).warning("an extra is left out", job=job_id, reason=str(error))
            kept.append({"name": entry.name, "error": str(error)})
        else:
            kept.append({"name": entry.name} | _keep(store, keys.extra_file(job_id, index), data))
    return kept


def _keep(store: ObjectStore, key: str, data: bytes) -> dict[str, Any]:
    store.put(key, data, media_type="application/octet-stream")
    return {"key": key, "sha256": sha256_hex(data), "size": len(data)}
