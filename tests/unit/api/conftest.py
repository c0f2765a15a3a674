"""Fixtures of the API's environment: migrated databases, stores of the truth, an app with a local store."""

import io
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import structlog
from flask.testing import FlaskClient
from PIL import Image
from sqlalchemy import create_engine
from werkzeug.datastructures import FileStorage
from werkzeug.test import TestResponse, encode_multipart

from api.app import create_app, prepare
from api.context import EXTENSION, Context
from common.broker import Broker
from common.errors import BrokerError
from common.jobs.database import Database
from common.jobs.dispatch import DispatchStore
from common.jobs.garbage import GarbageStore
from common.jobs.ids import new_id, sha256_hex
from common.jobs.models import LOCAL_TENANT, Base
from common.jobs.records import NewJob, NewPage
from common.jobs.store import JobStore
from common.jobs.work import WorkStore
from common.params import JobParams
from common.settings import Settings
from tests.postgres import PostgresServer, find_binaries, running
from workers.control.sweeping import Sweeper

LEASE_S = 60.0
on_sqlite = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
on_postgresql = pytest.mark.parametrize("backend", ["postgresql"], indirect=True)


@pytest.fixture(scope="session", autouse=True)
def plain_tracebacks() -> None:
    """As the processes log them; structlog's own default takes seconds to draw one."""
    renderer = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[structlog.stdlib.add_log_level, structlog.dev.set_exc_info, renderer])


class Postgres:
    """The one PostgreSQL database that all tests share, one after the other."""

    def __init__(self, url: str, server: PostgresServer | None = None) -> None:
        """`server` is None where somebody else's is used, which is not ours to stop."""
        self.url, self._server, self._has_tables = url, server, False
        # Whoever left a transaction open must not keep the next test waiting for ever.
        options = {"options": "-c lock_timeout=20s"}
        self._engine = create_engine(url, isolation_level="AUTOCOMMIT", pool_pre_ping=True, connect_args=options)

    @property
    def server(self) -> PostgresServer:
        if self._server is None:
            pytest.skip("the server of NURIE_TEST_DATABASE_URL is not ours to stop")
        return self._server

    def drop_tables(self) -> None:
        self._execute("DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
        self._has_tables = False

    def delete_rows(self) -> None:
        """Leave the newest tables, without a row: faster than making them anew, and than TRUNCATE."""
        if not self._has_tables:
            migrate(self.url)
            self._has_tables = True
        self._execute(*(f"DELETE FROM {table.name}" for table in reversed(Base.metadata.sorted_tables)))

    def close(self) -> None:
        self._engine.dispose()

    def _execute(self, *statements: str) -> None:
        with self._engine.connect() as connection:
            connection.exec_driver_sql(";".join(statements))


def migrate(url: str) -> None:
    database = Database(url)
    database.migrate()
    database.close()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """NURIE_TEST_DATABASE_URL's database, which is emptied, or one on a server of our own."""
    if url := os.environ.get("NURIE_TEST_DATABASE_URL"):
        shared = Postgres(url)
        shared.drop_tables()
        yield shared
        shared.close()
    elif binaries := find_binaries():
        with running(binaries) as server:
            ours = Postgres(server.url, server)
            yield ours
            ours.close()
    else:
        pytest.skip("PostgreSQL is not installed, and NURIE_TEST_DATABASE_URL is not set: see make setup-tests")


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with the newest tables, to copy: making them takes as long as many a test."""
    path = tmp_path_factory.mktemp("sqlite") / "nurie.db"
    migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(params=["sqlite", "postgresql"])
def backend(request: pytest.FixtureRequest) -> str:
    """Every test that reaches the truth runs on both."""
    return request.param


@pytest.fixture
def database_url(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database with the newest tables, and nothing in them."""
    if backend == "postgresql":
        postgres: Postgres = request.getfixturevalue("postgres")
        postgres.delete_rows()
        return postgres.url
    path = tmp_path / "nurie.db"
    shutil.copy(request.getfixturevalue("migrated_sqlite"), path)
    return f"sqlite:///{path}"


@pytest.fixture
def empty_database(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """Without tables."""
    postgres: Postgres | None = request.getfixturevalue("postgres") if backend == "postgresql" else None
    if postgres:
        postgres.drop_tables()
    database = Database(postgres.url if postgres else f"sqlite:///{tmp_path / 'empty.db'}")
    yield database
    database.close()
    if postgres:
        postgres.drop_tables()


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    JobStore(database).ensure_tenant(LOCAL_TENANT)
    yield database
    database.close()


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
def house(jobs: JobStore, work: WorkStore, dispatch: DispatchStore, chapters: Chapters, tmp_path: Path):
    """Control and workers in this process."""
    from tests.unit.api.house import House

    return House(jobs, work, dispatch, chapters, tmp_path)


@pytest.fixture
def settings(tmp_path: Path, database_url: str) -> Settings:
    # Nobody listens on port 1: nothing but a submission depends on the broker.
    return Settings(data=tmp_path / "var", database_url=database_url, broker_url="redis://127.0.0.1:1/0")


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


def announce(client: FlaskClient, data: bytes, **other: object) -> TestResponse:
    """Announce a file by its content, as a.png; `other` fields stand in place of the true ones."""
    told = {"filename": "a.png", "size": len(data), "sha256": sha256_hex(data)}
    return client.post("/v1/uploads", json=told | other)


def put(client: FlaskClient, announced: dict, data: bytes) -> None:
    """Send the bytes of a file that was announced."""
    # Unlike any other client the test client says no length where there is nothing.
    sent = client.put(announced["url"], data=data, content_length=len(data), headers=announced["headers"])
    assert sent.status_code == 200


def upload(client: FlaskClient, data: bytes, name: str) -> str:
    """Announce and send a file; returns the upload's id."""
    announced = announce(client, data, filename=name).json
    put(client, announced, data)
    return announced["id"]


def used(client: FlaskClient) -> int:
    """Bytes that count as stored."""
    return client.get("/v1/tenant").json["stored_bytes"]["used"]


def sweep(context: Context, settings: Settings | None = None) -> None:
    garbage = GarbageStore(context.database, keep_days=7)
    for _ in Sweeper(settings or context.settings, garbage, context.store).sweep():
        pass


__all__ = [
    "Chapters",
    "Clock",
    "Postgres",
    "announce",
    "on_postgresql",
    "on_sqlite",
    "picture",
    "put",
    "submit",
    "sweep",
    "upload",
    "used",
]
