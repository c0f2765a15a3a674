"""A chapter of many pages: clients and API are killed and the network is cut, again and again, while it is sent."""

import hashlib
import signal
import time
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from bench.api.submissions import make_page
from bench.client.house import open_house, start_nurie
from bench.figures import Figure
from tests.client.wire import Wire
from tests.service import Service

PAGES = 200
PAGE_SIZE = (240, 340)
ROUNDS = 4
"""How often each of the three breaks comes."""
LIMIT_S = 600


def measure_breaks(pages: int = PAGES) -> list[Figure]:
    with open_house("breaks") as (service, wire, folder):
        (folder / "cover.png").write_bytes(make_page(5000, coloured=True, size=PAGE_SIZE))
        with zipfile.ZipFile(folder / "ch12.cbz", "w") as archive:
            for number in range(1, pages + 1):
                archive.writestr(f"{number:03}.jpg", make_page(number, size=PAGE_SIZE))
        breaks, again_s = _send_through_breaks(service, wire, folder, pages)
        undisturbed_s = _send(wire, folder, "undisturbed.cbz", "--again")
        whole = Counter(wire.uploads)
        begun = Counter(wire.begun)
        same = _digest(folder / "out.cbz") == _digest(folder / "undisturbed.cbz")
    return [
        Figure(f"files sent whole twice, {pages} pages and {breaks} breaks", _twice(whole), "", breaks),
        Figure("files begun twice: cut off in the middle, and sent again", _twice(begun), ""),
        Figure("archive after the breaks and without any: the same", float(same), "", 1, at_least=True),
        Figure("the last run of the same command, after the breaks", again_s, "s"),
        Figure("a run without breaks, everything known to the server", undisturbed_s, "s"),
    ]


def _send_through_breaks(service: Service, wire: Wire, folder: Path, pages: int) -> tuple[int, float]:
    """How many breaks there were, and how long the last run took, in seconds."""
    total, breaks = pages + 1, 0
    marks = [round(total * (number + 1) / (3 * ROUNDS + 1)) for number in range(3 * ROUNDS)]
    client = start_nurie(wire, folder, "colorize", "ch12.cbz", "-r", "cover.png", "-o", "out.cbz")
    for number, mark in enumerate(marks):
        _wait(lambda mark=mark: len(wire.uploads) >= mark)
        match number % 3:
            case 0:
                client.send_signal(signal.SIGKILL)
                client.wait()
                client = start_nurie(wire, folder, "colorize", "ch12.cbz", "-r", "cover.png", "-o", "out.cbz")
            case 1:
                wire.cut()
                wire.mend()
            case 2:
                service.kill("api")
                service.start_api()
        breaks += 1
    _wait(lambda: any(job["pages"]["succeeded"] >= pages // 4 for job in service.ask("GET", "/v1/jobs")["jobs"]))
    client.send_signal(signal.SIGKILL)
    client.wait()
    return breaks + 1, _send(wire, folder, "out.cbz")


def _send(wire: Wire, folder: Path, out: str, *options: str) -> float:
    started = time.monotonic()
    client = start_nurie(wire, folder, "colorize", "ch12.cbz", "-r", "cover.png", "-o", out, *options)
    if client.wait(LIMIT_S) != 0:
        raise RuntimeError(f"nurie failed: see {folder / 'nurie.log'}")
    return time.monotonic() - started


def _wait(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("the condition did not come true in time")
        time.sleep(0.005)


def _twice(counts: Counter[str]) -> int:
    return sum(count - 1 for count in counts.values())


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
