"""Control's rounds: what they cost, and what one of them sends."""

import pytest

from common.jobs.feeding import MESSAGES_PER_SLOT
from common.names import Stage
from workers.control.loop import BURST_S, LONGEST_PAUSE_S, SHARE, Budget


def test_a_round_is_paid_for_from_what_was_saved_up_and_then_with_pauses(monkeypatch):
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    budget = Budget()
    assert budget.spend(BURST_S) == 0  # after a quiet while a burst costs nothing
    assert budget.spend(0.01) == pytest.approx(0.01 / SHARE)
    now += 0.01 / SHARE
    assert budget.spend(0.004) == pytest.approx(0.004 / SHARE)
    now += 1000
    assert budget.spend(BURST_S) == 0  # more than a burst is not saved up
    assert budget.spend(5.0) == LONGEST_PAUSE_S
    now += LONGEST_PAUSE_S
    assert budget.spend(0.004) == pytest.approx(0.004 / SHARE)  # a long round is not held against the next


def test_rounds_take_their_share_of_a_processor_however_often_control_is_woken(monkeypatch):
    now, spent = 0.0, 0.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    budget = Budget()
    while now < 100:
        spent += 0.005
        now += 0.006
        now += budget.spend(0.005)
    assert spent / now == pytest.approx(SHARE, rel=0.05)


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
