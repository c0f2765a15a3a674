"""`make chaos`: a chapter through the whole house while something breaks, round after round; then once for real.

    make chaos [SEED=7] [ROUNDS=20] [FAULT=child-killed]

The table goes to the terminal and to out/chaos/rounds.md, the logs of every process to out/chaos/. Leases are
production's. Recovery is the time from the fault, or from the return of what was away, until every page that it hit has
committed a stage again; where it hit none in particular, until any page has. `tests.chaos.faults` has the exceptions.
"""

import argparse
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from client.rest import ApiClient
from client.services import ROOT, stop_on_signals
from common.jobs.states import JobStatus
from tests.chaos import checks, disk, outage
from tests.chaos.faults import FAULTS, Blow, Fault, Field, kill_child
from tests.chaos.house import House
from tests.integration import s3server

OUT = ROOT / "out" / "chaos"
PAGES = 60
JOB_LIMIT_S = 360
# Control looks more often than in production, which saves half a minute a round; leases are production's.
SETTINGS = {"NURIE_TEST_STAGE_S": "0.08", "NURIE_POLL_S": "0.2"}
REAL_LIMIT_S = 600
SAMPLE = ROOT / "samples" / "chapter"
HEAD = ("round", "fault", "moment", "job", "pages lost", "stale results", "archive", "recovery s", "bar s", "ok")


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

    def cells(self) -> list[str]:
        if self.skipped:
            return [self.number, self.fault, self.skipped, *[""] * 6, "skipped"]
        return [
            self.number,
            self.fault,
            self.moment,
            self.job,
            str(len(self.lost)),
            str(len(self.stale)),
            self.archive,
            "–" if self.recovery_s is None else f"{self.recovery_s:.1f}",
            "–" if self.bar_s is None else f"{self.bar_s:g}",
            "yes" if self.ok else "NO",
        ]


