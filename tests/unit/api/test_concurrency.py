"""Who meets at the truth at the same moment: nothing is sent, claimed or counted twice."""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Engine, event

from common.colours import read_colours
from common.jobs.database import Database
from common.jobs.dispatch import DispatchStore
from common.jobs.feeding import MESSAGES_PER_SLOT
from common.jobs.ids import new_id
from common.jobs.models import LOCAL_TENANT, Upload
from common.jobs.records import NewJob, SeriesUse
from common.jobs.series import SeriesStore
from common.jobs.states import JobStatus
from common.jobs.store import JobStore
from common.jobs.uploads import UploadStore
from common.jobs.work import StageOutcome, WorkStore
from common.names import Stage
from common.params import JobParams
from tests.unit.api.conftest import on_postgresql

LIMIT_S = 60
MEET_LIMIT_S = 0.05
ROUNDS = 10


def at_once(*acts: Callable[[], Any]) -> list[Any]:
    """Do all at the same moment, each in a thread of its own; returns what they returned.

    After its first SELECT each waits for the others, so that all act on what they saw before anybody changed it; not
    for long, as a lock may rightly keep the others from getting that far.
    """
    start, seen = threading.Barrier(len(acts)), threading.Barrier(len(acts))
    met = threading.local()
    results: list[Any] = [None] * len(acts)
    errors: list[BaseException] = []

    def meet(_connection, _cursor, statement: str, *_: object) -> None:
        if getattr(met, "waits", False) and statement.startswith("SELECT"):
            met.waits = False
            with suppress(threading.BrokenBarrierError):
                seen.wait(MEET_LIMIT_S)

    def run(number: int, act: Callable[[], Any]) -> None:
        try:
            start.wait(LIMIT_S)
            met.waits = True
            results[number] = act()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=pair, daemon=True) for pair in enumerate(acts)]
    event.listen(Engine, "after_cursor_execute", meet)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(LIMIT_S)
    finally:
        event.remove(Engine, "after_cursor_execute", meet)
    assert not any(thread.is_alive() for thread in threads), f"not done after {LIMIT_S} s"
    if errors:
        raise errors[0]
    return results


@pytest.fixture
def second(database_url):
    """The same database as another process has it: with connections of its own."""
    database = Database(database_url)
    yield database
    database.close()


def dispatch_of(database: Database) -> DispatchStore:
    return DispatchStore(database, queue_lease_s=30, max_failures=3)


def test_two_controls_that_feed_at_once_send_no_page_twice_and_no_more_than_there_is_room(
    chapters, dispatch, work, second
):
    chapters.submit(pages=ROUNDS + 10, tenant="a")
    chapters.submit(pages=ROUNDS + 10, tenant="b")
    chapters.train()
    other, sent = dispatch_of(second), []
    for round_number in range(1, ROUNDS + 1):
        work.sign_in("cgan", slots=round_number)  # room for two more
        for messages in at_once(*(partial(control.start_pages, 4) for control in (dispatch, other))):
            sent += [message.ref for message in messages]
        sent += [message.ref for message in dispatch.start_pages(4)]  # where one stepped back for the other
        assert len(sent) == MESSAGES_PER_SLOT * round_number
    assert len({(ref.job_id, ref.number) for ref in sent}) == len(sent)
    assert {ref.attempt for ref in sent} == {1}


@on_postgresql  # on SQLite the second one waits
def test_a_control_that_comes_while_another_one_counts_the_room_steps_back(chapters, database, dispatch, second):
    chapters.submit_trained(pages=ROUNDS)
    other = dispatch_of(second)
    locked, came = threading.Event(), []

    def come(_connection, _cursor, statement: str, *_: object) -> None:
        if "pg_try_advisory_xact_lock" in statement:
            locked.set()
        elif "FROM pages" in statement and locked.is_set() and not came:
            came.append(len(other.start_pages(4)))

    event.listen(database._engine, "after_cursor_execute", come)
    assert len(dispatch.start_pages(4)) == MESSAGES_PER_SLOT
    assert came == [0]


def test_of_two_workers_that_claim_a_page_at_once_exactly_one_gets_it(chapters, dispatch, work, second):
    chapters.submit_trained(pages=ROUNDS)
    work.sign_in("cgan", slots=ROUNDS)
    other = WorkStore(second, 60, "worker-2")
    messages = dispatch.start_pages(4)
    assert len(messages) == ROUNDS
    for message in messages:
        claims = at_once(*(partial(worker.claim_page, message.ref, Stage.CGAN) for worker in (work, other)))
        assert sorted(claim is None for claim in claims) == [False, True]
        winner, loser = (work, other) if claims[0] else (other, work)
        assert winner.renew_page(message.ref, Stage.CGAN)
        assert not loser.renew_page(message.ref, Stage.CGAN)


