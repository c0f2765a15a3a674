"""What a worker does to the truth: claim, renew, commit, fail. All by compare-and-set on the attempt.

A stage that was overtaken (its page was cancelled, reaped or sent again) finds that out here and changes nothing.
"""

import time
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from sqlalchemy import ColumnElement, CursorResult, Select, func, select, update
from sqlalchemy.orm import Session

from common.errors import CancelledError
from common.jobs.database import Database, at_commit
from common.jobs.models import WHOLE_SET, Attempt, Job, Page, ReferenceModel, Worker
from common.jobs.states import JOB_OPEN, PAGE_ENDED, JobStatus, ModelStatus, PageStatus, job_sources
from common.jobs.store import page_params
from common.names import STAGES, Artifact, Stage
from common.params import JobParams
from common.telemetry import PAGES_ENDED


@dataclass(frozen=True)
class PageRef:
    """Which run of which page: the ids that a message carries."""

    job_id: str
    number: int
    attempt: int


@dataclass(frozen=True)
class Claim:
    """What a stage may know of its page once it has claimed it."""

    ref: PageRef
    name: str
    params: JobParams
    artifacts: dict[str, Any]
    truth: dict[str, str] | None  # {key, sha256}
    model_key: str  # empty in a job that has no model
    model_attempt: int  # of the training that made it
    colours: list[dict[str, list[int]]]  # corrected ones, which fresh hints get: [{old, new}]
    waited_s: float = 0.0  # since it was sent to this stage
    job_pages: int = 0  # of the whole job


@dataclass(frozen=True)
class SetFile:
    """A picture of a set: what it is called there, and where it lies."""

    name: str
    key: str


@dataclass(frozen=True)
class SetFiles:
    """What is scored together: truths, results, the pages that the results come from, and references."""

    real: list[SetFile]
    output: list[SetFile]
    pages: list[SetFile]
    references: list[SetFile]


@dataclass(frozen=True)
class StageOutcome:
    """What a finished stage hands in: artifacts {name: {key, sha256, size}} and how they came about."""

    artifacts: dict[str, Any]
    seconds: float
    cached: bool = False
    skipped: bool = False
    weights: str | None = None
    metrics: dict[str, Any] | None = None
    warning: str | None = None


