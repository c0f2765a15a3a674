"""Every stage on real pages, each alone: a house of its own, without broker and control, whose messages come from here.

Each stage's pages are worked on by a process of its environment (`bench.capacity.worker`), one stage after the other,
so that none waits for another's share of the processors.
"""

import json
import os
import shutil
import statistics
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.capacity.planning import Cost, Costs, scale_training
from bench.capacity.worker import TASKS
from common.imaging import decode_image
from common.jobs.database import Database
from common.jobs.dispatch import DispatchStore
from common.jobs.ids import new_id, sha256_hex
from common.jobs.models import LOCAL_TENANT
from common.jobs.records import NewJob, NewPage
from common.jobs.states import PageStatus
from common.jobs.store import JobStore
from common.jobs.work import WorkStore
from common.names import STAGES
from common.params import JobParams
from common.settings import Settings
from embedded.services import ROOT
from storage import keys
from storage.configured import open_configured_store

WARM_UP = 1
"""Pages that do not count: with the first a process loads its networks."""
NO_BROKER = "redis://127.0.0.1:1/0"


@dataclass(frozen=True)
class Process:
    """What a worker's process needed beside time.

    Attributes:
        load_s: how much longer than the median its first page took.
        loaded_bytes: memory with the code loaded: what the parent of a pool keeps.
        peak_bytes: most memory of the process that works.
        requests: of storage, by kind, a page.
        bytes_read, bytes_written: from and to storage, a page.
    """

    load_s: float
    loaded_bytes: int
    peak_bytes: int
    requests: dict[str, float]
    bytes_read: float
    bytes_written: float


@dataclass(frozen=True)
class Measured:
    """`spread` is the fastest and the slowest page of a stage, in seconds; `measured_epochs` of the training's."""

    costs: Costs
    processes: dict[str, Process]
    spread: dict[str, tuple[float, float]]
    measured_epochs: int
    megapixels: float
    pages: int


class House:
    """Database and storage in a folder, with one job in them."""

    def __init__(self, folder: Path, epochs: int) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        # Spelled out, so that no setting of the shell's has us work on somebody's own database or broker.
        self.settings = Settings(
            data=folder,
            database_url=f"sqlite:///{folder / 'nurie.db'}",
            broker_url=NO_BROKER,
            storage_url=f"file://{folder / 'storage'}",
        )
        self.database = Database(self.settings.database_url)
        self.database.migrate()
        self.store = open_configured_store(self.settings)
        self.store.ensure()
        self.jobs = JobStore(self.database)
        self.jobs.ensure_tenant(LOCAL_TENANT)
        self.dispatch = DispatchStore(self.database, queue_lease_s=self.settings.queue_lease_s, max_failures=1)
        self._epochs = epochs

    def submit(self, pages: list[bytes], reference: bytes) -> str:
        """Insert a job as the API would; returns its id. Pages in colour are painted too."""
        job_id = new_id()
        self.store.put(keys.reference(job_id, 1), reference, media_type="image/png")
        references = [{"name": "reference", "key": keys.reference(job_id, 1), "sha256": sha256_hex(reference)}]
        new = []
        for number, data in enumerate(pages, 1):
            key = keys.source(job_id, number)
            self.store.put(key, data, media_type="application/octet-stream")
            source = {"key": key, "sha256": sha256_hex(data), "size": len(data), "filename": f"{number:04}"}
            new.append(NewPage(f"{number:04}.png", source))
        params = JobParams(epochs=self._epochs, skip_coloured=False)
        self.jobs.create_job(NewJob(job_id, LOCAL_TENANT, params, new, references))
        return job_id

    def send(self, count: int) -> list[list[Any]]:
        """Have control choose what goes, all at once; the arguments of the messages. Raises RuntimeError."""
        # About two are sent for each slot that is there.
        WorkStore(self.database, self.settings.lease_s, "bench").sign_in(STAGES[0].value, slots=count)
        sent = self.dispatch.start_pages(interactive_pages=0)
        if len(sent) != count:
            raise RuntimeError(f"{len(sent)} messages were sent, and not {count}")
        return [[message.ref.job_id, message.ref.number, message.ref.attempt] for message in sent]

    def work(self, what: str, messages: list[list[Any]]) -> dict[str, Any]:
        """Have a process of the room's environment do it. Raises RuntimeError."""
        stage = TASKS[what][0]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("NURIE_")} | {
            "NURIE_DATA": str(self.settings.data),
            "NURIE_BROKER_URL": NO_BROKER,
            "NURIE_MODELS": str(Path(os.environ.get("NURIE_MODELS", "models")).absolute()),
            "NURIE_DEVICE": os.environ.get("NURIE_DEVICE", "auto"),
            "NURIE_LOG_LEVEL": "WARNING",
            "NURIE_MAX_FAILURES": "1",
        }
        command = [str(ROOT / ".venvs" / stage / "bin" / "python"), "-m", "bench.capacity.worker", what]
        command += [json.dumps(message) for message in messages]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{what} ended with {done.returncode}: {done.stderr[-2000:]}")
        return json.loads(done.stdout.splitlines()[-1])


