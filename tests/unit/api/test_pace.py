"""Slow clients lose their connection; quick ones, and those who wait for us, do not."""

import socket
import threading
import time

import pytest

from api import pace
from api.pace import PacedSocket, TooSlowError


@pytest.fixture
def ends(monkeypatch):
    """Our end, paced, and the client's."""
    monkeypatch.setattr(pace, "GRACE_S", 0.2)
    ours, client = socket.socketpair()
    with ours, client:
        yield PacedSocket(ours), client


def dripping(client: socket.socket, stop: threading.Event) -> threading.Thread:
    def drip() -> None:
        while not stop.wait(0.02):
            client.sendall(b"x")

    thread = threading.Thread(target=drip)
    thread.start()
    return thread


def test_a_client_that_falls_silent_in_the_middle_is_dropped(ends):
    ours, _ = ends
    with pytest.raises(TooSlowError, match="silent"):
        ours.recv(10)


def test_a_client_that_drips_is_dropped(ends):
    ours, client = ends
    stop = threading.Event()
    thread = dripping(client, stop)
    try:
        with pytest.raises(TooSlowError, match="bytes a second"):
            for _ in range(1000):
                ours.recv(10)
    finally:
        stop.set()
        thread.join(10)


def test_a_client_that_does_not_read_is_dropped(ends):
    ours, _ = ends
    with pytest.raises(TooSlowError):
        ours.sendall(bytes(50_000_000))


def test_a_quick_client_is_served_however_long_it_takes_us(ends, monkeypatch):
    ours, client = ends
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    for _ in range(20):
        client.sendall(b"x")
        assert ours.recv(10) == b"x"
        now[0] += 60.0  # our own work


def test_each_request_of_a_connection_has_its_own_account(ends, monkeypatch):
    ours, client = ends
    ours._waited_s, ours._bytes = 100.0, 1
    ours.start_request()
    client.sendall(b"x")
    assert ours.recv(10) == b"x"


def test_what_is_sent_arrives_whole_and_in_order(ends):
    ours, client = ends
    sent = bytes(range(256)) * 4000
    got = bytearray()

    def read() -> None:
        while chunk := client.recv(1 << 16):
            got.extend(chunk)

    thread = threading.Thread(target=read)
    thread.start()
    ours.sendall(sent)
    ours.finish()
    thread.join(10)
    assert bytes(got) == sent


def test_a_closed_connection_may_be_closed_again_as_gunicorn_does(ends):
    ours, client = ends
    client.close()
    ours.finish()
    ours.setblocking(True)
    with pytest.raises(OSError, match="Bad file descriptor"):
        ours.shutdown(socket.SHUT_WR)
