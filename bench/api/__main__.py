"""`make bench-api`: the door beside its bars: polling, load, slow clients, an archive of 2 GB.

Redis, the API and control, as the Procfile has them, with no worker. Figures and logs go to out/bench-api.
"""

import argparse
import os
import sys

from bench.api.archive import measure_archive
from bench.api.house import OUT
from bench.api.load import measure_load
from bench.api.polling import measure_polling
from bench.api.slow import measure_slow
from bench.figures import Figure, report
from client.services import stop_on_signals

PARTS = {"polling": measure_polling, "load": measure_load, "slow": measure_slow, "archive": measure_archive}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.api", description=__doc__)
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(PARTS)}; all where none is named")
    parts = parser.parse_args().parts or list(PARTS)
    stop_on_signals()
    OUT.mkdir(parents=True, exist_ok=True)
    figures = [_load("before")]
    try:
        for part in parts:
            print(f"measuring: {part}", flush=True)
            figures += [*PARTS[part](), _load(f"at the end of {part}")]
    finally:  # what was measured is told, whatever became of the rest
        code = report(figures, OUT / "bench-api.json")
    return code


def _load(when: str) -> Figure:
    """Others' work on the machine makes every figure worse: it is told beside them."""
    return Figure(f"load of the last minute on {os.cpu_count()} processors, {when}", os.getloadavg()[0], "")


if __name__ == "__main__":
    sys.exit(main())