class WorkStore:
    def __init__(self, database: Database, lease_s: float, worker: str) -> None:
        self._database = database
        self._lease_s = lease_s
        self._worker = worker

    def claim_page(self, ref: PageRef, stage: Stage) -> Claim | None:
        """Take a page for a stage; None when the message is stale or somebody has the page already."""
        now = time.time()
        with self._database.writing() as session:
            # The job's row before the page's, as everybody takes them.
            found = session.execute(_job_and_time(ref)).one_or_none()
            if found is None or (ref.number == WHOLE_SET and _count_open(session, ref.job_id)):
                return None  # it was deleted, or a page of its set was corrected, since the message was sent
            job, sent_at = found
            page = session.scalar(
                update(Page)
                .where(*_due(ref, stage), Page.worker.is_(None))
                .values(status=PageStatus.RUNNING, worker=self._worker, lease_until=now + self._lease_s, updated_at=now)
                .returning(Page)
            )
            if page is None:
                return None
            if job.status == JobStatus.QUEUED:
                job.status, job.started_at, job.updated_at = JobStatus.RUNNING, now, now
            session.add(
                Attempt(
                    job_id=ref.job_id,
                    number=ref.number,
                    attempt=ref.attempt,
                    stage=stage,
                    worker=self._worker,
                    started_at=now,
                )
            )
            truth = page.truth_key and {"key": page.truth_key, "sha256": page.truth_sha256 or ""}
            params = page_params(job, page)
            model = session.get_one(ReferenceModel, job.model_key) if job.model_key else None
            key, trained = (model.key, model.attempt) if model else ("", 0)
            waited_s, total = max(0.0, now - sent_at), job.pages_total
            artifacts = dict(page.artifacts)
            return Claim(ref, page.name, params, artifacts, truth or None, key, trained, job.colours, waited_s, total)

    def renew_page(self, ref: PageRef, stage: Stage) -> bool:
        """Renew the lease; False when the page is no longer this run's."""
        now = time.time()
        with self._database.writing() as session:
            renewed = session.execute(
                update(Page)
                .where(*_due(ref, stage), Page.worker == self._worker)
                .values(lease_until=now + self._lease_s)
            )
            return _rows(renewed) == 1

    def commit_page(self, ref: PageRef, stage: Stage, outcome: StageOutcome) -> bool:
        """Hand in a finished stage; False, and nothing changed, when the page is no longer this run's."""
        now = time.time()
        with self._database.writing() as session:
            page = self._held_page(session, ref, stage)
            if page is None:
                return False
            job = session.get_one(Job, ref.job_id)
            following = _following_stage(stage, page_params(job, page))
            page.artifacts = {**page.artifacts, **outcome.artifacts}
            timing: dict[str, Any] = {"seconds": round(outcome.seconds, 3), "cached": outcome.cached}
            if outcome.warning:
                timing["warning"] = outcome.warning
            page.timings = {**page.timings, stage: timing}
            if outcome.weights:
                page.weights = {**page.weights, stage: outcome.weights}
            if outcome.metrics is not None:
                page.metrics = outcome.metrics
            page.worker, page.updated_at = None, now
            if outcome.skipped or following is None:
                end_page(session, page, PageStatus.SKIPPED if outcome.skipped else PageStatus.SUCCEEDED)
                session.flush()
                finish_pages(session, job)
            else:
                # It waits in the next queue now; control sends it again if the message is lost there.
                page.stage, page.lease_until = following, now
            what = "skipped" if outcome.skipped else "cached" if outcome.cached else "done"
            _close_attempt(session, ref, stage, what, now)
            return True

    def fail_page(
        self,
        ref: PageRef,
        stage: Stage,
        code: str,
        detail: str,
        retry_in_s: float | None,
        *,
        counts: bool = True,
        of_child: bool = False,
    ) -> bool:
        """Record a failure: the page is queued again after `retry_in_s`, or fails for good when that is None.

        Args:
            ref: the run that failed.
            stage: what it was at.
            code: the error's stable code.
            detail: the error in words.
            retry_in_s: seconds until the next try; None for none.
            counts: whether the page has one failure more; not when something all share was away.
            of_child: the parent process reports it of a child that was killed, whatever that child was called.

        Returns:
            Whether it was this run's to fail; otherwise nothing changed.
        """
        now = time.time()
        with self._database.writing() as session:
            page = self._due_page(session, ref, stage) if of_child else self._held_page(session, ref, stage)
            if page is None:
                return False
            page.error_code, page.error_detail = code, detail
            page.worker, page.lease_until, page.updated_at = None, None, now
            page.failures += counts
            page.attempt += 1  # this run's message is used up: delivered again, it must find nothing
            if retry_in_s is None:
                end_page(session, page, PageStatus.FAILED)
                session.flush()
                finish_pages(session, session.get_one(Job, ref.job_id))
            else:
                page.status, page.not_before = PageStatus.QUEUED, now + retry_in_s
            _close_attempt(session, ref, stage, code, now)
            return True

    def set_files(self, job_id: str) -> SetFiles:
        """The files of a job that are scored together; those of one page have the same name."""
        with self._database.reading() as session:
            job = session.get(Job, job_id)
            if job is None:
                raise CancelledError(f"job {job_id} was deleted")
            pages = select(Page).where(Page.job_id == job_id, Page.number > WHOLE_SET).order_by(Page.number)
            done = list(session.scalars(pages.where(Page.status == PageStatus.SUCCEEDED)))
        references = _set_files(job.references)
        if job.sets is not None:
            return SetFiles(_set_files(job.sets["real"]), _set_files(job.sets["output"]), [], references)
        names = _names_apart(done)
        return SetFiles(
            real=[SetFile(names[page.number], page.truth_key) for page in done if page.truth_key],
            output=[SetFile(names[page.number], page.artifacts[Artifact.FINAL]["key"]) for page in done],
            pages=[SetFile(names[page.number], page.artifacts[Artifact.SOURCE]["key"]) for page in done],
            references=references,
        )

    def page_failures(self, ref: PageRef) -> int:
        with self._database.reading() as session:
            return (
                session.scalar(select(Page.failures).where(Page.job_id == ref.job_id, Page.number == ref.number)) or 0
            )

    def claim_model(self, key: str, attempt: int) -> bool:
        now = time.time()
        with self._database.writing() as session:
            taken = session.execute(
                update(ReferenceModel)
                .where(*_model_run(key, attempt), ReferenceModel.worker.is_(None))
                .values(worker=self._worker, lease_until=now + self._lease_s, progress=0.0)
            )
            return _rows(taken) == 1

    def renew_model(self, key: str, attempt: int, progress: float, losses: dict[str, float]) -> bool:
        """Renew the lease and report progress (0..1); False when nobody waits for this training any more."""
        now = time.time()
        wanted = select(Job.id).where(Job.model_key == key, Job.status.in_(JOB_OPEN)).limit(1)
        with self._database.writing() as session:
            renewed = session.execute(
                update(ReferenceModel)
                .where(*_model_run(key, attempt), ReferenceModel.worker == self._worker)
                .values(lease_until=now + self._lease_s, progress=progress, losses=losses)
            )
            return _rows(renewed) == 1 and session.scalar(wanted) is not None

    def commit_model(self, key: str, attempt: int, seconds: float) -> bool:
        return self._end_model(
            key,
            attempt,
            status=ModelStatus.READY,
            failures=0,
            progress=1.0,
            seconds=seconds,
            error_code=None,
            error_detail=None,
        )

    def fail_model(
        self,
        key: str,
        attempt: int,
        code: str,
        detail: str,
        retry_in_s: float | None,
        *,
        counts: bool = True,
        of_child: bool = False,
    ) -> bool:
        """Record a failed training, as `fail_page` does a page's failure."""
        status = ModelStatus.FAILED if retry_in_s is None else ModelStatus.MISSING
        return self._end_model(
            key,
            attempt,
            status=status,
            not_before=time.time() + (retry_in_s or 0),
            failures=ReferenceModel.failures + int(counts),  # PostgreSQL adds no boolean to a number
            of_child=of_child,
            error_code=code,
            error_detail=detail,
        )

    def model_failures(self, key: str) -> int:
        with self._database.reading() as session:
            return session.scalar(select(ReferenceModel.failures).where(ReferenceModel.key == key)) or 0

    def release_model(self, key: str, attempt: int) -> bool:
        """Give a training up that nobody waits for any more."""
        return self._end_model(key, attempt, status=ModelStatus.MISSING, progress=0.0)

    def discard_model(self, key: str, attempt: int) -> bool:
        """Have what a training made trained again, since it is gone or damaged; False when a newer one has begun."""
        with self._database.writing() as session:
            discarded = session.execute(
                update(ReferenceModel)
                .where(ReferenceModel.key == key, ReferenceModel.attempt == attempt)
                .where(ReferenceModel.status == ModelStatus.READY)
                .values(status=ModelStatus.MISSING, progress=0.0, not_before=0.0)
            )
            return _rows(discarded) == 1

    def training_inputs(self, job_id: str) -> tuple[list[dict[str, Any]], JobParams]:
        """The references [{name, key, sha256}] and parameters of the job that a training is for."""
        with self._database.reading() as session:
            job = session.get(Job, job_id)
        if job is None:
            raise CancelledError(f"job {job_id} was deleted")
        return job.references, JobParams.model_validate(job.params)

    def sign_in(self, queue: str, slots: int) -> None:
        """Say that this worker is alive."""
        with self._database.writing() as session:
            session.merge(Worker(name=self._worker, queue=queue, slots=slots, seen_at=time.time()))

    def sign_out(self) -> None:
        with self._database.writing() as session:
            worker = session.get(Worker, self._worker)
            if worker is not None:
                session.delete(worker)

    def _held_page(self, session: Session, ref: PageRef, stage: Stage) -> Page | None:
        return self._due_page(session, ref, stage, Page.worker == self._worker)

    def _due_page(self, session: Session, ref: PageRef, stage: Stage, *also: ColumnElement[bool]) -> Page | None:
        # The job's row is the lock under which a last page is noticed exactly once.
        session.get(Job, ref.job_id, with_for_update=True)
        return session.scalar(select(Page).where(*_due(ref, stage), *also).with_for_update())

    def _end_model(self, key: str, attempt: int, *, of_child: bool = False, **values: Any) -> bool:
        run = _model_run(key, attempt)
        if not of_child:
            run += (ReferenceModel.worker == self._worker,)
        with self._database.writing() as session:
            ended = session.execute(update(ReferenceModel).where(*run).values(worker=None, lease_until=None, **values))
            return _rows(ended) == 1


