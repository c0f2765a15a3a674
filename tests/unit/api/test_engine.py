"""The truth under workers and control: claims, leases, fencing, retries, corrections, the end of jobs."""

import pytest

from common.errors import ConflictError
from common.jobs.models import LOCAL_TENANT
from common.jobs.records import NewHints
from common.jobs.states import JobStatus, ModelStatus, PageStatus
from common.jobs.work import StageOutcome
from common.names import STAGES, Artifact, Stage
from common.params import JobParams
from tests.unit.api.engine import (
    MY_HINTS,
    QUEUE_EMPTY,
    outcome_of,
    page_of,
    queue_of,
    run_all_stages,
    score_set,
    send_pages,
    status_of,
)


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
    jobs.set_hints(LOCAL_TENANT, job_id, {1: NewHints(MY_HINTS)})
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
        lambda: jobs.set_hints(LOCAL_TENANT, job_id, {1: NewHints(MY_HINTS)}),
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
    jobs.set_hints(LOCAL_TENANT, job_id, {1: NewHints(MY_HINTS)})
    assert set(page_of(jobs, job_id).timings) == {Stage.CGAN}


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
