"""The state machine."""

import pytest

from common.jobs.states import JOB_ENDED, JOB_MOVES, PAGE_MOVES, JobStatus, PageStatus, job_outcome, job_sources


def test_every_state_has_its_moves():
    assert set(JOB_MOVES) == set(JobStatus)
    assert set(PAGE_MOVES) == set(PageStatus)


def test_every_job_can_reach_an_end_and_a_cancelled_one_stays():
    for status in JobStatus:
        assert status in JOB_ENDED or JOB_MOVES[status]
    assert JOB_MOVES[JobStatus.CANCELLED] == frozenset()


def test_sources_are_the_moves_read_backwards():
    assert job_sources(JobStatus.PACKAGING) == {JobStatus.QUEUED, JobStatus.RUNNING}


@pytest.mark.parametrize(
    ("pages", "outcome"),
    [
        ({PageStatus.SUCCEEDED: 2, PageStatus.SKIPPED: 1}, JobStatus.SUCCEEDED),
        ({PageStatus.SUCCEEDED: 2, PageStatus.FAILED: 1}, JobStatus.PARTIAL),
        ({PageStatus.SKIPPED: 1, PageStatus.FAILED: 1}, JobStatus.PARTIAL),
        ({PageStatus.FAILED: 3}, JobStatus.FAILED),
    ],
)
def test_a_job_ends_as_its_pages_did(pages, outcome):
    assert job_outcome(pages) == outcome
