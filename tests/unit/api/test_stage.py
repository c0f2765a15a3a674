"""What every stage shares: artifacts, stage keys, errors, cancelling; and control around it. No broker, no networks."""

import sys
import threading
from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest

from common.errors import BadImageError, ModelMissingError
from common.imaging import encode_image
from common.jobs.ids import sha256_hex
from common.jobs.models import LOCAL_TENANT, Job
from common.jobs.states import JobStatus, PageStatus
from common.names import STAGES, Artifact, Stage
from common.params import JobParams
from storage import keys
from storage.local import LocalStore
from tests.unit.api.conftest import picture
from tests.unit.api.house import COLOUR
from workers.control.packaging import package_jobs
from workers.stage import StageRun, execute_stage, leave_if_spent

GREY = picture()


def raising(error: Exception) -> Callable[[StageRun], None]:
    def work(_run: StageRun) -> None:
        raise error

    return work


def test_a_job_ends_in_an_archive_of_the_pages_in_order(house):
    job_id = house.submit(pages=3)
    house.run_all()
    assert house.job(job_id).status == JobStatus.SUCCEEDED
    with house.archive(job_id) as archive:
        assert archive.namelist() == ["001.png", "002.png", "003.png", "nurie.json"]
        assert archive.read("002.png") == encode_image(COLOUR)


def test_artifacts_lie_under_their_attempt_and_are_described(house):
    job_id = house.submit()
    house.run_all()
    page = house.page(job_id)
    entry = page.artifacts[Artifact.DRAFT]
    assert entry["key"] == f"jobs/{job_id}/pages/0001/a{page.attempt}/draft.png"
    assert sha256_hex(house.store.get(entry["key"])) == entry["sha256"]
    assert page.weights == dict.fromkeys(STAGES, "test")
    assert set(page.timings) == set(STAGES)


def test_the_same_work_is_done_once_and_linked_the_second_time(house):
    house.submit(pages=1)
    house.run_all()
    again = house.submit(pages=1)
    house.run_all()
    assert house.worked == [(1, stage) for stage in STAGES]
    page = house.page(again)
    assert page.status == PageStatus.SUCCEEDED
    assert all(timing["cached"] for timing in page.timings.values())
    assert page.artifacts[Artifact.FINAL]["key"].startswith(f"jobs/{again}/")
    assert page.metrics == {"colourfulness": 1.0}


def test_nobody_waits_until_a_result_is_kept_for_reuse(house, monkeypatch) -> None:
    may_keep = threading.Event()
    copy = LocalStore.copy

    def copy_later(store: LocalStore, src: str, dst: str) -> None:
        assert may_keep.wait(30)
        copy(store, src, dst)

    monkeypatch.setattr(LocalStore, "copy", copy_later)
    job_id = house.submit()
    (message,) = house.send()
    assert execute_stage(house.resources, Stage.CGAN, message.ref, house.work)
    assert house.page(job_id).stage == Stage.S2P
    kept = f"stages/{Stage.CGAN}/"
    assert not list(house.store.list_keys(kept))
    may_keep.set()
    house.resources.aside.wait()
    assert list(house.store.list_keys(kept))


def test_a_use_is_noted_in_the_kept_results_time_at_most_once_a_day(house, clock):
    def use() -> set[float]:
        house.submit()
        house.run_all()
        listed = dict(house.store.list_objects("stages/"))
        return {info.modified_at for key, info in listed.items() if key.endswith(keys.STAGE_MANIFEST)}

    first = use()
    clock.advance(86_000)
    assert use() == first
    clock.advance(401)
    again = use()
    # All but the aligned picture's own: it was linked with its whole stage.
    assert len(again - first) == len(STAGES)
    assert use() == again
    assert len(house.worked) == len(STAGES)


def test_a_page_with_corrected_colours_is_drafted_anew_and_without_any_the_old_draft_is_found(house):
    def colour(job_id: str, colours: list) -> None:
        with house.resources.work._database.writing() as session:
            session.get_one(Job, job_id).colours = colours

    house.submit()
    house.run_all()
    house.worked.clear()
    colours = [{"old": [1, 2, 3], "new": [4, 5, 6]}]
    for given, worked in ((colours, [(1, Stage.CGAN)]), (colours, []), ([], [])):
        colour(house.submit(), given)
        house.run_all()
        assert house.worked == worked  # the hints of this work are the same, and so is all that follows
        house.worked.clear()


