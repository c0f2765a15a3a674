"""`make bench-client`: the command `nurie` beside its bars: breaks in a chapter of 200 pages, memory for 2 GB.

The whole house runs, with stages that only tint; the command is the one that teams install. Figures go to
out/bench-client.
"""

import sys
from functools import partial

from bench.client.breaks import measure_breaks
from bench.client.house import OUT
from bench.client.memory import measure_memory
from bench.parts import run_parts

PARTS = {"breaks": measure_breaks, "memory": measure_memory}
SHORT = {"breaks": partial(measure_breaks, pages=60), "memory": partial(measure_memory, size_bytes=200_000_000)}

if __name__ == "__main__":
    sys.exit(run_parts("client", __doc__, PARTS, SHORT, OUT))
