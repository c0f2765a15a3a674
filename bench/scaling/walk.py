"""A chapter in this process from the door to its end, step by step, with requests of storage and statements counted.

The stages only tint (`tests.chaos.stages`), but claim, read, write and commit as the real ones do.
"""

import io
import json
import time
import zipfile
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch
from urllib.parse import urlsplit

from bench.api.submissions import make_page
from bench.counting import CountingStore
from bench.figures import Figure
from bench.scaling.statements import StatementLog
from common.broker import Broker
from common.jobs.deliveries import DeliveryStore
from common.jobs.dispatch import DispatchStore
from common.jobs.feeding import PageMessage
from common.jobs.garbage import GarbageStore
from common.jobs.models import WHOLE_SET
from common.jobs.work import WorkStore
from common.names import STAGES, Stage
from common.settings import Settings
from tests.postgres import find_binaries, running

PAGES = 20
PAGE_PX = (240, 340)
SWEPT_AFTER_S = 40 * 86_400.0
QUEUE_EMPTY: Callable[[Stage], set[tuple[object, ...]]] = lambda _stage: set()  # noqa: E731


class _NoBroker(Broker):
    """Nobody waits for messages here."""

    def __init__(self) -> None:
        super().__init__("redis://127.0.0.1:1/0")

    def check(self) -> None:
        return

    def wake_control(self) -> None:
        return


class Walk:
    """Door, control and workers as calls, on a PostgreSQL database and a store in a folder."""

    def __init__(self, database_url: str, folder: Path) -> None:
        # Imported here: they read settings.
        from api.app import create_app, prepare
        from api.context import EXTENSION
        from workers.patience import PatientStore
        from workers.stage import Resources

        self.settings = Settings(
            data=folder, database_url=database_url, broker_url="redis://127.0.0.1:1/0", storage_url=f"file://{folder}/o"
        )
        prepare(self.settings)
        app = create_app(self.settings)
        context = app.extensions[EXTENSION]
        self.store, broker = CountingStore(context.store), _NoBroker()
        app.extensions[EXTENSION] = replace(context, store=self.store, broker=broker)
        self.database = context.database
        self.door = app.test_client()
        self.work = WorkStore(self.database, 60, "bench")
        self.dispatch = DispatchStore(self.database, queue_lease_s=30, max_failures=3)
        self.resources = Resources(self.settings, self.work, PatientStore(self.store, 0), broker)
        self._log = StatementLog(database_url)
        self.figures: list[Figure] = []

    def close(self) -> None:
        self._log.close()
        self.database.close()

    def count(self, what: str, call: Callable[[], Any], per: int = 1) -> Any:
        """Do a step, and note what it asked of storage and database, divided by `per`."""
        self._log.take()
        before = Counter(self.store.requests)
        done = call()
        asked = self._log.take()
        requests = self.store.requests - before
        self.figures += [Figure(f"{what}: {kind}", number / per, "") for kind, number in sorted(requests.items())]
        self.figures.append(Figure(f"{what}: transactions", asked.transactions / per, ""))
        self.figures.append(Figure(f"{what}: statements, BEGIN and COMMIT included", asked.statements / per, ""))
        return done

    def submit_archive(self) -> str:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for number in range(PAGES):
                archive.writestr(f"{number:03}.jpg", make_page(number, size=PAGE_PX))
        files = {"archive": (io.BytesIO(buffer.getvalue()), "c.cbz"), "references": (self._reference(), "r.jpg")}
        reply = self.door.post("/v1/jobs", data=files, content_type="multipart/form-data")
        assert reply.status_code == 202, reply.text
        return str(reply.json["id"])

    def submit_uploads(self) -> str:
        """As the command `nurie` does it: every page announced and sent, then the job that names them."""
        pages = [self._upload(make_page(100 + number, size=PAGE_PX), f"{number:03}.jpg") for number in range(PAGES)]
        references = [self._upload(self._reference().getvalue(), "r.jpg")]
        reply = self.door.post("/v1/jobs", json={"pages": pages, "references": references})
        assert reply.status_code == 202, reply.text
        return str(reply.json["id"])

    def train(self) -> None:
        for message in self.dispatch.start_trainings():
            assert self.work.claim_model(message.key, message.attempt)
            assert self.work.renew_model(message.key, message.attempt, 0.5, {})
            assert self.work.commit_model(message.key, message.attempt, 1.0)

    def send(self) -> list[PageMessage]:
        return self.dispatch.start_pages(self.settings.interactive_pages)

    def run_stage(self, stage: Stage, messages: list[PageMessage]) -> None:
        from tests.chaos import stages
        from workers.stage import execute_stage

        for message in messages:
            work = stages.work_on_set if message.ref.number == WHOLE_SET else stages.work
            assert execute_stage(self.resources, stage, message.ref, work)
        self.resources.aside.wait()

    def package(self) -> None:
        from workers.control.packaging import package_jobs
        from workers.control.sweeping import sweep_leftovers

        for job_id in package_jobs(self.dispatch, self.store):
            sweep_leftovers(GarbageStore(self.database, keep_days=7), self.store, job_id)

    def go_round(self) -> None:
        """What control asks each time that it looks, with nothing to do."""
        from workers.control.unpacking import unpack_archives

        unpack_archives(self.dispatch, self.store, self.settings)
        self.dispatch.lost_pages(QUEUE_EMPTY)
        self.dispatch.lost_trainings(QUEUE_EMPTY)
        self.dispatch.fail_untaught()
        assert not self.dispatch.start_trainings()
        assert not self.send()
        self.package()

    def sweep(self) -> None:
        from workers.control.sweeping import Sweeper

        sweeper = Sweeper(self.settings, GarbageStore(self.database, keep_days=7), self.store)
        for _ in sweeper.sweep():
            pass

    def _upload(self, data: bytes, name: str) -> str:
        announced = self.door.post("/v1/uploads", json={"filename": name, "size": len(data)}).json
        # The client's own PUT, which goes to the bucket.
        key = urlsplit(announced["url"]).path.removeprefix("/storage/")
        self.store.put(key, data, media_type="application/octet-stream")
        return str(announced["id"])

    @staticmethod
    def _reference() -> io.BytesIO:
        return io.BytesIO(make_page(5000, coloured=True, size=PAGE_PX))