def test_a_changed_parameter_does_only_the_work_that_it_touches(house):
    house.submit()
    house.run_all()
    house.worked.clear()
    house.submit(params=JobParams(blend=0.2))
    house.run_all()
    # Metrics come from the final picture's bytes, and this test's work paints the same ones for any blend.
    assert house.worked == [(1, Stage.INKNHUE)]


def test_another_blend_finds_the_aligned_picture_and_does_only_the_blend(house):
    found = []

    def work(run: StageRun) -> None:
        if run.stage is not Stage.INKNHUE:
            return house.work(run)
        found.append(Artifact.ALIGNED in run.outputs)
        if found[-1]:
            np.testing.assert_array_equal(run.read_output(Artifact.ALIGNED), COLOUR)
        else:
            run.weights, run.warning = "the first aligner", "in small windows"
            run.write_picture(Artifact.ALIGNED, COLOUR)
        return run.write_picture(Artifact.FINAL, COLOUR)

    for params in (JobParams(), JobParams(blend=0.3), JobParams(format="webp"), JobParams(keep_lightness=False)):
        job_id = house.submit(params=params)
        house.run_all(work)
        assert house.page(job_id).weights[Stage.INKNHUE] == "the first aligner"
        assert house.page(job_id).timings[Stage.INKNHUE]["warning"] == "in small windows"
        entry = house.page(job_id).artifacts[Artifact.ALIGNED]
        assert sha256_hex(house.store.get(entry["key"])) == entry["sha256"]
    house.weights = "others"
    house.submit(params=JobParams(blend=0.9))
    house.run_all(work)
    assert found == [False, True, True, False, False]


def test_a_result_that_is_not_kept_is_made_again(house):
    def work(run: StageRun) -> None:
        house.work(run)
        run.is_kept = run.stage is not Stage.INKNHUE

    for params in (JobParams(), JobParams(), JobParams(blend=0.3)):
        house.submit(params=params)
        house.run_all(work)
    assert house.worked.count((1, Stage.S2P)) == 1
    assert house.worked.count((1, Stage.INKNHUE)) == 3


def test_kept_results_of_another_code_version_are_not_used(house, monkeypatch):
    house.submit()
    house.run_all()
    house.worked.clear()
    monkeypatch.setitem(__import__("common.names").names.CODE_VERSIONS, Stage.S2P, 999)
    house.submit()
    house.run_all()
    assert house.worked == [(1, Stage.S2P)]


def test_kept_results_of_other_weights_are_not_used(house):
    source = picture()
    house.submit(source=source)
    house.run_all()
    house.weights = "weights that an operator installed since"
    house.worked.clear()
    house.submit(source=source)
    house.run_all()
    assert [stage for _, stage in house.worked] == list(STAGES)


def test_a_warning_of_the_work_is_in_the_record_also_where_the_result_is_linked(house):
    def work(run: StageRun) -> None:
        house.work(run)
        if run.stage is Stage.S2P:
            run.warning = "no hints"

    for _ in range(2):
        job_id = house.submit(source=picture())
        house.run_all(work)
        timings = house.page(job_id).timings
        assert timings[Stage.S2P]["warning"] == "no hints"
        assert "warning" not in timings[Stage.CGAN]
    assert timings[Stage.S2P]["cached"]


def test_a_deleted_job_takes_nothing_from_the_jobs_that_share_its_work(house):
    first = house.submit()
    house.run_all()
    house.jobs.delete_job(LOCAL_TENANT, first)
    house.store.delete_prefix(keys.job_prefix(first))
    second = house.submit()
    house.run_all()
    assert house.store.get(house.page(second).artifacts[Artifact.FINAL]["key"]) == encode_image(COLOUR)


@pytest.mark.parametrize(
    ("error", "code", "attempts"),
    [
        (BadImageError("page 1 is no picture"), "bad_image", 1),
        (ModelMissingError("no weights"), "model_missing", 1),
        (MemoryError(), "out_of_memory", 3),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"), "out_of_memory", 3),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate`"), "out_of_memory", 3),
        (RuntimeError("CUDA error: an illegal memory access was encountered"), "worker_lost", 3),
        (ValueError("out of memory, says a file's name"), "internal", 1),
        (ZeroDivisionError("a bug in /some/path"), "internal", 1),
    ],
)
def test_errors_are_retried_or_given_up_on_as_their_kind_demands(house, error, code, attempts):
    job_id = house.submit()
    house.run_all(raising(error))
    page = house.page(job_id)
    assert (page.status, page.error_code, page.failures) == (PageStatus.FAILED, code, attempts)
    assert house.job(job_id).status == JobStatus.FAILED
    assert "/some/path" not in page.error_detail


