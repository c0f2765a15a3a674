"""The truth under workers and control: claims, leases, fencing, retries, dispatch, the end of jobs."""

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import MetaData, delete, select
from sqlalchemy.exc import IntegrityError

from common.errors import ConflictError, NotFoundError
from common.jobs.database import MIGRATIONS, Database
from common.jobs.dispatch import DispatchStore
from common.jobs.feeding import PageMessage
from common.jobs.ids import new_id
from common.jobs.models import LOCAL_TENANT, WHOLE_SET, Job, Page, Tenant
from common.jobs.states import JobStatus, ModelStatus, PageStatus
from common.jobs.store import JobStore, NewEvaluation
from common.jobs.work import PageRef, StageOutcome, WorkStore
from common.names import SET_ARTIFACTS, STAGE_ARTIFACTS, STAGES, Artifact, Stage
from common.params import JobParams

QUEUE_EMPTY = lambda _stage: set()  # noqa: E731


def outcome_of(stage: Stage, **more: object) -> StageOutcome:
    artifacts = {artifact: {"key": f"{artifact}", "sha256": "2" * 64, "size": 1} for artifact in STAGE_ARTIFACTS[stage]}
    return StageOutcome(artifacts, seconds=0.5, **more)


def run_all_stages(work: WorkStore, ref: PageRef, stages: tuple[Stage, ...] = STAGES) -> None:
    for stage in stages:
        assert work.claim_page(ref, stage) is not None
        assert work.commit_page(ref, stage, outcome_of(stage))


def page_of(jobs: JobStore, job_id: str, number: int = 1) -> Page:
    return jobs.get_page(LOCAL_TENANT, job_id, number)


def status_of(jobs: JobStore, job_id: str) -> str:
    return jobs.get_job(LOCAL_TENANT, job_id).job.status


def set_of(jobs: JobStore, job_id: str) -> Page:
    with jobs._database.reading() as session:
        return session.get_one(Page, (job_id, WHOLE_SET))


def send_pages(dispatch: DispatchStore) -> list[PageMessage]:
    return dispatch.start_pages(interactive_pages=4)


def score_set(dispatch: DispatchStore, work: WorkStore) -> None:
    """Score the one set that is ready."""
    (message,) = send_pages(dispatch)
    assert (message.ref.number, message.first, message.last) == (WHOLE_SET, Stage.METRICS, Stage.METRICS)
    assert work.claim_page(message.ref, Stage.METRICS) is not None
    artifacts = {artifact: {"key": f"set/{artifact}"} for artifact in SET_ARTIFACTS}
    assert work.commit_page(message.ref, Stage.METRICS, StageOutcome(artifacts, 0.5, metrics={"fid": 1.0}))


def test_pages_wait_until_their_reference_model_is_trained(chapters, dispatch):
    chapters.submit()
    assert send_pages(dispatch) == []
    chapters.train()
    assert len(send_pages(dispatch)) == 2


def test_two_jobs_with_the_same_reference_train_once(chapters, dispatch):
    chapters.submit()
    chapters.submit()
    assert len(dispatch.start_trainings()) == 1
    assert dispatch.start_trainings() == []


def test_other_settings_of_the_training_train_another_model(chapters, dispatch):
    chapters.submit()
    chapters.submit(params=JobParams(seed=7))
    chapters.submit(params=JobParams(blend=0.1))  # nothing to do with the training
    assert len(dispatch.start_trainings()) == 2


def test_a_page_goes_through_all_stages_and_the_last_one_ends_the_job(chapters, dispatch, jobs, work):
    job_id = chapters.submit_trained(pages=2)
    first, second = send_pages(dispatch)
    run_all_stages(work, first.ref)
    assert page_of(jobs, job_id).status == PageStatus.SUCCEEDED
    assert status_of(jobs, job_id) == JobStatus.RUNNING
    run_all_stages(work, second.ref)
    score_set(dispatch, work)
    assert status_of(jobs, job_id) == JobStatus.PACKAGING
    assert dispatch.finish_job(job_id, "result") == JobStatus.SUCCEEDED
    assert status_of(jobs, job_id) == JobStatus.SUCCEEDED


def test_a_message_that_is_delivered_twice_is_run_once(chapters, dispatch, work):
    chapters.submit_trained(pages=1)
    (message,) = send_pages(dispatch)
    assert work.claim_page(message.ref, Stage.CGAN) is not None
    assert work.claim_page(message.ref, Stage.CGAN) is None
    assert work.commit_page(message.ref, Stage.CGAN, outcome_of(Stage.CGAN))
    assert work.claim_page(message.ref, Stage.CGAN) is None


