"""Finished pages become the archive that the client takes home."""

import json
import tempfile
from collections.abc import Iterator
from pathlib import PurePosixPath
from unicodedata import normalize

from common.archives import write_archive
from common.errors import RetryableError
from common.jobs.dispatch import DispatchStore
from common.jobs.models import Job, Page
from common.jobs.states import JobKind, PageStatus
from common.jobs.store import page_params
from common.logging import get_logger
from common.names import SET_ARTIFACTS, Artifact
from common.tracing import job_span
from storage import keys
from storage.protocol import ObjectStore

SPOOL_BYTES = 8 * 1024**2
MANIFEST = "nurie.json"
MEDIA_TYPES = {"cbz": "application/vnd.comicbook+zip", "zip": "application/zip"}


def package_jobs(dispatch: DispatchStore, store: ObjectStore) -> list[str]:
    """Package every job whose pages have ended; one that cannot be packaged now does not hold up the others.

    Returns:
        The ids of the jobs that ended with it.
    """
    log = get_logger(__name__)
    ended = []
    for job, pages in dispatch.jobs_to_package():
        done = [page for page in pages if page.status in (PageStatus.SUCCEEDED, PageStatus.SKIPPED)]
        try:
            with job_span("control.package", job.id, pages=len(done)):
                key, size = _write_result(store, job, pages) if done else (None, 0)
        except RetryableError as error:
            log.warning("packaging is tried again", job=job.id, reason=str(error))
            continue
        except Exception:  # a job that can never be packaged must end, or it would be tried for ever
            log.exception("packaging failed", job=job.id)
            dispatch.fail_job(job.id)
            continue
        outcome = dispatch.finish_job(job.id, key, size)
        log.info("job ended", job=job.id, status=outcome, pages=len(done), of=len(pages))
        if outcome is not None:
            ended.append(job.id)
    return ended


def result_name(page: Page) -> str:
    """The page's name in the archive: the client's own, with the suffix of what the page is now."""
    artifact = page.artifacts[_last_picture(page)]
    if page.status == PageStatus.SKIPPED:
        return page.name
    return str(PurePosixPath(page.name).with_suffix(PurePosixPath(artifact["filename"]).suffix))


def _write_result(store: ObjectStore, job: Job, pages: list[Page]) -> tuple[str, int]:
    """Returns the archive's key and its size in bytes."""
    is_evaluation = job.kind == JobKind.EVALUATE
    extension = "zip" if is_evaluation else job.params["archive"]
    entries = _evaluation_entries(store, pages[0]) if is_evaluation else _entries(store, job, pages)
    key = keys.result_archive(job.id, f"r{job.revision}", extension)
    with tempfile.SpooledTemporaryFile(max_size=SPOOL_BYTES) as spool:
        write_archive(spool, entries)  # type: ignore[arg-type]
        size = spool.tell()
        spool.seek(0)
        store.put(key, spool, media_type=MEDIA_TYPES[extension])  # type: ignore[arg-type]
    return key, size


def _entries(store: ObjectStore, job: Job, pages: list[Page]) -> Iterator[tuple[str, bytes]]:
    taken = {MANIFEST}
    record = []
    for page in pages:
        entry: dict[str, object] = {"number": page.number, "source": page.name, "status": page.status}
        if page.status in (PageStatus.SUCCEEDED, PageStatus.SKIPPED):
            name = _free_name(result_name(page), taken)
            yield name, store.get(page.artifacts[_last_picture(page)]["key"])
            entry |= {"file": name, "weights": page.weights, "params": page_params(job, page).model_dump(mode="json")}
        else:
            entry |= {"error": page.error_code, "detail": page.error_detail}
        record.append(entry)
    extras = []
    for extra in job.extras:
        entry = {"source": extra["name"]}
        if "key" in extra:
            name = _free_name(extra["name"], taken)
            yield name, store.get(extra["key"])
            extras.append(entry | {"file": name})
        else:
            extras.append(entry | {"detail": extra["error"]})
    # What was made how, and what is missing: pages that failed are named here and nowhere in between.
    manifest = {"job": job.id, "model": job.model_key, "pages": record, "extras": extras}
    yield MANIFEST, json.dumps(manifest, indent=1, ensure_ascii=False).encode()


def _evaluation_entries(store: ObjectStore, whole_set: Page) -> Iterator[tuple[str, bytes]]:
    for artifact in SET_ARTIFACTS:
        entry = whole_set.artifacts[artifact]
        yield entry["filename"], store.get(entry["key"])


def _last_picture(page: Page) -> Artifact:
    for artifact in (Artifact.FINAL, Artifact.ROUGH, Artifact.DRAFT):
        if artifact in page.artifacts:
            return artifact
    raise AssertionError(f"page {page.number} of job {page.job_id} ended well without a picture")


def _free_name(name: str, taken: set[str]) -> str:
    """`a.jpg` and `a.png` both become `a.png`: the second one is called `a_2.png`.

    '_' sorts behind '.', and '-' before it: so readers that go by plain byte order, as many do, keep the two in order.
    Names that some system takes for the same are the same: in other case, or composed in another way.
    """
    path, count, free = PurePosixPath(name), 1, name
    while _folded(free) in taken:
        count += 1
        free = str(path.with_stem(f"{path.stem}_{count}"))
    taken.add(_folded(free))
    return free


def _folded(name: str) -> str:
    return normalize("NFC", normalize("NFC", name).casefold())
