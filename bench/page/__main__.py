"""`make bench-page`: the web page beside its bars: first load, λ slider, grid of 200 pages, in headless Chromium.

The whole house runs, with stages that only tint. Figures and logs go to out/bench-page.
"""

import argparse
import sys

from bench.figures import report
from bench.page.house import OUT
from bench.page.parts import PARTS


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.page", description=__doc__)
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(PARTS)}; all where none is named")
    chosen = parser.parse_args().parts or list(PARTS)
    if unknown := sorted(set(chosen) - set(PARTS)):
        parser.error(f"no such part: {', '.join(unknown)}")
    OUT.mkdir(parents=True, exist_ok=True)
    return report([figure for name in chosen for figure in PARTS[name]()], OUT / "bench-page.json")


if __name__ == "__main__":
    sys.exit(main())
