"""Control's rounds: what they cost, and what one of them sends."""

import itertools
import threading

import pytest

from common.jobs.feeding import MESSAGES_PER_SLOT
from common.names import Stage
from tests.unit.api.conftest import on_sqlite
from workers.control.loop import LONGEST_PAUSE_S, PAUSE_RATIO, Control


class Stop(threading.Event):
    """Stops after so many rounds, and keeps how long each was followed by a pause."""

    def __init__(self, rounds: int) -> None:
        super().__init__()
        self.pauses: list[float] = []
        self._rounds = rounds

    def wait(self, timeout: float | None = None) -> bool:
        self.pauses.append(timeout or 0.0)
        if len(self.pauses) == self._rounds:
            self.set()
        return self.is_set()


class Idle:
    """A broker that wakes at once."""

    def wait_for_wake(self, _seconds: float) -> bool:
        return True


@on_sqlite
def test_the_pause_after_a_round_is_in_proportion_to_what_the_round_took(house, monkeypatch, settings):
    control = Control(settings, house.dispatch, house.store, Idle(), None, garbage=None)
    monkeypatch.setattr(control, "_attempt", lambda _step: None)
    clock = itertools.accumulate([0.0, 0.001, 0.0, 0.002, 0.0, 5.0])  # seconds of processor time: before, after, …
    monkeypatch.setattr("time.thread_time", lambda: next(clock))
    stop = Stop(rounds=3)
    control.run(stop)
    assert stop.pauses == pytest.approx([PAUSE_RATIO * 0.001, PAUSE_RATIO * 0.002, LONGEST_PAUSE_S])


def test_all_room_is_used_within_two_rounds_however_few_pages_most_tenants_have(dispatch, work, chapters):
    slots = 10
    for number in range(slots):
        work._worker = f"worker-{number}"
        work.sign_in("cgan", 1)
    for number in range(9):
        chapters.submit_trained(pages=1, tenant=f"small-{number}")
    chapters.submit_trained(pages=50, tenant="large")
    first, second = dispatch.start_pages(4), dispatch.start_pages(4)
    assert len(first) + len(second) == MESSAGES_PER_SLOT * slots
    # Nobody waits for the large one: each of the small has its page in the first round.
    assert len({message.ref.job_id for message in first}) == 10


def test_a_message_says_how_long_its_page_was_due(dispatch, chapters, clock):
    chapters.submit_trained(pages=1)
    clock.advance(70)
    (message,) = dispatch.start_pages(4)
    assert message.waited_s == pytest.approx(70, abs=5)
    assert not message.is_bulk
    assert (message.first, message.last) == (Stage.CGAN, Stage.METRICS)
