"""Following a job: ETags that change with what is shown, waiting, and events."""

import json
import threading
import time
from contextlib import contextmanager

import pytest

from api import events, polling
from api.context import Context
from common.errors import DatabaseError
from common.hints import Hints
from common.jobs.models import LOCAL_TENANT, Job
from common.jobs.states import JobStatus
from common.jobs.store import JobStore
from common.jobs.work import WorkStore
from common.names import STAGES, Stage
from tests.unit.api.conftest import Chapters
from tests.unit.api.engine import outcome_of, run_all_stages, score_set, send_pages

LIMIT_S = 30


@pytest.fixture
def chapters(context: Context, dispatch) -> Chapters:
    """In the database of the client's app."""
    return Chapters(context.jobs, WorkStore(context.database, 60, "worker-1"), dispatch)


@pytest.fixture
def work(context: Context) -> WorkStore:
    return WorkStore(context.database, 60, "worker-1")


def finish(context: Context, dispatch, work, job_id: str) -> None:
    for message in send_pages(dispatch):
        run_all_stages(work, message.ref)
    score_set(dispatch, work)
    dispatch.jobs_to_package()
    assert dispatch.finish_job(job_id, f"jobs/{job_id}/results/r0.cbz", 10) is JobStatus.SUCCEEDED


def test_the_etags_of_job_and_pages_change_whenever_what_is_shown_does(client, context, chapters, dispatch, work):
    job_id = chapters.submit(pages=2)
    paths = (f"/v1/jobs/{job_id}", f"/v1/jobs/{job_id}/pages/1", f"/v1/jobs/{job_id}/pages/2")
    seen: dict[str, dict[str, bytes]] = {path: {} for path in paths}

    def look() -> None:
        for path in paths:
            reply = client.get(path)
            etag = reply.headers["ETag"]
            assert seen[path].setdefault(etag, reply.data) == reply.data, "one ETag for two states"
            if etag == list(seen[path])[-1]:
                again = client.get(path, headers={"If-None-Match": etag})
                assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", etag)

    look()
    (training,) = dispatch.start_trainings()
    look()
    assert work.claim_model(training.key, training.attempt)
    for progress in (0.25, 0.5):
        assert work.renew_model(training.key, training.attempt, progress, {"loss": 1 - progress})
        look()
    assert work.commit_model(training.key, training.attempt, seconds=1.0)
    look()
    for message in send_pages(dispatch):
        look()
        for stage in STAGES:
            assert work.claim_page(message.ref, stage)
            look()
            assert work.commit_page(message.ref, stage, outcome_of(stage))
            look()
    score_set(dispatch, work)
    look()
    dispatch.jobs_to_package()
    look()
    assert dispatch.finish_job(job_id, f"jobs/{job_id}/results/r0.cbz", 10)
    look()
    hints = Hints(version=1, size=(4, 4), hints=[]).model_dump(mode="json")
    assert client.put(f"{paths[1]}/hints", json=hints).status_code == 202
    look()
    assert client.patch(f"{paths[2]}/params", json={"blend": 0.5}).status_code == 202
    look()
    assert client.post(f"/v1/jobs/{job_id}/cancel").status_code == 200
    look()
    assert len(seen[paths[0]]) > 15


def test_a_failure_that_is_tried_again_shows_in_the_etag_of_its_page(client, chapters, dispatch, work):
    job_id = chapters.submit_trained(pages=1)
    (message,) = send_pages(dispatch)
    path = f"/v1/jobs/{job_id}/pages/1"
    assert work.claim_page(message.ref, Stage.CGAN)
    before = client.get(path)
    assert work.fail_page(message.ref, Stage.CGAN, "out_of_memory", "no room", retry_in_s=5)
    after = client.get(path, headers={"If-None-Match": before.headers["ETag"]})
    assert (after.status_code, after.json["error"]["code"]) == (200, "out_of_memory")


