"""Files beside a chapter's pages, such as ComicInfo.xml: given back in the result as they were."""

from collections.abc import Sequence
from typing import Any

from api.context import Context
from api.incoming import IncomingFile, read_all
from common.archives import ArchiveLimits, is_archive
from common.errors import InputError, TooLargeError
from common.jobs.ids import sha256_hex
from storage import keys


def check_extras(extras: Sequence[IncomingFile], limits: ArchiveLimits, *, pages: int, page_bytes: int) -> None:
    """Hold files to what an archive's would be held to, of which they and the pages were the entries.

    Args:
        extras: the files.
        limits: an archive's.
        pages: how many pages there are.
        page_bytes: their size, all together.

    Raises:
        TooLargeError: more entries or bytes than the limits.
        InputError: an archive, or a name that comes twice.
    """
    if pages + len(extras) > limits.max_entries:
        raise TooLargeError(
            f"extras: {pages + len(extras)} files with the pages, over the limit of {limits.max_entries}"
        )
    total, seen = page_bytes, set()
    for number, file in enumerate(extras, 1):
        label = f"extra {number} ({file.name})"
        data = read_all(file, limits.max_entry_bytes)
        if is_archive(file.name, data):
            raise InputError(f"{label} is an archive: unpack it first")
        if file.name in seen:
            raise InputError(f"{label}: another extra has this name")
        seen.add(file.name)
        total += len(data)
    if total > limits.max_total_bytes:
        raise TooLargeError(f"extras: {total} bytes with the pages, over the limit of {limits.max_total_bytes} bytes")


def keep_extras(context: Context, job_id: str, extras: Sequence[IncomingFile]) -> list[dict[str, Any]]:
    """Store the extras of a job; returns what the truth keeps of them, as of an archive's."""
    kept = []
    for number, file in enumerate(extras, 1):
        data = read_all(file, context.settings.archive_limits.max_entry_bytes)
        key = keys.extra_file(job_id, number)
        context.store.put(key, data, media_type="application/octet-stream")
        kept.append({"name": file.name, "key": key, "sha256": sha256_hex(data), "size": len(data)})
    return kept
