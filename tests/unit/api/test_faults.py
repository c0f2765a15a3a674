"""What becomes of a page when a process dies, storage is away, or nobody wants the page any more."""

import pytest
from celery.exceptions import TimeLimitExceeded, WorkerLostError

from common.errors import DatabaseError, NotFoundError, OutOfMemoryError, StorageError
from common.jobs.models import LOCAL_TENANT, ReferenceModel
from common.jobs.states import JobStatus, ModelStatus, PageStatus
from common.names import PAGE_TASKS, STAGES, TRAIN_TASK, Artifact, Stage
from storage import keys
from tests.unit.api.house import COLOUR
from workers import deaths, patience, stage
from workers.celery import app
from workers.control import loop
from workers.deaths import DeathWatch, report_death
from workers.patience import PatientStore, wait_out
from workers.stage import OUTAGE_PAUSE_S, StageRun, execute_stage


@pytest.fixture
def pauses(monkeypatch) -> list[float]:
    """Pauses of whoever waits an outage out, taken without waiting."""
    taken: list[float] = []
    now = [0.0]

    def sleep(seconds: float) -> None:
        taken.append(seconds)
        now[0] += seconds

    monkeypatch.setattr(patience.time, "sleep", sleep)
    monkeypatch.setattr(patience.time, "monotonic", lambda: now[0])
    return taken


class Flaky:
    """Fails with an error so many times, then answers."""

    def __init__(self, error: Exception, times: int) -> None:
        self.error, self.left = error, times

    def __call__(self) -> str:
        if self.left:
            self.left -= 1
            raise self.error
        return "answer"


@pytest.mark.parametrize("error", [StorageError("away"), DatabaseError("away")])
def test_an_outage_is_waited_out_with_growing_pauses(pauses, error):
    assert wait_out(Flaky(error, 8), limit_s=300) == "answer"
    assert len(pauses) == 8
    assert pauses[0] <= 0.2 < 1.0 < pauses[-1] <= 5.0


def test_an_outage_beyond_the_limit_and_any_other_error_are_raised(pauses):
    with pytest.raises(StorageError):
        wait_out(Flaky(StorageError("away"), 10_000), limit_s=30)
    assert sum(pauses) <= 30
    pauses.clear()
    with pytest.raises(NotFoundError):
        wait_out(Flaky(NotFoundError("gone"), 1), limit_s=300)
    assert pauses == []


def test_a_stage_goes_on_when_storage_is_back(house, pauses, monkeypatch):
    job_id = house.submit()
    away = Flaky(StorageError("503"), 5)
    put = house.store.put

    def flaky_put(*args, **options):
        away()
        return put(*args, **options)

    monkeypatch.setattr(house.store, "put", flaky_put)
    house.resources = stage.Resources(
        house.settings, house.resources.work, PatientStore(house.store, 60), house.resources.broker
    )
    house.run_all()
    assert house.job(job_id).status == JobStatus.SUCCEEDED
    assert (house.page(job_id).failures, len(pauses)) == (0, 5)


def test_an_outage_however_long_is_held_against_no_page(house, clock):
    job_id = house.submit()

    def away(_run: StageRun) -> None:
        raise StorageError("away")

    for _ in range(5):
        (message,) = house.send()
        house.run_page(message, away)
        page = house.page(job_id)
        assert (page.status, page.failures, page.error_code) == (PageStatus.QUEUED, 0, "storage_unavailable")
        assert house.send() == []
        clock.advance(OUTAGE_PAUSE_S + 1)
    house.run_all()
    assert house.page(job_id).error_code is None
    assert house.job(job_id).status == JobStatus.SUCCEEDED


def test_a_killed_child_is_reported_at_once_and_its_late_result_counts_for_nothing(house):
    job_id = house.submit()
    (message,) = house.send()

    def die(run: StageRun) -> None:
        ids = (message.ref.job_id, message.ref.number, message.ref.attempt)
        report_death(house.resources, PAGE_TASKS[run.stage], ids, deaths.PageLostError("killed"))
        house.work(run)

    house.run_page(message, die)
    page = house.page(job_id)
    assert (page.status, page.failures, page.error_code) == (PageStatus.QUEUED, 1, "worker_lost")
    house.run_all()
    assert house.page(job_id).status == PageStatus.SUCCEEDED


def test_a_page_that_kills_its_process_every_time_fails_alone_after_three_attempts(house):
    job_id = house.submit(pages=3)
    killed = 0
    while messages := house.send():
        for message in messages:
            if message.ref.number == 2:
                killed += 1
                ids = (job_id, 2, message.ref.attempt)
                assert house.resources.work.claim_page(message.ref, Stage.CGAN)
                report_death(house.resources, PAGE_TASKS[Stage.CGAN], ids, OutOfMemoryError("killed"))
            else:
                house.run_page(message)
    house.run_all()
    assert killed == 3
    assert (house.page(job_id, 2).status, house.page(job_id, 2).error_code) == (PageStatus.FAILED, "out_of_memory")
    assert [house.page(job_id, number).status for number in (1, 3)] == [PageStatus.SUCCEEDED] * 2


