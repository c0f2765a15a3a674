"""What operators do to an installation: `nurie models list`, `nurie models fetch inknhue|inception`."""

import argparse
import os
import sys
from contextlib import closing

from rich.console import Console

from admin.hub import Hub
from admin.models import MODEL_SETS, SOURCES, describe_sets, fetch_set
from common.errors import NurieError
from common.settings import Settings


def main(arguments: list[str] | None = None) -> int:
    """Run the command; the exit code is 2 when it could not be done, 130 after Ctrl-C."""
    options = _parse_arguments(arguments)
    models = Settings().models
    try:
        if options.action == "list":
            print(describe_sets(models))
        else:
            source = SOURCES[options.set]
            with closing(Hub(os.environ.get(source.mirror_variable) or source.endpoint)) as hub:
                fetch_set(MODEL_SETS[options.set], models, hub, Console())
    except (NurieError, OSError) as error:
        print(f"nurie: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("nurie: stopped; run it again to go on from here", file=sys.stderr)
        return 130
    return 0


def _parse_arguments(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="nurie", description=__doc__)
    subjects = parser.add_subparsers(dest="subject", required=True)
    models = subjects.add_parser("models", help="weights that people may install (folder: NURIE_MODELS)")
    actions = models.add_subparsers(dest="action", required=True)
    actions.add_parser("list", help="say what is here, what is missing, and what is used")
    mirrors = (f"{its.mirror_variable} names a mirror of {its.endpoint} ({name})" for name, its in SOURCES.items())
    explained = "Environment: " + "; ".join(mirrors) + "."
    fetch = actions.add_parser("fetch", help="download a set, or what is missing of it", epilog=explained)
    fetch.add_argument("set", choices=tuple(SOURCES))
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
