"""Archives that clients sent become pages in storage. A page that cannot be read fails alone."""

import tempfile
from typing import BinaryIO

from common.archives import list_pages, read_entry
from common.errors import InputError
from common.jobs.dispatch import DispatchStore
from common.jobs.ids import sha256_hex
from common.jobs.models import Job
from common.logging import get_logger
from common.settings import Settings
from storage import keys
from storage.protocol import ObjectStore

SPOOL_BYTES = 64 * 1024**2
"""Archives up to this are held in memory, larger ones in a temporary file: a ZIP must be read out of order."""


def unpack_archives(dispatch: DispatchStore, store: ObjectStore, settings: Settings) -> None:
    for job in dispatch.archives_to_unpack():
        with tempfile.SpooledTemporaryFile(max_size=SPOOL_BYTES) as spool:
            assert job.archive_key is not None
            with store.open(job.archive_key) as stream:
                while chunk := stream.read(1024**2):
                    spool.write(chunk)
            _unpack(dispatch, store, settings, job, spool)  # type: ignore[arg-type]
        dispatch.set_unpacked(job.id)
        get_logger(__name__).info("archive unpacked", job=job.id, pages=job.pages_total)


def _unpack(dispatch: DispatchStore, store: ObjectStore, settings: Settings, job: Job, archive: BinaryIO) -> None:
    limits = settings.archive_limits
    entries = {entry.name: entry for entry in list_pages(archive, job.archive_name or "archive", limits)}
    for number, name in dispatch.page_names(job.id).items():
        try:
            data = read_entry(archive, entries[name], limits)
        except InputError as error:
            dispatch.fail_page(job.id, number, error.code, str(error))
            continue
        key = keys.source(job.id, number)
        store.put(key, data, media_type="application/octet-stream")
        dispatch.set_source(
            job.id, number, {"key": key, "sha256": sha256_hex(data), "size": len(data), "filename": name}
        )
