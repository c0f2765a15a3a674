"""What is kept no longer is deleted, and nothing else: retention, orphans, leftovers, and who wins when two meet."""

import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from itertools import zip_longest
from pathlib import Path

import pytest
import structlog
from sqlalchemy import event, select

from common.errors import DatabaseError, StorageError
from common.jobs.garbage import DAY_S, GarbageStore
from common.jobs.ids import new_id
from common.jobs.models import LOCAL_TENANT, WHOLE_SET, Job, Page, ReferenceModel, Upload, Worker
from common.jobs.states import JobStatus, ModelStatus, PageStatus
from common.jobs.uploads import UploadStore
from common.jobs.work import WorkStore
from common.names import Artifact, Stage
from common.settings import Settings
from storage import keys
from storage.local import LocalStore
from tests.unit.api.conftest import on_postgresql, picture, submit
from workers.celery import app
from workers.control.loop import Control
from workers.control.packaging import package_jobs
from workers.control.sweeping import SLICE_S, Sweeper, sweep_leftovers

GREY, COLOURED = picture(), picture(coloured=True)
FILES = {"pages": [(GREY, "001.png")], "references": [(COLOURED, "ref.png")]}
EVALUATION = {"kind": "evaluate", "real": [(GREY, "1.png")], "output": [(GREY, "1.png")]}


def seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


@pytest.mark.parametrize("files", [FILES, EVALUATION])
@pytest.mark.parametrize(("given", "days"), [({}, 7), ({"keep_days": "0.5"}, 0.5)])
def test_a_job_says_when_it_expires_once_it_has_ended(client, files, given, days):
    here = submit(client, **files, **given).headers["Location"]
    assert client.get(here).json["expires_at"] is None
    job = client.post(f"{here}/cancel").json
    assert seconds(job["expires_at"]) - seconds(job["finished_at"]) == pytest.approx(days * DAY_S, abs=0.01)
    assert client.get("/v1/jobs").json["jobs"][0]["expires_at"] == job["expires_at"]


@pytest.mark.parametrize("keep_days", ["0", "-1", "365.1", "nan", "inf", "week"])
def test_keep_days_out_of_range_is_refused_by_name(client, context, keep_days):
    reply = submit(client, **FILES, keep_days=keep_days)
    assert (reply.status_code, reply.json["code"]) == (400, "bad_request")
    assert "keep_days" in reply.json["detail"]
    assert context.jobs.list_jobs(LOCAL_TENANT, 9, None, None) == []


@pytest.mark.parametrize("keep_days", [0, 366, "week"])
def test_keep_days_of_a_json_body_is_checked_too(client, keep_days):
    reply = client.post("/v1/jobs", json={"keep_days": keep_days})
    assert reply.status_code == 400
    assert "keep_days" in reply.json["detail"]


class Place:
    """The truth, a local store, and control's sweep over both."""

    def __init__(self, database, jobs, dispatch, work, chapters, tmp_path: Path) -> None:
        self.settings = Settings(data=tmp_path / "var")
        self.garbage = GarbageStore(database, keep_days=self.settings.keep_days)
        self.store = LocalStore(tmp_path / "objects", "http://127.0.0.1", "secret")
        self.store.ensure()
        self.incoming = tmp_path / "objects/incoming"
        self.objects = tmp_path / "objects/objects"
        self.database, self.jobs, self.dispatch, self.work, self.chapters = database, jobs, dispatch, work, chapters
        self.sweeper = Sweeper(self.settings, self.garbage, self.store)

    def put(self, *object_keys: str) -> None:
        for key in object_keys:
            self.store.put(key, b"x", media_type="image/png")

    def listed(self, prefix: str = "") -> list[str]:
        return list(self.store.list_keys(prefix))

    def sweep(self) -> None:
        for _ in self.sweeper.sweep():
            pass

    def submit(self, **more: object) -> str:
        job_id = self.chapters.submit(pages=1, **more)
        self.put(keys.source(job_id, 1), keys.reference(job_id, 1))
        return job_id

    def end(self, job_id: str, keep_days: float | None = None) -> None:
        """Have a job's page fail, and with it the job."""
        with self.database.writing() as session:
            session.get_one(Job, job_id).keep_days = keep_days
            page = session.get_one(Page, (job_id, 1))
            page.status, page.stage = PageStatus.FAILED, None
            session.get_one(Page, (job_id, WHOLE_SET)).status = PageStatus.SKIPPED
            page.artifacts = {Artifact.SOURCE: {"key": keys.source(job_id, 1), "filename": "1.png"}}
        self.dispatch.finish_stuck()
        assert job_id in package_jobs(self.dispatch, self.store)

    def has_job(self, job_id: str) -> bool:
        return bool(self.garbage.known_jobs([job_id]))

    def workers(self) -> list[str]:
        with self.database.reading() as session:
            return list(session.scalars(select(Worker.name)))

    def has_model(self, key: str) -> bool:
        return bool(self.garbage.known_models([key]))

    def model_of(self, job_id: str) -> str:
        return self.jobs.get_job(LOCAL_TENANT, job_id).job.model_key

    def leave_model_alone(self, **more: object) -> str:
        """A trained model of a job that was deleted."""
        job_id = self.submit(**more)
        self.chapters.train()
        key = self.model_of(job_id)
        self.put(keys.model(key), keys.model_card(key))
        self.jobs.cancel_job(LOCAL_TENANT, job_id)
        self.jobs.delete_job(LOCAL_TENANT, job_id)
        return key

    def upload(self) -> str:
        upload_id = new_id()
        key = keys.upload(LOCAL_TENANT, upload_id)
        self.put(key)
        UploadStore(self.database).announce(
            Upload(id=upload_id, tenant_id=LOCAL_TENANT, filename="a", size=1, storage_key=key, created_at=time.time())
        )
        return key