def test_a_stage_cannot_be_claimed_before_its_turn(chapters, dispatch, work):
    chapters.submit_trained(pages=1)
    (message,) = send_pages(dispatch)
    assert work.claim_page(message.ref, Stage.S2P) is None


def test_a_silent_worker_loses_its_page_and_its_late_result_counts_for_nothing(chapters, dispatch, jobs, work, clock):
    job_id = chapters.submit_trained(pages=1)
    (message,) = send_pages(dispatch)
    assert work.claim_page(message.ref, Stage.CGAN) is not None
    clock.advance(59)
    assert dispatch.lost_pages(QUEUE_EMPTY) == 0
    clock.advance(2)
    assert dispatch.lost_pages(QUEUE_EMPTY) == 1
    assert not work.renew_page(message.ref, Stage.CGAN)
    assert not work.commit_page(message.ref, Stage.CGAN, outcome_of(Stage.CGAN))
    assert page_of(jobs, job_id).status == PageStatus.QUEUED
    assert page_of(jobs, job_id).error_code == "worker_lost"
    (again,) = send_pages(dispatch)
    assert again.ref.attempt > message.ref.attempt
    run_all_stages(work, again.ref)
    assert page_of(jobs, job_id).error_code is None


def test_a_heartbeat_keeps_the_page(chapters, dispatch, work, clock):
    chapters.submit_trained(pages=1)
    (message,) = send_pages(dispatch)
    assert work.claim_page(message.ref, Stage.CGAN) is not None
    for _ in range(5):
        clock.advance(30)
        assert work.renew_page(message.ref, Stage.CGAN)
    assert dispatch.lost_pages(QUEUE_EMPTY) == 0


def test_a_page_that_loses_three_workers_fails_alone(chapters, dispatch, jobs, work, clock):
    job_id = chapters.submit_trained(pages=2)
    for _ in range(3):
        for message in send_pages(dispatch):
            if message.ref.number == 2:
                run_all_stages(work, message.ref)
            else:
                assert work.claim_page(message.ref, Stage.CGAN) is not None
        clock.advance(61)
        dispatch.lost_pages(QUEUE_EMPTY)
    score_set(dispatch, work)
    page = page_of(jobs, job_id)
    assert (page.status, page.error_code) == (PageStatus.FAILED, "worker_lost")
    assert dispatch.finish_job(job_id, "result") == JobStatus.PARTIAL


def queue_of(*messages: PageMessage):
    """A queue in which these messages wait."""
    return lambda _stage: {(message.ref.job_id, message.ref.number, message.ref.attempt) for message in messages}


def test_a_vanished_message_is_sent_again_but_a_waiting_one_is_not(chapters, dispatch, work, clock):
    chapters.submit_trained(pages=2)
    message, other = send_pages(dispatch)
    clock.advance(31)
    assert dispatch.lost_pages(queue_of(message, other)) == 0
    assert dispatch.lost_pages(queue_of(other)) == 1
    assert work.claim_page(message.ref, Stage.CGAN) is None  # it turns up after all: stale
    (again,) = send_pages(dispatch)
    assert work.claim_page(again.ref, Stage.CGAN) is not None


def test_a_message_lost_between_two_stages_is_sent_again_from_there(chapters, dispatch, work, clock):
    chapters.submit_trained(pages=1)
    (message,) = send_pages(dispatch)
    run_all_stages(work, message.ref, (Stage.CGAN,))
    clock.advance(31)
    assert dispatch.lost_pages(QUEUE_EMPTY) == 1
    (again,) = send_pages(dispatch)
    assert again.first == Stage.S2P


def test_a_retry_waits_for_its_pause_and_a_final_failure_ends_the_page(chapters, dispatch, jobs, work, clock):
    job_id = chapters.submit_trained(pages=1)
    (message,) = send_pages(dispatch)
    assert work.claim_page(message.ref, Stage.CGAN) is not None
    assert work.fail_page(message.ref, Stage.CGAN, "storage_unavailable", "away", retry_in_s=10)
    assert send_pages(dispatch) == []
    clock.advance(11)
    (again,) = send_pages(dispatch)
    assert work.claim_page(again.ref, Stage.CGAN) is not None
    assert work.fail_page(again.ref, Stage.CGAN, "bad_image", "page 1 is no picture", retry_in_s=None)
    page = page_of(jobs, job_id)
    assert (page.status, page.error_code, page.failures) == (PageStatus.FAILED, "bad_image", 2)
    assert dispatch.finish_job(job_id, None) == JobStatus.FAILED