def finish_pages(session: Session, job: Job) -> None:
    """Move a job on to packaging when its pages and their whole set have ended; the caller holds the job's row."""
    if _count_open(session, job.id):
        return
    whole_set = session.get(Page, (job.id, WHOLE_SET))
    if whole_set is not None and whole_set.status not in PAGE_ENDED:
        if whole_set.status != PageStatus.QUEUED or _has_results(session, job.id):
            return
        end_page(session, whole_set, PageStatus.SKIPPED)  # there is nothing to score
    if job.status in job_sources(JobStatus.PACKAGING):
        job.status, job.updated_at = JobStatus.PACKAGING, time.time()


def _count_open(session: Session, job_id: str) -> int:
    pages = select(func.count()).select_from(Page).where(Page.job_id == job_id, Page.number > WHOLE_SET)
    return session.scalar(pages.where(Page.status.not_in(PAGE_ENDED))) or 0


def _has_results(session: Session, job_id: str) -> bool:
    good = select(Page.number).where(
        Page.job_id == job_id, Page.status == PageStatus.SUCCEEDED, Page.number > WHOLE_SET
    )
    return session.scalar(good.limit(1)) is not None


def _set_files(entries: list[dict[str, Any]]) -> list[SetFile]:
    return [SetFile(entry["name"], entry["key"]) for entry in entries]


