"""200 clients that send a byte a second, and what they do to the others."""

import multiprocessing
import select
import socket
import time
from contextlib import suppress
from multiprocessing.synchronize import Event

from bench.api.exchange import Connection, encode
from bench.api.house import House
from bench.api.load import percentile
from bench.api.submissions import encode_submission, make_page
from bench.figures import Figure

SLOW = 200
DURATION_S = 30
POLLS_PER_S = 20
POLL_MS = 50


def measure_slow(duration_s: int = DURATION_S) -> list[Figure]:
    with House("slow") as house:
        submission = encode_submission(house, make_page(1), make_page(2, coloured=True))
        with Connection(house) as connection:
            path = connection.send(submission).header("Location")
        # In a process of its own: here it would slow down who measures.
        spawning = multiprocessing.get_context("spawn")
        stop = spawning.Event()
        slow = spawning.Process(target=_dawdle, args=(house.port, submission, stop), daemon=True)
        slow.start()
        took = []
        try:
            with Connection(house) as connection:
                request = encode(house, "GET", path)
                started = time.monotonic()
                for number in range(duration_s * POLLS_PER_S):
                    at = started + number / POLLS_PER_S
                    time.sleep(max(0.0, at - time.monotonic()))
                    assert connection.send(request).status == 200
                    took.append(time.monotonic() - at)
        finally:
            stop.set()
            slow.join()
    return [Figure(f"poll, p99 beside {SLOW} clients that send 1 byte/s", percentile(took, 99), "ms", POLL_MS)]


def _dawdle(port: int, request: bytes, stop: Event) -> None:
    """Half of them never get to the end of their head, half send a body; who is thrown out comes again."""
    slow: list[socket.socket] = []
    sent: dict[socket.socket, tuple[bytes, int]] = {}
    head_end = request.index(b"\r\n\r\n") + 4
    while not stop.is_set():
        while len(slow) < SLOW:
            client = socket.create_connection(("127.0.0.1", port), timeout=10)
            start = 0 if len(slow) % 2 else head_end
            client.sendall(request[:start])
            slow.append(client)
            sent[client] = (request, start)
        for client in slow:
            data, at = sent[client]
            with suppress(OSError):
                client.send(data[at : at + 1])
                sent[client] = (data, at + 1)
        gone, _, _ = select.select(slow, [], [], 0)  # answered, or hung up
        for client in gone:
            client.close()
            slow.remove(client)
            del sent[client]
        stop.wait(1)
    for client in slow:
        client.close()