def test_feeding_keeps_about_two_messages_per_slot(chapters, dispatch, work):
    chapters.submit_trained(pages=30)
    work.sign_in("cgan", slots=1)
    assert len(send_pages(dispatch)) == 2
    assert send_pages(dispatch) == []
    WorkStore(work._database, 60, "worker-2").sign_in("cgan", slots=1)
    assert len(send_pages(dispatch)) == 2


def test_a_small_job_goes_before_a_large_one_that_came_first(chapters, dispatch):
    chapters.submit(pages=30)
    small = chapters.submit(pages=2)
    chapters.train()
    assert {message.ref.job_id for message in send_pages(dispatch)} == {small}


def test_an_evaluation_is_no_small_job_for_having_no_pages(chapters, dispatch, jobs):
    entry = {"name": "1.png", "key": "k", "sha256": "1" * 64}
    jobs.create_evaluation(NewEvaluation(new_id(), LOCAL_TENANT, [entry], [entry], []))
    small = chapters.submit_trained(pages=1)
    assert [message.ref.job_id == small for message in send_pages(dispatch)] == [True, False]


def test_tenants_take_turns(chapters, dispatch):
    chapters.submit(pages=30, tenant="flood")
    modest = chapters.submit(pages=30, tenant="modest")
    chapters.train()
    assert [message.ref.job_id for message in send_pages(dispatch)].count(modest) == 1


def test_tenants_take_turns_however_many_they_are_and_whoever_came_first(chapters, dispatch, work):
    tenants = [f"tenant {number}" for number in range(6)]
    for tenant in tenants:
        chapters.submit(pages=30, tenant=tenant)
    chapters.train()
    owners = owners_of_pages_in_turn(dispatch, work, 24)
    assert all(owners.count(tenant) == 4 for tenant in tenants), owners
    assert all(set(owners[start : start + 6]) == set(tenants) for start in range(0, 24, 6)), owners


def test_a_newcomer_is_served_before_a_flood_goes_on(chapters, dispatch, work):
    chapters.submit_trained(pages=200, tenant="flood")
    owners_of_pages_in_turn(dispatch, work, 20)
    chapters.submit_trained(pages=10, tenant="newcomer")
    assert "newcomer" in owners_of_pages_in_turn(dispatch, work, 4)[:3]  # two of the flood are sent already


def test_a_page_of_which_one_stage_is_due_costs_a_quarter_of_a_turn(chapters, dispatch, jobs, work):
    job_id = chapters.submit_trained(pages=8, tenant="corrects")
    owners_of_pages_in_turn(dispatch, work, 8)
    with jobs._database.writing() as session:
        for page in session.scalars(select(Page).where(Page.job_id == job_id, Page.number > WHOLE_SET)):
            page.status, page.stage = PageStatus.QUEUED, Stage.METRICS
    chapters.submit_trained(pages=8, tenant="colours")
    work.sign_in("cgan", slots=20)
    work.sign_in("metrics", slots=20)
    first = [message.ref.job_id == job_id for message in send_pages(dispatch)[:5]]
    assert first.count(True) == 4


def test_bulk_does_not_starve_behind_interactive_jobs(chapters, dispatch, work, clock):
    bulk = chapters.submit_trained(pages=30, tenant="bulk")
    for _ in range(20):
        chapters.submit_trained(pages=2, tenant="interactive")
    assert bulk not in {message.ref.job_id for message in send_pages(dispatch)}
    clock.advance(61)
    dispatch.lost_pages(QUEUE_EMPTY)
    messages = send_pages(dispatch)
    assert [message.ref.job_id for message in messages].count(bulk) == 1


def test_bulk_does_not_starve_behind_interactive_jobs_of_its_own_tenant(chapters, dispatch, work, clock):
    bulk = chapters.submit_trained(pages=30)
    for _ in range(20):
        chapters.submit_trained(pages=2)
    assert bulk not in {message.ref.job_id for message in send_pages(dispatch)}
    clock.advance(61)
    dispatch.lost_pages(QUEUE_EMPTY)
    messages = send_pages(dispatch)
    assert [message.ref.job_id for message in messages].count(bulk) == 1