def _names_apart(pages: list[Page]) -> dict[int, str]:
    """The names of pages by number; with the numbers in front where two differ in nothing but case and suffix."""
    stems = {str(PurePosixPath(page.name).with_suffix("")).casefold() for page in pages}
    if len(stems) == len(pages):
        return {page.number: page.name for page in pages}
    return {page.number: f"{page.number:04d}/{page.name}" for page in pages}


def _job_and_time(ref: PageRef) -> Select[Job, float]:
    """The job, locked, and when its page was sent to where it waits."""
    query = select(Job, Page.updated_at).join(Page, Page.job_id == Job.id)
    return query.where(Job.id == ref.job_id, Page.number == ref.number).with_for_update(of=Job)


def _due(ref: PageRef, stage: Stage) -> tuple[Any, ...]:
    return (
        Page.job_id == ref.job_id,
        Page.number == ref.number,
        Page.attempt == ref.attempt,
        Page.stage == stage,
        Page.status.in_((PageStatus.QUEUED, PageStatus.RUNNING)),
    )


def _model_run(key: str, attempt: int) -> tuple[Any, ...]:
    return (
        ReferenceModel.key == key,
        ReferenceModel.attempt == attempt,
        ReferenceModel.status == ModelStatus.TRAINING,
    )


def _following_stage(stage: Stage, params: JobParams) -> Stage | None:
    if stage == params.stop_after or stage == STAGES[-1]:
        return None
    return STAGES[STAGES.index(stage) + 1]


def end_page(session: Session, page: Page, status: PageStatus) -> None:
    """Have a page end in a state, inside the caller's transaction."""
    page.status, page.stage, page.lease_until = status, None, None
    if page.number != WHOLE_SET:
        at_commit(session, PAGES_ENDED.labels(status).inc)
    if status != PageStatus.FAILED:
        page.error_code = page.error_detail = None


def _close_attempt(session: Session, ref: PageRef, stage: Stage, outcome: str, now: float) -> None:
    session.execute(
        update(Attempt)
        .where(
            Attempt.job_id == ref.job_id,
            Attempt.number == ref.number,
            Attempt.attempt == ref.attempt,
            Attempt.stage == stage,
        )
        .values(ended_at=now, outcome=outcome)
    )


def _rows(result: Any) -> int:
    assert isinstance(result, CursorResult)
    return result.rowcount
