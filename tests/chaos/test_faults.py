"""The short form of `make chaos`: a short chapter, short leases, the faults from which the house is back soonest."""

import pytest

from tests.chaos.rounds import Suite

SEED = 3
PAGES = 24
# Short enough that a lost worker is noticed within a test, long enough for a machine that is busy.
SETTINGS = {
    "NURIE_TEST_STAGE_S": "0.05",
    "NURIE_POLL_S": "0.2",
    "NURIE_LEASE_S": "6",
    "NURIE_HEARTBEAT_S": "1",
    "NURIE_QUEUE_LEASE_S": "3",
}
FAULTS = ("child-killed", "worker-killed", "control-killed", "redis-lost", "message-twice", "page-poisoned")


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Suite:
    suite = Suite(SEED, tmp_path_factory.mktemp("houses"), tmp_path_factory.mktemp("logs"), PAGES, SETTINGS)
    suite.run_without_fault()
    return suite


@pytest.mark.parametrize(("number", "fault"), list(enumerate(FAULTS, 1)), ids=FAULTS)
def test_a_chapter_comes_through_whole(suite: Suite, number: int, fault: str) -> None:
    round_ = suite.run(number, fault)
    assert not round_.skipped
    assert round_.ok, round_