def owners_of_pages_in_turn(dispatch: DispatchStore, work: WorkStore, count: int) -> list[str]:
    """Whose pages go, in this order, when each is done before the next ones are sent."""
    owners: list[str] = []
    waiting: list[PageMessage] = []
    while len(owners) < count:
        waiting += send_pages(dispatch)
        message = waiting.pop(0)
        run_all_stages(work, message.ref)
        with work._database.reading() as session:
            owners.append(session.get_one(Job, message.ref.job_id).tenant_id)
    for message in waiting:  # nothing is left under way
        run_all_stages(work, message.ref)
    return owners


def test_pages_are_sent_in_reading_order(chapters, dispatch):
    chapters.submit_trained(pages=12)
    assert [message.ref.number for message in send_pages(dispatch)] == [1, 2]


def test_stop_after_ends_the_page_there(chapters, dispatch, jobs, work):
    job_id = chapters.submit_trained(pages=1, params=JobParams(stop_after="s2p"))
    (message,) = send_pages(dispatch)
    assert message.last == Stage.S2P
    run_all_stages(work, message.ref, (Stage.CGAN, Stage.S2P))
    assert page_of(jobs, job_id).status == PageStatus.SUCCEEDED


def test_a_skipped_page_ends_at_once_and_counts_as_good(chapters, dispatch, jobs, work):
    job_id = chapters.submit_trained(pages=1)
    (message,) = send_pages(dispatch)
    assert work.claim_page(message.ref, Stage.CGAN) is not None
    assert work.commit_page(message.ref, Stage.CGAN, StageOutcome({"final": {"key": "k"}}, 0.1, skipped=True))
    assert page_of(jobs, job_id).status == PageStatus.SKIPPED
    assert dispatch.finish_job(job_id, "result") == JobStatus.SUCCEEDED


def test_cancelling_stops_running_pages_and_is_final(chapters, dispatch, jobs, work):
    job_id = chapters.submit_trained(pages=2)
    message, other = send_pages(dispatch)
    assert work.claim_page(message.ref, Stage.CGAN) is not None
    jobs.cancel_job(LOCAL_TENANT, job_id)
    assert status_of(jobs, job_id) == JobStatus.CANCELLED
    assert not work.renew_page(message.ref, Stage.CGAN)
    assert not work.commit_page(message.ref, Stage.CGAN, outcome_of(Stage.CGAN))
    assert work.claim_page(other.ref, Stage.CGAN) is None
    assert dispatch.finish_job(job_id, "late") is None
    with pytest.raises(ConflictError):
        jobs.set_params(LOCAL_TENANT, job_id, 1, JobParams(blend=0.5))


def test_a_training_that_nobody_waits_for_is_stopped(chapters, dispatch, jobs, work):
    job_id, other = chapters.submit(), chapters.submit()
    (training,) = dispatch.start_trainings()
    assert work.claim_model(training.key, training.attempt)
    jobs.cancel_job(LOCAL_TENANT, job_id)
    assert work.renew_model(training.key, training.attempt, 0.5, {})  # the other job waits still
    jobs.cancel_job(LOCAL_TENANT, other)
    assert not work.renew_model(training.key, training.attempt, 0.5, {})


def test_a_failed_training_fails_the_pages_that_wait_for_it(chapters, dispatch, jobs, work):
    job_id = chapters.submit()
    (training,) = dispatch.start_trainings()
    assert work.claim_model(training.key, training.attempt)
    assert work.fail_model(training.key, training.attempt, "training_failed", "losses are NaN", None)
    dispatch.fail_untaught()
    page = page_of(jobs, job_id)
    assert (page.status, page.error_code, page.error_detail) == (PageStatus.FAILED, "training_failed", "losses are NaN")
    assert status_of(jobs, job_id) == JobStatus.PACKAGING


def test_a_lost_training_is_sent_again_and_its_late_result_refused(chapters, dispatch, work, clock):
    chapters.submit()
    (training,) = dispatch.start_trainings()
    assert work.claim_model(training.key, training.attempt)
    clock.advance(61)
    assert dispatch.lost_trainings(QUEUE_EMPTY) == 1
    assert not work.commit_model(training.key, training.attempt, 1.0)
    (again,) = dispatch.start_trainings()
    assert work.claim_model(again.key, again.attempt)
    assert work.commit_model(again.key, again.attempt, 1.0)


