"""`make bench-api`: the door beside its bars: polling, load, slow clients, an archive of 2 GB, /metrics.

Redis, the API and control, as the Procfile has them, with no worker. Figures and logs go to out/bench-api.
"""

import sys
from functools import partial

from bench.api.archive import measure_archive
from bench.api.house import OUT
from bench.api.load import measure_load
from bench.api.polling import measure_polling
from bench.api.scrape import measure_scrape
from bench.api.slow import measure_slow
from bench.parts import run_parts

PARTS = {
    "polling": measure_polling,
    "load": measure_load,
    "slow": measure_slow,
    "archive": measure_archive,
    "scrape": measure_scrape,
}
SHORT = {
    "polling": partial(measure_polling, rounds=2, round_s=2),
    "load": partial(measure_load, duration_s=12),
    "slow": partial(measure_slow, duration_s=10),
    "archive": partial(measure_archive, size_bytes=200_000_000),
    "scrape": measure_scrape,
}


if __name__ == "__main__":
    sys.exit(run_parts("api", __doc__, PARTS, SHORT, OUT))