def measure_walk() -> list[Figure]:
    """Every step's requests of storage and statements: of a page, or of a chapter of `PAGES` pages."""
    binaries = find_binaries()
    if binaries is None:
        raise RuntimeError("PostgreSQL is not installed: see make setup-tests")
    with TemporaryDirectory() as folder, running(binaries) as server:
        walk = Walk(server.url, Path(folder))
        try:
            _walk(walk)
        finally:
            walk.close()
    return walk.figures


def _walk(walk: Walk) -> None:
    chapter = f"a chapter of {PAGES} pages"
    walk.door.get("/v1/jobs")  # the first connection asks a server what it is
    walk.count("worker, signing in", lambda: walk.work.sign_in(STAGES[0].value, slots=PAGES))
    walk.count("control, a round with nothing to do", walk.go_round)
    take = DeliveryStore(walk.database).take_due
    walk.count("control, a look for webhooks", lambda: take(32, 4, Counter(), 60.0))
    walk.count(f"door, {chapter} as files that were uploaded", walk.submit_uploads)
    job_id = walk.count(f"door, {chapter} as an archive", walk.submit_archive)
    from workers.control.unpacking import unpack_archives

    walk.count("control, unpacking, a page", lambda: unpack_archives(walk.dispatch, walk.store, walk.settings), PAGES)
    walk.count("training, with one report of progress", walk.train)
    messages = walk.count(f"control, sending {2 * PAGES} pages, all at once", walk.send)
    assert len(messages) == 2 * PAGES
    poll = walk.door.get(f"/v1/jobs/{job_id}")
    etag = {"If-None-Match": poll.headers["ETag"]}
    walk.count("door, a poll that has news", lambda: walk.door.get(f"/v1/jobs/{job_id}"))
    walk.count("door, a poll without (304)", lambda: walk.door.get(f"/v1/jobs/{job_id}", headers=etag))
    for stage in STAGES:
        walk.count(f"{stage}, a page", lambda stage=stage: walk.run_stage(stage, messages), len(messages))
    sets = walk.send()
    walk.count(f"metrics, the report on {chapter}", lambda: walk.run_stage(Stage.METRICS, sets), len(sets))
    walk.count(f"control, packaging {chapter}", walk.package, len(sets))
    walk.count("door, the archive's URL", lambda: walk.door.get(f"/v1/jobs/{job_id}/result"))
    state = walk.door.get(f"/v1/jobs/{job_id}").json
    assert state["status"] == "succeeded", json.dumps(state)
    walk.count(f"door, deleting {chapter}", lambda: walk.door.delete(f"/v1/jobs/{job_id}"))
    later = time.time() + SWEPT_AFTER_S
    with patch("time.time", lambda: later):
        walk.count("control, sweeping what is kept for reuse and a chapter, a page", walk.sweep, len(messages))