def test_hints_run_a_page_again_from_s2p_only(chapters, dispatch, jobs, work):
    job_id = chapters.submit_trained(pages=1)
    (message,) = send_pages(dispatch)
    run_all_stages(work, message.ref)
    score_set(dispatch, work)
    dispatch.finish_job(job_id, "result")
    jobs.set_hints(LOCAL_TENANT, job_id, 1, {"key": "mine", "sha256": "3" * 64, "size": 1})
    page = page_of(jobs, job_id)
    assert set(page.artifacts) == {Artifact.SOURCE, Artifact.DRAFT, Artifact.REGIONS, Artifact.HINTS}
    assert page.artifacts[Artifact.HINTS]["key"] == "mine"
    (again,) = send_pages(dispatch)
    assert again.first == Stage.S2P
    run_all_stages(work, again.ref, STAGES[1:])
    score_set(dispatch, work)
    assert dispatch.finish_job(job_id, "result-2") == JobStatus.SUCCEEDED


@pytest.mark.parametrize(
    ("change", "stage"),
    [
        ({"blend": 0.5}, Stage.INKNHUE),
        ({"palette_size": 5}, Stage.CGAN),
        ({}, None),
        ({"format": "webp"}, Stage.INKNHUE),
    ],
)
def test_a_change_of_parameters_runs_from_the_first_stage_that_it_touches(
    chapters, dispatch, jobs, work, change, stage
):
    job_id = chapters.submit_trained(pages=1)
    (message,) = send_pages(dispatch)
    run_all_stages(work, message.ref)
    score_set(dispatch, work)
    dispatch.finish_job(job_id, "result")
    assert jobs.set_params(LOCAL_TENANT, job_id, 1, JobParams(**change)) == stage
    assert [again.first for again in send_pages(dispatch)] == ([stage] if stage else [])


@pytest.mark.parametrize("done", [(), (Stage.CGAN,), (Stage.CGAN, Stage.S2P)])
def test_a_page_that_is_under_way_cannot_be_corrected(chapters, dispatch, jobs, work, done):
    job_id = chapters.submit_trained(pages=1)
    (message,) = send_pages(dispatch)
    run_all_stages(work, message.ref, done)
    assert work.claim_page(message.ref, STAGES[len(done)]) is not None
    for correct in (
        lambda: jobs.set_hints(LOCAL_TENANT, job_id, 1, {"key": "mine", "sha256": "3" * 64, "size": 1}),
        lambda: jobs.set_params(LOCAL_TENANT, job_id, 1, JobParams(blend=0.1)),
        lambda: jobs.retry_job(LOCAL_TENANT, job_id),
    ):
        with pytest.raises(ConflictError):
            correct()
    assert work.commit_page(message.ref, STAGES[len(done)], outcome_of(STAGES[len(done)]))


def test_a_page_that_runs_again_shows_no_times_of_before(chapters, dispatch, jobs, work):
    job_id = chapters.submit_trained(pages=1)
    (message,) = send_pages(dispatch)
    run_all_stages(work, message.ref)
    score_set(dispatch, work)
    dispatch.finish_job(job_id, "result")
    jobs.set_hints(LOCAL_TENANT, job_id, 1, {"key": "mine", "sha256": "3" * 64, "size": 1})
    assert set(page_of(jobs, job_id).timings) == {Stage.CGAN}


def test_a_flood_of_one_tenant_hides_nobody(chapters, dispatch, work):
    chapters.submit(pages=300, tenant="flood")
    modest = chapters.submit(pages=9, tenant="modest")
    chapters.train()
    sent = send_pages(dispatch)
    assert modest in {message.ref.job_id for message in sent}


def test_retry_runs_failed_pages_only(chapters, dispatch, jobs, work):
    job_id = chapters.submit_trained(pages=2)
    first, second = send_pages(dispatch)
    run_all_stages(work, first.ref)
    run_all_stages(work, second.ref, (Stage.CGAN,))
    assert work.claim_page(second.ref, Stage.S2P) is not None
    assert work.fail_page(second.ref, Stage.S2P, "internal", "a bug", None)
    score_set(dispatch, work)
    assert dispatch.finish_job(job_id, "result") == JobStatus.PARTIAL
    assert jobs.retry_job(LOCAL_TENANT, job_id) == 1
    (again,) = send_pages(dispatch)
    assert (again.ref.number, again.first) == (2, Stage.S2P)