class Suite:
    def __init__(self, seed: int, scratch: Path) -> None:
        self._seed, self._scratch = seed, scratch
        self._pages = checks.draw_chapter(scratch / "chapter", PAGES, seed)
        self._reference = checks.draw_reference(scratch / "reference.png", seed)
        self._expected: dict[str, bytes] = {}
        self._has_mounts = disk.make_mounts_private()

    def run_without_fault(self) -> None:
        """What the other rounds' archives are compared with."""
        started = time.monotonic()
        with self._house("round-00-none", None, {}) as (house, _, _):
            truth = self._submit(house)
            assert truth.wait_for_end(JOB_LIMIT_S), "the run without faults did not end"
            assert truth.job().status == JobStatus.SUCCEEDED, truth.job().status
            self._expected = checks.archive_entries(truth, house.store)
        assert len(self._expected) == PAGES
        print(f"without a fault: {time.monotonic() - started:.0f} s, the house's start included", flush=True)

    def run(self, number: int, name: str) -> Round:
        fault = FAULTS[name]
        round_ = Round(str(number), name, bar_s=fault.bar_s)
        chance = random.Random(f"{self._seed} {number} {name}")
        with ExitStack() as stack:
            try:
                house, proxy, mount = stack.enter_context(
                    self._house(f"round-{number:02}-{name}", fault, fault.settings)
                )
            except UnavailableError as error:
                round_.skipped = str(error)
                return round_
            self._play(round_, fault, Field(house, self._submit(house), chance, proxy, mount))
        return round_

    def _play(self, round_: Round, fault: Fault, at: Field) -> None:
        stages = checks.count_stages(PAGES)
        after = at.random.randrange(stages // 20, stages * 6 // 10)
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
        with ApiClient(house.base_url) as api:
            return checks.Truth(house.database, api.submit(self._pages, [self._reference])["id"])

    @contextmanager
    def _house(
        self, name: str, fault: Fault | None, settings: Mapping[str, str]
    ) -> Iterator[tuple[House, outage.S3Proxy | None, Path | None]]:
        folder = self._scratch / name
        folder.mkdir()
        with ExitStack() as stack:
            stack.callback(_keep_logs, folder, OUT / name)
            proxy, mount, more = None, None, {}
            if fault and fault.needs == "s3":
                proxy = stack.enter_context(_s3(folder / "s3"))
                more = {
                    "NURIE_STORAGE_URL": "s3://nurie",
                    "NURIE_S3_ENDPOINT_URL": proxy.url,
                    "NURIE_S3_ACCESS_KEY": s3server.ACCESS_KEY,
                    "NURIE_S3_SECRET_KEY": s3server.SECRET_KEY,
                }
            if fault and fault.needs == "disk":
                if not self._has_mounts:
                    raise UnavailableError("needs root, to mount a small disk")
                mount = stack.enter_context(disk.small_disk(folder / "disk"))
                more = {"NURIE_STORAGE_URL": f"file://{mount.absolute()}"}
            house = House(
                folder,
                settings={**SETTINGS, **settings, **more},
                keeps_redis=bool(fault and fault.keeps_redis),
            )
            yield stack.enter_context(house), proxy, mount


class UnavailableError(Exception):
    """This machine lacks what a fault needs; the message says what."""


@contextmanager
def _s3(folder: Path) -> Iterator[outage.S3Proxy]:
    folder.mkdir()
    if reason := s3server.why_unavailable(folder):
        raise UnavailableError(reason)
    with s3server.running(folder) as server, outage.proxy_before(server.url) as proxy:
        yield proxy


def run_for_real(seed: int, scratch: Path) -> Round:
    """Three sample pages through the Procfile's workers; the process of a stage is killed in the middle."""
    round_ = Round("real", "child-killed", bar_s=None)
    folder = scratch / "real"
    folder.mkdir()
    names = ("001.png", "002.png", "003.png")
    pages = [_shrink(SAMPLE / "manga" / name, folder / name) for name in names]
    reference = _shrink(SAMPLE / "reference.png", folder / "reference.png")
    with ExitStack() as stack:
        stack.callback(_keep_logs, folder / "house", OUT / "real")
        house = stack.enter_context(House(folder / "house", real_stages=True))
        with ApiClient(house.base_url) as api:
            job = api.submit(pages, [reference], params={"epochs": 12, "seed": 1})
        truth = checks.Truth(house.database, job["id"])
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


def choose_faults(count: int, only: str | None, seed: int) -> list[str]:
    """Each at least once where there are rounds enough, in random order."""
    if only:
        return [only] * count
    chance = random.Random(seed)
    names = list(FAULTS)
    chance.shuffle(names)
    return (names * (count // len(names) + 1))[:count]


def _shrink(path: Path, to: Path, width: int = 300) -> Path:
    with Image.open(path) as picture:
        height = round(picture.height * width / picture.width)
        picture.convert("RGB").resize((width, height), Image.Resampling.LANCZOS).save(to)
    return to


def _keep_logs(folder: Path, to: Path) -> None:
    to.mkdir(parents=True)
    for log in folder.glob("*.log"):
        shutil.copy(log, to)


def _table(rounds: list[Round]) -> str:
    rows = [list(HEAD), *(round_.cells() for round_ in rounds)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def _report(rounds: list[Round], seed: int) -> str:
    wrong = [
        f"- round {round_.number}, {round_.fault}: {trouble}"
        for round_ in rounds
        for trouble in (*round_.troubles, *round_.lost, *round_.stale)
    ]
    return "\n".join([f"seed {seed}, {PAGES} pages", "", _table(rounds), "", *wrong]) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="make chaos", description="a chapter through the house while something breaks"
    )
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(2), "big"))
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--fault", choices=FAULTS, help="only this one")
    parser.add_argument("--no-real", action="store_true", help="without the run with the real stages at the end")
    given = parser.parse_args()
    stop_on_signals()
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    print(f"seed {given.seed}", flush=True)
    rounds: list[Round] = []
    with tempfile.TemporaryDirectory(prefix="nurie-chaos-", ignore_cleanup_errors=True) as scratch:
        suite = Suite(given.seed, Path(scratch))
        suite.run_without_fault()
        for number, name in enumerate(choose_faults(given.rounds, given.fault, given.seed), 1):
            rounds.append(suite.run(number, name))
            _tell(rounds, given.seed)
        if not given.no_real:
            rounds.append(run_for_real(given.seed, Path(scratch)))
            _tell(rounds, given.seed)
    print(_report(rounds, given.seed))
    return 0 if all(round_.ok for round_ in rounds) else 1


def _tell(rounds: list[Round], seed: int) -> None:
    """Each round at once, in the file too: a suite that is stopped leaves what it saw."""
    print(" | ".join(rounds[-1].cells()), flush=True)
    (OUT / "rounds.md").write_text(_report(rounds, seed))


if __name__ == "__main__":
    sys.exit(main())
