"""Corrected hints on their way into storage and the truth: of one page, or of all that have a colour of the palette."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from api.context import Context
from common.errors import ConflictError, DatabaseError, InputError
from common.hints import Hints, Rgb, parse_hints
from common.jobs.ids import new_id, sha256_hex
from common.jobs.models import Page
from common.jobs.records import NewHints
from common.jobs.states import JOB_ENDED
from common.names import Artifact, artifact_filename
from storage import keys

READERS: Final = 8
"""Threads that read and write hints: with a bucket, what takes the time is waiting for it."""
PAGES_AT_ONCE: Final = 1000


def keep_hints(context: Context, job_id: str, number: int, hints: Hints, replaces: str | None = None) -> NewHints:
    """Store a page's new hints, which nothing refers to yet."""
    data = hints.to_json()
    key = keys.user_hints(job_id, number, new_id())
    context.store.put(key, data, media_type="application/json")
    filename = artifact_filename(Artifact.HINTS)
    return NewHints({"key": key, "sha256": sha256_hex(data), "size": len(data), "filename": filename}, replaces)


def set_hints(
    context: Context, job_id: str, kept: dict[int, NewHints], colours: Mapping[Rgb, Rgb] | None = None
) -> None:
    """Have pages run again with hints that were stored; where that is refused, these are deleted.

    Args:
        context: of the request.
        job_id: the job.
        kept: the hints by page.
        colours: corrected ones of the palette, for the job and its series to remember.

    Raises:
        ConflictError: a page cannot be corrected now.
        InputError: more colours than a job or a series can remember.
        QuotaError: so many pages more may not be under way.
    """
    try:
        context.jobs.set_hints(context.tenant_id, job_id, kept, context.limits, colours)
    except DatabaseError:
        raise  # what was lost may be the answer only, and the pages refer to them; otherwise they go with the job
    except Exception:
        _discard(context, kept)
        raise
    context.wake_control()


def recolour_job(context: Context, job_id: str, colours: Mapping[Rgb, Rgb]) -> list[int]:
    """Give colours of the palette other ones on every page of a job that has ended, and remember them.

    The job remembers them for pages that cgan drafts again, its series for its chapters to come; also where no page is
    changed, as when a request is sent again.

    Args:
        colours: new ones by those of the palette.

    Returns:
        The numbers of the pages that this changes, which run again from s2p.

    Raises:
        ConflictError: the job has not ended, or its hints go with no palette.
        InputError: no page's palette has one of the colours, or they are more than can be remembered.
        QuotaError: so many pages more may not be under way.
    """
    job = context.jobs.get_job(context.tenant_id, job_id).job
    if job.status not in JOB_ENDED:
        raise ConflictError(f"job {job_id} is {job.status}: its palette can be corrected once it has ended")
    kept: dict[int, NewHints] = {}
    known: set[Rgb] = set()

    def recolour(page: Page) -> None:
        key = page.artifacts[Artifact.HINTS]["key"]
        hints = parse_hints(context.store.get(key), f"page {page.number}")
        known.update(hints.palette)
        new = hints.recolour(colours)
        if new != hints:
            kept[page.number] = keep_hints(context, job_id, page.number, new, replaces=key)

    try:
        with ThreadPoolExecutor(READERS) as pool:
            for pages in _batches(context, job_id):
                for _ in pool.map(recolour, pages):
                    pass  # raises what went wrong
        if not known:
            raise ConflictError(f"job {job_id} has no hints that go with a palette: correct its pages one by one")
        if missing := sorted(colours.keys() - known):
            raise InputError(f"colours: {list(missing[0])} is in no page's palette")
    except Exception:
        _discard(context, kept)
        raise
    set_hints(context, job_id, kept, colours)
    return sorted(kept)


def _discard(context: Context, kept: Mapping[int, NewHints]) -> None:
    for new in kept.values():
        context.store.delete(new.entry["key"])


def _batches(context: Context, job_id: str) -> Iterator[list[Page]]:
    """The job's pages that have hints."""
    after = 0
    while pages := context.jobs.list_pages(context.tenant_id, job_id, PAGES_AT_ONCE, after):
        yield [page for page in pages if Artifact.HINTS in page.artifacts]
        after = pages[-1].number
