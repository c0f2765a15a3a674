"""A colour job at the door: everything is checked first, then stored, then written down. Or nothing is."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import Any, BinaryIO, Final
from unicodedata import normalize

from api.context import Context
from api.continuing import create_in_series, delete_replaced, require_known
from api.extras import check_extras, keep_extras
from api.incoming import Checked, IncomingFile, read_all
from common.archives import ArchiveEntry, list_contents, read_entry, read_start
from common.errors import BadImageError, ConflictError, DatabaseError, InputError, TooLargeError
from common.imaging import check_image, decode_image, is_coloured, read_header
from common.jobs.ids import sha256_hex
from common.jobs.records import NewJob, NewPage
from common.params import JobParams, parse_params
from common.settings import Settings
from storage import keys

HEADER_BYTES: Final = 1 << 20
"""As much of a page as is read to see its header, in bytes."""


@dataclass(frozen=True)
class Submission:
    """What a client sent, not yet checked."""

    pages: Sequence[IncomingFile] = ()
    archive: IncomingFile | None = None
    references: Sequence[IncomingFile] = ()
    truths: Sequence[IncomingFile] = ()
    params: Any = field(default_factory=dict)
    keep_days: float | None = None
    callback_url: str | None = None
    name: str | None = None
    extras: Sequence[IncomingFile] = ()
    """Files that are no pages and come back in the result; an archive brings its own."""
    series: str | None = None
    """Whose references hold where none are sent, and which has those that are sent from now on."""


@dataclass(frozen=True)
class Passed:
    """What of a submission is to be stored; truths by the index of their page.

    `archived` names the pages of an archive, which are not stored one by one; then `pages` is empty.
    """

    archived: list[str]
    pages: list[Checked]
    references: list[Checked]
    truths: dict[int, Checked]
    extras: list[Checked]


def submit_job(context: Context, submission: Submission, job_id: str) -> None:
    """Check a submission, store its files, and create the job under this id.

    Raises:
        InputError: what is wrong, in which file, and the limit; then nothing was stored.
        StorageError: storage does not answer; what had been stored was deleted again, as far as possible.
        ConflictError: the job is there already, or its series changes again and again.
    """
    params = parse_params(submission.params)
    passed = _check_submission(context, submission)
    replaced: set[str] = set()
    try:
        new = _store_files(context, submission, params, passed, job_id)
        if submission.series is None:
            context.jobs.create_job(new, context.limits)
        else:
            replaced = create_in_series(context, new, submission.series)
    except DatabaseError:
        raise  # what was lost may be the answer only, and the job be there; files of no job are swept away
    except Exception as error:
        if not (isinstance(error, ConflictError) and context.jobs.has_job(job_id)):  # else the files are that job's
            context.store.delete_prefix(keys.job_prefix(job_id))
        raise
    delete_replaced(context, replaced)
    context.wake_control()


def _check_submission(context: Context, submission: Submission) -> Passed:
    """Raises InputError."""
    _check_counts(context, submission)
    # References before pages: they are few, and the likeliest to be forgotten.
    references = [check_reference(context, number, file) for number, file in enumerate(submission.references, 1)]
    archived = _check_archive(context, submission.archive) if submission.archive else []
    pages = [_check_picture(context, f"page {number}", file) for number, file in enumerate(submission.pages, 1)]
    truths = [_check_picture(context, f"truth {number}", file) for number, file in enumerate(submission.truths, 1)]
    extras = check_extras(submission.extras, context.settings.archive_limits, pages)
    paired = pair_truths([page.file.name for page in pages] or archived, [truth.file.name for truth in truths])
    return Passed(archived, pages, references, {page: truths[truth] for page, truth in paired.items()}, extras)


def _store_files(context: Context, submission: Submission, params: JobParams, passed: Passed, job_id: str) -> NewJob:
    """Store what passed; returns the job that it is to become."""
    store, archive = context.store, submission.archive
    pages = [NewPage(name, None) for name in passed.archived] or [
        NewPage(page.file.name, page.keep(store, keys.source(job_id, number)))
        for number, page in enumerate(passed.pages, 1)
    ]
    for index, truth in passed.truths.items():
        kept = truth.keep(store, keys.truth(job_id, index + 1))
        pages[index] = replace(pages[index], truth_key=kept["key"], truth_sha256=kept["sha256"])
    references = [
        reference.keep(store, keys.reference(job_id, number)) | {"name": reference.file.name}
        for number, reference in enumerate(passed.references, 1)
    ]
    extras = keep_extras(store, job_id, passed.extras)
    if archive:
        archive.keep(store, keys.archive(job_id))
    return NewJob(
        job_id,
        context.tenant_id,
        params,
        pages,
        references,
        keys.archive(job_id) if archive else None,
        archive.name if archive else None,
        submission.keep_days,
        submission.callback_url,
        stored_bytes=_count_bytes(archive, passed.references, passed.truths.values(), passed.extras),
        name=submission.name,
        extras=extras,
    )


def _count_bytes(archive: IncomingFile | None, *checked: Iterable[Checked]) -> int:
    return sum(one.size for files in checked for one in files) + (archive.size if archive else 0)


def pair_truths(pages: Sequence[str], truths: Sequence[str]) -> dict[int, int]:
    """Pair truths with pages by name without suffix; by the whole path, or else by the last part alone.

    Returns:
        Index of the page → index of its truth.

    Raises:
        InputError: a truth fits no page, or several.
    """
    by_path: dict[str, list[int]] = {}
    by_stem: dict[str, list[int]] = {}
    for index, name in enumerate(pages):
        path = _comparable(name)
        by_path.setdefault(str(path), []).append(index)
        by_stem.setdefault(path.name, []).append(index)
    pairs: dict[int, int] = {}
    for index, name in enumerate(truths):
        path = _comparable(name)
        fits = by_path.get(str(path)) or by_stem.get(path.name, [])
        if len(fits) != 1 or fits[0] in pairs:
            count = "no page" if not fits else "more than one page or truth"
            raise InputError(f"truth {index + 1} ({name}): {count} is named like it")
        pairs[fits[0]] = index
    return pairs


def _comparable(name: str) -> PurePosixPath:
    """Without suffix, and composed: a Mac writes the same name decomposed."""
    return PurePosixPath(normalize("NFC", name)).with_suffix("")


def _check_counts(context: Context, submission: Submission) -> None:
    settings = context.settings
    if not submission.references:
        if submission.series is None:
            raise InputError("references: send at least one coloured page of the same work")
        require_known(context, submission.series)
    check_count("references", submission.references, settings.max_references)
    if submission.archive is not None and submission.extras:
        raise InputError("extras: go with pages; put them into the archive")
    if submission.archive is not None and submission.pages:
        raise InputError("send either pages or an archive, not both")
    if submission.archive is None and not submission.pages:
        raise InputError("pages: send at least one page, or an archive")
    check_count("pages", submission.pages, settings.max_pages)
    check_count("truths", submission.truths, settings.max_pages)


def check_count(what: str, files: Sequence[IncomingFile], limit: int) -> None:
    """Raises TooLargeError."""
    if len(files) > limit:
        raise TooLargeError(f"{what}: {len(files)} is over the limit of {limit}")


def _check_picture(context: Context, what: str, file: IncomingFile) -> Checked:
    data = read_all(file, context.settings.max_image_bytes)
    check_image(data, f"{what} ({file.name})", context.settings.image_limits)
    return Checked(file, sha256_hex(data), len(data))


def check_reference(context: Context, number: int, file: IncomingFile) -> Checked:
    """Raises InputError: no picture, over a limit, or not in colour."""
    label = f"reference {number} ({file.name})"
    data = read_all(file, context.settings.max_image_bytes)
    if not is_coloured(decode_image(data, label, context.settings.image_limits)):
        raise BadImageError(f"{label} has no colour: send a coloured page")
    return Checked(file, sha256_hex(data), len(data))


def _check_archive(context: Context, archive: IncomingFile) -> list[str]:
    """List an archive's pages and check their headers; whether a page is whole is seen when it is painted."""
    limits = context.settings.archive_limits
    with archive.open() as stream:
        entries = list_contents(stream, archive.name, limits).pages
        if len(entries) > context.settings.max_pages:
            raise TooLargeError(
                f"{archive.name}: {len(entries)} pages is over the limit of {context.settings.max_pages}"
            )
        for entry in entries:
            _check_header(stream, entry, context.settings)
    return [entry.name for entry in entries]


def _check_header(stream: BinaryIO, entry: ArchiveEntry, settings: Settings) -> None:
    """Check a page of an archive by its start; a whole page is read only where the start does not tell, as in WebP."""
    label = f"{entry.archive}: {entry.name}"
    if entry.size > HEADER_BYTES:
        try:
            read_header(read_start(stream, entry, HEADER_BYTES), label, settings.image_limits)
            return
        except BadImageError:
            pass
    read_header(read_entry(stream, entry, settings.archive_limits), label, settings.image_limits)