def test_an_etag_is_strong_also_where_the_job_changes_while_it_is_read(client, context, chapters, monkeypatch):
    job_id = chapters.submit(pages=1)
    get_job = JobStore.get_job
    changes = [lambda: client.application and context.jobs.cancel_job(LOCAL_TENANT, job_id)]

    def change_and_read(*given):
        view = get_job(*given)
        if changes:
            changes.pop()()
        return view

    monkeypatch.setattr(JobStore, "get_job", change_and_read)
    reply = client.get(f"/v1/jobs/{job_id}")
    assert reply.json["status"] == "cancelled"
    assert client.get(f"/v1/jobs/{job_id}").headers["ETag"] == reply.headers["ETag"]


@pytest.mark.parametrize(
    ("status", "seconds"), [(JobStatus.QUEUED, "5"), (JobStatus.RUNNING, "5"), (JobStatus.PACKAGING, "1")]
)
def test_retry_after_reflects_what_the_job_waits_for(client, context, chapters, status, seconds):
    job_id = chapters.submit(pages=1)
    with context.database.writing() as session:
        session.get_one(Job, job_id).status = status
    reply = client.get(f"/v1/jobs/{job_id}")
    assert reply.headers["Retry-After"] == seconds
    assert client.get(f"/v1/jobs/{job_id}", headers={"If-None-Match": reply.headers["ETag"]}).headers["Retry-After"]
    chapters.train()
    assert int(client.get(f"/v1/jobs/{job_id}").headers["Retry-After"]) <= int(seconds)
    context.jobs.cancel_job(LOCAL_TENANT, job_id)
    assert "Retry-After" not in client.get(f"/v1/jobs/{job_id}").headers


def test_waiting_ends_when_the_job_changes_and_holds_no_connection(client, context, chapters):
    job_id = chapters.submit(pages=1)
    etag = client.get(f"/v1/jobs/{job_id}").headers["ETag"]
    replies: list[object] = []

    def wait() -> None:
        asking = client.application.test_client()
        replies.append(asking.get(f"/v1/jobs/{job_id}?wait=30", headers={"If-None-Match": etag}))

    thread = threading.Thread(target=wait)
    thread.start()
    deadline = time.monotonic() + LIMIT_S
    idle = 0
    while idle < 3:  # between two looks the pool has all of its connections
        assert time.monotonic() < deadline
        idle += context.database._engine.pool.checkedout() == 0
        time.sleep(0.01)
    context.jobs.cancel_job(LOCAL_TENANT, job_id)
    thread.join(LIMIT_S)
    assert [(reply.status_code, reply.json["status"]) for reply in replies] == [(200, "cancelled")]


def test_who_knows_an_older_state_does_not_wait(client, chapters):
    job_id = chapters.submit(pages=1)
    started = time.monotonic()
    reply = client.get(f"/v1/jobs/{job_id}?wait=30", headers={"If-None-Match": '"0"'})
    assert reply.status_code == 200
    assert time.monotonic() < started + LIMIT_S / 2


@contextmanager
def no_place_left():
    taken = 0
    while polling.take_place():
        taken += 1
    try:
        yield
    finally:
        for _ in range(taken):
            polling.leave_place()


def test_when_too_many_wait_the_next_one_is_answered_at_once(client, chapters):
    job_id = chapters.submit(pages=1)
    started = time.monotonic()
    with no_place_left():
        assert client.get(f"/v1/jobs/{job_id}?wait=30").status_code == 200
        refused = client.get(f"/v1/jobs/{job_id}/events")
    assert time.monotonic() < started + LIMIT_S / 2
    assert (refused.status_code, refused.json["code"]) == (503, "too_many_streams")


class Stream:
    """Reads server-sent events as a browser does."""

    def __init__(self, client, job_id: str, last_id: str | None = None) -> None:
        headers = {"Last-Event-ID": last_id} if last_id else {}
        self.response = client.get(f"/v1/jobs/{job_id}/events", headers=headers)
        self._chunks = self.response.iter_encoded()

    def next(self) -> tuple[str, dict[str, object], str]:
        """Kind, data and id of the next event; StopIteration at the end."""
        while True:
            lines = next(self._chunks).decode().strip().split("\n")
            fields = dict(line.split(": ", 1) for line in lines if not line.startswith(":"))
            if "event" in fields:
                return fields["event"], json.loads(fields["data"]), fields["id"]

    def rest(self) -> list[tuple[str, dict[str, object], str]]:
        found = []
        while True:
            try:
                found.append(self.next())
            except StopIteration:
                return found


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(events, "SKEW_S", 0.0)