@pytest.fixture
def place(database, jobs, dispatch, work, chapters, tmp_path) -> Place:
    return Place(database, jobs, dispatch, work, chapters, tmp_path)


def before(monkeypatch, holder: object, name: str, act: Callable[[], object]) -> None:
    """Have something happen once, right before a method of `holder` is called."""
    real = getattr(holder, name)
    acts = [act]

    def call(*args, **more):
        if acts:
            acts.pop()()
        return real(*args, **more)

    monkeypatch.setattr(holder, name, call)


def test_a_job_goes_with_its_objects_when_its_days_are_over_and_not_before(place, clock):
    usual, short, running = place.submit(), place.submit(), place.submit()
    place.end(usual)
    place.end(short, keep_days=2)
    clock.advance(1.9 * DAY_S)
    place.sweep()
    assert place.has_job(short)
    clock.advance(0.2 * DAY_S)
    place.sweep()
    assert (place.has_job(short), place.listed(keys.job_prefix(short))) == (False, [])
    clock.advance(4.8 * DAY_S)
    place.sweep()
    assert place.has_job(usual)
    clock.advance(0.2 * DAY_S)
    place.sweep()
    assert (place.has_job(usual), place.listed(keys.job_prefix(usual))) == (False, [])
    clock.advance(400 * DAY_S)
    place.sweep()
    assert place.has_job(running)
    assert keys.source(running, 1) in place.listed()


def test_all_expired_jobs_go_in_one_sweep_however_many(place, clock, monkeypatch):
    monkeypatch.setattr("workers.control.sweeping.BATCH", 2)
    job_ids = [place.submit() for _ in range(5)]
    for job_id in job_ids:
        place.end(job_id)
    clock.advance(8 * DAY_S)
    place.sweep()
    assert place.garbage.known_jobs(job_ids) == set()
    assert place.listed("jobs/") == []


def test_a_retry_that_comes_between_finding_a_job_and_deleting_it_wins(place, clock, monkeypatch):
    job_id = place.submit()
    place.end(job_id)
    clock.advance(8 * DAY_S)
    retry = lambda: place.jobs.retry_job(LOCAL_TENANT, job_id)  # noqa: E731
    before(monkeypatch, place.garbage, "remove_expired_job", retry)
    place.sweep()
    assert place.jobs.get_job(LOCAL_TENANT, job_id).job.status == JobStatus.RUNNING
    assert len(place.listed(keys.job_prefix(job_id))) == 2


def test_a_retried_job_is_kept_from_its_new_end(place, clock):
    job_id = place.submit()
    place.end(job_id)
    clock.advance(6 * DAY_S)
    place.jobs.retry_job(LOCAL_TENANT, job_id)
    place.end(job_id)
    clock.advance(6 * DAY_S)
    place.sweep()
    assert place.has_job(job_id)


