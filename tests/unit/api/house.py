"""Control and workers without broker and networks: for tests of what stages share, and of what surrounds them."""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from common.broker import Broker
from common.jobs.feeding import PageMessage
from common.jobs.ids import new_id, sha256_hex
from common.jobs.models import LOCAL_TENANT, WHOLE_SET, Job, Page
from common.jobs.records import NewJob, NewPage
from common.names import SET_ARTIFACTS, STAGES, Artifact, Stage
from common.params import JobParams
from common.settings import Settings
from storage import keys
from storage.local import LocalStore
from tests.unit.api.conftest import picture
from workers.control.packaging import package_jobs
from workers.stage import Resources, StageRun, execute_stage

NO_BROKER = "redis://127.0.0.1:1/0"
COLOUR = np.full((30, 40, 3), (200, 40, 40), dtype=np.uint8)


class House:
    """Control and workers in this process, with work that is quick to do."""

    def __init__(self, jobs, work, dispatch, chapters, tmp_path: Path) -> None:
        self.settings = Settings(data=tmp_path / "var", heartbeat_s=0.01, retry_backoff_s=0)
        self.store = LocalStore(tmp_path / "objects", "http://127.0.0.1", "secret")
        self.store.ensure()
        self.jobs, self.dispatch, self.chapters = jobs, dispatch, chapters
        self.resources = Resources(self.settings, work, self.store, Broker(NO_BROKER))
        self.worked: list[tuple[int, Stage]] = []
        self.sets_scored = 0
        self.weights = "the first weights"

    def submit(self, pages: int = 1, params: JobParams | None = None, source: bytes | None = None) -> str:
        job_id = new_id()
        sources = []
        for number in range(1, pages + 1):
            data = source or picture(seed=number)
            self.store.put(keys.source(job_id, number), data, media_type="image/png")
            entry = {"key": keys.source(job_id, number), "sha256": sha256_hex(data), "size": 1, "filename": "a.png"}
            sources.append(NewPage(f"{number:03}.png", entry))
        references = [{"name": "r.png", "key": "r", "sha256": "0" * 64}]
        self.jobs.create_job(NewJob(job_id, LOCAL_TENANT, params or JobParams(), sources, references))
        self.chapters.train()
        return job_id

    def work(self, run: StageRun) -> None:
        """Writes every artifact of the stage."""
        self.worked.append((run.claim.ref.number, run.stage))
        match run.stage:
            case Stage.CGAN:
                run.read_picture(Artifact.SOURCE)
                run.write_picture(Artifact.DRAFT, COLOUR)
                run.write_picture(Artifact.REGIONS, COLOUR[..., 0].astype(np.uint16))
                run.write(Artifact.HINTS, b'{"version": 1, "size": [40, 30], "hints": []}')
            case Stage.S2P:
                run.write_picture(Artifact.SKETCH, COLOUR)
                run.write_picture(Artifact.ROUGH, COLOUR)
            case Stage.INKNHUE:
                run.write_picture(Artifact.ALIGNED, COLOUR)
                run.write_picture(Artifact.FINAL, COLOUR)
            case Stage.METRICS:
                run.metrics = {"colourfulness": 1.0}
                run.write(Artifact.METRICS, b"{}")
        run.weights = "test"

    def work_on_set(self, run: StageRun) -> None:
        assert (run.claim.ref.number, run.stage) == (WHOLE_SET, Stage.METRICS)
        self.sets_scored += 1
        run.metrics = {"figure": 1.0}
        for artifact in SET_ARTIFACTS:
            run.write(artifact, f"the {artifact}".encode())

    def send(self) -> list[PageMessage]:
        return self.dispatch.start_pages(interactive_pages=4)

    def run_page(self, message: PageMessage, work: Callable[[StageRun], None] | None = None) -> None:
        if message.ref.number == WHOLE_SET:
            work = self.work_on_set
        for stage in STAGES[STAGES.index(message.first) : STAGES.index(message.last) + 1]:
            if not execute_stage(self.resources, stage, message.ref, work or self.work, lambda _: self.weights):
                break
        self.resources.aside.wait()

    def run_all(self, work: Callable[[StageRun], None] | None = None) -> None:
        while messages := self.send():
            for message in messages:
                self.run_page(message, work)
        package_jobs(self.dispatch, self.store)

    def job(self, job_id: str) -> Job:
        return self.jobs.get_job(LOCAL_TENANT, job_id).job

    def page(self, job_id: str, number: int = 1) -> Page:
        return self.jobs.get_page(LOCAL_TENANT, job_id, number)

    def archive(self, job_id: str) -> zipfile.ZipFile:
        return zipfile.ZipFile(io.BytesIO(self.store.get(self.job(job_id).result_key)))