def test_a_job_must_have_ended_before_it_is_deleted(chapters, jobs):
    job_id = chapters.submit()
    with pytest.raises(ConflictError):
        jobs.delete_job(LOCAL_TENANT, job_id)
    jobs.cancel_job(LOCAL_TENANT, job_id)
    jobs.delete_job(LOCAL_TENANT, job_id)
    assert jobs.list_jobs(LOCAL_TENANT, 10, None, None) == []


def test_a_model_that_failed_gets_another_chance_with_the_next_job(chapters, dispatch, jobs, work):
    chapters.submit()
    (training,) = dispatch.start_trainings()
    assert work.claim_model(training.key, training.attempt)
    assert work.fail_model(training.key, training.attempt, "training_failed", "NaN", None)
    job_id = chapters.submit()
    assert jobs.get_job(LOCAL_TENANT, job_id).model.status == ModelStatus.MISSING


def coloured(chapters, dispatch, work, pages: int = 1, done: int | None = None) -> str:
    """A job whose pages have gone through; the set waits. With `done`, only so many succeeded and the others failed."""
    job_id = chapters.submit_trained(pages=pages)
    for message in send_pages(dispatch):
        if done is None or message.ref.number <= done:
            run_all_stages(work, message.ref)
        else:
            assert work.claim_page(message.ref, Stage.CGAN) is not None
            assert work.fail_page(message.ref, Stage.CGAN, "bad_image", "no picture", None)
    return job_id


def test_the_set_waits_for_all_pages_and_the_job_for_the_set(chapters, dispatch, jobs, work):
    job_id = chapters.submit_trained(pages=2)
    first, second = send_pages(dispatch)
    run_all_stages(work, first.ref)
    assert send_pages(dispatch) == []
    assert work.claim_page(PageRef(job_id, WHOLE_SET, 0), Stage.METRICS) is None
    run_all_stages(work, second.ref)
    assert status_of(jobs, job_id) == JobStatus.RUNNING
    assert dispatch.jobs_to_package() == []
    score_set(dispatch, work)
    ((job, pages),) = dispatch.jobs_to_package()
    assert (job.id, [page.number for page in pages]) == (job_id, [1, 2])


def test_the_set_is_no_page_to_clients(chapters, dispatch, jobs, work):
    job_id = coloured(chapters, dispatch, work, pages=2)
    view = jobs.get_job(LOCAL_TENANT, job_id)
    assert (view.job.pages_total, view.counts) == (2, {PageStatus.SUCCEEDED: 2})
    assert [page.number for page in jobs.list_pages(LOCAL_TENANT, job_id, 10, 0)] == [1, 2]
    for reach in (
        lambda: jobs.get_page(LOCAL_TENANT, job_id, WHOLE_SET),
        lambda: jobs.set_hints(LOCAL_TENANT, job_id, WHOLE_SET, {}),
        lambda: jobs.set_params(LOCAL_TENANT, job_id, WHOLE_SET, JobParams(blend=0.1)),
    ):
        with pytest.raises(NotFoundError):
            reach()


def test_a_set_that_fails_leaves_the_job_succeeded_and_can_be_tried_again(chapters, dispatch, jobs, work):
    job_id = coloured(chapters, dispatch, work)
    (message,) = send_pages(dispatch)
    assert work.claim_page(message.ref, Stage.METRICS) is not None
    assert work.fail_page(message.ref, Stage.METRICS, "internal", "a bug", None)
    assert dispatch.finish_job(job_id, "result") == JobStatus.SUCCEEDED
    whole_set = jobs.get_job(LOCAL_TENANT, job_id).whole_set
    assert (whole_set.status, whole_set.error_code, whole_set.error_detail) == ("failed", "internal", "a bug")
    assert jobs.retry_job(LOCAL_TENANT, job_id) == 1
    score_set(dispatch, work)
    assert dispatch.finish_job(job_id, "result") == JobStatus.SUCCEEDED
    assert jobs.get_job(LOCAL_TENANT, job_id).whole_set.error_code is None


def test_a_set_whose_pages_partly_failed_is_scored_and_the_job_is_partial(chapters, dispatch, work):
    job_id = coloured(chapters, dispatch, work, pages=2, done=1)
    score_set(dispatch, work)
    assert dispatch.finish_job(job_id, "result") == JobStatus.PARTIAL


