"""What the integration tests share: a real S3 server for the session."""

from collections.abc import Iterator

import pytest

from tests.integration import s3server


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[s3server.S3Server]:
    """A Swift of our own; tests that need it are skipped, with the reason, where it cannot run."""
    folder = tmp_path_factory.mktemp("s3server")
    if reason := s3server.why_unavailable(folder):
        pytest.skip(reason)
    with s3server.running(folder) as server:
        yield server
