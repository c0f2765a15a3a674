"""`make bench-house`: the whole house beside its bars: stages from the shell, workers, submissions.

The real stages, and everything that the Procfile starts. Figures and logs go to out/bench-house.
"""

import sys
from functools import partial

from bench.house.house import measure_house
from bench.house.pages import OUT
from bench.house.shell import measure_shell
from bench.parts import run_parts

PARTS = {"shell": measure_shell, "house": measure_house}
SHORT = {"shell": partial(measure_shell, epochs=10), "house": partial(measure_house, submissions=3)}

if __name__ == "__main__":
    sys.exit(run_parts("house", __doc__, PARTS, SHORT, OUT))
