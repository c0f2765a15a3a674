"""A chapter through the real thing: REST in, an archive out, with a real Redis and real workers."""

import io
import json
import os
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image
from sqlalchemy import select

from common.jobs.models import Attempt, Worker
from common.names import SET_ARTIFACTS, STAGES, Artifact
from embedded.services import ROOT

SAMPLE = ROOT / "samples" / "chapter"
QUICK = {"epochs": 12, "seed": 1}


def shrink(path: Path, to: Path, width: int = 300) -> Path:
    """A smaller copy of a sample page: these tests are about the house, not about the colours."""
    with Image.open(path) as picture:
        height = round(picture.height * width / picture.width)
        picture.convert("RGB").resize((width, height), Image.Resampling.LANCZOS).save(to)
    return to


@pytest.fixture(scope="module")
def chapter(tmp_path_factory) -> dict[str, list[Path]]:
    folder = tmp_path_factory.mktemp("chapter")
    (folder / "truth").mkdir()
    names = ["001.png", "002.png", "003.png"]
    return {
        "pages": [shrink(SAMPLE / "manga" / name, folder / name) for name in names],
        "truths": [shrink(SAMPLE / "colour" / name, folder / "truth" / name) for name in names],
        "references": [shrink(SAMPLE / "reference.png", folder / "reference.png")],
    }


@pytest.fixture(scope="module")
def done(house, chapter):
    job = house.api.submit(chapter["pages"], chapter["references"], truths=chapter["truths"], params=QUICK)
    return house.finished(job.id)


