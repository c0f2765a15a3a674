"""What is kept no longer is deleted: docs/retention.md says what, and when.

The truth goes first and the objects after it. What a crash in between leaves behind, a later sweep finds by listing.
"""

import re
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import groupby, islice
from typing import TypeVar

from common.errors import NurieError
from common.jobs.garbage import DAY_S, GarbageStore, PageNow
from common.jobs.idempotency import KEPT_S
from common.jobs.ids import is_id
from common.logging import get_logger
from common.settings import Settings
from storage import keys
from storage.protocol import ObjectInfo, ObjectStore

SLICE_S = 0.5
"""A sweep gives way to control's other duties after so long, and goes on in the next round. One step of it is not cut
short: to delete one job's objects, or to look at `BATCH` keys, for the first of which a local store walks them all."""
BATCH = 200
ORPHAN_AGE_S = DAY_S
"""How old objects without a row must be: a submission stores its objects before it inserts its row."""
HINTS_GRACE_S = 3600.0
"""How old hints must be that no page refers to: a correction stores them before it says so in the truth."""

Item = TypeVar("Item")

_MODEL = re.compile(r"models/cgan/(?P<key>[0-9a-f]{64})\.(safetensors|json)")
_REFERENCE = re.compile(r"series/(?P<series>[0-9a-f]{32})/(?P<token>[0-9a-f]{32})")
_ATTEMPT = re.compile(r"a(?P<attempt>[0-9]+)/")
_HINTS = re.compile(r"user/(?P<token>[0-9a-f]{32})\.json")
_STAGE_FOLDER = re.compile(r"stages/[^/]+/[^/]+/")


class Sweeper:
    """Sweeps once every `sweep_s` seconds, the first time at once, in slices of `SLICE_S`."""

    def __init__(self, settings: Settings, garbage: GarbageStore, store: ObjectStore) -> None:
        self._settings = settings
        self._garbage = garbage
        self._store = store
        self._due = time.monotonic()
        self._steps: Iterator[None] | None = None

    def work(self) -> None:
        """Go on with the sweep that is under way, or begin one that is due."""
        now = time.monotonic()
        if self._steps is None:
            if now < self._due:
                return
            self._due = now + self._settings.sweep_s
            self._steps = self.sweep()
        for _ in self._steps:
            if time.monotonic() >= now + SLICE_S:
                return
        self._steps = None

    def sweep(self) -> Iterator[None]:
        """One whole sweep, in steps. A duty that fails is logged and left to the next sweep; the others go on."""
        duties: tuple[Callable[[], Iterator[None]], ...] = (
            self._expired_jobs,
            self._orphaned_jobs,
            self._old_uploads,
            self._orphaned_uploads,
            self._orphaned_references,
            self._unused_models,
            self._orphaned_models,
            self._unused_stage_results,
            self._unfinished_writes,
            self._silent_workers,
            self._old_answers,
        )
        for duty in duties:
            try:
                yield from duty()
            except Exception:  # noqa: BLE001  one kind of garbage that cannot be deleted must not keep the others
                get_logger(__name__).warning("a part of the sweep failed", part=duty.__name__, exc_info=True)

    def _expired_jobs(self) -> Iterator[None]:
        for job_id in _all(self._garbage.expired_jobs):
            if self._garbage.remove_expired_job(job_id):
                get_logger(__name__).info("expired job deleted", job=job_id)
                self._store.delete_prefix(keys.job_prefix(job_id))
            yield

    def _orphaned_jobs(self) -> Iterator[None]:
        before = time.time() - ORPHAN_AGE_S
        for job_ids in _batches(self._store.list_folders("jobs/")):
            old = [job_id for job_id in job_ids if _is_older(job_id, before)]
            for job_id in _without(old, self._garbage.known_jobs):
                get_logger(__name__).info("objects of no job deleted", job=job_id)
                self._store.delete_prefix(keys.job_prefix(job_id))
                yield
            yield

    def _old_uploads(self) -> Iterator[None]:
        before = time.time() - self._settings.upload_keep_hours * 3600
        for upload_id in _all(lambda limit, after: self._garbage.old_uploads(before, limit, after)):
            key = self._garbage.remove_upload(upload_id, before)
            if key is not None:
                self._store.delete(key)
            yield

    def _orphaned_uploads(self) -> Iterator[None]:
        before = time.time() - ORPHAN_AGE_S
        for upload_keys in _batches(self._store.list_keys("uploads/")):
            by_id = {key.rsplit("/", 1)[-1]: key for key in upload_keys}
            old = [upload_id for upload_id in by_id if _is_older(upload_id, before)]
            for upload_id in _without(old, self._garbage.known_uploads):
                self._store.delete(by_id[upload_id])
            yield

    def _orphaned_references(self) -> Iterator[None]:
        """Those of series that are gone, and those that were replaced or that came to nothing."""
        before = time.time() - ORPHAN_AGE_S
        for listed in _batches(self._store.list_keys("series/")):
            found = [match for match in map(_REFERENCE.fullmatch, listed) if match]
            old = [match for match in found if _is_older(match["token"], before)]
            kept = self._garbage.series_references({match["series"] for match in old}) if old else set()
            for match in old:
                if match[0] not in kept:
                    self._store.delete(match[0])
            yield

    def _unused_models(self) -> Iterator[None]:
        before = time.time() - self._settings.model_keep_days * DAY_S
        for key in _all(lambda limit, after: self._garbage.unused_models(before, limit, after)):
            if self._garbage.remove_unused_model(key, before):
                get_logger(__name__).info("unused model deleted", model=key[:12])
                # A job that has it trained anew at this moment finds it lost, and has it trained once more.
                self._store.delete(keys.model(key))
                self._store.delete(keys.model_card(key))
            yield

    def _orphaned_models(self) -> Iterator[None]:
        before = time.time() - ORPHAN_AGE_S
        for listed in _batches(self._store.list_objects("models/cgan/")):
            found = [(key, _MODEL.fullmatch(key)) for key, info in listed if info.modified_at < before]
            old = {match["key"] for _, match in found if match}
            orphans = set(_without(old, self._garbage.known_models))
            for key, match in found:
                if match and match["key"] in orphans:
                    self._store.delete(key)
            yield

    def _unused_stage_results(self) -> Iterator[None]:
        before = time.time() - self._settings.stage_keep_days * DAY_S
        for folder, listed in groupby(self._store.list_objects("stages/"), _stage_folder):
            if folder:
                objects = {key.removeprefix(folder): info for key, info in listed}
                if _last_use(objects) < before and self._is_unused_still(folder, objects, before):
                    # Without its manifest the rest counts for nothing; who reads at this moment computes it anew.
                    self._store.delete(folder + keys.STAGE_MANIFEST)
                    self._store.delete_prefix(folder)
            yield

    def _is_unused_still(self, folder: str, objects: Collection[str], before: float) -> bool:
        """Ask again: the listing may be older than a use of this moment."""
        manifest = self._store.stat(folder + keys.STAGE_MANIFEST)
        if manifest is None:
            return keys.STAGE_MANIFEST not in objects  # else another sweep is at it
        return manifest.modified_at < before

    def _unfinished_writes(self) -> Iterator[None]:
        self._store.discard_unfinished(time.time() - ORPHAN_AGE_S)
        yield

    def _silent_workers(self) -> Iterator[None]:
        self._garbage.remove_silent_workers(time.time() - ORPHAN_AGE_S)
        yield

    def _old_answers(self) -> Iterator[None]:
        self._garbage.remove_old_answers(time.time() - KEPT_S)
        yield


