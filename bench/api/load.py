"""Submissions and polls at a fixed rate, whatever the answers take: how long the slowest hundredth waits."""

import queue
import threading
import time
from collections import defaultdict

from bench.api.exchange import Connection, encode
from bench.api.house import House
from bench.api.submissions import encode_submission, make_page
from bench.figures import Figure

RATE = 50
"""Requests a second."""
SUBMIT_EVERY = 5
"""One request of so many is a submission."""
DURATION_S = 40
WARM_UP_S = 5
CONNECTIONS = 32
SUBMIT_MS, POLL_MS = 200, 50
PAGES = 20
"""Different pages, so that no file system and no cache sees one file again and again."""


def measure_load(duration_s: float = DURATION_S) -> list[Figure]:
    with House("load") as house:
        pages, reference = [make_page(seed) for seed in range(PAGES)], make_page(99, coloured=True)
        submissions = [encode_submission(house, page, reference) for page in pages]
        before = {name: house.cpu_s(name) for name in ("api", "control")}
        took, failed = _run(house, submissions, duration_s)
        used = {name: (house.cpu_s(name) - before[name]) / (duration_s + WARM_UP_S) for name in before}
        house.check()
    figures = [
        Figure(f"submit, p99 at {RATE} requests/s", percentile(took["submit"], 99), "ms", SUBMIT_MS),
        Figure(f"submit, median at {RATE} requests/s", percentile(took["submit"], 50), "ms"),
        Figure(f"poll, p99 at {RATE} requests/s", percentile(took["poll"], 99), "ms", POLL_MS),
        Figure(f"poll, median at {RATE} requests/s", percentile(took["poll"], 50), "ms"),
        Figure("requests that failed", failed, "", 0),
    ]
    return figures + [Figure(f"processors that {name} took", share, "") for name, share in used.items()]


def percentile(values: list[float], percent: float) -> float:
    """The nearest rank, in milliseconds, of durations in seconds."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))] * 1000


def _run(house: House, submissions: list[bytes], duration_s: float) -> tuple[dict[str, list[float]], int]:
    """Durations in seconds from the moment that each request was due, by kind; and how many were not answered well."""
    due: queue.Queue[tuple[float, int] | None] = queue.Queue()
    took, lock = defaultdict(list), threading.Lock()
    failed, paths = [], []
    started = time.monotonic()

    def work() -> None:
        with Connection(house) as connection:
            while (item := due.get()) is not None:
                at, number = item
                is_submission = number % SUBMIT_EVERY == 0 or not paths
                if is_submission:
                    reply = connection.send(submissions[number // SUBMIT_EVERY % len(submissions)])
                else:
                    reply = connection.send(polls[number % len(polls)])
                seconds = time.monotonic() - at
                with lock:
                    if reply.status not in (200, 202, 304):
                        failed.append(reply)
                    elif at > started + WARM_UP_S:
                        took["submit" if is_submission else "poll"].append(seconds)
                    if reply.status == 202:
                        paths.append(reply.header("Location"))
                        polls.append(encode(house, "GET", paths[-1]))

    polls: list[bytes] = []
    threads = [threading.Thread(target=work) for _ in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for number in range(int((WARM_UP_S + duration_s) * RATE)):
        at = started + number / RATE
        time.sleep(max(0.0, at - time.monotonic()))
        due.put((at, number))
    for _ in threads:
        due.put(None)
    for thread in threads:
        thread.join()
    return took, len(failed)
