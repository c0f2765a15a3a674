"""What is counted, by processes together, and only once it is true."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from common.errors import StorageError
from common.jobs.database import at_commit
from common.jobs.models import LOCAL_TENANT, Tenant
from common.jobs.states import JobStatus, PageStatus
from common.names import RunOutcome, Stage
from common.telemetry import FOLDER_VARIABLE, read_sample
from tests.unit.api.conftest import LEASE_S, on_sqlite, picture
from tests.unit.api.engine import QUEUE_EMPTY, send_pages
from workers.stage import execute_stage

TOGETHER = """
import os, subprocess, sys
from common.telemetry import *
child = "from common.telemetry import *; ATTEMPTS.labels('s2p', 'done').inc(2); WORKER_READY.labels('s2p').set(1)"
share_metrics()
begin_counting(ATTEMPTS, ["s2p"], ["done", "stale"])
ATTEMPTS.labels("s2p", "done").inc()
for _ in range(2):  # the second is the first one's successor
    subprocess.run([sys.executable, "-c", child], check=True)
print(os.environ[FOLDER_VARIABLE])
print(render_metrics().decode())
"""


@pytest.fixture(scope="module")
def together() -> list[str]:
    """What a parent tells whose children have counted, line by line; first the folder of their files."""
    environment = {name: value for name, value in os.environ.items() if name != FOLDER_VARIABLE}
    command = [sys.executable, "-c", TOGETHER]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=60)
    return done.stdout.splitlines()


def test_a_parent_tells_what_its_children_counted_also_those_that_have_ended(together):
    assert 'nurie_attempts_total{outcome="done",stage="s2p"} 5.0' in together
    assert 'nurie_worker_ready{stage="s2p"} 1.0' in together


def test_a_counter_is_there_before_anything_is_counted(together):
    assert 'nurie_attempts_total{outcome="stale",stage="s2p"} 0.0' in together


def test_the_files_go_with_the_process(together):
    assert not Path(together[0]).exists()


def test_importing_the_telemetry_makes_no_files():
    assert FOLDER_VARIABLE not in os.environ


def test_what_comes_to_nothing_is_not_counted(database):
    counted = []
    with pytest.raises(RuntimeError), database.writing() as session:
        session.get_one(Tenant, LOCAL_TENANT).deficit = 1.0
        at_commit(session, lambda: counted.append("rolled back"))
        raise RuntimeError
    with database.writing() as session:
        at_commit(session, lambda: counted.append("committed"))
    assert counted == ["committed"]


def test_runs_of_stages_are_counted_by_how_they_end(house):
    def count(outcome: str) -> float:
        return read_sample("nurie_attempts_total", stage="cgan", outcome=outcome)

    outcomes = (RunOutcome.DONE, RunOutcome.CACHED, RunOutcome.STALE, "internal")
    before = {outcome: count(outcome) for outcome in outcomes}
    timed = read_sample("nurie_stage_seconds_count", stage="cgan", preset="default", weights="test", device="cpu")
    waited = read_sample("nurie_queue_wait_seconds_count", **{"stage": "cgan", "class": "interactive"})

    def fail(_run):
        raise RuntimeError

    house.submit()
    (message,) = house.send()
    execute_stage(house.resources, Stage.CGAN, message.ref, house.work)
    house.resources.aside.wait()
    execute_stage(house.resources, Stage.CGAN, message.ref, house.work)  # delivered twice
    house.submit()
    execute_stage(house.resources, Stage.CGAN, house.send()[-1].ref, house.work)
    house.submit(source=picture(seed=7))
    execute_stage(house.resources, Stage.CGAN, house.send()[-1].ref, fail)
    assert {outcome: count(outcome) - before[outcome] for outcome in outcomes} == dict.fromkeys(outcomes, 1)
    # Only work that was done says how long work takes; each that was claimed had waited.
    labels = {"stage": "cgan", "preset": "default", "weights": "test", "device": "cpu"}
    assert read_sample("nurie_stage_seconds_count", **labels) == timed + 1
    assert read_sample("nurie_queue_wait_seconds_count", **{"stage": "cgan", "class": "interactive"}) == waited + 3


@on_sqlite
def test_the_weights_of_a_reference_model_are_one_label_for_all(house):
    def work(run):
        house.work(run)
        run.weights = f"reference model {run.claim.model_key}"

    labels = {"stage": "cgan", "preset": "default", "weights": "reference model", "device": "cpu"}
    before = read_sample("nurie_stage_seconds_count", **labels)
    house.submit(source=picture(seed=8))
    execute_stage(house.resources, Stage.CGAN, house.send()[-1].ref, work)
    assert read_sample("nurie_stage_seconds_count", **labels) == before + 1


def test_how_long_a_page_waited_in_its_queue_is_told_with_its_claim(work, dispatch, chapters, clock):
    chapters.submit_trained(pages=1)
    clock.advance(500)  # in SQL
    (message,) = send_pages(dispatch)
    clock.advance(40)
    claim = work.claim_page(message.ref, Stage.CGAN)
    assert claim.waited_s == pytest.approx(40, abs=5)
    assert claim.job_pages == 1


def test_pages_and_jobs_are_counted_when_they_end(house, jobs, dispatch, clock):
    def counts() -> dict[str, float]:
        pages = {state: read_sample("nurie_pages_ended_total", state=state) for state in PageStatus}
        return pages | {f"job {state}": read_sample("nurie_jobs_ended_total", state=state) for state in JobStatus}

    def gained(before: dict[str, float]) -> dict[str, float]:
        return {name: value - before[name] for name, value in counts().items() if value != before[name]}

    before = counts()
    house.submit(pages=2)
    house.run_all()
    assert gained(before) == {"succeeded": 2, "job succeeded": 1}
    before = counts()
    jobs.cancel_job(LOCAL_TENANT, house.submit(pages=3))
    assert gained(before) == {"cancelled": 3, "job cancelled": 1}
    before = counts()
    house.submit(pages=1, source=picture(seed=9))
    for _ in range(3):  # a worker takes it and falls silent
        (message,) = house.send()
        assert house.resources.work.claim_page(message.ref, Stage.CGAN)
        clock.advance(LEASE_S + 1)
        dispatch.lost_pages(QUEUE_EMPTY)
    assert gained(before) == {"failed": 1}


@on_sqlite
def test_requests_to_storage_are_timed_and_those_without_an_answer_counted(house, monkeypatch):
    before = read_sample("nurie_storage_seconds_count", operation="put")
    house.store.put("jobs/a", b"1", media_type="text/plain")
    assert read_sample("nurie_storage_seconds_count", operation="put") == before + 1
    errors = read_sample("nurie_storage_errors_total", operation="put")
    monkeypatch.setattr("shutil.copyfileobj", _no_room)
    with pytest.raises(StorageError):
        house.store.put("jobs/b", b"1", media_type="text/plain")
    assert read_sample("nurie_storage_errors_total", operation="put") == errors + 1


def test_transactions_are_timed(database):
    before = {kind: read_sample("nurie_database_seconds_count", kind=kind) for kind in ("read", "write")}
    with database.reading():
        pass
    with database.writing():
        pass
    after = {kind: read_sample("nurie_database_seconds_count", kind=kind) for kind in ("read", "write")}
    assert after == {kind: count + 1 for kind, count in before.items()}


def _no_room(*_: object, **__: object):
    raise OSError(28, "No space left on device")