def test_two_sweeps_side_by_side_do_no_harm(place, clock):
    job_ids = [place.submit() for _ in range(3)]
    for job_id in job_ids:
        place.end(job_id)
    key = place.leave_model_alone()
    place.upload()
    clock.advance(31 * DAY_S)
    with structlog.testing.capture_logs() as lines:
        for _ in zip_longest(place.sweeper.sweep(), Sweeper(place.settings, place.garbage, place.store).sweep()):
            pass
    assert [line for line in lines if line["log_level"] == "warning"] == []
    assert (place.garbage.known_jobs(job_ids), place.has_model(key), place.listed()) == (set(), False, [])


def test_objects_that_a_crash_left_behind_are_found_and_what_is_no_job_is_left_alone(place, clock, monkeypatch):
    job_id, kept = place.submit(), place.submit()
    place.end(job_id)
    place.put("jobs/by-hand/file", "other/file")
    clock.advance(8 * DAY_S)

    def crash(_prefix: str) -> None:
        raise StorageError("away")

    with monkeypatch.context() as patch:
        patch.setattr(place.store, "delete_prefix", crash)
        place.sweep()
    assert not place.has_job(job_id)
    assert place.listed(keys.job_prefix(job_id)) != []
    place.sweep()
    assert place.listed(keys.job_prefix(job_id)) == []
    assert len(place.listed(keys.job_prefix(kept))) == 2
    assert {"jobs/by-hand/file", "other/file"} <= set(place.listed())


def test_a_submission_whose_row_is_not_there_yet_keeps_its_objects(place, clock):
    job_id = new_id()
    place.put(keys.source(job_id, 1))
    os.utime(place.objects / keys.source(job_id, 1), (0, 0))  # of an upload that it links
    clock.advance(0.99 * DAY_S)
    place.sweep()
    assert place.listed() == [keys.source(job_id, 1)]
    clock.advance(0.02 * DAY_S)
    place.sweep()
    assert place.listed() == []


def test_an_upload_goes_after_a_day_row_and_object(place, clock):
    key = place.upload()
    clock.advance(0.99 * DAY_S)
    place.sweep()
    assert place.listed() == [key]
    clock.advance(0.02 * DAY_S)
    place.sweep()
    assert place.listed() == []
    assert place.garbage.known_uploads([key.rsplit("/", 1)[-1]]) == set()


def test_an_object_of_no_upload_goes_and_one_of_a_kept_upload_stays(place, clock):
    place.settings = place.settings.model_copy(update={"upload_keep_hours": 1000.0})
    place.sweeper = Sweeper(place.settings, place.garbage, place.store)
    kept, orphan = place.upload(), keys.upload(LOCAL_TENANT, new_id())
    place.put(orphan, "uploads/local/by-hand")
    clock.advance(0.99 * DAY_S)
    place.sweep()
    assert orphan in place.listed()
    clock.advance(0.02 * DAY_S)
    place.sweep()
    assert place.listed() == sorted([kept, "uploads/local/by-hand"])


def test_a_model_goes_30_days_after_its_last_use_if_no_job_refers_to_it(place, clock):
    key = place.leave_model_alone()
    clock.advance(29.9 * DAY_S)
    place.sweep()
    assert place.has_model(key)
    assert len(place.listed("models/")) == 2
    clock.advance(0.2 * DAY_S)
    place.sweep()
    assert not place.has_model(key)
    assert place.listed("models/") == []


def test_a_model_that_a_job_refers_to_or_that_is_in_training_stays(place, clock):
    used, trained = place.model_of(place.submit()), place.leave_model_alone(reference="1" * 64)
    with place.database.writing() as session:
        session.get_one(ReferenceModel, trained).status = ModelStatus.TRAINING
    clock.advance(100 * DAY_S)
    place.sweep()
    assert place.has_model(used)
    assert place.has_model(trained)


def test_a_job_that_comes_between_finding_a_model_and_deleting_it_keeps_it(place, clock, monkeypatch):
    key = place.leave_model_alone()
    clock.advance(31 * DAY_S)
    before(monkeypatch, place.garbage, "remove_unused_model", place.submit)
    place.sweep()
    assert place.has_model(key)
    assert len(place.listed("models/")) == 2


def test_a_job_that_comes_right_after_a_models_row_is_gone_gets_a_new_one(place, clock, monkeypatch):
    key = place.leave_model_alone()
    clock.advance(31 * DAY_S)
    job_ids: list[str] = []
    before(monkeypatch, place.store, "delete", lambda: job_ids.append(place.submit()))
    place.sweep()
    assert place.model_of(job_ids[0]) == key
    assert len(place.dispatch.start_trainings()) == 1


