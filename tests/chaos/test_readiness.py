"""A worker whose golden page fails takes nothing, and harms nobody; when it passes again it works."""

import re
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from tests.service import FAST_STAGES, PROCFILE, STAGES, Service
from tests.sight.pages import picture

LIMIT_S = 60
REFUSING = "refusing"
PAGES = 6


def wait_until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not holds():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.05)


def ask_side(service: Service, name: str, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{service.side_ports[name]}{path}", timeout=10) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return 0, ""


def colour(service: Service, seed: int) -> dict:
    pages = [("pages", f"{number}.png", picture(seed + number)) for number in range(1, PAGES + 1)]
    job = service.submit([*pages, ("references", "r.png", picture(seed, coloured=True))])
    deadline = time.monotonic() + LIMIT_S
    while (seen := service.ask("GET", f"/v1/jobs/{job}?wait=5"))["status"] != "succeeded":
        assert time.monotonic() < deadline, seen
    return seen


def runs_of(service: Service, name: str) -> float:
    text = ask_side(service, name, "/metrics")[1]
    assert "nurie_attempts_total" in text
    return sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith("nurie_attempts_total{"))


@contextmanager
def house(folder: Path, *names: str) -> Iterator[tuple[Service, Path]]:
    """A service with workers, one of which finds its golden page wrong while the file is there."""
    fault = folder / "faults" / "golden"
    fault.parent.mkdir()
    fault.touch()
    commands = PROCFILE | FAST_STAGES
    commands[REFUSING] = f"env NURIE_TEST_FAULTS={fault.parent} {FAST_STAGES['s2p']}".replace("-n s2p-", "-n s2p-bad-")
    with Service(folder, "off", (*names, REFUSING), commands) as service:
        wait_until(lambda: "refused" in ask_side(service, REFUSING, "/readyz")[1])
        yield service, fault


def test_a_refusing_worker_leaves_all_pages_to_others_and_works_when_its_golden_page_passes(tmp_path):
    with house(tmp_path, "control", *STAGES) as (service, fault):
        assert ask_side(service, REFUSING, "/readyz") == (
            503,
            "refused: its golden page failed: the fault: 1, where 0 to 0 was expected\n",
        )
        assert ask_side(service, REFUSING, "/healthz")[0] == 200
        colour(service, 1)
        assert runs_of(service, REFUSING) == 0
        assert runs_of(service, "s2p") == PAGES
        shown = ask_side(service, REFUSING, "/metrics")[1]
        assert 'nurie_worker_refused{stage="s2p"} 1.0' in shown
        assert 'nurie_worker_ready{stage="s2p"} 0.0' in shown
        assert re.search(r'nurie_golden_runs_total\{result="failed",stage="s2p"\} [1-9]', shown)
        assert service.log(REFUSING).count("this worker refuses work") == 1  # though it tried often

        fault.unlink()
        wait_until(lambda: ask_side(service, REFUSING, "/readyz")[0] == 200)
        service.kill("s2p")
        colour(service, 100)
        assert runs_of(service, REFUSING) == PAGES
        wait_until(lambda: 'nurie_worker_ready{stage="s2p"} 1.0' in ask_side(service, REFUSING, "/metrics")[1])

        # The process that follows a dead one is asked anew.
        fault.touch()
        (child,) = [
            one for one in psutil.Process(service.pid(REFUSING)).children() if "spawn_main" in str(one.cmdline())
        ]
        child.kill()
        wait_until(lambda: ask_side(service, REFUSING, "/readyz")[0] == 503)
        wait_until(lambda: "refused" in ask_side(service, REFUSING, "/readyz")[1])
        fault.unlink()
        colour(service, 200)
        assert runs_of(service, REFUSING) == 2 * PAGES


def test_a_refusing_worker_ends_when_told_to(tmp_path):
    with house(tmp_path) as (service, _):
        started = time.monotonic()
        service.signal(REFUSING, signal.SIGTERM)
        assert service.wait(REFUSING) == 0
        assert time.monotonic() - started < 10


def test_a_process_whose_gpu_failed_makes_room_for_one_that_is_examined_and_the_page_is_tried_again(tmp_path):
    with house(tmp_path, "control", *(stage for stage in STAGES if stage != "s2p")) as (service, fault):
        fault.with_name("s2p.1.gpu").touch()
        fault.unlink()
        wait_until(lambda: ask_side(service, REFUSING, "/readyz")[0] == 200)
        colour(service, 1)
        shown = ask_side(service, REFUSING, "/metrics")[1]
        assert 'nurie_attempts_total{outcome="worker_lost",stage="s2p"} 1.0' in shown
        assert f'nurie_attempts_total{{outcome="done",stage="s2p"}} {PAGES}.0' in shown
        assert 'nurie_golden_runs_total{result="passed",stage="s2p"} 2.0' in shown
