"""A round: the whole house, a chapter under way, one fault, and what came of it.

Recovery is the time from the fault, or from the return of what was away, until every page that it hit has committed a
stage again; where it hit none in particular, until any page has. `tests.chaos.faults` has the exceptions.
"""

import random
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from nurie_client import Client
from PIL import Image

from common.jobs.states import JobStatus
from embedded.services import ROOT
from tests import postgres
from tests.chaos import checks, disk, outage
from tests.chaos.faults import FAULTS, Blow, Fault, Field, Ground, kill_child
from tests.chaos.house import House
from tests.integration import s3server

JOB_LIMIT_S = 360
REAL_LIMIT_S = 600
SAMPLE = ROOT / "samples" / "chapter"


@dataclass
class Round:
    """One row of the table, and what was wrong."""

    number: str
    fault: str
    moment: str = ""
    job: str = ""
    lost: list[str] = field(default_factory=list)
    stale: list[str] = field(default_factory=list)
    archive: str = ""
    recovery_s: float | None = None
    bar_s: float | None = None
    troubles: list[str] = field(default_factory=list)
    skipped: str = ""

    @property
    def ok(self) -> bool:
        late = self.bar_s is not None and (self.recovery_s is None or self.recovery_s > self.bar_s)
        return not (self.lost or self.stale or self.troubles or late)


