"""What keeps a worker from work: its process says it, and its parent asks for no message meanwhile."""

import threading
import time
from types import SimpleNamespace

import pytest
from billiard.pool import EX_RECYCLE

from common.names import Stage
from common.telemetry import FOLDER_VARIABLE
from workers import readiness as module
from workers.golden import expect
from workers.readiness import TRIES, WARMING, Readiness, TakeWhenReady

LIMIT_S = 10
GOOD, BAD = expect("the colour", 1.0, 1, 1), expect("the colour", 2.0, 1, 1)
REFUSED = "refused: its golden page failed: the colour: 2, where 1 to 1 was expected"


class Ended(BaseException):
    """In place of the process's end."""


@pytest.fixture
def ends(monkeypatch, tmp_path):
    """Exit codes of processes that ended themselves; pauses are short."""
    codes = []

    def end(code):
        codes.append(code)
        raise Ended

    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    monkeypatch.setattr(module, "AGAIN_S", 0.01)
    monkeypatch.setattr(module.os, "_exit", end)
    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    yield codes
    wait_until(lambda: not [one for one in threading.enumerate() if one.name in ("warm-up", "golden-page")])


@pytest.fixture
def parent(ends):
    """A worker's parent whose pool has this process as its child."""
    found = Readiness()
    found._task = Stage.S2P, list
    found.watch(pool_of(module.os.getpid()))
    return found


def pool_of(*pids):
    return SimpleNamespace(_pool=SimpleNamespace(_pool=[SimpleNamespace(pid=pid) for pid in pids]))


def start(warm_up):
    child = Readiness()
    child._task = Stage.S2P, warm_up
    child._start()
    return child


def wait_until(holds):
    deadline = time.monotonic() + LIMIT_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_a_process_that_passes_takes_work(parent, ends):
    assert parent.find_obstacle() == WARMING
    child = start(lambda: [GOOD])
    wait_until(lambda: parent.find_obstacle() is None)
    assert child.is_warm.is_set()
    assert not ends


def test_a_process_that_fails_again_and_again_makes_room_for_another_which_is_not_trusted_either(parent, ends):
    tried = []

    def fail():
        tried.append(1)
        return [BAD]

    start(fail)
    wait_until(lambda: ends)
    assert ends == [EX_RECYCLE]
    assert len(tried) == TRIES
    parent.watch(pool_of(-1))
    assert parent.find_obstacle() == REFUSED, "a process of which nothing is known yet"
    go_on = threading.Event()

    def pass_later():
        assert go_on.wait(LIMIT_S)
        return [GOOD]

    parent.watch(pool_of(module.os.getpid()))
    start(pass_later)
    assert parent.find_obstacle() == REFUSED
    go_on.set()
    wait_until(lambda: parent.find_obstacle() is None)


def test_a_warm_up_that_raises_is_told_in_one_line(parent, ends):
    def fail():
        raise RuntimeError("CUDA error:\nno device")

    start(fail)
    wait_until(lambda: parent.find_obstacle() != WARMING)
    assert parent.find_obstacle() == "refused: the warm-up failed: RuntimeError: CUDA error: no device"


def test_a_warm_up_that_hangs_is_refused_and_its_process_replaced(parent, ends, monkeypatch):
    monkeypatch.setattr(module, "LIMIT_S", 0.05)
    release = threading.Event()

    def hang():
        release.wait()
        raise Ended  # as the process's end would

    start(hang)
    wait_until(lambda: ends)
    assert ends == [EX_RECYCLE]
    assert "the warm-up is not through after 0.05 s" in parent.find_obstacle()
    release.set()


def test_a_warm_up_that_comes_through_late_is_taken(parent, ends, monkeypatch):
    monkeypatch.setattr(module, "LIMIT_S", 0.05)
    monkeypatch.setattr(module, "AGAIN_S", LIMIT_S)
    release = threading.Event()

    def pass_late():
        release.wait()
        return [GOOD]

    start(pass_late)
    wait_until(lambda: "not through" in (parent.find_obstacle() or ""))
    release.set()
    wait_until(lambda: parent.find_obstacle() is None)
    assert not ends


def test_a_pool_without_a_process_takes_no_work(parent):
    parent.watch(pool_of())
    assert parent.find_obstacle() == WARMING
    parent.watch(SimpleNamespace(_pool=None))
    assert parent.find_obstacle() == WARMING


def test_no_message_is_asked_for_meanwhile_but_one_that_was_asked_for_before_is_not_kept(monkeypatch):
    obstacle: list[str | None] = [None]
    monkeypatch.setattr(module.readiness, "find_obstacle", lambda: obstacle[0])
    monkeypatch.setattr(module.readiness, "_pool", None)
    channel = SimpleNamespace(qos=SimpleNamespace(can_consume=lambda: True), _in_poll=False)
    consumer = SimpleNamespace(pool=None, task_consumer=SimpleNamespace(channel=channel))
    TakeWhenReady(consumer).start(consumer)
    assert channel.qos.can_consume()
    obstacle[0] = WARMING
    assert not channel.qos.can_consume()
    channel._in_poll = object()  # BRPOP was sent, and may have been given a message
    assert channel.qos.can_consume()
