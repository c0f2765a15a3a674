"""The row beside a job's pages that stands for all of them."""

import pytest

from common.errors import NotFoundError
from common.jobs.models import LOCAL_TENANT, WHOLE_SET, Page
from common.jobs.records import NewHints
from common.jobs.states import JobStatus, PageStatus
from common.jobs.work import PageRef, StageOutcome
from common.names import SET_ARTIFACTS, STAGES, Stage
from common.params import JobParams
from tests.unit.api.engine import MY_HINTS, QUEUE_EMPTY, run_all_stages, score_set, send_pages, set_of, status_of


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
        lambda: jobs.set_hints(LOCAL_TENANT, job_id, {WHOLE_SET: NewHints({})}),
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
    jobs.set_hints(LOCAL_TENANT, job_id, {1: NewHints(MY_HINTS)})
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
    dispatch.finish_stuck()
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
