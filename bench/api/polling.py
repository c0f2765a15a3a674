"""How many 304 answers a second the API gives, beside a bare Flask route served in the same way, in turns."""

import statistics
import threading
import time
from itertools import chain

from bench.api.exchange import Connection, encode
from bench.api.house import House
from bench.api.submissions import encode_submission, make_page
from bench.figures import Figure

CONNECTIONS = 8
ROUNDS = 5
ROUND_S = 4.0
LEAST = 0.6


def measure_polling(rounds: int = ROUNDS, round_s: float = ROUND_S) -> list[Figure]:
    """Embedded, and beside the bar with keys and counted requests: a round trip to Redis more."""
    return list(chain.from_iterable(_measure(auth, rounds, round_s) for auth in ("off", "keys")))


def _measure(auth: str, rounds: int, round_s: float) -> list[Figure]:
    with (
        House(f"bare-{auth}", app="bench.api.bare:create_app()", control=False) as bare,
        House(auth, auth=auth) as ours,
    ):
        with Connection(ours) as connection:
            job = connection.send(encode_submission(ours, make_page(1), make_page(2, coloured=True)))
            assert job.status == 202, job
            path = job.header("Location")
            time.sleep(2)  # control has moved it on as far as it goes
            etag = connection.ask("GET", path).header("ETag")
        poll = encode(ours, "GET", path, If_None_Match=etag)
        plain = encode(bare, "GET", "/bare")
        rates = [(_rate(bare, plain, 200, round_s), _rate(ours, poll, 304, round_s)) for _ in range(rounds)]
    ratio = statistics.median(mine / other for other, mine in rates)
    how = "with keys and counted requests" if auth == "keys" else "embedded"
    return [
        Figure(f"bare Flask route, beside {how}", statistics.median(other for other, _ in rates), "/s"),
        Figure(f"304 answers, {how}", statistics.median(mine for _, mine in rates), "/s"),
        Figure(f"304 answers {how} to bare Flask", ratio, "×", LEAST if auth == "off" else None, at_least=True),
    ]


def _rate(house: House, request: bytes, expected: int, round_s: float) -> float:
    """Answers a second over all connections, each of which asks again as soon as it has its answer."""
    counts = [0] * CONNECTIONS
    until = time.monotonic() + round_s

    def ask(index: int) -> None:
        with Connection(house) as connection:
            while time.monotonic() < until:
                assert connection.send(request).status == expected
                counts[index] += 1

    threads = [threading.Thread(target=ask, args=(index,)) for index in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / round_s