def sweep_leftovers(garbage: GarbageStore, store: ObjectStore, job_id: str) -> None:
    """Delete what a job's earlier attempts left behind, and hints that were corrected since; failures are logged.

    An attempt that was overtaken can commit nothing any more, so what no page refers to under its number never counts.
    Nothing under a page's current attempt is touched.
    """
    try:
        for page in garbage.repeated_pages(job_id):
            prefix = keys.page_prefix(job_id, page.number)
            for key in list(store.list_keys(prefix)):
                if key not in page.keys and _is_left_over(key.removeprefix(prefix), page):
                    store.delete(key)
    except NurieError as error:
        get_logger(__name__).warning("leftovers stay until the job is deleted", job=job_id, reason=str(error))


def _is_left_over(name: str, page: PageNow) -> bool:
    if match := _ATTEMPT.match(name):
        return int(match["attempt"]) < page.attempt
    match = _HINTS.fullmatch(name)
    return match is not None and _is_older(match["token"], time.time() - HINTS_GRACE_S)


def _is_older(new_id: str, before: float) -> bool:
    """Whether an id of ours was made before then; False for what is none."""
    return is_id(new_id) and int(new_id[:12], 16) / 1000 < before


def _last_use(objects: dict[str, ObjectInfo]) -> float:
    """When kept results were last used. Without a manifest they were never all there: when the newest was written."""
    manifest = objects.get(keys.STAGE_MANIFEST)
    return manifest.modified_at if manifest else max(info.modified_at for info in objects.values())


def _stage_folder(listed: tuple[str, ObjectInfo]) -> str | None:
    match = _STAGE_FOLDER.match(listed[0])
    return match and match[0]


def _without(ids: Collection[str], known: Callable[[Collection[str]], set[str]]) -> list[str]:
    if not ids:
        return []
    found = known(ids)
    return [one for one in ids if one not in found]


def _all(find: Callable[[int, str], list[str]]) -> Iterator[str]:
    """All that a query finds, a batch at a time, each once: what cannot be deleted is not found again and again."""
    after = ""
    while found := find(BATCH, after):
        yield from found
        after = found[-1]


def _batches(items: Iterable[Item]) -> Iterator[list[Item]]:
    iterator = iter(items)
    while batch := list(islice(iterator, BATCH)):
        yield batch
