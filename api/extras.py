"""Files beside a chapter's pages, such as ComicInfo.xml: given back in the result as they were."""

from collections.abc import Sequence
from typing import Any

from api.incoming import Checked, IncomingFile, read_all
from common.archives import ArchiveLimits, is_archive
from common.errors import InputError, TooLargeError
from common.jobs.ids import sha256_hex
from storage import keys
from storage.protocol import ObjectStore


def check_extras(extras: Sequence[IncomingFile], limits: ArchiveLimits, pages: Sequence[Checked]) -> list[Checked]:
    """Hold files to what an archive's would be held to, of which they and the pages were the entries.

    Raises:
        TooLargeError: more entries or bytes than the limits.
        InputError: an archive, or a name that comes twice.
    """
    if not extras:
        return []  # pages alone are held to limits of their own
    count = len(pages) + len(extras)
    if count > limits.max_entries:
        raise TooLargeError(f"extras: {count} files with the pages, over the limit of {limits.max_entries}")
    checked, seen = [], set()
    for number, file in enumerate(extras, 1):
        label = f"extra {number} ({file.name})"
        data = read_all(file, limits.max_entry_bytes)
        if is_archive(file.name, data):
            raise InputError(f"{label} is an archive: unpack it first")
        if file.name in seen:
            raise InputError(f"{label}: another extra has this name")
        seen.add(file.name)
        checked.append(Checked(file, sha256_hex(data), len(data)))
    total = sum(one.size for one in (*pages, *checked))
    if total > limits.max_total_bytes:
        raise TooLargeError(f"extras: {total} bytes with the pages, over the limit of {limits.max_total_bytes} bytes")
    return checked


def keep_extras(store: ObjectStore, job_id: str, extras: Sequence[Checked]) -> list[dict[str, Any]]:
    """Store the extras of a job; returns what the truth keeps of them, as of an archive's."""
    kept = []
    for number, extra in enumerate(extras, 1):
        key = keys.extra_file(job_id, number)
        extra.file.keep(store, key)
        kept.append({"name": extra.file.name, "key": key, "sha256": extra.sha256, "size": extra.size})
    return kept