def test_where_no_page_succeeded_there_is_nothing_to_score_until_one_does(chapters, dispatch, jobs, work):
    job_id = coloured(chapters, dispatch, work, pages=2, done=0)
    assert set_of(jobs, job_id).status == PageStatus.SKIPPED
    assert dispatch.finish_job(job_id, None) == JobStatus.FAILED
    assert jobs.retry_job(LOCAL_TENANT, job_id) == 2
    for message in send_pages(dispatch):
        run_all_stages(work, message.ref)
    score_set(dispatch, work)
    assert dispatch.finish_job(job_id, "result") == JobStatus.SUCCEEDED


def test_a_job_that_stops_early_has_nothing_to_score(chapters, dispatch, jobs, work):
    job_id = chapters.submit_trained(pages=1, params=JobParams(stop_after="cgan"))
    (message,) = send_pages(dispatch)
    run_all_stages(work, message.ref, (Stage.CGAN,))
    assert jobs.get_job(LOCAL_TENANT, job_id).whole_set is None
    assert status_of(jobs, job_id) == JobStatus.PACKAGING


def test_a_correction_has_the_set_scored_anew(chapters, dispatch, jobs, work):
    job_id = coloured(chapters, dispatch, work, pages=2)
    score_set(dispatch, work)
    dispatch.finish_job(job_id, "result")
    jobs.set_params(LOCAL_TENANT, job_id, 1, JobParams(blend=0.5))
    whole_set = set_of(jobs, job_id)
    assert (whole_set.status, whole_set.artifacts, whole_set.metrics) == (PageStatus.QUEUED, {}, None)
    (again,) = send_pages(dispatch)
    run_all_stages(work, again.ref, STAGES[2:])
    assert status_of(jobs, job_id) == JobStatus.RUNNING
    score_set(dispatch, work)
    assert set(set_of(jobs, job_id).artifacts) == set(SET_ARTIFACTS)


@pytest.mark.parametrize("claimed", [False, True])
def test_a_correction_overtakes_a_set_that_is_under_way(chapters, dispatch, jobs, work, claimed):
    job_id = coloured(chapters, dispatch, work)
    (message,) = send_pages(dispatch)
    assert message.ref.number == WHOLE_SET
    if claimed:
        assert work.claim_page(message.ref, Stage.METRICS) is not None
    jobs.set_hints(LOCAL_TENANT, job_id, 1, {"key": "mine", "sha256": "3" * 64, "size": 1})
    assert not work.renew_page(message.ref, Stage.METRICS)
    assert not work.commit_page(message.ref, Stage.METRICS, StageOutcome({}, 0.5))
    (again,) = send_pages(dispatch)
    assert again.ref.number == 1
    run_all_stages(work, again.ref, STAGES[1:])
    assert work.claim_page(message.ref, Stage.METRICS) is None
    score_set(dispatch, work)
    assert status_of(jobs, job_id) == JobStatus.PACKAGING


def test_a_job_of_before_there_were_reports_gets_one_with_its_next_correction(chapters, dispatch, jobs, work):
    job_id = coloured(chapters, dispatch, work)
    with jobs._database.writing() as session:
        session.delete(session.get_one(Page, (job_id, WHOLE_SET)))
    dispatch.jobs_to_package()
    assert dispatch.finish_job(job_id, "result") == JobStatus.SUCCEEDED
    jobs.set_params(LOCAL_TENANT, job_id, 1, JobParams(blend=0.5))
    (again,) = send_pages(dispatch)
    run_all_stages(work, again.ref, STAGES[2:])
    score_set(dispatch, work)


def test_cancelling_a_job_cancels_its_set(chapters, dispatch, jobs, work):
    job_id = coloured(chapters, dispatch, work)
    (message,) = send_pages(dispatch)
    assert work.claim_page(message.ref, Stage.METRICS) is not None
    jobs.cancel_job(LOCAL_TENANT, job_id)
    assert set_of(jobs, job_id).status == PageStatus.CANCELLED
    assert not work.renew_page(message.ref, Stage.METRICS)
    assert not work.commit_page(message.ref, Stage.METRICS, StageOutcome({}, 0.5))
    assert status_of(jobs, job_id) == JobStatus.CANCELLED


