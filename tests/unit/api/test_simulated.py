"""The simulation's workers leave the truth as real ones do."""

from collections import defaultdict

import pytest

from bench.engine.fairness import jain
from bench.engine.simulated import SimulatedPools
from common.jobs.models import LOCAL_TENANT, WHOLE_SET, Attempt, Page
from common.jobs.states import JobStatus
from common.names import STAGES
from tests.unit.api.conftest import on_postgresql
from tests.unit.api.engine import run_all_stages, score_set, send_pages
from tests.unit.api.test_pipeline import Sent
from workers.celery import app
from workers.pipeline import send_pages as write_pages


class Queues:
    """As much of Redis as the simulation uses; its pipelines do at once what they are told."""

    def __init__(self) -> None:
        self.lists: dict[str, list[str]] = defaultdict(list)
        self._answers: list[list[str]] = []

    def pipeline(self, **_: object) -> "Queues":
        self._answers = []
        return self

    def __enter__(self) -> "Queues":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def rpop(self, name: str, count: int) -> None:
        waiting = self.lists[name]
        self._answers.append([waiting.pop() for _ in range(min(count, len(waiting)))])

    def lpush(self, name: str, message: str) -> None:
        self.lists[name].insert(0, message)

    def ltrim(self, name: str, first: int, last: int) -> None:
        self.lists[name] = self.lists[name][first : last + 1]

    def execute(self) -> list[list[str]]:
        return self._answers


@pytest.fixture
def pools(database, settings, monkeypatch) -> SimulatedPools:
    pools = SimulatedPools(settings, database, dict.fromkeys(STAGES, 2), dict.fromkeys(STAGES, 0.0))
    monkeypatch.setattr(pools, "_redis", Queues())
    return pools


def state_of(database, job_id: str) -> dict[int, tuple]:
    """What decides about a job's pages, and the runs that were written down."""
    with database.reading() as session:
        pages = session.query(Page).filter_by(job_id=job_id).all()
        runs = session.query(Attempt).filter_by(job_id=job_id).all()
    ran = {number: sorted((run.stage, run.attempt, run.outcome) for run in runs if run.number == number) for number in
           {page.number for page in pages}}  # fmt: skip
    return {
        page.number: (page.status, page.stage, page.attempt, page.worker, page.lease_until, ran[page.number])
        for page in pages
    }


@on_postgresql
def test_simulated_workers_leave_pages_and_runs_as_real_ones_do(database, jobs, work, dispatch, chapters, pools):
    work.sign_in("cgan", 2)
    real = chapters.submit_trained(pages=2)
    for message in send_pages(dispatch):
        run_all_stages(work, message.ref)
    score_set(dispatch, work)
    simulated = chapters.submit_trained(pages=2)
    broker = Sent()
    for _ in range(2):  # the pages, and then their set
        write_pages(app, broker, send_pages(dispatch))
        for queue, message in broker.messages:
            pools._redis.lpush(queue, message)
        broker.messages.clear()
        for _ in range(2 * len(STAGES)):
            pools.tick()
    assert state_of(database, simulated) == state_of(database, real)
    assert WHOLE_SET in state_of(database, simulated)
    assert jobs.get_job(LOCAL_TENANT, simulated).job.status == JobStatus.PACKAGING
    assert len(pools.done) == 2


@on_postgresql
def test_a_stale_message_changes_nothing(database, dispatch, chapters, pools):
    job_id = chapters.submit_trained(pages=1)
    broker = Sent()
    write_pages(app, broker, send_pages(dispatch))
    ((queue, message),) = broker.messages
    pools._redis.lpush(queue, message)
    pools._redis.lpush(queue, message)  # delivered twice
    pools.tick()
    with database.reading() as session:
        assert session.query(Attempt).filter_by(job_id=job_id).count() == 1


def test_jains_index():
    assert jain([5, 5, 5]) == 1
    assert jain([1, 0, 0, 0]) == 0.25