class Suite:
    """Rounds with one chapter.

    Args:
        seed: of the pages and of every moment.
        scratch: a folder for what the houses work with.
        logs: a folder that keeps the logs of every process.
        pages: how many the chapter has.
        settings: NURIE_… of every house.
    """

    def __init__(self, seed: int, scratch: Path, logs: Path, pages: int, settings: Mapping[str, str]) -> None:
        self._seed, self._scratch, self._logs, self._settings = seed, scratch, logs, settings
        self._pages = checks.draw_chapter(scratch / "chapter", pages, seed)
        self._reference = checks.draw_reference(scratch / "reference.png", seed)
        self._expected: dict[str, bytes] = {}
        _has_mounts()  # before any thread runs

    def run_without_fault(self) -> None:
        """What the other rounds' archives are compared with."""
        started = time.monotonic()
        with self._house("round-00-none", None) as (house, _):
            truth = self._submit(house)
            assert truth.wait_for_end(JOB_LIMIT_S), "the run without faults did not end"
            assert truth.job().status == JobStatus.SUCCEEDED, truth.job().status
            self._expected = checks.archive_entries(truth, house.store)
        assert len(self._expected) == len(self._pages)
        print(f"without a fault: {time.monotonic() - started:.0f} s, the house's start included", flush=True)

    def run(self, number: int, name: str) -> Round:
        fault = FAULTS[name]
        round_ = Round(str(number), name, bar_s=fault.bar_s)
        chance = random.Random(f"{self._seed} {number} {name}")
        with ExitStack() as stack:
            try:
                house, ground = stack.enter_context(self._house(f"round-{number:02}-{name}", fault))
            except UnavailableError as error:
                round_.skipped = str(error)
                return round_
            self._play(round_, fault, Field(house, self._submit(house), chance, ground))
        return round_

    def _play(self, round_: Round, fault: Fault, at: Field) -> None:
        stages = checks.count_stages(len(self._pages))
        after = at.random.randrange(stages // 20, int(stages * fault.latest))
        truth = at.truth
        blow = None
        try:
            checks.wait_until(
                lambda: truth.count_commits() >= after, JOB_LIMIT_S, f"{after} stages were not done before the fault"
            )
            blow = fault.strike(at)
            round_.moment = f"{after}/{stages}" + (f" ({blow.what})" if blow.what else "")
        except (TimeoutError, AssertionError) as error:
            round_.troubles.append(f"the fault: {error}")
        if not truth.wait_for_end(JOB_LIMIT_S):
            round_.troubles.append(f"the job had not ended {JOB_LIMIT_S} s later")
        if fault.is_outage:
            blamed = [page.number for page in truth.pages() if page.failures]
            round_.troubles += [f"the outage was held against page {number}" for number in blamed]
        self._judge(round_, at, blow or Blow(0))

    def _judge(self, round_: Round, at: Field, blow: Blow) -> None:
        truth, store = at.truth, at.house.store
        round_.job = truth.job().status
        wanted = JobStatus.PARTIAL if blow.poisoned else JobStatus.SUCCEEDED
        if round_.job != wanted:
            round_.troubles.append(f"the job is {round_.job}, not {wanted}")
        round_.lost = checks.lost_pages(truth, blow.poisoned)
        round_.stale = checks.stale_results(truth, store)
        poisoned = {f"{number:03}.png" for number in blow.poisoned}
        expected = {name: data for name, data in self._expected.items() if name not in poisoned}
        is_equal = checks.archive_entries(truth, store) == expected
        round_.archive = "equal" if is_equal else "DIFFERS"
        if not is_equal:
            round_.troubles.append("the archive is another one")
        for number in blow.poisoned:
            round_.recovery_s = truth.page(number).updated_at - blow.since
            if (failures := truth.page(number).failures) != 3:
                round_.troubles.append(f"page {number} failed after {failures} attempts, not 3")
        if not blow.poisoned and blow.since:
            round_.recovery_s = blow.recovered_s or checks.recovery_s(truth, blow.since, blow.pages)

    def _submit(self, house: House) -> checks.Truth:
        with Client(house.base_url) as api:
            return checks.Truth(house.database, api.submit(self._pages, [self._reference]).id)

    @contextmanager
    def _house(self, name: str, fault: Fault | None) -> Iterator[tuple[House, Ground]]:
        folder = self._scratch / name
        folder.mkdir()
        with ExitStack() as stack:
            stack.callback(_keep_logs, folder, self._logs / name)
            ground, settings = None, {**self._settings}
            if fault:
                settings |= fault.settings
                if fault.needs:
                    ground, more = stack.enter_context(GROUNDS[fault.needs](folder))
                    settings |= more
            house = House(folder, settings=settings, keeps_redis=bool(fault and fault.keeps_redis))
            yield stack.enter_context(house), ground


class UnavailableError(Exception):
    """This machine lacks what a fault needs; the message says what."""


@contextmanager
def _s3(folder: Path) -> Iterator[tuple[outage.S3Proxy, dict[str, str]]]:
    place = folder / "s3"
    place.mkdir()
    if reason := s3server.why_unavailable(place):
        raise UnavailableError(reason)
    with s3server.running(place) as server, outage.proxy_before(server.url) as proxy:
        yield (
            proxy,
            {
                "NURIE_STORAGE_URL": "s3://nurie",
                "NURIE_S3_ENDPOINT_URL": proxy.url,
                "NURIE_S3_ACCESS_KEY": s3server.ACCESS_KEY,
                "NURIE_S3_SECRET_KEY": s3server.SECRET_KEY,
            },
        )


@contextmanager
def _disk(folder: Path) -> Iterator[tuple[Path, dict[str, str]]]:
    if not _has_mounts():
        raise UnavailableError("needs root, to mount a small disk")
    with disk.small_disk(folder / "disk") as mount:
        yield mount, {"NURIE_STORAGE_URL": f"file://{mount.absolute()}"}


@contextmanager
def _postgresql(_folder: Path) -> Iterator[tuple[postgres.PostgresServer, dict[str, str]]]:
    binaries = postgres.find_binaries()
    if binaries is None:
        raise UnavailableError("PostgreSQL is not installed: see make setup-tests")
    with postgres.running(binaries) as server:
        yield server, {"NURIE_DATABASE_URL": server.url}


GROUNDS: dict[str, Callable[[Path], AbstractContextManager[tuple[Ground, dict[str, str]]]]] = {
    "s3": _s3,
    "disk": _disk,
    "postgresql": _postgresql,
}
"""What a house may stand on: entered with its folder, each gives what a fault lays hands on, and NURIE_… settings."""


@cache
def _has_mounts() -> bool:
    return disk.make_mounts_private()


def run_for_real(seed: int, scratch: Path, logs: Path) -> Round:
    """Three sample pages through the Procfile's workers; the process of a stage is killed in the middle."""
    round_ = Round("real", "child-killed", bar_s=None)
    folder = scratch / "real"
    folder.mkdir()
    names = ("001.png", "002.png", "003.png")
    pages = [_shrink(SAMPLE / "manga" / name, folder / name) for name in names]
    reference = _shrink(SAMPLE / "reference.png", folder / "reference.png")
    with ExitStack() as stack:
        stack.callback(_keep_logs, folder / "house", logs / "real")
        house = stack.enter_context(House(folder / "house", real_stages=True))
        with Client(house.base_url) as api:
            job = api.submit(pages, [reference], params={"epochs": 12, "seed": 1})
        truth = checks.Truth(house.database, job.id)
        at = Field(house, truth, random.Random(seed))
        blow = Blow(0)
        try:
            checks.wait_until(lambda: truth.count_commits() >= 1, REAL_LIMIT_S, "no stage was done")
            blow = kill_child(at)
            round_.moment = f"1/{checks.count_stages(len(pages))} ({blow.what})"
        except TimeoutError as error:
            round_.troubles.append(str(error))
        if not truth.wait_for_end(REAL_LIMIT_S):
            round_.troubles.append(f"the job had not ended {REAL_LIMIT_S} s later")
        round_.job = truth.job().status
        round_.lost = checks.lost_pages(truth, frozenset())
        round_.stale = checks.stale_results(truth, house.store)
        found = list(checks.archive_entries(truth, house.store))
        round_.archive = "complete" if found == list(names) else "INCOMPLETE"
        if found != list(names):
            round_.troubles.append(f"the archive has {found}")
        if blow.since:
            # A real child loads its network first: no bar, the figure says how long it took.
            round_.recovery_s = checks.recovery_s(truth, blow.since, blow.pages)
    return round_


def _shrink(path: Path, to: Path, width: int = 300) -> Path:
    with Image.open(path) as picture:
        height = round(picture.height * width / picture.width)
        picture.convert("RGB").resize((width, height), Image.Resampling.LANCZOS).save(to)
    return to


def _keep_logs(folder: Path, to: Path) -> None:
    to.mkdir(parents=True)
    for log in folder.glob("*.log"):
        shutil.copy(log, to)
