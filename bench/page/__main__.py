"""`make bench-page`: the web page beside its bars: first load, λ slider, grid of 200 pages, in headless Chromium.

The whole house runs, with stages that only tint. Figures and logs go to out/bench-page.
"""

import argparse
import sys
import traceback

from bench.figures import Figure, add_short_option, figures_file, report
from bench.page.house import OUT
from bench.page.parts import PARTS, SHORT


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.page", description=__doc__)
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(PARTS)}; all where none is named")
    add_short_option(parser)
    arguments = parser.parse_args()
    chosen = arguments.parts or list(PARTS)
    if unknown := sorted(set(chosen) - set(PARTS)):
        parser.error(f"no such part: {', '.join(unknown)}")
    OUT.mkdir(parents=True, exist_ok=True)
    figures: list[Figure] = []
    failures = {}
    for name in chosen:
        try:
            figures += (SHORT if arguments.short else PARTS)[name]()
        except Exception as error:  # noqa: BLE001  it is told beside what the other parts measured
            traceback.print_exc()
            failures[name] = f"{type(error).__name__}: {error}"
    return report(figures, figures_file(OUT, "page", is_short=arguments.short), failures)


if __name__ == "__main__":
    sys.exit(main())
