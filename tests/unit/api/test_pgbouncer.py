"""The truth behind PgBouncer in transaction mode: every transaction may run on another connection of the server."""

import threading
from collections.abc import Iterator
from contextlib import nullcontext

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import ProgrammingError

from common.jobs.database import Database
from common.jobs.dispatch import DispatchStore
from common.jobs.feeding import FEED_LOCK
from common.jobs.models import LOCAL_TENANT, Attempt, Tenant
from common.jobs.states import PageStatus
from common.jobs.store import JobStore
from common.jobs.work import WorkStore
from common.names import STAGES
from tests import pgbouncer
from tests.unit.api.conftest import LEASE_S, Chapters, on_postgresql
from tests.unit.api.engine import outcome_of

SERVERS = 3
"""Fewer than there are sessions, so that they must share."""
WORKERS = 6
PAGES = 12
LIMIT_S = 60

pytestmark = on_postgresql


@pytest.fixture
def pooler_url(database: Database) -> Iterator[str]:
    program = pgbouncer.find_pgbouncer()
    if program is None:
        pytest.skip("PgBouncer is not installed (Debian: apt-get install pgbouncer)")
    with pgbouncer.running(program, database.url, SERVERS) as url:
        yield url


@pytest.fixture
def pooled(pooler_url: str) -> Iterator[Database]:
    database = Database(pooler_url)
    yield database
    database.close()


def test_the_newest_tables_are_made_through_it(pooled):
    pooled.migrate()
    with pooled.reading() as session:
        assert session.scalar(select(Tenant.id)) == LOCAL_TENANT


@pytest.mark.parametrize(
    ("threshold", "expected"),
    [("none", nullcontext()), ("0", pytest.raises(ProgrammingError, match=r"prepared statement .* does not exist"))],
)
def test_a_statement_runs_on_any_connection_where_none_is_prepared(pooler_url, threshold, expected):
    """Why the URL must say so: if the second case ever fails, the docs may drop it."""
    one, holder = Database(pooler_url.replace("=none", f"={threshold}")), Database(pooler_url)

    def ask() -> str | None:
        with one.writing() as session:
            return session.scalar(select(Tenant.id))

    try:
        assert ask() == LOCAL_TENANT  # on the first connection of the server
        with holder.writing() as held:
            held.scalar(select(Tenant.id))  # has that one now
            with expected:
                assert ask() == LOCAL_TENANT
    finally:
        one.close()
        holder.close()


def test_two_controls_and_many_workers_bring_a_chapter_to_its_end(pooler_url):
    """Claims, renewals and commits, rows that are skipped where they are locked, and the lock under which pages go."""
    databases = [Database(pooler_url) for _ in range(WORKERS + 2)]
    jobs = JobStore(databases[0])
    dispatches = [DispatchStore(database, queue_lease_s=30, max_failures=3) for database in databases[:2]]
    works = [WorkStore(database, LEASE_S, f"worker-{number}") for number, database in enumerate(databases[2:])]
    chapters = Chapters(jobs, works[0], dispatches[0])
    job_id = chapters.submit_trained(PAGES)
    for stage in STAGES:
        works[0].sign_in(stage.value, slots=PAGES)
    messages, ended, errors = [], threading.Event(), []

    def control(dispatch: DispatchStore) -> None:
        while not ended.is_set():
            messages.extend(dispatch.start_pages(interactive_pages=4))
            dispatch.lost_pages(lambda _: set())

    def work(store: WorkStore) -> None:
        while not ended.is_set():
            for message in list(messages):
                for stage in STAGES[STAGES.index(message.first) :]:
                    if message.ref.number and store.claim_page(message.ref, stage):
                        store.renew_page(message.ref, stage)
                        store.commit_page(message.ref, stage, outcome_of(stage))

    def run(target, store) -> None:
        try:
            target(store)
        except Exception as error:  # told below: in a thread it would only be printed
            errors.append(error)
            ended.set()

    threads = [threading.Thread(target=run, args=(control, one)) for one in dispatches]
    threads += [threading.Thread(target=run, args=(work, one)) for one in works]
    for thread in threads:
        thread.start()
    try:
        for _ in range(LIMIT_S * 20):
            pages = jobs.list_pages(LOCAL_TENANT, job_id, PAGES, 0)
            if ended.wait(0.05) or all(page.status == PageStatus.SUCCEEDED for page in pages):
                break
    finally:
        ended.set()
        for thread in threads:
            thread.join(LIMIT_S)
    assert errors == []
    assert {page.status for page in pages} == {PageStatus.SUCCEEDED}
    with databases[0].reading() as session:
        done = session.execute(select(Attempt.stage, func.count()).where(Attempt.number > 0).group_by(Attempt.stage))
        assert dict(done.all()) == {stage.value: PAGES for stage in STAGES}  # each once, however many tried
    servers = pgbouncer.show(pooler_url, "SERVERS")
    assert len(servers) <= SERVERS
    for database in databases:
        database.close()


def test_the_lock_of_a_control_ends_with_its_transaction(pooler_url):
    """Held by the session, it would stay on whatever connection the pooler had given, for whoever comes next."""
    one, other = Database(pooler_url), Database(pooler_url)
    lock = select(func.pg_try_advisory_xact_lock(FEED_LOCK))
    try:
        with one.writing() as first, other.writing() as second:
            assert first.scalar(lock)
            assert not second.scalar(lock)
        with other.writing() as session:
            assert session.scalar(lock)
    finally:
        one.close()
        other.close()
