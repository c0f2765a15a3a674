"""`make chaos`: a chapter through the whole house while something breaks, round after round; then once for real.

    make chaos [SEED=7] [ROUNDS=20] [FAULT=child-killed]

The table goes to the terminal and to out/chaos/rounds.md, the logs of every process to out/chaos/. Leases are
production's.
"""

import argparse
import os
import random
import shutil
import sys
import tempfile
from pathlib import Path

from embedded.services import ROOT, stop_on_signals
from tests.chaos.faults import FAULTS
from tests.chaos.rounds import Round, Suite, run_for_real

OUT = ROOT / "out" / "chaos"
PAGES = 60
# Control looks more often than in production, which saves half a minute a round; leases are production's.
SETTINGS = {"NURIE_TEST_STAGE_S": "0.08", "NURIE_POLL_S": "0.2"}
HEAD = ("round", "fault", "moment", "job", "pages lost", "stale results", "archive", "recovery s", "bar s", "ok")


def choose_faults(count: int, only: str | None, seed: int) -> list[str]:
    """Each at least once where there are rounds enough, in random order."""
    if only:
        return [only] * count
    chance = random.Random(seed)
    names = list(FAULTS)
    chance.shuffle(names)
    return (names * (count // len(names) + 1))[:count]


def _table(rounds: list[Round]) -> str:
    rows = [list(HEAD), *(_cells(round_) for round_ in rounds)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def _cells(round_: Round) -> list[str]:
    if round_.skipped:
        return [round_.number, round_.fault, round_.skipped, *[""] * 6, "skipped"]
    return [
        round_.number,
        round_.fault,
        round_.moment,
        round_.job,
        str(len(round_.lost)),
        str(len(round_.stale)),
        round_.archive,
        "–" if round_.recovery_s is None else f"{round_.recovery_s:.1f}",
        "–" if round_.bar_s is None else f"{round_.bar_s:g}",
        "yes" if round_.ok else "NO",
    ]


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
        suite = Suite(given.seed, Path(scratch), OUT, PAGES, SETTINGS)
        suite.run_without_fault()
        for number, name in enumerate(choose_faults(given.rounds, given.fault, given.seed), 1):
            rounds.append(suite.run(number, name))
            _tell(rounds, given.seed)
        if not given.no_real:
            rounds.append(run_for_real(given.seed, Path(scratch), OUT))
            _tell(rounds, given.seed)
    print(_report(rounds, given.seed))
    return 0 if all(round_.ok for round_ in rounds) else 1


def _tell(rounds: list[Round], seed: int) -> None:
    """Each round at once, in the file too: a suite that is stopped leaves what it saw."""
    print(" | ".join(_cells(rounds[-1])), flush=True)
    (OUT / "rounds.md").write_text(_report(rounds, seed))


if __name__ == "__main__":
    sys.exit(main())
