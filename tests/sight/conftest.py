"""A house that has lived through a bit of everything, with a Prometheus that watched."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sight.life import Life, live
from tests.sight.server import find_program


def _program(name: str) -> Path:
    found = find_program(name)
    if found is None:
        pytest.skip(f"{name} is missing: tests/install_prometheus")
    return found


@pytest.fixture(scope="session")
def promtool() -> Path:
    return _program("promtool")


@pytest.fixture(scope="session")
def life(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Life]:
    program = _program("prometheus")
    with live(program, tmp_path_factory.mktemp("house"), tmp_path_factory.mktemp("prometheus")) as life:
        yield life
