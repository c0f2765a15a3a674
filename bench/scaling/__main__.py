"""`make bench-scaling`: what one page asks of database, storage and Redis: the figures behind docs/scaling.md.

Stages only tint; PostgreSQL and PgBouncer are servers of its own. Figures and logs go to out/bench-scaling.
"""

import sys

from bench.parts import run_parts
from bench.scaling.connections import OUT, measure_connections, measure_pooler
from bench.scaling.queues import measure_messages
from bench.scaling.walk import measure_walk

PARTS = {
    "walk": measure_walk,
    "messages": measure_messages,
    "connections": measure_connections,
    "pooler": measure_pooler,
}

if __name__ == "__main__":
    sys.exit(run_parts("scaling", __doc__, PARTS, PARTS, OUT))
