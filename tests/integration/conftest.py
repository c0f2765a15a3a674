"""What the integration tests share: a real S3 server for the session, and the stores under test."""

import socket
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.local import LocalStore
from storage.protocol import ObjectStore
from storage.s3 import S3Store
from tests.integration import s3server
from tests.integration.s3server import S3Server
from tests.integration.stores import SECRET, LocalHandler, LocalServer, connect_s3, serving


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[s3server.S3Server]:
    """A Swift of our own; tests that need it are skipped, with the reason, where it cannot run."""
    folder = tmp_path_factory.mktemp("s3server")
    if reason := s3server.why_unavailable(folder):
        pytest.skip(reason)
    with s3server.running(folder) as server:
        yield server


@pytest.fixture
def local_store(tmp_path: Path) -> Iterator[LocalStore]:
    server = LocalServer(("127.0.0.1", 0), LocalHandler)
    with serving(server) as base_url:
        server.store = LocalStore(tmp_path / "store", base_url, SECRET)
        yield server.store


@pytest.fixture(scope="session")
def s3_base(s3_server: S3Server) -> Iterator[S3Store]:
    store = connect_s3(s3_server, "")
    store.ensure()
    yield store
    store._client.close()


@pytest.fixture
def s3_store(s3_server: S3Server, s3_base: S3Store) -> S3Store:
    store = connect_s3(s3_server, f"{uuid.uuid4().hex}/")
    store._made_client = s3_base._client  # making one takes a tenth of a second
    return store


@pytest.fixture(params=["local", "s3"])
def store(request: pytest.FixtureRequest) -> ObjectStore:
    found: ObjectStore = request.getfixturevalue(f"{request.param}_store")
    return found


@pytest.fixture(scope="session")
def silent_url() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listening:  # takes connections, never answers
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
