"""`make bench`: every room's bench in short form. One table of all figures goes to bench/results/latest.md.

With some rooms only, their table goes to out/bench/some.md: the file that is kept has all of them.
"""

import argparse
import sys
import time
from pathlib import Path

from bench.machine import describe_machine
from bench.rooms import ROOMS, ROOT, calibrate, measure_room
from bench.summary import summarise
from embedded.services import stop_on_signals

OUT = ROOT / "out" / "bench"
LATEST = ROOT / "bench" / "results" / "latest.md"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("rooms", nargs="*", help=f"of {', '.join(ROOMS)}; all where none is named")
    chosen = parser.parse_args().rooms or list(ROOMS)
    if unknown := sorted(set(chosen) - set(ROOMS)):
        parser.error(f"no such room: {', '.join(unknown)}")
    stop_on_signals()
    OUT.mkdir(parents=True, exist_ok=True)
    machine = describe_machine()
    started, results, calibration = time.monotonic(), [], calibrate()
    for room in chosen:
        print(f"measuring: {room}, output in {OUT / room}.log", flush=True)
        results.append(measure_room(room, calibration, OUT / f"{room}.log"))
        calibration = results[-1].after
        print(f"  {len(results[-1].figures)} figures in {results[-1].seconds:.0f} s", flush=True)
    machine["time of the whole run"] = f"{(time.monotonic() - started) / 60:.1f} min"
    file = _write(summarise(results, machine), is_whole=set(chosen) == set(ROOMS))
    missed = sum(len(result.missed) for result in results)
    failed = sum(len(result.failures) for result in results)
    print(f"written to {file}: {missed} bars missed, {failed} failures")
    return 1 if missed or failed else 0


def _write(text: str, *, is_whole: bool) -> Path:
    file = LATEST if is_whole else OUT / "some.md"
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)
    return file


if __name__ == "__main__":
    sys.exit(main())