@pytest.mark.parametrize("claimed", [True, False])
def test_two_controls_that_look_for_lost_pages_at_once_raise_the_attempt_once(
    chapters, dispatch, jobs, work, second, clock, claimed
):
    job_id = chapters.submit_trained(pages=ROUNDS)
    work.sign_in("cgan", slots=ROUNDS)
    for message in dispatch.start_pages(4):
        if claimed:
            assert work.claim_page(message.ref, Stage.CGAN)
    clock.advance(61)
    other, queue_empty = dispatch_of(second), lambda _stage: set()
    counts = at_once(*(partial(control.lost_pages, queue_empty) for control in (dispatch, other)))
    assert sum(counts) == ROUNDS
    pages = jobs.list_pages(LOCAL_TENANT, job_id, ROUNDS, 0)
    assert {(page.attempt, page.failures) for page in pages} == {(2, int(claimed))}


def test_of_two_controls_one_sends_a_training(chapters, dispatch, second):
    other = dispatch_of(second)
    for seed in range(ROUNDS):
        chapters.submit(params=JobParams(seed=seed))
        sent = at_once(dispatch.start_trainings, other.start_trainings)
        assert sorted(len(messages) for messages in sent) == [0, 1]


def test_two_last_pages_that_are_committed_at_once_end_the_job(chapters, dispatch, jobs, work, second):
    other = WorkStore(second, 60, "worker-2")
    for _ in range(ROUNDS):
        job_id = chapters.submit_trained(pages=2, params=JobParams(stop_after="cgan"))
        runs = [(worker, message.ref) for worker, message in zip((work, other), dispatch.start_pages(4), strict=True)]
        for worker, ref in runs:
            assert worker.claim_page(ref, Stage.CGAN)
        commits = [partial(worker.commit_page, ref, Stage.CGAN, StageOutcome({}, 0.1)) for worker, ref in runs]
        assert at_once(*commits) == [True, True]
        assert jobs.get_job(LOCAL_TENANT, job_id).job.status == JobStatus.PACKAGING


def test_submissions_at_once_share_tenant_and_model(chapters, database, dispatch, second):
    for number in range(ROUNDS):
        stores, name = (JobStore(database), JobStore(second)), f"tenant {number}"
        at_once(*(partial(store.ensure_tenant, name) for store in stores))
        digest = f"{number:064}"
        at_once(*(partial(chapters.submit, pages=1, reference=digest) for _ in stores))
        assert len(dispatch.start_trainings()) == 1


def test_of_two_that_announce_the_same_file_at_once_both_get_one_upload(database, jobs, second):
    stores = (UploadStore(database), UploadStore(second))
    for number in range(ROUNDS):
        told = {"tenant_id": LOCAL_TENANT, "filename": "a", "size": 1, "sha256": f"{number:064}"}
        ids = [new_id() for _ in stores]
        both = [Upload(id=one, storage_key=one, created_at=time.time(), **told) for one in ids]
        found = at_once(
            *(partial(store.announce, upload, keep_s=60) for store, upload in zip(stores, both, strict=True))
        )
        assert len({one.upload.id for one in found}) == 1
        assert sorted(one.is_new for one in found) == [False, True]


def test_a_series_that_is_deleted_while_one_of_its_jobs_is_corrected_holds_nobody_up(database, jobs, second):
    colours = {(1, 2, 3): (4, 5, 6)}
    for _ in range(ROUNDS):
        series = SeriesUse(new_id(), "one", None, [])
        references = [{"name": "r.png", "key": "r", "sha256": "0" * 64, "size": 1}]
        job_id = new_id()
        jobs.create_job(NewJob(job_id, LOCAL_TENANT, JobParams(), [], references, series=series))
        correct = partial(JobStore(second).set_hints, LOCAL_TENANT, job_id, {}, colours=colours)
        at_once(correct, partial(SeriesStore(database).delete, LOCAL_TENANT, series.id))
        job = jobs.get_job(LOCAL_TENANT, job_id).job
        assert (job.series_id, read_colours(job.colours)) == (None, colours)


def test_processes_that_migrate_at_once_wait_for_each_other(empty_database):
    others = [Database(empty_database.url) for _ in range(3)]
    at_once(*(database.migrate for database in (empty_database, *others)))
    JobStore(empty_database).ensure_tenant(LOCAL_TENANT)
    for database in others:
        assert JobStore(database).list_jobs(LOCAL_TENANT, 1, None, None) == []
        database.close()


def test_processes_that_open_a_new_file_at_once_all_get_it(tmp_path):
    for number in range(100):
        databases = [Database(f"sqlite:///{tmp_path / f'{number}.db'}") for _ in range(4)]
        at_once(*(database.check for database in databases))
        for database in databases:
            database.close()