def test_a_process_whose_memory_ran_out_gives_back_what_it_keeps_of_the_gpus(house, monkeypatch):
    emptied = []
    cuda = SimpleNamespace(is_initialized=lambda: True, empty_cache=lambda: emptied.append(sys.exc_info()[1]))
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))
    house.submit()
    house.run_all(raising(ZeroDivisionError()))
    assert emptied == []
    house.submit()
    house.run_all(raising(MemoryError()))
    assert emptied == [None, None, None], "once per try, when nothing holds on to the tensors any more"


def test_a_process_in_which_a_gpu_failed_is_spent_and_one_with_a_bad_page_is_not(house):
    house.submit()
    house.run_all(raising(RuntimeError("a bug")))
    leave_if_spent(house.resources)
    house.submit()
    house.run_all(raising(RuntimeError("CUDA error: unspecified launch failure")))
    with pytest.raises(SystemExit):
        leave_if_spent(house.resources)


def test_one_bad_page_fails_alone_and_the_archive_says_which(house):
    job_id = house.submit(pages=3)

    def work(run: StageRun) -> None:
        if run.claim.ref.number == 2:
            raise BadImageError("page 2 (002.png): truncated")
        house.work(run)

    house.run_all(work)
    assert house.job(job_id).status == JobStatus.PARTIAL
    with house.archive(job_id) as archive:
        assert archive.namelist() == ["001.png", "003.png", "nurie.json"]
        assert "page 2 (002.png): truncated" in archive.read("nurie.json").decode()


def test_a_stage_stops_soon_after_its_job_was_cancelled(house):
    job_id = house.submit()
    written = []

    def work(run: StageRun) -> None:
        house.jobs.cancel_job(LOCAL_TENANT, job_id)
        assert run.heartbeat.lost.wait(5)
        run.write_picture(Artifact.DRAFT, COLOUR)  # raises: the page is no longer ours
        written.append(run)

    (message,) = house.send()
    house.run_page(message, work)
    assert written == []
    assert house.page(job_id).status == PageStatus.CANCELLED


def test_a_coloured_page_passes_through_byte_for_byte(house):
    source = picture(coloured=True)
    job_id = house.submit(source=source)
    (message,) = house.send()
    assert not execute_stage(house.resources, Stage.CGAN, message.ref, StageRun.skip)
    package_jobs(house.dispatch, house.store)
    assert house.page(job_id).status == PageStatus.SKIPPED
    with house.archive(job_id) as archive:
        assert archive.read("001.png") == source


def test_the_final_picture_has_the_format_of_the_job(house):
    job_id = house.submit(params=JobParams(format="jpeg", archive="zip"))
    house.run_all()
    assert house.job(job_id).result_key.endswith(".zip")
    with house.archive(job_id) as archive:
        assert archive.read("001.jpg")[:3] == b"\xff\xd8\xff"


def test_stop_after_takes_the_last_picture_home(house):
    job_id = house.submit(params=JobParams(stop_after="cgan"))
    house.run_all()
    assert house.job(job_id).status == JobStatus.SUCCEEDED
    assert house.archive(job_id).namelist()[0] == "001.png"
    assert house.worked == [(1, Stage.CGAN)]


def test_a_set_is_scored_once_per_job_and_never_linked(house):
    first, second = house.submit(), house.submit()
    house.run_all()
    assert house.sets_scored == 2
    for job_id in (first, second):
        whole_set = house.jobs.get_job(LOCAL_TENANT, job_id).whole_set
        assert whole_set.status == PageStatus.SUCCEEDED
        for artifact, filename in (("metrics", "metrics.json"), ("report", "report.html"), ("table", "metrics.csv")):
            entry = whole_set.artifacts[artifact]
            assert entry["key"] == f"jobs/{job_id}/pages/0000/a1/{filename}"
            assert house.store.get(entry["key"]) == f"the {artifact}".encode()
    assert [key for key in house.store.list_keys("stages/") if "report" in key] == []
    with house.archive(first) as archive:
        assert archive.namelist() == ["001.png", "nurie.json"]
