"""How far down the queue a job is, and when it may be done: by who goes first, and by what stages took lately."""

import time

import pytest

from common.jobs.ids import new_id
from common.jobs.models import LOCAL_TENANT, Attempt, Worker
from common.jobs.outlook import OutlookStore
from common.jobs.records import NewJob, NewPage
from common.names import STAGES, Stage
from common.params import JobParams
from tests.unit.api.conftest import on_sqlite, picture
from tests.unit.api.conftest import submit as submit_files
from tests.unit.api.engine import run_all_stages, send_pages

SECONDS = {Stage.CGAN: 2.0, Stage.S2P: 8.0, Stage.INKNHUE: 4.0, Stage.METRICS: 1.0}


@pytest.fixture
def outlook(database, jobs):
    for tenant in ("ours", "theirs"):
        jobs.ensure_tenant(tenant)

    def find(job_id: str, tenant: str = "ours"):
        return OutlookStore(database, interactive_pages=4).find(jobs.get_job(tenant, job_id).job)

    return find


@pytest.fixture
def submit(jobs):
    def submit(tenant: str, pages: int, stop_after: str | None = None) -> str:
        job_id = new_id()
        sources = [NewPage(f"{n}.png", {"key": "k", "sha256": "0" * 64, "size": 1}) for n in range(pages)]
        references = [{"name": "r.png", "key": "r", "sha256": "0" * 64}]
        jobs.create_job(NewJob(job_id, tenant, JobParams(stop_after=stop_after), sources, references))
        return job_id

    return submit


def set_pace(database, job_id: str, slots: dict[Stage, int]) -> None:
    now = time.time()
    with database.writing() as session:
        for stage, count in slots.items():
            session.add(Worker(name=f"w-{stage}", queue=stage, slots=count, seen_at=now))
        for stage, seconds in SECONDS.items():
            times = {"started_at": now - seconds, "ended_at": now}
            session.add(Attempt(job_id=job_id, number=1, attempt=99, stage=stage, worker="w", outcome="done", **times))
            # Neither what was kept already nor what took long ago says anything.
            session.add(
                Attempt(job_id=job_id, number=1, attempt=98, stage=stage, worker="w", outcome="cached", **times)
            )
            old = {"started_at": now - 9000, "ended_at": now - 8000}
            session.add(Attempt(job_id=job_id, number=1, attempt=97, stage=stage, worker="w", outcome="done", **old))


def test_ones_own_earlier_jobs_go_first_and_later_ones_do_not(outlook, submit):
    first, second = submit("ours", 10), submit("ours", 6)
    submit("ours", 8)
    assert (outlook(first).pages_ahead, outlook(first).pages_left) == (0, 10)
    assert (outlook(second).pages_ahead, outlook(second).pages_left) == (10, 6)


def test_tenants_take_turns_and_interactive_jobs_go_before_bulk(outlook, submit):
    submit("theirs", 100)
    ours = submit("ours", 10)
    assert outlook(ours).pages_ahead == 10  # as many as ours, whoever came first
    submit("theirs", 3)
    assert outlook(ours).pages_ahead == 13
    small = submit("ours", 2)
    assert outlook(small).pages_ahead == 2  # of the three interactive ones
    assert outlook(ours).pages_ahead == 15


def test_the_estimate_is_the_slowest_pools(outlook, submit, database, chapters):
    job_id = submit("ours", 10)
    chapters.train()
    assert outlook(job_id).seconds is None  # nothing is known yet
    set_pace(database, job_id, {Stage.CGAN: 1, Stage.S2P: 2, Stage.INKNHUE: 1, Stage.METRICS: 1})
    assert outlook(job_id).seconds == pytest.approx(10 * 8 / 2, abs=0.1)
    one = submit("theirs", 1)
    # A single page goes through all stages, whatever the pools could do at once.
    assert outlook(one, "theirs").seconds == pytest.approx(sum(SECONDS.values()), abs=0.1)


def test_a_stage_that_a_job_stops_before_is_not_waited_for(outlook, submit, database, chapters):
    job_id = submit("ours", 10, "cgan")
    chapters.train()
    set_pace(database, job_id, {Stage.CGAN: 1})
    assert outlook(job_id).seconds == pytest.approx(10 * SECONDS[Stage.CGAN], abs=0.1)


@on_sqlite
def test_a_job_that_came_since_the_queue_was_looked_at_is_in_it(database, jobs, submit, monkeypatch):
    jobs.ensure_tenant("ours")
    outlooks = OutlookStore(database, interactive_pages=4)
    first = submit("ours", 3)
    assert outlooks.find(jobs.get_job("ours", first).job).pages_left == 3
    second = submit("ours", 2)
    monkeypatch.setattr("common.jobs.outlook.LOOK_AGAIN_S", 0)
    assert outlooks.find(jobs.get_job("ours", second).job).pages_left == 2


def test_a_training_is_waited_for(outlook, submit, database, chapters, dispatch, work):
    job_id = submit("ours", 1)
    set_pace(database, job_id, dict.fromkeys(STAGES, 1))
    assert outlook(job_id).seconds is None  # no training has ever ended
    chapters.train()
    through = sum(SECONDS.values())
    assert outlook(job_id).seconds == pytest.approx(through, abs=0.1)


@on_sqlite
def test_pages_that_have_come_further_have_less_before_them(outlook, jobs, chapters, work, dispatch, database):
    job_id = chapters.submit_trained(pages=1)
    set_pace(database, job_id, dict.fromkeys(STAGES, 1))
    (message,) = send_pages(dispatch)
    run_all_stages(work, message.ref, (Stage.CGAN, Stage.S2P))
    assert outlook(job_id, LOCAL_TENANT).seconds == pytest.approx(5.0, abs=0.1)
    run_all_stages(work, message.ref, (Stage.INKNHUE, Stage.METRICS))
    # What is left, the report, is no page, and nothing says how long it takes.
    found = outlook(job_id, LOCAL_TENANT)
    assert (found.pages_left, found.seconds) == (0, None)


@on_sqlite
def test_the_queue_is_asked_over_rest(client):
    job = submit_files(client, pages=[(picture(), "1.png")], references=[(picture(coloured=True), "r.png")]).json
    reply = client.get(f"/v1/jobs/{job['id']}/queue")
    assert (reply.status_code, reply.json) == (200, {"pages_ahead": 0, "pages_left": 1, "estimate_s": None})
    client.post(f"/v1/jobs/{job['id']}/cancel")
    assert client.get(f"/v1/jobs/{job['id']}/queue").json["pages_left"] == 0
