"""Fixtures of the API's environment: a migrated database, stores of the truth, an app with a local store."""

import io
import os
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from flask.testing import FlaskClient
from PIL import Image
from sqlalchemy import create_engine
from werkzeug.datastructures import FileStorage
from werkzeug.test import encode_multipart

from api.app import create_app, prepare
from api.context import EXTENSION, Context
from common.broker import Broker
from common.errors import BrokerError
from common.jobs.database import Database
from common.jobs.dispatch import DispatchStore
from common.jobs.ids import new_id
from common.jobs.models import LOCAL_TENANT
from common.jobs.store import JobStore, NewJob, NewPage
from common.jobs.work import WorkStore
from common.params import JobParams
from common.settings import Settings

LEASE_S = 60.0


@pytest.fixture
def empty_database(tmp_path: Path) -> Iterator[Database]:
    """SQLite, or the PostgreSQL database of NURIE_TEST_DATABASE_URL, which is emptied; without tables."""
    url = os.environ.get("NURIE_TEST_DATABASE_URL")
    if url:
        engine = create_engine(url)
        with engine.begin() as connection:
            connection.exec_driver_sql("DROP SCHEMA public CASCADE")
            connection.exec_driver_sql("CREATE SCHEMA public")
        engine.dispose()
    database = Database(url or f"sqlite:///{tmp_path / 'nurie.db'}")
    yield database
    database.close()


@pytest.fixture
def database(empty_database: Database) -> Database:
    empty_database.migrate()
    JobStore(empty_database).ensure_tenant(LOCAL_TENANT)
    return empty_database


@pytest.fixture
def jobs(database: Database) -> JobStore:
    return JobStore(database)


@pytest.fixture
def work(database: Database) -> WorkStore:
    return WorkStore(database, LEASE_S, "worker-1")


@pytest.fixture
def dispatch(database: Database) -> DispatchStore:
    return DispatchStore(database, queue_lease_s=30, max_failures=3)


class Chapters:
    """Makes jobs, and trains their model on paper."""

    def __init__(self, jobs: JobStore, work: WorkStore, dispatch: DispatchStore) -> None:
        self._jobs, self._work, self._dispatch = jobs, work, dispatch

    def submit(
        self, pages: int = 2, params: JobParams | None = None, tenant: str = LOCAL_TENANT, reference: str = "0" * 64
    ) -> str:
        self._jobs.ensure_tenant(tenant)
        job_id = new_id()
        new_pages = [
            NewPage(f"{number:03}.png", {"key": f"k{number}", "sha256": "1" * 64, "size": 1, "filename": "x.png"})
            for number in range(1, pages + 1)
        ]
        references = [{"name": "r.png", "key": "r", "sha256": reference}]
        self._jobs.create_job(NewJob(job_id, tenant, params or JobParams(), new_pages, references))
        return job_id

    def train(self) -> None:
        for message in self._dispatch.start_trainings():
            assert self._work.claim_model(message.key, message.attempt)
            assert self._work.commit_model(message.key, message.attempt, seconds=1.0)

    def submit_trained(self, pages: int = 2, params: JobParams | None = None, **more: str) -> str:
        job_id = self.submit(pages, params, **more)
        self.train()
        return job_id


@pytest.fixture
def chapters(jobs: JobStore, work: WorkStore, dispatch: DispatchStore) -> Chapters:
    return Chapters(jobs, work, dispatch)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> "Clock":
    return Clock(monkeypatch)


class Clock:
    """Moves `time.time` forward without waiting."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._ahead_s = 0.0
        real = time.time
        monkeypatch.setattr(time, "time", lambda: real() + self._ahead_s)

    def advance(self, seconds: float) -> None:
        self._ahead_s += seconds


def picture(
    width: int = 40, height: int = 30, *, coloured: bool = False, seed: int = 0, picture_format: str = "PNG"
) -> bytes:
    """A small picture as a file's bytes."""
    rng = np.random.default_rng(seed)
    grey = rng.integers(0, 255, (height, width, 1), dtype=np.uint8).repeat(3, axis=2)
    rgb = rng.integers(0, 255, (height, width, 3), dtype=np.uint8) if coloured else grey
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, picture_format)
    return buffer.getvalue()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    # Nobody listens on port 1: nothing but a submission depends on the broker.
    return Settings(data=tmp_path / "var", broker_url="redis://127.0.0.1:1/0")


@pytest.fixture
def broker_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """Submissions ask whether the broker is there."""
    monkeypatch.setattr(Broker, "check", lambda _self: None)


@pytest.fixture
def client(settings: Settings, broker_there: None) -> Iterator[FlaskClient]:
    prepare(settings)
    app = create_app(settings)
    yield app.test_client()
    app.extensions[EXTENSION].database.close()


@pytest.fixture
def broker_away(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def check(_self: Broker) -> None:
        raise BrokerError("away")

    monkeypatch.setattr(Broker, "check", check)


@pytest.fixture
def context(client: FlaskClient) -> Context:
    return client.application.extensions[EXTENSION]


def submit(client: FlaskClient, **fields: object):
    """POST multipart; a list of (bytes, name) is a list of files."""
    data = {
        name: [FileStorage(io.BytesIO(content), filename) for content, filename in value]
        if isinstance(value, list)
        else value
        for name, value in fields.items()
    }
    boundary, body = encode_multipart(data)
    return client.post("/v1/jobs", data=body, content_type=f"multipart/form-data; boundary={boundary}")


__all__ = ["Chapters", "Clock", "picture", "submit"]
