"""What operators do to an installation: `nurie models list|fetch`, `nurie admin tenant|key create|list|revoke`."""

import argparse
import os
import sys
from contextlib import closing

from rich.console import Console

from admin import tenants
from admin.hub import Hub
from admin.models import MODEL_SETS, SOURCES, describe_sets, fetch_set
from common.errors import NurieError
from common.settings import Settings


def main(arguments: list[str] | None = None) -> int:
    """Run the command; the exit code is 2 when it could not be done, 130 after Ctrl-C."""
    options = _parse_arguments(arguments)
    settings = Settings()
    try:
        if options.room == "admin":
            tenants.run(options, settings, Console())
        elif options.action == "list":
            print(describe_sets(settings.models))
        else:
            source = SOURCES[options.set]
            with closing(Hub(os.environ.get(source.mirror_variable) or source.endpoint)) as hub:
                fetch_set(MODEL_SETS[options.set], settings.models, hub, Console())
    except (NurieError, OSError) as error:
        print(f"nurie: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("nurie: stopped; run it again to go on from here", file=sys.stderr)
        return 130
    return 0


def _parse_arguments(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="nurie", description=__doc__)
    rooms = parser.add_subparsers(dest="room", required=True)
    admin = rooms.add_parser("admin", help="who may use this installation")
    tenants.add_parsers(admin.add_subparsers(dest="subject", required=True))
    models = rooms.add_parser("models", help="weights that people may install (folder: NURIE_MODELS)")
    actions = models.add_subparsers(dest="action", required=True)
    actions.add_parser("list", help="say what is here, what is missing, and what is used")
    mirrors = (f"{its.mirror_variable} names a mirror of {its.endpoint} ({name})" for name, its in SOURCES.items())
    explained = "Environment: " + "; ".join(mirrors) + "."
    fetch = actions.add_parser("fetch", help="download a set, or what is missing of it", epilog=explained)
    fetch.add_argument("set", choices=tuple(SOURCES))
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