# SQLite has one writer at a time: there nobody waits for a row.
@on_postgresql
def test_a_job_that_waits_for_a_models_row_which_is_being_deleted_makes_a_new_one(place):
    key, waits = place.leave_model_alone(), threading.Event()

    def watch(_connection, _cursor, statement: str, *_: object) -> None:
        if "FROM reference_models" in statement and "FOR UPDATE" in statement:
            waits.set()

    with ThreadPoolExecutor(1) as pool:
        with place.database.writing() as session:
            session.delete(session.get_one(ReferenceModel, key, with_for_update=True))
            session.flush()
            event.listen(place.database._engine, "before_cursor_execute", watch)
            submitted = pool.submit(place.submit)
            assert waits.wait(30)
        assert place.model_of(submitted.result()) == key


def test_files_of_no_model_go_when_they_are_old(place, clock):
    known = place.leave_model_alone()
    gone = "f" * 64
    place.put(keys.model(gone), keys.model_card(gone), "models/cgan/by-hand.bin")
    place.sweep()
    assert keys.model(gone) in place.listed()
    clock.advance(1.1 * DAY_S)
    place.sweep()
    assert place.listed("models/") == sorted([keys.model(known), keys.model_card(known), "models/cgan/by-hand.bin"])


def kept_result(place: Place, key: str, *, manifest: bool = True) -> list[str]:
    names = ["draft.png", *(["manifest.json"] if manifest else [])]
    written = [keys.stage_artifact(Stage.CGAN, key, name) for name in names]
    place.put(*written)
    return written


def test_a_kept_result_goes_30_days_after_its_manifest_was_written(place, clock):
    kept_result(place, "old")
    used = kept_result(place, "used")
    halfway = time.time() + 15 * DAY_S
    os.utime(place.objects / used[-1], (halfway, halfway))
    clock.advance(29.9 * DAY_S)
    place.sweep()
    assert len(place.listed()) == 4
    clock.advance(0.2 * DAY_S)
    place.sweep()
    assert place.listed() == used


def test_a_result_that_is_just_being_kept_stays_and_one_that_never_was_whole_goes(place, clock):
    keeping = kept_result(place, "keeping", manifest=False)
    place.sweep()
    assert place.listed() == keeping
    clock.advance(30.1 * DAY_S)
    place.sweep()
    assert place.listed() == []


def test_a_kept_result_that_is_used_after_it_was_found_stays(place, clock, monkeypatch):
    kept = kept_result(place, "key")
    clock.advance(30.1 * DAY_S)
    now = time.time()
    before(monkeypatch, place.sweeper, "_is_unused_still", lambda: os.utime(place.objects / kept[-1], (now, now)))
    place.sweep()
    assert place.listed() == kept


def test_the_manifest_of_a_kept_result_goes_first(place, clock, monkeypatch):
    kept = kept_result(place, "key")
    clock.advance(30.1 * DAY_S)
    seen: list[list[str]] = []
    before(monkeypatch, place.store, "delete_prefix", lambda: seen.append(place.listed()))
    place.sweep()
    assert seen == [kept[:1]]


def test_what_killed_writers_left_goes_after_a_day(place, clock):
    (place.incoming / "left").write_bytes(b"x")
    clock.advance(0.99 * DAY_S)
    place.sweep()
    assert (place.incoming / "left").exists()
    clock.advance(0.02 * DAY_S)
    place.sweep()
    assert list(place.incoming.iterdir()) == []


def test_a_worker_that_was_killed_is_forgotten_after_a_day(place, clock):
    place.work.sign_in("cgan", slots=1)
    clock.advance(DAY_S - 60)
    WorkStore(place.database, 60, "alive").sign_in("cgan", slots=1)
    place.sweep()
    assert len(place.workers()) == 2
    clock.advance(120)
    place.sweep()
    assert place.workers() == ["alive"]


def test_a_part_of_the_sweep_that_fails_does_not_keep_the_others_from_being_done(place, clock, monkeypatch):
    place.upload()
    clock.advance(2 * DAY_S)

    def fail(*_: object) -> None:
        raise DatabaseError("away")

    monkeypatch.setattr(place.garbage, "expired_jobs", fail)
    place.sweep()
    assert place.listed() == []


