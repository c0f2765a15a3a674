"""What tests of the engine have in common: control and workers, a call at a time."""

from common.jobs.dispatch import DispatchStore
from common.jobs.feeding import PageMessage
from common.jobs.models import LOCAL_TENANT, WHOLE_SET, Page
from common.jobs.store import JobStore
from common.jobs.work import PageRef, StageOutcome, WorkStore
from common.names import SET_ARTIFACTS, STAGE_ARTIFACTS, STAGES, Stage

MY_HINTS = {"key": "mine", "sha256": "3" * 64, "size": 1}
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


def queue_of(*messages: PageMessage):
    """A queue in which these messages wait."""
    return lambda _stage: {(message.ref.job_id, message.ref.number, message.ref.attempt) for message in messages}
