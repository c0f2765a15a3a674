"""What must hold after a fault, read from SQL and storage directly."""

import io
import re
import time
import zipfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from sqlalchemy import func, select

from common.imaging import encode_image
from common.jobs.database import Database
from common.jobs.ids import sha256_hex
from common.jobs.models import WHOLE_SET, Attempt, Job, Page
from common.jobs.states import JOB_ENDED, PageStatus
from common.names import STAGE_ARTIFACTS, STAGES, Artifact, Stage
from storage.protocol import ObjectStore
from tests.chaos.house import wait_until
from tests.chaos.stages import TINTS

COMMITTED = ("done", "cached", "skipped")
GOOD = (PageStatus.SUCCEEDED, PageStatus.SKIPPED)
MANIFEST = "nurie.json"
ARTIFACT_KEY = re.compile(r"jobs/(?P<job>[^/]+)/pages/(?P<page>\d+)/a(?P<attempt>\d+)/[^/]+")
MADE_BY = {artifact: stage for stage, artifacts in STAGE_ARTIFACTS.items() for artifact in artifacts}


@dataclass(frozen=True)
class Commit:
    number: int
    stage: str
    at: float  # seconds since 1970


class Truth:
    """One job as SQL has it."""

    def __init__(self, database: Database, job_id: str) -> None:
        self._database, self._job_id = database, job_id

    def job(self) -> Job:
        with self._database.reading() as session:
            return session.get_one(Job, self._job_id)

    def pages(self) -> list[Page]:
        query = select(Page).where(Page.job_id == self._job_id, Page.number > WHOLE_SET).order_by(Page.number)
        with self._database.reading() as session:
            return list(session.scalars(query))

    def page(self, number: int) -> Page:
        with self._database.reading() as session:
            return session.get_one(Page, (self._job_id, number))

    def held(self, stage: Stage) -> Page | None:
        """The page that a worker of the stage has in its hands."""
        query = select(Page).where(Page.job_id == self._job_id, Page.number > WHOLE_SET, Page.stage == stage)
        with self._database.reading() as session:
            return session.scalar(query.where(Page.worker.is_not(None)).limit(1))

    def in_flight(self) -> set[int]:
        """The pages that were sent and have not ended: a message of theirs waits, or a worker has them."""
        return {page.number for page in self.pages() if page.stage is not None and page.lease_until is not None}

    def attempts(self) -> list[Attempt]:
        query = select(Attempt).where(Attempt.job_id == self._job_id, Attempt.number > WHOLE_SET)
        with self._database.reading() as session:
            return list(session.scalars(query))

    def commits(self) -> list[Commit]:
        return [
            Commit(run.number, run.stage, run.ended_at)
            for run in self.attempts()
            if run.outcome in COMMITTED and run.ended_at is not None
        ]

    def count_commits(self) -> int:
        query = select(func.count()).where(Attempt.job_id == self._job_id, Attempt.outcome.in_(COMMITTED))
        with self._database.reading() as session:
            return session.scalar(query.where(Attempt.number > WHOLE_SET)) or 0

    def has_ended(self) -> bool:
        return self.job().status in JOB_ENDED

    def wait_for_end(self, within_s: float) -> bool:
        """Whether the job ended in time."""
        try:
            wait_until(self.has_ended, within_s, "the job did not end", every_s=0.1)
        except TimeoutError:
            return False
        return True


def lost_pages(truth: Truth, poisoned: frozenset[int]) -> list[str]:
    """The pages that did not end as they must: the poisoned one failed for its worker, the others well."""
    lost = []
    for page in truth.pages():
        must_fail = page.number in poisoned
        failed_right = (page.status, page.error_code) == (PageStatus.FAILED, "worker_lost")
        if not (failed_right if must_fail else page.status in GOOD):
            lost.append(f"page {page.number}: {page.status} {page.error_code or ''} at {page.stage}")
    return lost


def stale_results(truth: Truth, store: ObjectStore) -> list[str]:
    """Artifacts that no committed attempt made, that are gone or not what was recorded; stages committed twice."""
    stale = []
    made_in = {(run.number, run.stage): run.attempt for run in truth.attempts() if run.outcome in COMMITTED}
    for (number, stage), count in Counter((commit.number, commit.stage) for commit in truth.commits()).items():
        if count > 1:
            stale.append(f"page {number}: {stage} was committed {count} times")
    for page in truth.pages():
        for name, entry in page.artifacts.items():
            what = f"page {page.number}: {name}"
            if store.stat(entry["key"]) is None:
                stale.append(f"{what} does not exist")
            elif sha256_hex(store.get(entry["key"])) != entry["sha256"]:
                stale.append(f"{what} is not what was recorded")
            if name == Artifact.SOURCE or page.status == PageStatus.SKIPPED:
                continue
            found = ARTIFACT_KEY.fullmatch(entry["key"])
            if found is None or int(found["page"]) != page.number:
                stale.append(f"{what} lies at {entry['key']}")
            elif int(found["attempt"]) != made_in.get((page.number, MADE_BY[Artifact(name)])):
                stale.append(f"{what} is of attempt {found['attempt']}, which committed nothing")
            elif int(found["attempt"]) > page.attempt:
                stale.append(f"{what} is of attempt {found['attempt']}; the page is at {page.attempt}")
    return stale


def archive_entries(truth: Truth, store: ObjectStore) -> dict[str, bytes]:
    """The archive's pictures by name; empty when there is no archive."""
    key = truth.job().result_key
    if key is None:
        return {}
    with zipfile.ZipFile(io.BytesIO(store.get(key))) as archive:
        return {name: archive.read(name) for name in archive.namelist() if name != MANIFEST}


def recovery_s(truth: Truth, since: float, pages: frozenset[int]) -> float | None:
    """Seconds from `since` until each of the pages has committed a stage; until any page has, where none is named.

    None where nothing was committed after `since`.
    """
    first: dict[int, float] = {}
    for commit in sorted(truth.commits(), key=lambda commit: commit.at):
        if commit.at > since:
            first.setdefault(commit.number, commit.at)
    times = [at for number, at in first.items() if number in pages] if pages else list(first.values())[:1]
    return max(times) - since if times else None


def draw_chapter(folder: Path, count: int, seed: int) -> list[Path]:
    """Grey pages of noise, no two alike."""
    folder.mkdir(parents=True)
    paths = []
    for number in range(1, count + 1):
        noise = np.random.default_rng((seed, number)).integers(0, 256, (64, 48), dtype=np.uint8)
        paths.append(folder / f"{number:03}.png")
        Image.fromarray(noise).save(paths[-1])
    return paths


def draw_reference(path: Path, seed: int) -> Path:
    noise = np.random.default_rng(seed).integers(0, 256, (64, 48, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    return path


def tinted(path: Path) -> bytes:
    """What the fast stages make of a page, computed here."""
    with Image.open(path) as picture:
        page_rgb = np.asarray(picture.convert("RGB"))
    return encode_image((page_rgb * np.array(TINTS[Stage.INKNHUE])).astype(np.uint8), "png")


def count_stages(pages: int) -> int:
    return pages * len(STAGES)


def now() -> float:
    return time.time()