def test_a_report_of_an_attempt_that_was_overtaken_changes_nothing(house):
    job_id = house.submit()
    (message,) = house.send()
    house.run_page(message)
    ids = (job_id, 1, message.ref.attempt)
    for name in PAGE_TASKS.values():
        report_death(house.resources, name, ids, deaths.PageLostError("killed"))
    assert (house.page(job_id).status, house.page(job_id).failures) == (PageStatus.SUCCEEDED, 0)


def test_a_killed_training_is_reported_too(chapters, dispatch, house):
    chapters.submit(reference="5" * 64)
    (message,) = dispatch.start_trainings()
    assert house.resources.work.claim_model(message.key, message.attempt)
    ids = (message.key, message.job_id, message.attempt)
    report_death(house.resources, TRAIN_TASK, ids, deaths.PageLostError("killed"))
    with house.resources.work._database.reading() as session:
        model = session.get_one(ReferenceModel, message.key)
    assert (model.status, model.failures, model.error_code) == (ModelStatus.MISSING, 1, "worker_lost")
    assert not house.resources.work.commit_model(message.key, message.attempt, 1.0)


@pytest.mark.parametrize(
    ("error", "kills", "code"),
    [
        (WorkerLostError("signal 9 (SIGKILL)"), 0, "worker_lost"),
        (WorkerLostError("signal 9 (SIGKILL)"), 1, "out_of_memory"),
        (TimeLimitExceeded(630), 0, "stage_timeout"),
    ],
)
def test_how_a_child_died_is_told_apart(monkeypatch, error, kills, code):
    monkeypatch.setattr(deaths, "count_oom_kills", lambda: 7)
    watch = DeathWatch()
    monkeypatch.setattr(deaths, "count_oom_kills", lambda: 7 + kills)
    assert watch._sort(error).code == code


def test_what_a_child_reports_itself_is_not_the_parents_business(monkeypatch):
    monkeypatch.setattr(deaths, "report_death", lambda *_: pytest.fail("reported"))
    DeathWatch()._on_failure(app, ZeroDivisionError(), ())


def test_this_machine_counts_kills():
    assert deaths.count_oom_kills() >= 0


def test_a_cancelled_stage_stops_at_its_next_step_without_a_heartbeat_and_leaves_nothing(house, monkeypatch):
    monkeypatch.setattr(stage, "LOOK_EVERY_S", 0.0)
    house.settings = house.settings.model_copy(update={"heartbeat_s": 1000})
    house.resources = stage.Resources(
        house.settings, house.resources.work, house.resources.store, house.resources.broker
    )
    job_id = house.submit()
    written = []

    def work(run: StageRun) -> None:
        run.write_picture(Artifact.DRAFT, COLOUR)
        written.append(run.written[0])
        house.jobs.cancel_job(LOCAL_TENANT, job_id)
        house.jobs.delete_job(LOCAL_TENANT, job_id)
        run.write_picture(Artifact.REGIONS, COLOUR)
        pytest.fail("the page was no longer ours")

    (message,) = house.send()
    assert not execute_stage(house.resources, STAGES[0], message.ref, work)
    assert len(written) == 1
    assert list(house.store.list_keys(f"{keys.job_prefix(job_id)}pages/0001/a1/")) == []


def test_a_lost_answer_to_a_commit_deletes_nothing(house, monkeypatch):
    job_id = house.submit()
    (message,) = house.send()
    commit = house.resources.work.commit_page

    def commit_twice(*args):
        assert commit(*args)
        return commit(*args)  # the first answer was lost: asked again, the truth says no

    monkeypatch.setattr(house.resources.work, "commit_page", commit_twice)
    assert not execute_stage(house.resources, Stage.CGAN, message.ref, house.work)
    page = house.page(job_id)
    assert page.stage == Stage.S2P
    assert house.store.get(page.artifacts[Artifact.DRAFT]["key"])


def test_after_an_outage_of_the_database_leases_can_be_renewed_before_control_takes_pages_back(
    house, clock, monkeypatch
) -> None:
    """While it was away, longer than a lease, nobody could."""
    now = [0.0]
    monkeypatch.setattr(loop.time, "monotonic", lambda: now[0])
    control = loop.Control(house.settings, house.dispatch, house.store, EmptyQueues(), app, garbage=None)  # type: ignore[arg-type]
    now[0] += 60
    house.submit()
    (message,) = house.send()
    assert house.resources.work.claim_page(message.ref, Stage.CGAN)
    clock.advance(120)

    def fail() -> None:
        raise DatabaseError("away")

    control._attempt(fail)
    now[0] += 9  # who waits for the database asks every five seconds, or more often
    control._attempt(control._reap)
    assert house.resources.work.renew_page(message.ref, Stage.CGAN)
    clock.advance(120)
    now[0] += 2
    control._attempt(control._reap)
    assert not house.resources.work.renew_page(message.ref, Stage.CGAN)


class EmptyQueues:
    def find_waiting(self, _queue: str) -> set[tuple[object, ...]]:
        return set()