def test_a_set_that_loses_its_workers_is_sent_again_and_fails_in_the_end(chapters, dispatch, jobs, work, clock):
    job_id = coloured(chapters, dispatch, work)
    for _ in range(3):
        (message,) = send_pages(dispatch)
        assert work.claim_page(message.ref, Stage.METRICS) is not None
        clock.advance(61)
        assert dispatch.lost_pages(QUEUE_EMPTY) == 1
    assert send_pages(dispatch) == []
    assert jobs.get_job(LOCAL_TENANT, job_id).whole_set.error_code == "worker_lost"
    assert dispatch.finish_job(job_id, "result") == JobStatus.SUCCEEDED


def test_a_sets_message_that_vanished_is_sent_again(chapters, dispatch, work, clock):
    coloured(chapters, dispatch, work)
    assert len(send_pages(dispatch)) == 1
    clock.advance(31)
    assert dispatch.lost_pages(QUEUE_EMPTY) == 1
    score_set(dispatch, work)


def test_what_is_scored_together_is_what_the_pages_have(chapters, dispatch, jobs, work):
    job_id = coloured(chapters, dispatch, work, pages=3, done=2)
    with jobs._database.writing() as session:
        session.get_one(Page, (job_id, 2)).truth_key = "truth-2"
    files = work.set_files(job_id)
    assert [(file.name, file.key) for file in files.output] == [("001.png", "final"), ("002.png", "final")]
    assert [(file.name, file.key) for file in files.pages] == [("001.png", "k1"), ("002.png", "k2")]
    assert [(file.name, file.key) for file in files.real] == [("002.png", "truth-2")]
    assert [(file.name, file.key) for file in files.references] == [("r.png", "r")]
    with jobs._database.writing() as session:
        session.get_one(Page, (job_id, 2)).name = "001.JPG"
    assert [file.name for file in work.set_files(job_id).output] == ["0001/001.png", "0002/001.JPG"]


def test_migrating_twice_changes_nothing_and_the_schema_is_the_models(database: Database):
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    from common.jobs.models import Base

    database.migrate()
    with database.reading() as session:
        assert compare_metadata(MigrationContext.configure(session.connection()), Base.metadata) == []


def migrate_to(database: Database, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with database.writing() as session:
        config.attributes["connection"] = session.connection()
        command.upgrade(config, revision)


OLD_ROWS: dict[str, dict[str, object]] = {
    "tenants": {"id": LOCAL_TENANT, "created_at": 1.0},
    "reference_models": {
        "key": "m",
        "status": "ready",
        "attempt": 1,
        "failures": 0,
        "not_before": 0.0,
        "progress": 1.0,
        "losses": {},
        "created_at": 1.0,
        "used_at": 1.0,
    },
    "jobs": {
        "id": "j",
        "tenant_id": LOCAL_TENANT,
        "kind": "colorize",
        "status": "running",
        "params": {},
        "pages_total": 1,
        "references_": [],
        "model_key": "m",
        "unpacked": True,
        "revision": 0,
        "created_at": 1.0,
        "updated_at": 1.0,
    },
    "pages": {
        "job_id": "j",
        "number": 1,
        "name": "1.png",
        "status": "queued",
        "stage": "metrics",
        "attempt": 1,
        "failures": 0,
        "not_before": 0.0,
        "artifacts": {},
        "timings": {},
        "weights": {},
        "updated_at": 1.0,
    },
    "attempts": {"job_id": "j", "number": 1, "attempt": 1, "stage": "cgan", "worker": "w", "started_at": 1.0},
}
"""What the first tables may hold of a job that is under way."""


def test_a_job_of_before_evaluations_keeps_all_that_it_had(empty_database: Database):
    migrate_to(empty_database, "0001")
    with empty_database.writing() as session:
        tables = MetaData()
        tables.reflect(session.connection())
        for name, row in OLD_ROWS.items():
            session.execute(tables.tables[name].insert().values(**row))
    empty_database.migrate()
    with empty_database.reading() as session:
        for name, row in OLD_ROWS.items():
            (kept,) = session.execute(select(tables.tables[name])).mappings()
            assert {column: kept[column] for column in row} == row
    work = WorkStore(empty_database, 60, "worker-1")
    run_all_stages(work, PageRef("j", 1, 1), (Stage.METRICS,))
    assert status_of(JobStore(empty_database), "j") == JobStatus.PACKAGING
    with pytest.raises(IntegrityError), empty_database.writing() as session:  # foreign keys hold as before
        session.execute(delete(Tenant))