@pytest.mark.usefixtures("quick")
def test_events_tell_the_state_then_every_change_and_end_with_the_job(client, context, chapters, dispatch, work):
    job_id = chapters.submit_trained(pages=2)
    stream = Stream(client, job_id)
    assert stream.response.mimetype == "text/event-stream"
    kind, data, _ = stream.next()
    assert (kind, data) == ("job", client.get(f"/v1/jobs/{job_id}").json)
    finish(context, dispatch, work, job_id)
    told = stream.rest()
    last_pages = {data["number"]: data for kind, data, _ in told if kind == "page"}
    assert last_pages == {number: client.get(f"/v1/jobs/{job_id}/pages/{number}").json for number in (1, 2)}
    kind, data, last_id = told[-1]
    assert (kind, data["status"]) == ("job", "succeeded")
    stream.response.close()
    assert client.get(f"/v1/jobs/{job_id}/events", headers={"Last-Event-ID": last_id}).status_code == 204


@pytest.mark.usefixtures("quick")
def test_who_comes_back_is_told_what_it_missed_and_nothing_else(client, chapters, dispatch, work, context):
    job_id = chapters.submit_trained(pages=3)
    stream = Stream(client, job_id)
    _, _, last_id = stream.next()
    stream.response.close()
    message = send_pages(dispatch)[0]
    assert work.claim_page(message.ref, Stage.CGAN)
    back = Stream(client, job_id, last_id)
    missed = [back.next() for _ in range(3)]
    back.response.close()
    kinds = [(kind, data.get("number")) for kind, data, _ in missed]
    assert ("page", message.ref.number) in kinds
    assert kinds[-1] == ("job", None)
    assert all(data["status"] != "queued" or data["attempt"] == 1 for kind, data, _ in missed if kind == "page")


@pytest.mark.usefixtures("quick")
def test_pages_that_changed_at_the_same_moment_are_all_told(client, context, chapters, monkeypatch):
    monkeypatch.setattr(events, "BATCH", 3)
    job_id = chapters.submit(pages=10)
    stream = Stream(client, job_id)
    stream.next()
    context.jobs.cancel_job(LOCAL_TENANT, job_id)
    told = stream.rest()
    stream.response.close()
    assert sorted(data["number"] for kind, data, _ in told if kind == "page") == list(range(1, 11))


@pytest.mark.usefixtures("quick")
def test_a_stream_gives_its_place_back(client, chapters):
    job_id = chapters.submit(pages=1)
    for _ in range(polling.MAX_WAITING + 1):
        stream = Stream(client, job_id)
        assert stream.next()[0] == "job"
        stream.response.close()


@pytest.mark.usefixtures("quick")
def test_a_stream_ends_when_its_job_is_deleted_or_the_database_goes(client, context, chapters, monkeypatch):
    first, second = chapters.submit(pages=1), chapters.submit(pages=1)
    streams = [Stream(client, job_id) for job_id in (first, second)]
    for stream in streams:
        stream.next()
    context.jobs.cancel_job(LOCAL_TENANT, first)
    context.jobs.delete_job(LOCAL_TENANT, first)
    assert streams[0].rest() == []

    def away(*_):
        raise DatabaseError("away")

    monkeypatch.setattr(JobStore, "job_version", away)
    assert streams[1].rest() == []
    for stream in streams:
        stream.response.close()


def test_a_quiet_stream_says_that_it_is_there_and_an_old_one_ends(client, chapters, monkeypatch):
    monkeypatch.setattr(events, "KEEP_ALIVE_S", 0.0)
    monkeypatch.setattr(events, "LONGEST_S", 0.8)
    stream = Stream(client, chapters.submit(pages=1))
    assert b": still there\n\n" in list(stream.response.iter_encoded())
    stream.response.close()


@pytest.mark.parametrize("last_id", ["nonsense", "-", "9" * 400, "1-2-3"])
def test_an_id_that_is_none_of_ours_is_as_good_as_none(client, chapters, last_id):
    stream = Stream(client, chapters.submit(pages=1), last_id)
    assert "job" in [stream.next()[0] for _ in range(2)]
    stream.response.close()