def picture(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def test_a_chapter_comes_home_in_order_and_in_colour(house, done, chapter):
    job, pages = done
    assert job.status == "succeeded"
    assert [page.name for page in pages] == ["001.png", "002.png", "003.png"]
    with zipfile.ZipFile(io.BytesIO(house.api.read(job.links["result"]))) as archive:
        assert archive.namelist()[:3] == ["001.png", "002.png", "003.png"]
        for path in chapter["pages"]:
            final = picture(archive.read(path.name)).astype(int)
            source = picture(path.read_bytes()).astype(int)
            assert final.shape == source.shape
            assert (final.max(axis=2) - final.min(axis=2)).mean() > 4, "no colour"
            grey = [0.299, 0.587, 0.114]
            assert np.abs(final @ grey - source @ grey).mean() < 8, "not this page's drawing"


def test_every_worker_says_that_it_is_there(house, wait_for):
    def queues() -> set[str]:
        with house.database.reading() as session:
            return set(session.scalars(select(Worker.queue).where(Worker.slots == 1)))

    wait_for(lambda: queues() == {stage.value for stage in STAGES}, 60)


def test_every_picture_on_the_way_can_be_looked_at(house, done):
    _, pages = done
    for page in pages:
        assert set(page.artifacts) == set(Artifact) - {Artifact.REPORT, Artifact.TABLE}
        assert set(page.timings) == set(STAGES)
        assert page.metrics["final"]["chroma_error"] > 0
        for artifact in (Artifact.DRAFT, Artifact.SKETCH, Artifact.ROUGH, Artifact.ALIGNED):
            assert picture(house.api.read(page.artifacts[artifact])).ndim == 3
        assert json.loads(house.api.read(page.artifacts[Artifact.HINTS]))["hints"]


def test_a_chapter_comes_home_with_a_report(house, done):
    job, _ = done
    assert job.error is None
    reply = httpx.get(f"{house.services.base_url}{job.links['report']}", follow_redirects=True)
    assert reply.headers["Content-Type"] == "text/html; charset=utf-8"
    assert reply.headers["Content-Disposition"].startswith("attachment;")
    assert "<html" in reply.text
    assert "\n002," in house.api.read(job.links["table"]).decode()


def test_results_that_somebody_has_already_are_scored(house, chapter, tmp_path):
    broken = tmp_path / "003.png"
    broken.write_bytes(b"no picture")
    job = house.api.evaluate(chapter["truths"], [*chapter["pages"][:2], broken], chapter["references"])
    job, pages = house.finished(job.id)
    assert (job.status, job.error, pages) == ("succeeded", None, [])
    assert "003.png" in json.dumps(json.loads(house.api.read(job.links["metrics"])))
    with zipfile.ZipFile(io.BytesIO(house.api.read(job.links["result"]))) as archive:
        assert archive.namelist() == ["metrics.json", "report.html", "metrics.csv"]
    assert set(SET_ARTIFACTS) <= set(job.links)


def test_the_same_chapter_again_is_only_linked(house, done, chapter):
    job = house.api.submit(chapter["pages"], chapter["references"], truths=chapter["truths"], params=QUICK)
    job, pages = house.finished(job.id)
    assert job.status == "succeeded"
    assert all(timing["cached"] for page in pages for timing in page.timings.values())
    first = {page.name: page.artifacts["final"] for page in done[1]}
    for page in pages:
        assert house.api.read(page.artifacts["final"]) == house.api.read(first[page.name])


def test_a_corrected_hint_runs_its_page_again_from_s2p(house, done):
    job, pages = done
    where = f"{house.services.base_url}{job.links['pages']}/1"
    before = house.api.read(pages[0].artifacts["final"])
    hints = json.loads(house.api.read(pages[0].artifacts["hints"]))
    for hint in hints["hints"]:
        hint |= {"rgb": [220, 30, 200], "source": "user"}
    reply = httpx.put(f"{where}/hints", json=hints)
    assert (reply.status_code, reply.json()) == (202, {"stage": "s2p"})
    job, pages = house.finished(job.id)
    assert job.status == "succeeded"
    assert house.api.read(pages[0].artifacts["final"]) != before


def test_a_page_that_is_bad_only_inside_fails_alone_and_the_job_is_partial(house, chapter, tmp_path):
    good, reference = chapter["pages"][0].read_bytes(), chapter["references"][0]
    archive = tmp_path / "chapter.cbz"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("2.png", good[: len(good) // 2])
        file.writestr("10.png", good)
    with archive.open("rb") as data, reference.open("rb") as picture_file:
        reply = httpx.post(
            f"{house.services.base_url}/v1/jobs",
            files={"archive": ("chapter.cbz", data), "references": ("r.png", picture_file)},
            data={"params": json.dumps(QUICK)},
        )
    assert reply.status_code == 202, reply.text
    job, pages = house.finished(reply.json()["id"])
    assert job.status == "partial"
    assert [(page.name, page.status) for page in pages] == [("2.png", "failed"), ("10.png", "succeeded")]
    assert pages[0].error.code == "bad_image"
    assert "2.png" in pages[0].error.detail


def test_a_coloured_page_passes_through_byte_for_byte(house, chapter):
    coloured = chapter["truths"][1]
    job = house.api.submit([coloured], chapter["references"], params=QUICK)
    job, pages = house.finished(job.id)
    assert (job.status, pages[0].status) == ("succeeded", "skipped")
    assert house.api.read(pages[0].artifacts["final"]) == coloured.read_bytes()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_two_workers_share_a_queue_and_stopping_one_loses_nothing(house, chapter, wait_for, tmp_path, number):
    pages = [shrink(chapter["pages"][0], tmp_path / f"{index:03}.png", 200 + index + number) for index in range(12)]

    def workers_of(job_id: str) -> set[str]:
        query = select(Attempt.worker).where(Attempt.job_id == job_id, Attempt.stage == "s2p")
        with house.database.reading() as session:
            return set(session.scalars(query))

    def takes_work(pid: int) -> bool:
        with house.database.reading() as session:
            ready = session.scalars(select(Worker.name).where(Worker.slots > 0))
            return any(name.endswith(f":{pid}") for name in ready)

    with house.worker("s2p") as extra:
        # Before that the other worker could do all pages alone.
        wait_for(lambda: takes_work(extra.pid), 120)
        job = house.api.submit(pages, chapter["references"], params=QUICK)
        wait_for(lambda: len(workers_of(job.id)) == 2, 120)
        if number == signal.SIGKILL:
            os.killpg(extra.pid, number)
        else:
            extra.send_signal(number)
        job, results = house.finished(job.id)
        assert job.status == "succeeded", [page.error for page in results]
        assert [page.status for page in results] == ["succeeded"] * 12
        assert extra.wait(60) is not None


def test_a_demo_that_is_interrupted_stops_everything_that_it_started(tmp_path):
    command = [sys.executable, "-m", "embedded.demo", "--out", str(tmp_path / "out"), "--data", str(tmp_path / "data")]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as demo:
        assert demo.stdout is not None
        for line in demo.stdout:
            if line.startswith("job "):
                break
        started = children_of(demo.pid)
        assert len(started) > 5
        demo.send_signal(signal.SIGINT)
        demo.stdout.read()
        assert demo.wait(60) == 130
    assert [pid for pid in started if is_running(pid)] == []


def children_of(pid: int) -> list[int]:
    """All descendants of a process."""
    direct = [
        int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()
    ]
    return direct + [other for child in direct for other in children_of(child)]


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