def due_again(sweeper: Sweeper) -> bool:
    begun: list[bool] = []
    sweeper.sweep = lambda: iter([begun.append(True)])
    sweeper.work()
    return bool(begun)


def test_control_sweeps_at_its_start_and_then_once_an_hour(place, clock, monkeypatch):
    ahead = [0.0]
    real = time.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: real() + ahead[0])
    assert due_again(place.sweeper)
    ahead[0] = 3590
    assert not due_again(place.sweeper)
    ahead[0] = 3601
    assert due_again(place.sweeper)


def test_a_sweep_gives_way_after_its_slice_and_goes_on_in_the_next_round(place, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    sweeper = Sweeper(place.settings, place.garbage, place.store)
    done = []

    def sweep():
        for number in range(5):
            done.append(number)
            now[0] += SLICE_S / 2
            yield

    sweeper.sweep = sweep
    for count in (2, 4, 5):
        sweeper.work()
        assert len(done) == count


def test_what_earlier_attempts_left_goes_when_the_job_is_packaged(place):
    job_id = place.submit()
    artifact = lambda attempt, name: keys.attempt_artifact(job_id, 1, attempt, name)  # noqa: E731
    kept = [artifact(1, "draft.png"), artifact(3, "final.png"), artifact(3, "half.png"), artifact(4, "early.png")]
    left = [artifact(1, "rough.png"), artifact(2, "rough.png")]
    place.put(*kept, *left, keys.result_archive(job_id, "r0", "cbz"), keys.archive(job_id), keys.truth(job_id, 1))
    place.put(keys.attempt_artifact(job_id, WHOLE_SET, 1, "report.html"))  # the set ran once: its report is the one
    with place.database.writing() as session:
        page = session.get_one(Page, (job_id, 1))
        page.attempt = 3
        page.artifacts = {"draft": {"key": kept[0]}, "final": {"key": kept[1]}}
    everything = set(place.listed())
    sweep_leftovers(place.garbage, place.store, job_id)
    assert everything - set(place.listed()) == set(left)


def test_corrected_hints_go_but_those_in_use_and_those_on_their_way_stay(place, clock):
    job_id = place.submit()
    used, superseded = keys.user_hints(job_id, 1, new_id()), keys.user_hints(job_id, 1, new_id())
    place.put(used, superseded)
    with place.database.writing() as session:
        page = session.get_one(Page, (job_id, 1))
        page.attempt, page.artifacts = 2, {"hints": {"key": used}}
    sweep_leftovers(place.garbage, place.store, job_id)
    assert superseded in place.listed()  # its correction may be about to say so
    clock.advance(3601)
    sweep_leftovers(place.garbage, place.store, job_id)
    assert superseded not in place.listed()
    assert used in place.listed()


def test_leftovers_that_cannot_be_deleted_keep_nobody_from_going_on(place, monkeypatch):
    def fail(*_: object) -> None:
        raise StorageError("away")

    job_id = place.submit()
    with place.database.writing() as session:
        session.get_one(Page, (job_id, 1)).attempt = 2
    monkeypatch.setattr(place.store, "list_keys", fail)
    sweep_leftovers(place.garbage, place.store, job_id)


def test_control_sweeps_and_takes_the_leftovers_of_what_it_packaged(place, monkeypatch):
    expired, packaged = place.submit(), place.submit()
    place.end(expired, keep_days=1e-9)
    left = keys.attempt_artifact(packaged, 1, 1, "draft.png")
    place.put(left)
    with place.database.writing() as session:
        page = session.get_one(Page, (packaged, 1))
        page.status, page.stage, page.attempt = PageStatus.FAILED, None, 2
        session.get_one(Page, (packaged, WHOLE_SET)).status = PageStatus.SKIPPED

    class Broker:
        """One round, and an empty queue."""

        def is_empty(self, _stage: Stage) -> bool:
            return True

        def wait_for_wake(self, _seconds: float) -> None:
            stop.set()

    stop = threading.Event()
    control = Control(place.settings, place.dispatch, place.store, Broker(), app, garbage=place.garbage)
    monkeypatch.setattr("workers.control.loop.send_training", lambda *_: None)
    control.run(stop)
    assert not place.has_job(expired)
    assert place.has_job(packaged)
    assert left not in place.listed()
    assert keys.source(packaged, 1) in place.listed()