def measure(pages: list[bytes], reference: bytes, epochs: int, measured_epochs: int, folder: Path) -> Measured:
    """Train, then take the pages through all stages.

    Args:
        pages: files of pictures; the first `WARM_UP` of them do not count.
        reference: file of the coloured picture that the model learns from.
        epochs: of the training that is planned with.
        measured_epochs: of the one that is measured, and scaled.
        folder: for the house; deleted at the end.

    Raises:
        RuntimeError: a stage failed.
    """
    house = House(folder, measured_epochs)
    try:
        job_id = house.submit(pages, reference)
        training, loop_s = _train(house)
        runs = {"training": training}
        messages = house.send(len(pages))
        for stage in STAGES:
            print(f"measuring: {stage}", flush=True)
            runs[stage.value] = house.work(stage.value, messages)
            _check(house, job_id, stage.value)
        print("measuring: the report on the whole chapter", flush=True)
        runs["report"] = house.work("report", house.send(1))
    finally:
        house.database.close()
        shutil.rmtree(folder, ignore_errors=True)
    return _sum_up(runs, loop_s, pages, epochs, measured_epochs)


def _train(house: House) -> tuple[dict[str, Any], float]:
    """What the training took, and the part of it that its epochs took, in seconds."""
    (message,) = house.dispatch.start_trainings()
    print("measuring: training", flush=True)
    training = house.work("training", [[message.key, message.job_id, message.attempt]])
    try:
        card = json.loads(house.store.get(keys.model_card(message.key)))
    except Exception as error:
        raise RuntimeError("the training made no model: is the reference a coloured page?") from error
    return training, card["seconds"]


def _check(house: House, job_id: str, stage: str) -> None:
    pages = house.jobs.list_pages(LOCAL_TENANT, job_id, 10_000, 0)
    failed = [page for page in pages if page.status == PageStatus.FAILED]
    if failed:
        raise RuntimeError(f"{stage}: page {failed[0].number} failed: {failed[0].error_code}: {failed[0].error_detail}")


def _sum_up(
    runs: dict[str, dict[str, Any]], loop_s: float, pages: list[bytes], epochs: int, measured_epochs: int
) -> Measured:
    costs, spread, processes = {}, {}, {}
    for what, run in runs.items():
        counted = run["runs"][WARM_UP:] or run["runs"]
        seconds = [one["seconds"] for one in counted]
        # Processor time as a mean: what is done aside after one page falls into the next one's.
        costs[what] = Cost(statistics.median(seconds), statistics.mean(one["cpu_s"] for one in counted))
        spread[what] = min(seconds), max(seconds)
        count = len(run["runs"])
        processes[what] = Process(
            run["runs"][0]["seconds"] - costs[what].seconds,
            run["loaded_bytes"],
            run["peak_bytes"],
            {kind: number / count for kind, number in run["requests"].items()},
            run["bytes_read"] / count,
            run["bytes_written"] / count,
        )
    report = costs["report"]
    pixels = [decode_image(data, "a page").shape for data in pages]
    return Measured(
        Costs(
            {stage: costs[stage.value] for stage in STAGES},
            scale_training(costs["training"], loop_s, measured_epochs, epochs),
            Cost(report.seconds / len(pages), report.cpu_s / len(pages)),
        ),
        processes,
        spread,
        measured_epochs,
        statistics.mean(height * width for height, width, _ in pixels) / 1e6,
        len(pages) - WARM_UP,
    )
